//! Generates one value of one row.

use super::account::Account;
use super::custom;
use super::fill::{Cell, Contact, Ending, Fill, Mark, Presence, Shape, Special};
use super::habits::Habit;
use super::json;
use super::rows::{self, RowContext, Status};
use super::sample_text;
use crate::model::Time;
use fastrand::Rng;
use std::sync::LazyLock;

/// Appends the value of a cell.
pub(super) fn write(out: &mut Vec<u8>, cell: &Cell, row_context: &RowContext<'_>, rng: &mut Rng) {
    value(out, &cell.fill, cell, row_context, rng);
}

/// Appends the time at which a deal was first won. A deal that was not has one of two empty values.
fn first_won(out: &mut Vec<u8>, cell: &Cell, row_context: &RowContext<'_>) {
    match row_context.status {
        Status::Won => json::time(out, ended(row_context), cell.spelling),
        _ if row_context.id % 9 == 4 && row_context.account.habits.has(Habit::ZeroDates) => {
            out.extend_from_slice(ZERO);
        }
        _ => out.extend_from_slice(b"null"),
    }
}

/// Appends a value of this kind, in the form of the cell.
fn value(out: &mut Vec<u8>, fill: &Fill, cell: &Cell, row_context: &RowContext<'_>, rng: &mut Rng) {
    let account = row_context.account;
    match fill {
        Fill::Id => json::number(out, row_context.id),
        Fill::Uuid => json::text(out, &account.uuid(row_context.resource.name, row_context.id)),
        Fill::Hex(digits) => {
            json::text(out, &account.hex(row_context.resource.name, row_context.id, *digits));
        }
        Fill::Title => json::text(out, &account.title(row_context.resource.name, row_context.id)),
        Fill::FirstName => json::text(out, account.names(row_context.id).0),
        Fill::LastName => json::text(out, account.names(row_context.id).1),
        Fill::Sentence => json::text(out, sample_text::sentence(rng)),
        Fill::Html => json::text(out, &sample_text::html(rng, row_context.id % 50 == 3)),
        Fill::Ref(target) => match pointer(row_context, target, cell.presence) {
            Some(id) => json::number(out, id),
            None => out.extend_from_slice(b"null"),
        },
        Fill::Lead => match pointer(row_context, "leads", cell.presence) {
            Some(id) => json::text(out, &account.uuid("leads", id)),
            None => out.extend_from_slice(b"null"),
        },
        Fill::Refs(target) => refs(out, target, account.count(target), rng),
        Fill::Company => json::number(out, account.company),
        Fill::Parent => json::number(out, row_context.parent),
        Fill::Pick(of) => out.extend_from_slice(sample_text::one(rng, of).as_bytes()),
        Fill::Nth(of) => out.extend_from_slice(nth(of, row_context.id).as_bytes()),
        Fill::Group(size) => json::number(out, (row_context.id - 1) / size % 3 + 1),
        Fill::Order(size) => json::number(out, (row_context.id - 1) % size + 1),
        Fill::Money => money(out, rng),
        Fill::Whole(from, to) => json::number(out, rng.u64(*from..=*to)),
        Fill::Add => json::time(out, row_context.add, cell.spelling),
        Fill::Update => maybe_time(out, row_context.update, cell),
        Fill::Between => json::time(out, between(row_context, rng), cell.spelling),
        Fill::FirstWon => first_won(out, cell, row_context),
        Fill::LastLogin => match row_context.id % 5 {
            2 if account.habits.has(Habit::ZeroDates) => out.extend_from_slice(ZERO),
            _ => json::time(out, between(row_context, rng), cell.spelling),
        },
        Fill::Ended(ending, shape) => {
            let applies = match ending {
                Ending::Won => row_context.status == Status::Won,
                Ending::Lost => row_context.status == Status::Lost,
                Ending::Either => matches!(row_context.status, Status::Won | Status::Lost),
            };
            match shape {
                _ if !applies => out.extend_from_slice(b"null"),
                Shape::Time => json::time(out, ended(row_context), cell.spelling),
                Shape::Date => json::text(out, &ended(row_context).date()),
            }
        }
        Fill::Archived(Mark::Flag) => json::flag(out, row_context.archived),
        Fill::Archived(Mark::Time) => {
            maybe_time(out, row_context.archived.then(|| row_context.touched.whole_second()), cell);
        }
        Fill::Deleted => json::flag(out, row_context.deleted.is_some()),
        Fill::Active => json::flag(out, row_context.id % 10 != 9),
        Fill::Status => json::text(out, row_context.status.name()),
        Fill::Probability => match row_context.id % 4 {
            1 => json::number(out, row_context.id % 101),
            3 => out.extend_from_slice(b"12.5"),
            _ => out.extend_from_slice(b"null"),
        },
        Fill::LostReason => match (row_context.status, row_context.id % 5) {
            (Status::Lost, 0) => {
                out.extend_from_slice(b"{\"id\":4,\"label\":\"Zu teuer \\\"wirklich\\\"\"}");
            }
            (Status::Lost, _) => json::text(out, sample_text::sentence(rng)),
            _ => out.extend_from_slice(b"null"),
        },
        Fill::Date => json::text(out, &between(row_context, rng).date()),
        Fill::Address => out.extend_from_slice(&ADDRESSES[rng.usize(..ADDRESSES.len())]),
        Fill::Contacts(contact) => contacts(out, *contact, row_context, rng),
        Fill::Email => {
            let email = format!("{}{}@example.test", row_context.resource.name, row_context.id);
            json::text(out, &email);
        }
        Fill::Named(target, wrap) => named(out, target, *wrap, row_context, cell.presence),
        Fill::Custom => {
            let (fields, targets) = (account.fields(row_context.resource.name), account.targets());
            custom::nested(out, fields, row_context.id, rng, &targets);
        }
        Fill::Special(special) => self::special(out, *special, row_context, rng),
        Fill::List(item) => {
            out.push(b'[');
            value(out, item, cell, row_context, rng);
            out.push(b']');
        }
        Fill::Object(cells) => {
            out.push(b'{');
            for (place, inner) in cells.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(&inner.prefix);
                write(out, inner, row_context, rng);
            }
            out.push(b'}');
        }
    }
}

