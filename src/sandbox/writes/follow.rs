//! The side effects of a write: columns that no client sets, and keys that exclude each other.

use super::body::{Body, invalid};
use super::deals;
use super::shape::ADDRESS;
use crate::model::Resource;
use crate::sandbox::account_state::AccountState;
use crate::sandbox::http_request::{Refusal, Request};
use crate::sandbox::json::{self, quoted};
use crate::sandbox::options::Options;
use serde_json::{Map, Value, json};

/// A write whose keys and values are valid one by one.
pub(super) struct Write<'a> {
    pub(super) request: &'a Request,
    pub(super) options: &'a Options,
    pub(super) body: &'a Body,
    /// The number of the row.
    pub(super) id: u64,
    /// The row before the write. `None` for a new row.
    pub(super) old: Option<&'a Map<String, Value>>,
}

/// Columns and their raw values.
pub(super) type Set = Vec<(String, String)>;

/// The user who owns the token.
pub(super) const WRITER: u64 = 1;

impl Write<'_> {
    /// Returns the value after the write, without side effects. It is null if it is unknown.
    pub(super) fn after(&self, key: &str) -> &Value {
        self.body.get(key).or_else(|| self.before(key)).unwrap_or(&Value::Null)
    }

    /// Returns the value before the write.
    pub(super) fn before(&self, key: &str) -> Option<&Value> {
        self.old.and_then(|old| old.get(key))
    }

    /// Returns whether a write leaves a row without any of these keys.
    fn unlinks(&self, keys: &[&str]) -> bool {
        let concerned = self.old.is_none() || self.body.has(keys);
        concerned && keys.iter().all(|key| self.after(key).is_null())
    }

    /// Returns a refusal with this message.
    pub(super) fn no(&self, fault: &str) -> Refusal {
        invalid(self.request, fault)
    }
}

/// Returns the columns that a write sets in addition to its body.
pub(super) fn follow(
    state: &mut AccountState,
    resource: &str,
    write: &Write<'_>,
) -> Result<Set, Refusal> {
    let mut set = Vec::new();
    for key in ["address", "location", "postal_address"] {
        if let Some(given) = write.body.given(key) {
            set.push((key.to_owned(), address(given)));
        }
    }
    match resource {
        "deals" => set.extend(deals::follow(state, write)?),
        "persons" => person(write, &mut set)?,
        "activities" => activity(state, write, &mut set),
        "leads" if write.unlinks(&["person_id", "organization_id"]) => {
            return Err(write.no("A lead has to be linked to a person or an organization"));
        }
        "notes" => note(state, write, &mut set)?,
        "products" => product(write, &mut set),
        "pipelines" | "stages" | "activity_types" if write.old.is_none() => {
            set.push(("order_nr".to_owned(), last(state, resource, write).to_string()));
            if resource == "activity_types" {
                set.push(("key_string".to_owned(), quoted(&key_string(state, write))));
                set.push(("is_custom_flag".to_owned(), "true".to_owned()));
            }
        }
        _ => {}
    }
    Ok(set)
}

