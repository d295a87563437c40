//! Builds the request bodies of Pipedrive's write endpoints from rows (pipedrive-api.md 7).

use super::custom::{flat, written};
use super::id_map::IdMap;
use super::missing_fields::owner;
use crate::bundle::format::Entity;
use crate::bundle::map::{AccountSetup, NOTE_MARK};
use crate::model::{Members, Time, list, members, quoted, text};

/// The request bodies that write a row.
#[derive(Debug)]
pub(super) struct Body {
    /// The object to send.
    pub(super) json: String,
    /// The second request for an archived lead, because a lead cannot be created as archived.
    pub(super) then: Option<String>,
    /// Whether a custom field refers to a row that does not exist yet.
    pub(super) early: bool,
}

/// A request body that is being built.
struct BodyBuilder<'r> {
    fields: Members<'r>,
    out: Vec<(String, String)>,
}

impl<'r> BodyBuilder<'r> {
    fn get(&self, name: &str) -> Option<&'r str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Returns the raw value, unless it is null.
    fn some(&self, name: &str) -> Option<&'r str> {
        self.get(name).filter(|value| *value != "null")
    }

    fn put(&mut self, key: &str, value: impl Into<String>) {
        self.out.push((key.to_owned(), value.into()));
    }

    /// Copies a field under another key.
    fn copy(&mut self, name: &str, key: &str) {
        if let Some(value) = self.get(name) {
            self.put(key, value);
        }
    }

    /// Writes a reference by id.
    fn refer(&mut self, entity: Entity, key: &str, ids: &IdMap) {
        let Some(value) = entity.link().and_then(|name| self.get(name)) else { return };
        let id = text(value).and_then(|id| ids.find(entity, &id));
        self.put(key, id.unwrap_or("null"));
    }

    fn finish(self) -> String {
        let pairs = self.out.iter().map(|(key, value)| format!("{}:{value}", quoted(key)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
}

/// The way in which a row is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct WriteMode {
    /// Whether the row is created.
    pub(super) new: bool,
    /// Whether the row stores its public id in a field or note. All rows do, except existing ones with a
    /// public id that is generated from their own id.
    pub(super) marked: bool,
}

/// Returns the request body for a row made by [`super::PipedriveProjection::row`]. The body of an existing
/// row has only the fields that change.
pub(super) fn body(
    entity: Entity,
    row: &str,
    manner: WriteMode,
    setup: &AccountSetup,
    ids: &IdMap,
) -> Body {
    let new = manner.new;
    let mut making = BodyBuilder { fields: members(row), out: Vec::new() };
    let public_id = making.some("public_id").and_then(text).unwrap_or_default();
    let (mut then, mut early) = (None, false);
    match entity {
        Entity::Accounts => account(&mut making, new, setup),
        Entity::Contacts => contact(&mut making, new, ids),
        Entity::Opportunities => opportunity(&mut making, setup, ids),
        Entity::Leads => then = lead(&mut making, new, ids),
        Entity::Activities => activity(&mut making, &public_id, manner, ids),
    }
    if let Some(user) = making.some("owner").and_then(text).and_then(|email| setup.user(&email)) {
        making.put("owner_id", user.to_string());
    }
    if entity != Entity::Activities {
        if let Some(labels) = making.get("labels") {
            let labels = list(labels).into_iter().filter_map(text);
            let labels = labels.filter_map(|label| setup.label_id(entity, &label));
            making.put("label_ids", format!("[{}]", labels.collect::<Vec<_>>().join(",")));
        }
        early = custom(&mut making, entity, &public_id, manner, setup, ids);
    }
    Body { json: making.finish(), then, early }
}

/// Writes the custom fields. Returns whether one refers to a row that does not exist yet.
fn custom(
    making: &mut BodyBuilder<'_>,
    entity: Entity,
    public_id: &str,
    manner: WriteMode,
    setup: &AccountSetup,
    ids: &IdMap,
) -> bool {
    let mut early = false;
    let owner = owner(entity).unwrap_or(entity);
    let mut pairs = Vec::new();
    if let Some(marker) = setup.marker(owner).filter(|_| manner.marked) {
        pairs.push((marker.to_owned(), quoted(public_id)));
    }
    for (name, value) in members(making.get("custom").unwrap_or("{}")) {
        let Some(target) = setup.target(owner, &name) else { continue };
        if value == "null" {
            pairs.push((target.code.to_owned(), value.to_owned()));
            continue;
        }
        let Some(value) = written(target, value, setup, ids) else {
            // Deals and leads are written after all rows that they can refer to.
            early |= matches!(entity, Entity::Accounts | Entity::Contacts)
                && matches!(target.ty, "org" | "people");
            continue;
        };
        if entity == Entity::Leads {
            pairs.extend(flat(target, &value));
        } else {
            pairs.push((target.code.to_owned(), value));
        }
    }
    if entity == Entity::Leads {
        for (key, value) in pairs {
            making.put(&key, value);
        }
        return early;
    }
    if !pairs.is_empty() {
        let pairs = pairs.iter().map(|(key, value)| format!("{}:{value}", quoted(key)));
        making.put("custom_fields", format!("{{{}}}", pairs.collect::<Vec<_>>().join(",")));
    }
    early
}

fn account(making: &mut BodyBuilder<'_>, new: bool, setup: &AccountSetup) {
    for name in ["name", "website", "linkedin", "annual_revenue", "employee_count"] {
        making.copy(name, name);
    }
    if let Some(industry) = making.some("industry").and_then(text) {
        let id = setup.option_id(Entity::Accounts, "industry", &industry);
        making.put("industry", id.unwrap_or(industry));
    } else {
        making.copy("industry", "industry");
    }
    match (making.some("address_parts"), making.get("address")) {
        (Some(parts), _) => making.put("address", parts),
        (None, Some("null")) => making.put("address", "null"),
        (None, Some(text)) => making.put("address", format!("{{\"value\":{text}}}")),
        (None, None) => {}
    }
    added(making, new);
}

fn contact(making: &mut BodyBuilder<'_>, new: bool, ids: &IdMap) {
    for name in ["name", "first_name", "last_name"] {
        making.copy(name, name);
    }
    making.refer(Entity::Accounts, "org_id", ids);
    for name in ["emails", "phones"] {
        if let Some(all) = making.get(name) {
            making.put(name, if all == "null" { "[]" } else { all });
        }
    }
    added(making, new);
}

/// Adds the creation time. Pipedrive accepts it only when a row is created.
fn added(making: &mut BodyBuilder<'_>, new: bool) {
    let at = making.some("created_at").and_then(text).and_then(|at| Time::parse(&at));
    if let Some(at) = at.filter(|_| new) {
        making.put("add_time", quoted(&at.whole_second().to_string()));
    }
}

fn opportunity(making: &mut BodyBuilder<'_>, setup: &AccountSetup, ids: &IdMap) {
    making.copy("name", "title");
    making.refer(Entity::Accounts, "org_id", ids);
    making.refer(Entity::Contacts, "person_id", ids);
    if let Some(amount) = making.some("amount") {
        making.put("value", amount);
    }
    for (name, key) in [
        ("currency", "currency"),
        ("status", "status"),
        ("probability", "probability"),
        ("lost_reason", "lost_reason"),
        ("close_date", "expected_close_date"),
    ] {
        making.copy(name, key);
    }
    let status = making.some("status").and_then(text).unwrap_or_default();
    let at = making.some("closed_at").and_then(text).and_then(|at| Time::parse(&at));
    if let (Some(at), "won" | "lost") = (at, status.as_str()) {
        let at = quoted(&at.whole_second().to_string());
        making.put("close_time", at.clone());
        making.put(&format!("{status}_time"), at);
    }
    let stage = making.some("pipeline_stage_id").and_then(text);
    if let Some((pipeline, stage)) = stage.and_then(|stage| setup.stage_ids(&stage)) {
        making.put("pipeline_id", pipeline.to_string());
        making.put("stage_id", stage.to_string());
    }
    let at = making.some("archived_at").and_then(text).and_then(|at| Time::parse(&at));
    if let Some(at) = at {
        making.put("is_archived", "true");
        making.put("archive_time", quoted(&at.whole_second().to_string()));
    }
}

fn lead(making: &mut BodyBuilder<'_>, new: bool, ids: &IdMap) -> Option<String> {
    making.copy("title", "title");
    making.refer(Entity::Accounts, "organization_id", ids);
    making.refer(Entity::Contacts, "person_id", ids);
    match (making.some("amount"), making.some("currency")) {
        (Some(amount), Some(currency)) => {
            making.put("value", format!("{{\"amount\":{amount},\"currency\":{currency}}}"));
        }
        _ if making.get("amount").is_some() => making.put("value", "null"),
        _ => {}
    }
    making.copy("close_date", "expected_close_date");
    let archived = making.some("status").map(|status| status == "\"archived\"");
    match archived {
        Some(true) if new => return Some("{\"is_archived\":true}".to_owned()),
        Some(archived) if !new => making.put("is_archived", archived.to_string()),
        _ => {}
    }
    None
}

fn activity(making: &mut BodyBuilder<'_>, public_id: &str, manner: WriteMode, ids: &IdMap) {
    making.copy("subject", "subject");
    making.copy("activity_type", "type");
    for (entity, key) in [
        (Entity::Opportunities, "deal_id"),
        (Entity::Accounts, "org_id"),
        (Entity::Leads, "lead_id"),
    ] {
        making.refer(entity, key, ids);
    }
    // A person is set through the participants (pipedrive-api.md 7).
    let one = |id: &str, primary: bool| {
        let id = ids.find(Entity::Contacts, id)?;
        Some(format!("{{\"person_id\":{id},\"primary\":{primary}}}"))
    };
    let contact = making.some("contact_public_id").and_then(text);
    let all: Vec<String> = match making.some("participants") {
        Some(all) => list(all)
            .into_iter()
            .filter_map(|each| {
                let each = members(each);
                let part = |name: &str| each.iter().find(|(key, _)| key == name).map(|(_, v)| *v);
                let id = part("contact_public_id").and_then(text)?;
                one(&id, part("primary") == Some("true"))
            })
            .collect(),
        None => contact.into_iter().filter_map(|id| one(&id, true)).collect(),
    };
    if making.get("contact_public_id").is_some() || !all.is_empty() {
        making.put("participants", format!("[{}]", all.join(",")));
    }
    if let Some(due) = making.get("due_at") {
        let due = text(due);
        let at = due.as_deref().filter(|due| due.len() > 10).and_then(Time::parse);
        match (at, due) {
            (Some(at), _) => {
                let naked = at.naked();
                let (date, clock) = naked.split_at(10);
                making.put("due_date", quoted(date));
                let clock = clock.trim_start();
                making.put("due_time", quoted(clock.strip_suffix(":00").unwrap_or(clock)));
            }
            (None, date) => {
                let date = date.map_or_else(|| "null".to_owned(), |date| quoted(&date));
                making.put("due_date", date);
                if !manner.new {
                    making.put("due_time", "null");
                }
            }
        }
    }
    for name in ["duration", "public_description", "priority"] {
        making.copy(name, name);
    }
    for name in ["done", "busy"] {
        if let Some(flag) = making.some(name) {
            making.put(name, flag);
        }
    }
    match making.get("location") {
        Some("null") => making.put("location", "null"),
        Some(text) => making.put("location", format!("{{\"value\":{text}}}")),
        None => {}
    }
    // A note that was not edited is not sent.
    let edited = making.get("body").is_some();
    if edited || manner.new {
        let body = making.some("body").and_then(text).unwrap_or_default();
        let (before, after) = NOTE_MARK;
        let mark =
            if manner.marked { format!("{before}{public_id}{after}") } else { String::new() };
        let note = format!("{body}{mark}");
        making.put("note", if note.is_empty() { "null".to_owned() } else { quoted(&note) });
    }
}