/// The value of a time that was never set.
const ZERO: &[u8] = b"\"0000-00-00 00:00:00\"";

/// The serialized addresses. There are few places, and many rows have one.
static ADDRESSES: LazyLock<[Vec<u8>; 12]> = LazyLock::new(|| {
    std::array::from_fn(|seed| {
        let mut out = Vec::new();
        object(&mut out, &custom::address(&mut Rng::with_seed(seed as u64)));
        out
    })
});

/// Returns the row that a column refers to. It depends on row and target only, so that two columns of a row
/// with the same target agree.
fn pointer(row_context: &RowContext<'_>, target: &str, presence: Presence) -> Option<u64> {
    match (row_context.resource.name, target) {
        ("deals", "pipelines") => return Some((row_context.stage - 1) / 6 + 1),
        ("deals", "stages") => return Some(row_context.stage),
        _ => {}
    }
    let count = row_context.account.count(target);
    let own =
        row_context.account.dice(row_context.resource.name, row_context.id ^ 0x7265_6600).u64(..);
    let mut rng = row_context.account.dice(target, own);
    let missing = rng.u8(..5) < 2 && row_context.id % 8 != 1 && presence != Presence::Always;
    if count == 0 || missing {
        return None;
    }
    let id = lasting(target, 1 + rng.u64(..count));
    let vanish =
        row_context.account.habits.has(Habit::GoneReferences) && custom::VANISH.contains(&target);
    Some(if vanish { custom::vanished(id, &mut rng) } else { id })
}

/// Returns the number of a row that others may refer to: this one, or the one before if this one is purged.
fn lasting(target: &str, id: u64) -> u64 {
    id - u64::from(rows::purged(target, id))
}

fn refs(out: &mut Vec<u8>, target: &str, count: u64, rng: &mut Rng) {
    out.push(b'[');
    let many = if count == 0 { 0 } else { rng.u64(..4) };
    for place in 0..many {
        if place > 0 {
            out.push(b',');
        }
        json::number(out, lasting(target, 1 + rng.u64(..count)));
    }
    out.push(b']');
}