/// Returns all parts of an address. Parts that were not given are null.
fn address(given: &Value) -> String {
    let mut out = vec![b'{'];
    for part in ADDRESS {
        json::pair(&mut out, part, &given[part].to_string());
    }
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

fn person(write: &Write<'_>, set: &mut Set) -> Result<(), Refusal> {
    let body = write.body;
    let contact_sync = ["postal_address", "notes", "im", "birthday", "job_title"];
    if !write.options.contact_sync && body.has(&contact_sync) {
        return Err(Refusal::general(403, "Contact sync is not enabled.", ""));
    }
    let text = |key: &str| write.after(key).as_str().unwrap_or_default().trim().to_owned();
    if body.has(&["first_name", "last_name"]) && !body.has(&["name"]) {
        let name = format!("{} {}", text("first_name"), text("last_name"));
        set.push(("name".to_owned(), quoted(name.trim())));
    } else if body.has(&["name"]) && !body.has(&["first_name", "last_name"]) {
        // The name is divided before the last word. Where Pipedrive divides it is UNVERIFIED.
        let name = text("name");
        let (first, last) = name
            .rsplit_once(' ')
            .map_or((name.as_str(), None), |(first, last)| (first.trim(), Some(last)));
        set.push(("first_name".to_owned(), quoted(first)));
        set.push(("last_name".to_owned(), last.map_or("null".to_owned(), quoted)));
    }
    let named = body.has(&["name"])
        || (body.given("first_name").is_some() && body.given("last_name").is_some());
    if write.old.is_none() && !named {
        return Err(write.no("name: Parameter 'name' is required"));
    }
    for key in ["emails", "phones", "im"] {
        if let Some(items) = body.given(key).and_then(Value::as_array) {
            let items = primary(items).map(|(item, primary)| {
                let label = item["label"].as_str().unwrap_or("work");
                json!({"value": item["value"], "primary": primary, "label": label})
            });
            set.push((key.to_owned(), listed(items, &["value", "primary", "label"])));
        }
    }
    // A contact without an address has no consent (specification of `marketing_status`).
    if write.after("emails").as_array().is_none_or(Vec::is_empty) {
        set.push(("marketing_status".to_owned(), "\"no_consent\"".to_owned()));
    }
    Ok(())
}

/// Returns items with a flag for the primary one. It is the first item if none is marked (UNVERIFIED).
fn primary(items: &[Value]) -> impl Iterator<Item = (&Value, bool)> {
    let some = items.iter().any(|item| item["primary"] == true);
    let items = items.iter().enumerate();
    items.map(move |(place, item)| (item, item["primary"] == true || (!some && place == 0)))
}

/// Returns objects as a raw list, with their keys in this order.
fn listed(items: impl Iterator<Item = Value>, keys: &[&str]) -> String {
    let items: Vec<String> = items
        .map(|item| {
            let mut out = vec![b'{'];
            for key in keys {
                json::pair(&mut out, key, &item[key].to_string());
            }
            out.push(b'}');
            String::from_utf8_lossy(&out).into_owned()
        })
        .collect();
    format!("[{}]", items.join(","))
}

fn activity(state: &mut AccountState, write: &Write<'_>, set: &mut Set) {
    let body = write.body;
    if write.old.is_none() && !body.has(&["subject"]) {
        let kind = body.get("type").and_then(Value::as_str).unwrap_or("call");
        let types = Resource::named("activity_types").expect("the table has activity types");
        let name = state.table(types).rows().iter().find_map(|row| {
            let this = json::find(&row.json, "key_string") == Some(&quoted(kind));
            this.then(|| json::find(&row.json, "name")).flatten()
        });
        set.push(("subject".to_owned(), name.unwrap_or("\"\"").to_owned()));
    }
    if let Some(items) = body.given("participants").and_then(Value::as_array) {
        let first = primary(items).find(|(_, primary)| *primary);
        let person = first.map_or("null".to_owned(), |(item, _)| item["person_id"].to_string());
        set.push(("person_id".to_owned(), person));
        let items = primary(items)
            .map(|(item, primary)| json!({"person_id": item["person_id"], "primary": primary}));
        set.push(("participants".to_owned(), listed(items, &["person_id", "primary"])));
    }
    if let Some(items) = body.given("attendees").and_then(Value::as_array) {
        let items = items.iter().map(|item| {
            let mut item = item.clone();
            item["is_organizer"] = (item["is_organizer"] == true).into();
            item
        });
        let keys = ["email", "name", "status", "is_organizer", "person_id", "user_id"];
        set.push(("attendees".to_owned(), listed(items, &keys)));
    }
    let done = body.get("done").and_then(Value::as_bool);
    if let Some(done) = done.filter(|done| write.before("done") != Some(&Value::Bool(*done))) {
        let when = if done { quoted(&state.now().to_string()) } else { "null".to_owned() };
        set.push(("marked_as_done_time".to_owned(), when));
    }
}

/// The parents of a note: the key, the table, the object with the row's name, and its name there.
const HOOKS: [(&str, &str, &str, &str); 6] = [
    ("lead_id", "leads", "lead", ""),
    ("deal_id", "deals", "deal", "title"),
    ("person_id", "persons", "person", "name"),
    ("org_id", "organizations", "organization", "name"),
    ("project_id", "projects", "project", "title"),
    ("task_id", "tasks", "task", "title"),
];

fn note(state: &mut AccountState, write: &Write<'_>, set: &mut Set) -> Result<(), Refusal> {
    let body = write.body;
    if !write.options.admin && body.given("user_id").is_some_and(|id| id.as_u64() != Some(WRITER)) {
        let error = "You do not have permissions to do this.";
        return Err(Refusal::general(403, error, "Please check developers.pipedrive.com"));
    }
    if write.unlinks(&HOOKS.map(|(key, ..)| key)) {
        return Err(write.no("A note needs a lead, deal, person, organization, project or task"));
    }
    for (key, resource, object, title) in HOOKS {
        let flag = format!("pinned_to_{object}_flag");
        if let Some(pinned) = body.get(&flag) {
            let pinned = *pinned == true || *pinned == 1;
            if pinned && write.after(key).is_null() {
                return Err(write.no(&format!("{flag}: {key} is not set")));
            }
            set.push((flag, pinned.to_string()));
        }
        if title.is_empty() || !(write.old.is_none() || body.has(&[key])) {
            continue;
        }
        let name = body.given(key).and_then(|id| column(state, resource, id, title));
        let named = name.map_or("null".to_owned(), |name| format!("{{\"{title}\":{name}}}"));
        set.push((object.to_owned(), named));
    }
    if write.old.is_some() {
        set.push(("last_update_user_id".to_owned(), WRITER.to_string()));
    }
    if write.old.is_none() || body.has(&["user_id"]) {
        let user = body.given("user_id").cloned().unwrap_or(WRITER.into());
        let mut out = vec![b'{'];
        for key in ["email", "icon_url"] {
            let value = column(state, "users", &user, key);
            json::pair(&mut out, key, value.as_deref().unwrap_or("null"));
        }
        json::pair(&mut out, "is_you", &(user == WRITER).to_string());
        let name = column(state, "users", &user, "name");
        json::pair(&mut out, "name", name.as_deref().unwrap_or("null"));
        out.push(b'}');
        set.push(("user".to_owned(), String::from_utf8_lossy(&out).into_owned()));
    }
    Ok(())
}

/// Returns the raw value of a column of the row with this number.
pub(super) fn column(
    state: &mut AccountState,
    resource: &str,
    id: &Value,
    column: &str,
) -> Option<String> {
    let row = state.table(Resource::named(resource)?).get(&id.as_u64()?.to_string())?;
    json::find(&row.json, column).map(str::to_owned)
}

fn product(write: &Write<'_>, set: &mut Set) {
    if let Some(items) = write.body.given("prices").and_then(Value::as_array) {
        let items = items.iter().map(|item| {
            let mut item = item.clone();
            item["product_id"] = write.id.into();
            for (key, other) in [("price", json!(0)), ("cost", json!(0)), ("notes", json!(""))] {
                if item[key].is_null() {
                    item[key] = other;
                }
            }
            item
        });
        let keys = ["product_id", "price", "currency", "cost", "direct_cost", "notes"];
        set.push(("prices".to_owned(), listed(items, &keys)));
    }
    if let Some(id) = write.body.given("category").and_then(Value::as_u64) {
        set.push(("category".to_owned(), format!("\"{id}\"")));
    }
}

/// Returns the position after the last one. For stages, it is counted inside their pipeline.
fn last(state: &mut AccountState, resource: &str, write: &Write<'_>) -> u64 {
    let pipeline = (resource == "stages").then(|| write.after("pipeline_id").to_string());
    let table = Resource::named(resource).expect("only resources of the table are written");
    let rows = state.table(table).rows().iter().filter(|row| row.deleted.is_none());
    let near = rows.filter(|row| {
        pipeline.as_deref().is_none_or(|id| json::find(&row.json, "pipeline_id") == Some(id))
    });
    let places = near.filter_map(|row| json::find(&row.json, "order_nr")?.parse::<u64>().ok());
    places.max().unwrap_or(0) + 1
}

/// Returns a `key_string` derived from the name. No other type has it.
fn key_string(state: &mut AccountState, write: &Write<'_>) -> String {
    let name = write.after("name").as_str().unwrap_or_default().to_lowercase();
    let spelt: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let types = Resource::named("activity_types").expect("the table has activity types");
    let taken = Some(quoted(&spelt));
    let rows = state.table(types).rows();
    let twice = rows.iter().any(|row| json::find(&row.json, "key_string") == taken.as_deref());
    if twice || spelt.trim_matches('_').is_empty() {
        format!("{spelt}_{}", write.id)
    } else {
        spelt
    }
}
