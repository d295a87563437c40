//! Rows that exist per parent. They are generated when their parent is requested, and stored only if edited.

use super::account::{Account, START};
use super::json::{self, pair, quoted};
use super::rows::{Plan, Row, Status};
use super::values;
use crate::model::Time;
use bytes::Bytes;

/// Returns the rows of a child resource for one parent.
pub(super) fn rows(account: &Account, plan: &Plan, parent: u64) -> Vec<Row> {
    let name = plan.resource.name;
    if name == "organization_relationships" {
        return relationships(account, parent);
    }
    let (slots, count) = many(account, name, parent);
    let mut rows: Vec<Row> = (0..count)
        .map(|place| plan.child(account, (parent - 1) * slots + place + 1, parent, place))
        .collect();
    if name.ends_with("_changelog") {
        // Ids follow the order of the times. Lists return the newest row first.
        rows.sort_by_key(|row| (row.update, row.id));
        let ids: Vec<u64> = (1..).take(rows.len()).map(|id| (parent - 1) * slots + id).collect();
        for (row, id) in rows.iter_mut().zip(ids) {
            row.id = id;
        }
    }
    rows
}

/// Returns a filter as in the response for a single filter: with its conditions.
pub(super) fn with_conditions(filter: &Row) -> Row {
    let conditions = format!(
        "{{\"glue\":\"and\",\"conditions\":[{{\"glue\":\"and\",\"conditions\":[{{\"object\":\"deal\",\"field_id\":\"{}\",\"operator\":\"=\",\"value\":\"{}\",\"extra_value\":null}}]}},{{\"glue\":\"or\",\"conditions\":[]}}]}}",
        12_400 + filter.id,
        filter.id % 7
    );
    let json = json::replaced(&filter.json, &[("conditions".to_owned(), conditions)]);
    Row { json: Bytes::from(json), ..filter.clone() }
}

/// Returns a message as the lists of rows contain it: wrapped, and with its text if that was requested.
pub(super) fn wrapped(message: &Bytes, body: bool) -> Bytes {
    let time = json::find(message, "message_time").unwrap_or("null");
    let mut out = vec![b'{'];
    pair(&mut out, "object", "\"mailMessage\"");
    pair(&mut out, "timestamp", time);
    let subject = json::find(message, "subject").and_then(|raw| serde_json::from_str(raw).ok());
    let subject: String = subject.unwrap_or_default();
    let text = ("body".to_owned(), quoted(&format!("<p>{subject}</p>")));
    let message = if body { json::replaced(message, &[text]).into() } else { message.clone() };
    pair(&mut out, "data", &String::from_utf8_lossy(&message));
    out.push(b'}');
    Bytes::from(out)
}

/// Returns the entry of a change in the changelog of its row.
pub(super) fn log(id: u64, set: &(String, String), old: &str, now: Time) -> Row {
    let mut out = vec![b'{'];
    pair(&mut out, "field_key", &quoted(&set.0));
    pair(&mut out, "old_value", old);
    pair(&mut out, "new_value", &set.1);
    pair(&mut out, "actor_user_id", "1");
    pair(&mut out, "time", &quoted(&now.naked()));
    pair(&mut out, "change_source", "\"app\"");
    pair(&mut out, "change_source_user_agent", "null");
    pair(&mut out, "is_bulk_update_flag", "false");
    out.push(b'}');
    Row {
        id,
        name: None,
        add: now,
        update: Some(now),
        status: Status::None,
        archived: false,
        deleted: None,
        json: Bytes::from(out),
    }
}

/// Returns the parent that a child row of this id had at the start.
pub(super) fn home(account: &Account, name: &str, id: u64) -> u64 {
    match name {
        "organization_relationships" => id,
        _ => id.saturating_sub(1) / many(account, name, 1).0 + 1,
    }
}

/// Returns the number of ids reserved for one parent, and the number of used ones.
fn many(account: &Account, name: &str, parent: u64) -> (u64, u64) {
    let mut rng = account.dice(name, parent ^ 0x006d_616e_7900);
    match name {
        "phases" => (4, 4),
        "mail_messages" => (5, values::messages(account, parent)),
        "deal_products" => (4, rng.u64(..4)),
        "deal_changelog" | "person_changelog" | "organization_changelog" => (8, rng.u64(..7)),
        _ => (4, rng.u64(..3)),
    }
}

/// Returns the relationships of an organization. One organization in four has a relationship to the next one.
/// Both list it, each from its own side.
fn relationships(account: &Account, parent: u64) -> Vec<Row> {
    let count = account.count("organizations");
    let owns = |org: u64| org % 4 == 1 && org < count;
    let mut owners = Vec::new();
    if parent > 1 && owns(parent - 1) {
        owners.push(parent - 1);
    }
    if owns(parent) {
        owners.push(parent);
    }
    owners.into_iter().map(|owner| relationship(account, owner, parent)).collect()
}

fn relationship(account: &Account, owner: u64, seen_by: u64) -> Row {
    let linked = owner + 1;
    let other = if seen_by == owner { linked } else { owner };
    let side = |org: u64| {
        let address = if org.is_multiple_of(3) { "null" } else { "\"1 High St, Leeds\"" };
        format!(
            "{{\"name\":{},\"people_count\":{},\"owner_id\":1,\"address\":{address},\"cc_email\":\"org{org}@example.test\",\"value\":{org}}}",
            quoted(&account.title("organizations", org)),
            org % 9
        )
    };
    let parent = owner % 8 == 1;
    let calculated = match (parent, seen_by == owner) {
        (false, _) => "\"related\"",
        (true, true) => "\"daughter\"",
        (true, false) => "\"parent\"",
    };
    let add = START.plus_seconds(-86_400 * 300 - i64::try_from(owner % 1_000).unwrap_or(0));
    let mut out = vec![b'{'];
    pair(&mut out, "id", &owner.to_string());
    pair(&mut out, "type", if parent { "\"parent\"" } else { "\"related\"" });
    pair(&mut out, "rel_owner_org_id", &side(owner));
    pair(&mut out, "rel_linked_org_id", &side(linked));
    pair(&mut out, "add_time", &format!("\"{}\"", add.naked()));
    let update = (!owner.is_multiple_of(5)).then_some(add.plus_seconds(9_000));
    let shown = update.map_or("null".to_owned(), |time| format!("\"{}\"", time.naked()));
    pair(&mut out, "update_time", &shown);
    pair(&mut out, "active_flag", "true");
    pair(&mut out, "calculated_type", calculated);
    pair(&mut out, "calculated_related_org_id", &other.to_string());
    let name = quoted(&account.title("organizations", other));
    pair(&mut out, "related_organization_name", &name);
    out.push(b'}');
    Row {
        id: owner,
        name: None,
        add,
        update,
        status: Status::None,
        archived: false,
        deleted: None,
        json: Bytes::from(out),
    }
}