fn nth(of: &'static [&'static str], id: u64) -> &'static str {
    let place = (id - 1) % of.len() as u64;
    of[usize::try_from(place).expect("a place in a short list fits")]
}

fn money(out: &mut Vec<u8>, rng: &mut Rng) {
    json::number(out, rng.u64(1..50_000));
    match rng.u8(..4) {
        0 => out.extend_from_slice(b".5"),
        1 => out.extend_from_slice(b".50"),
        2 => out.extend_from_slice(b".99"),
        _ => {}
    }
}

fn maybe_time(out: &mut Vec<u8>, time: Option<Time>, cell: &Cell) {
    match time {
        Some(time) => json::time(out, time, cell.spelling),
        None => out.extend_from_slice(b"null"),
    }
}

/// Returns a time between the row's creation and its last write.
fn between(row_context: &RowContext<'_>, rng: &mut Rng) -> Time {
    let span = row_context.touched.seconds() - row_context.add.seconds();
    row_context.add.plus_seconds(if span > 0 { rng.i64(0..span) } else { 0 })
}

/// Returns the time at which the deal ended: in the middle between creation and last write.
fn ended(row_context: &RowContext<'_>) -> Time {
    row_context
        .add
        .plus_seconds((row_context.touched.seconds() - row_context.add.seconds()) / 2)
        .whole_second()
}

fn object(out: &mut Vec<u8>, parts: &[(&str, String)]) {
    out.push(b'{');
    for (name, value) in parts {
        json::pair(out, name, value);
    }
    out.push(b'}');
}

fn contacts(out: &mut Vec<u8>, contact: Contact, row_context: &RowContext<'_>, rng: &mut Rng) {
    let many = rng.u32(u32::from(row_context.id % 8 == 1)..3);
    if many == 0
        && row_context.id.is_multiple_of(3)
        && row_context.account.habits.has(Habit::EmptyContacts)
    {
        out.extend_from_slice(b"[{\"value\":\"\",\"primary\":true}]");
        return;
    }
    out.push(b'[');
    for place in 0..many {
        if place > 0 {
            out.push(b',');
        }
        let value = match contact {
            Contact::Email => format!("p{}.{place}@example.test", row_context.id),
            Contact::Phone => format!("+371 2{:07}", rng.u32(..10_000_000)),
            Contact::Messenger => format!("user_{}", row_context.id),
        };
        let label = match (contact, place) {
            (Contact::Messenger, _) => "skype",
            (_, 0) => "work",
            _ => "home",
        };
        out.extend_from_slice(b"{\"value\":");
        json::text(out, &value);
        out.extend_from_slice(b",\"primary\":");
        json::flag(out, place == 0);
        out.extend_from_slice(format!(",\"label\":\"{label}\"}}").as_bytes());
    }
    out.push(b']');
}

fn named(
    out: &mut Vec<u8>,
    target: &str,
    wrap: Option<&str>,
    row_context: &RowContext<'_>,
    presence: Presence,
) {
    let Some(id) = pointer(row_context, target, presence) else {
        out.extend_from_slice(b"null");
        return;
    };
    let title = row_context.account.title(target, id);
    match wrap {
        None => json::text(out, &title),
        Some(key) => object(out, &[(key, json::quoted(&title))]),
    }
}

/// Returns the number of messages of a mail thread.
pub(super) fn messages(account: &Account, thread: u64) -> u64 {
    account.dice("mail_messages", thread ^ 0x6d61_696c).u64(2..=5)
}

/// Returns the folders of a mail thread.
pub(super) fn folders(thread: u64) -> &'static [&'static str] {
    match thread % 8 {
        0 | 1 => &["inbox", "sent"],
        2..=4 => &["inbox"],
        5 => &["sent"],
        6 => &["drafts"],
        _ => &["archive"],
    }
}

/// The types of goals. Each has active and past goals.
pub(super) const GOAL_TYPES: [&str; 6] = [
    "deals_won",
    "deals_progressed",
    "deals_started",
    "activities_completed",
    "activities_added",
    "revenue_forecast",
];

