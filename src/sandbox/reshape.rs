//! Changes that administrators make to custom fields, and changes that move a row to another list or owner.

use super::account_state::{AccountState, described};
use super::custom::Kind;
use super::edit;
use super::json;
use super::rows::Row;
use super::{custom, definitions};
use crate::model::{Custom, Resource};
use bytes::Bytes;
use serde_json::Value;

/// A change of a custom field.
#[derive(Debug, Clone)]
pub enum FieldEdit {
    /// Changes the name.
    Rename(String),
    /// Changes the `field_type` to one that can be created. Values are converted where possible, and the
    /// others become null.
    Retype(&'static str),
    /// Deletes the field, and its key in every row (pipedrive-api.md 8.10).
    Delete,
    /// Changes the label of the option with this id.
    RenameOption(u64, String),
    /// Deletes the option with this id. Rows keep the id.
    DeleteOption(u64),
}

/// Applies a change to the field of this code. Returns the code if there is such a field.
pub(super) fn field(
    state: &mut AccountState,
    dictionary: &'static str,
    code: String,
    edit: FieldEdit,
) -> Vec<String> {
    state.make_described(dictionary);
    let Some(field) = state.account_mut().field_mut(dictionary, &code) else {
        return Vec::new();
    };
    let was = field.kind;
    match edit {
        FieldEdit::Rename(name) => field.name = name,
        FieldEdit::RenameOption(option, label) => {
            for (_, old) in field.options.iter_mut().filter(|(id, _)| *id == option) {
                old.clone_from(&label);
            }
        }
        FieldEdit::DeleteOption(option) => field.options.retain(|(id, _)| *id != option),
        FieldEdit::Delete => {
            state.account_mut().delete_field(dictionary, &code);
            values(state, dictionary, |custom| custom.retain(|(key, _)| !belongs(key, &code)));
            let now = state.now();
            put(state, dictionary, &code, |row| row.deleted = Some(now));
            return vec![code];
        }
        FieldEdit::Retype(to) => {
            let Some(kind) = Kind::named(to) else {
                return Vec::new();
            };
            field.kind = kind;
            match kind {
                Kind::Enum | Kind::Set if field.options.is_empty() => {
                    field.options = vec![(custom::LATE_OPTION, "first".to_owned())];
                }
                Kind::Enum | Kind::Set => {}
                _ => field.options.clear(),
            }
            values(state, dictionary, |custom| {
                custom.retain(|(key, _)| *key == code || !belongs(key, &code));
                for (_, value) in custom.iter_mut().filter(|(key, _)| *key == code) {
                    *value = retyped(value, was, kind);
                }
            });
        }
    }
    redefine(state, dictionary, &code);
    vec![code]
}

/// Converts a lead to a deal, with title, links, value, custom fields and activities. Returns the key of the
/// deal.
pub(super) fn convert(state: &mut AccountState, key: &str) -> Vec<String> {
    let resource = |name| Resource::named(name).expect("the table has leads and deals");
    let (leads, deals) = (resource("leads"), resource("deals"));
    let Some(lead) = state.table(leads).get(key).map(|row| row.json.clone()) else {
        return Vec::new();
    };
    let created = edit::apply_edit(state, edit::Edit::Create { resource: "deals", parent: None });
    let Some(deal) = created.first() else {
        return Vec::new();
    };
    let taken = |name: &str| json::find(&lead, name).unwrap_or("null").to_owned();
    let mut own = vec![b'{'];
    for field in state.account().fields("deals") {
        json::pair(&mut own, &field.code, &nested(&lead, &field.code, field.kind));
    }
    own.push(b'}');
    let set = [
        ("title", taken("title")),
        ("owner_id", taken("owner_id")),
        ("person_id", taken("person_id")),
        ("org_id", taken("organization_id")),
        ("custom_fields", String::from_utf8_lossy(&own).into_owned()),
        ("source_lead_id", json::quoted(key)),
    ];
    let mut set = set.map(|(name, value)| (name.to_owned(), value)).to_vec();
    for (part, column) in [("value.amount", "value"), ("value.currency", "currency")] {
        let raw = json::find(&lead, part).filter(|raw| *raw != "null");
        set.extend(raw.map(|raw| (column.to_owned(), raw.to_owned())));
    }
    let now = state.now();
    let row = state.table(deals).get(deal).map(|row| edit::rewritten(deals, row, set, Some(now)));
    if let Some(row) = row {
        state.table(deals).put(row);
    }
    edit::delete(state, "leads", key);
    let activities = Resource::named("activities").expect("the table has activities");
    let own = json::quoted(key);
    let rows = state.table(activities).rows().iter();
    let taken = rows.filter(|row| json::find(&row.json, "lead_id") == Some(&own));
    let set =
        || vec![("deal_id".to_owned(), deal.clone()), ("lead_id".to_owned(), "null".to_owned())];
    let taken = taken.map(|row| edit::rewritten(activities, row, set(), Some(now)));
    let taken: Vec<Row> = taken.collect();
    for activity in taken {
        state.table(activities).put(activity);
    }
    vec![deal.clone()]
}

/// Changes references to a person or organization to another one.
pub(super) fn relink(state: &mut AccountState, resource: &str, from: &str, into: &str) {
    let (columns, within): (&[&str], &[&str]) = match resource {
        "persons" => (&["person_id"], &["deals", "leads", "activities", "notes"]),
        "organizations" => {
            (&["org_id", "organization_id"], &["persons", "deals", "leads", "activities", "notes"])
        }
        _ => return,
    };
    let now = state.now();
    for name in within {
        let resource = Resource::named(name).expect("the table has the core resources");
        for column in columns.iter().filter(|column| resource.column(column).is_some()) {
            let rows = state.table(resource).rows().iter().filter(|row| row.deleted.is_none());
            let linked = rows.filter(|row| json::find(&row.json, column) == Some(from));
            let set = || vec![((*column).to_owned(), into.to_owned())];
            let moved = linked.map(|row| edit::rewritten(resource, row, set(), Some(now)));
            let moved: Vec<Row> = moved.collect();
            for row in moved {
                state.table(resource).put(row);
            }
        }
    }
}

/// Rewrites the definition of a field.
fn redefine(state: &mut AccountState, dictionary: &'static str, code: &str) {
    let fields = state.account().fields(dictionary);
    let Some(field) = fields.iter().find(|field| field.code == code).cloned() else {
        return;
    };
    let Some(of) = Resource::named(dictionary) else {
        return;
    };
    let Some(id) = state.table(of).get(code).map(|row| row.id) else {
        return;
    };
    let row = definitions::of(state.account(), dictionary, &field, id);
    put(state, dictionary, code, |old| *old = row);
}

fn put(state: &mut AccountState, dictionary: &str, code: &str, change: impl FnOnce(&mut Row)) {
    let Some(resource) = Resource::named(dictionary) else {
        return;
    };
    let table = state.table(resource);
    if let Some(mut row) = table.get(code).cloned() {
        change(&mut row);
        table.put(row);
    }
    if dictionary == "deal_fields" {
        state.forget("lead_fields");
    }
    state.changed();
}

/// Returns whether a top-level key of a lead is that of a field, or a companion of it.
fn belongs(key: &str, code: &str) -> bool {
    key.strip_prefix(code).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Changes the custom fields of all rows that a dictionary describes.
fn values(state: &mut AccountState, dictionary: &str, change: impl Fn(&mut Vec<(String, String)>)) {
    for resource in described(dictionary) {
        let nested = resource.custom == Custom::Nested;
        state.table(resource).each(|row| {
            let custom = if nested { json::find(&row.json, "custom_fields") } else { None };
            let within = custom.map_or(&row.json[..], str::as_bytes);
            let pairs = json::pairs(within).into_iter();
            let mut pairs: Vec<_> =
                pairs.map(|(key, value)| (key.into_owned(), value.to_owned())).collect();
            change(&mut pairs);
            let mut out = vec![b'{'];
            for (key, value) in &pairs {
                json::pair(&mut out, key, value);
            }
            out.push(b'}');
            row.json = Bytes::from(if nested {
                let custom = String::from_utf8_lossy(&out).into_owned();
                json::replaced(&row.json, &[("custom_fields".to_owned(), custom)])
            } else {
                out
            });
        });
    }
}

/// Converts a value from one type to another, if possible. Otherwise it returns null.
fn retyped(raw: &str, from: Kind, to: Kind) -> String {
    let value: Value = serde_json::from_str(raw).unwrap_or_default();
    let value = match &value {
        Value::Object(parts) => parts.get("value").cloned().unwrap_or_default(),
        other => other.clone(),
    };
    let text = match &value {
        Value::Null => return "null".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match (from, to) {
        (_, Kind::Varchar | Kind::VarcharAuto | Kind::Text | Kind::Phone) => json::quoted(&text),
        // Leads contain options as text, `"31,32"`, and v2 contains numbers.
        (Kind::Enum, Kind::Set) if raw.starts_with('"') => raw.to_owned(),
        (Kind::Enum, Kind::Set) => format!("[{raw}]"),
        (Kind::Set, Kind::Enum) => {
            let first = text.trim_matches(['[', ']']).split(',').next().unwrap_or_default();
            if raw.starts_with('"') { json::quoted(first) } else { first.to_owned() }
        }
        (_, Kind::Double) if text.parse::<f64>().is_ok_and(f64::is_finite) => text,
        _ => "null".to_owned(),
    }
}

/// Returns the value of a lead's custom field in the nested form of deals.
fn nested(lead: &[u8], code: &str, kind: Kind) -> String {
    let Some(raw) = json::find(lead, code).filter(|raw| *raw != "null") else {
        return "null".to_owned();
    };
    match (kind, kind.parts()) {
        (Kind::Enum, _) => raw.trim_matches('"').to_owned(),
        (Kind::Set, _) => format!("[{}]", raw.trim_matches('"')),
        (_, []) => raw.to_owned(),
        (_, parts) => {
            let mut out = vec![b'{'];
            for (part, _) in parts {
                let value = match *part {
                    "value" => Some(raw),
                    part => json::find(lead, &format!("{code}_{part}")),
                };
                json::pair(&mut out, part, value.unwrap_or("null"));
            }
            out.push(b'}');
            String::from_utf8_lossy(&out).into_owned()
        }
    }
}