fn special(out: &mut Vec<u8>, special: Special, row_context: &RowContext<'_>, rng: &mut Rng) {
    let account = row_context.account;
    let name = |id: u64| json::quoted(&account.title("persons", id));
    let id = row_context.id;
    let text = match special {
        Special::Prices(key) => format!(
            "[{{\"{key}\":{id},\"price\":{}.90,\"currency\":\"EUR\",\"cost\":0,\"direct_cost\":null,\"notes\":\"\"}}]",
            rng.u32(1..5_000)
        ),
        Special::Participants => match pointer(row_context, "persons", Presence::Nullable) {
            Some(person) => format!("[{{\"person_id\":{person},\"primary\":true}}]"),
            None => "[]".to_owned(),
        },
        Special::Attendees => format!(
            "[{{\"email\":\"guest{id}@example.test\",\"name\":{},\"status\":\"accepted\",\"is_organizer\":false,\"person_id\":null,\"user_id\":null}}]",
            name(id)
        ),
        Special::GoalType => format!(
            "{{\"name\":\"{}\",\"params\":{{\"pipeline_id\":[1],\"activity_type_id\":null}}}}",
            nth(&GOAL_TYPES, id)
        ),
        Special::GoalActive => ((id - 1) / 6).is_multiple_of(2).to_string(),
        Special::Folders => format!("[\"{}\"]", folders(id).join("\",\"")),
        Special::MailParties => format!(
            "{{\"to\":[{}],\"from\":[{}]}}",
            party(id, &name(id)),
            party(id + 1, &name(id + 1))
        ),
        Special::Party => format!("[{}]", party(id, &name(id))),
        Special::MessageCount => messages(account, id).to_string(),
        Special::LabelUuids => match id % 3 {
            0 => "[]".to_owned(),
            _ => format!("[\"{}\"]", account.uuid("lead_labels", 1 + id % 6)),
        },
        Special::UserAccess => format!(
            "[{{\"app\":\"global\",\"admin\":{},\"permission_set_id\":\"{}\"}}]",
            id == 1,
            account.uuid("permission_sets", 1)
        ),
        Special::IsYou => (id == 1).to_string(),
        Special::IsAdmin => u8::from(id == 1).to_string(),
        Special::NoteUser => {
            let user = pointer(row_context, "users", Presence::Always).unwrap_or(1);
            format!(
                "{{\"email\":\"users{user}@example.test\",\"icon_url\":null,\"is_you\":{},\"name\":{}}}",
                user == 1,
                json::quoted(&account.title("users", user))
            )
        }
        Special::ParticipantPerson => {
            let person =
                1 + (row_context.parent + row_context.place) % account.count("persons").max(1);
            format!(
                "{{\"active_flag\":true,\"name\":{},\"email\":[{{\"value\":\"p{person}.0@example.test\",\"primary\":true,\"label\":\"work\"}}],\"phone\":[],\"owner_id\":1,\"value\":{person}}}",
                name(person)
            )
        }
        Special::ParticipantWrap => {
            format!("{{\"title\":{}}}", json::quoted(&account.title("deals", row_context.parent)))
        }
        Special::Follower => {
            (1 + (row_context.parent + row_context.place) % account.count("users")).to_string()
        }
        Special::PhaseOfBoard => {
            let board = (id - 1) / 20 % 3 + 1;
            ((board - 1) * 4 + 1 + id % 4).to_string()
        }
        Special::Duration => "{\"start\":\"2026-01-01\",\"end\":\"2026-12-31\"}".to_owned(),
        Special::SmallText => format!("\"{}\"", row_context.parent),
        Special::SetOfParent => json::quoted(&account.uuid("permission_sets", row_context.parent)),
        Special::Url => {
            format!("\"https://www.example.test/{}/{id}?a=1&b=\u{fc}\"", row_context.resource.name)
        }
    };
    out.extend_from_slice(text.as_bytes());
}

fn party(id: u64, name: &str) -> String {
    format!(
        "{{\"id\":{id},\"email_address\":\"p{id}.0@example.test\",\"name\":{name},\"linked_person_id\":{id},\"linked_person_name\":{name},\"mail_message_party_id\":{}}}",
        id * 10
    )
}
