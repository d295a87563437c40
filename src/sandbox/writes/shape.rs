//! Validates the value of a key: its JSON type, its spelling, and that the rows it refers to exist.

use super::custom;
use crate::model::{Resource, Time};
use crate::sandbox::account_state::AccountState;
use crate::sandbox::json;
use serde_json::{Map, Value};

/// The accepted values of a key, besides null.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Text,
    Whole,
    Num,
    /// A number from 0 to 100.
    Percent,
    Bool,
    /// True or false, or 0 or 1 (v1).
    Flag,
    /// `YYYY-MM-DD`
    Date,
    /// `HH:MM` or `HH:MM:SS`
    Clock,
    /// `YYYY-MM-DDTHH:MM:SSZ`
    Instant,
    /// `YYYY-MM-DD HH:MM:SS`
    Naked,
    /// A time in one of the two notations above.
    Either,
    OneOf(&'static [&'static str]),
    /// 1, 3, 5 or 7.
    Visible,
    /// The same numbers as text (leads).
    VisibleText,
    /// The id of an existing row of another resource.
    Row(&'static str),
    /// The UUID of a lead.
    Lead,
    /// The `key_string` of an activity type.
    ActivityType,
    /// The code of an active currency.
    Currency,
    /// The options of the field `label_ids` in this dictionary.
    Labels(&'static str),
    /// The UUIDs of lead labels.
    LeadLabels,
    /// The category of a product, which is the id of an option.
    Category,
    /// E-mail addresses, phone numbers or messenger names.
    Contacts,
    Address,
    Participants,
    Attendees,
    /// The value of a lead.
    Amount,
    Prices,
    /// The object `custom_fields` (v2).
    Custom,
}

/// The names of the parts of an address. `formatted_address` cannot be written (pipedrive-api.md 5.1).
pub(super) const ADDRESS: [&str; 10] = [
    "value",
    "country",
    "admin_area_level_1",
    "admin_area_level_2",
    "locality",
    "sublocality",
    "route",
    "street_number",
    "subpremise",
    "postal_code",
];

/// Returns the errors of a value. `resource` is the resource that is written.
pub(super) fn faults(
    state: &mut AccountState,
    resource: &str,
    key: &str,
    shape: Shape,
    value: &Value,
) -> Vec<String> {
    if let Shape::Custom = shape {
        return custom::nested(state, resource, value);
    }
    let fault = match shape {
        _ if takes(state, shape, value) => return Vec::new(),
        Shape::Row(target) => format!("{key}: Expected the id of one of the {target}"),
        Shape::OneOf(of) => format!("{key}: Expected one of {}", of.join(", ")),
        shape => format!("{key}: Expected {}", wanted(shape)),
    };
    vec![fault]
}

/// Returns the name of a shape in an error.
const fn wanted(shape: Shape) -> &'static str {
    match shape {
        Shape::Text => "string",
        Shape::Whole | Shape::Row(_) => "integer",
        Shape::Num => "number",
        Shape::Percent => "number between 0 and 100",
        Shape::Bool | Shape::Flag => "boolean",
        Shape::Date => "a date as YYYY-MM-DD",
        Shape::Clock => "a time as HH:MM or HH:MM:SS",
        Shape::Instant => "a datetime as YYYY-MM-DDTHH:MM:SSZ",
        Shape::Naked => "a datetime as YYYY-MM-DD HH:MM:SS",
        Shape::Either => "a datetime",
        Shape::OneOf(_) => "one of a list",
        Shape::Visible => "1, 3, 5 or 7",
        Shape::VisibleText => "\"1\", \"3\", \"5\" or \"7\"",
        Shape::Lead => "the id of a lead",
        Shape::ActivityType => "the key_string of an activity type",
        Shape::Currency => "the code of an active currency",
        Shape::Labels(_) => "a list of options of label_ids",
        Shape::LeadLabels => "a list of ids of lead labels",
        Shape::Category => "an option of category",
        Shape::Contacts => "a list of {value, primary, label}",
        Shape::Address => "an address object with a value",
        Shape::Participants => "a list of {person_id, primary}",
        Shape::Attendees => "a list of {email, name, status, is_organizer, person_id, user_id}",
        Shape::Amount => "{amount, currency}",
        Shape::Prices => "a list of {currency, price, cost, direct_cost, notes}",
        Shape::Custom => "an object",
    }
}

fn takes(state: &mut AccountState, shape: Shape, value: &Value) -> bool {
    match shape {
        Shape::Text => value.is_string(),
        Shape::Whole => value.is_i64() || value.is_u64(),
        Shape::Num => value.is_number(),
        Shape::Percent => value.as_f64().is_some_and(|number| (0.0..=100.0).contains(&number)),
        Shape::Bool => value.is_boolean(),
        Shape::Flag => value.is_boolean() || matches!(value.as_u64(), Some(0 | 1)),
        Shape::Date => is_date(value),
        Shape::Clock => is_clock(value),
        Shape::Instant => value.as_str().is_some_and(is_instant),
        Shape::Naked => value.as_str().is_some_and(is_naked),
        Shape::Either => value.as_str().is_some_and(|text| is_instant(text) || is_naked(text)),
        Shape::OneOf(of) => value.as_str().is_some_and(|text| of.contains(&text)),
        Shape::Visible => matches!(value.as_u64(), Some(1 | 3 | 5 | 7)),
        Shape::VisibleText => matches!(value.as_str(), Some("1" | "3" | "5" | "7")),
        Shape::Row(target) => is_row(state, target, value),
        Shape::Lead => value.as_str().is_some_and(|key| is_there(state, "leads", key)),
        Shape::ActivityType => value
            .as_str()
            .is_some_and(|key| holds(state, "activity_types", |row| row["key_string"] == key)),
        Shape::Currency => is_currency(state, value),
        Shape::Labels(dictionary) => {
            let known = options(state, dictionary, "label_ids");
            list(value, |id| id.as_u64().is_some_and(|id| known.contains(&id)))
        }
        Shape::LeadLabels => {
            list(value, |id| id.as_str().is_some_and(|id| is_there(state, "lead_labels", id)))
        }
        Shape::Category => {
            // Rows contain "31" and the specification has 31. Both are accepted (UNVERIFIED).
            let id = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            id.is_some_and(|id| options(state, "product_fields", "category").contains(&id))
        }
        Shape::Contacts => list(value, |item| {
            let object = parts(item, &["value", "primary", "label"]);
            object.is_some_and(|of| {
                of.get("value").is_some_and(Value::is_string)
                    && of.get("primary").is_none_or(Value::is_boolean)
                    && of.get("label").is_none_or(|label| label.is_string() || label.is_null())
            })
        }),
        Shape::Address => parts(value, &ADDRESS).is_some_and(is_address),
        Shape::Participants => list(value, |item| {
            parts(item, &["person_id", "primary"]).is_some_and(|of| {
                of.get("primary").is_none_or(Value::is_boolean)
                    && of.get("person_id").is_some_and(|id| is_row(state, "persons", id))
            })
        }),
        Shape::Attendees => list(value, |item| is_attendee(state, item)),
        Shape::Amount => parts(value, &["amount", "currency"]).is_some_and(|of| {
            of.get("amount").is_some_and(Value::is_number)
                && of.get("currency").is_some_and(|code| is_currency(state, code))
        }),
        Shape::Prices => list(value, |item| is_price(state, item)),
        Shape::Custom => value.is_object(),
    }
}

fn is_attendee(state: &mut AccountState, item: &Value) -> bool {
    let keys = ["email", "name", "status", "is_organizer", "person_id", "user_id"];
    parts(item, &keys).is_some_and(|of| {
        let text = |key: &str| of.get(key).is_none_or(|text| text.is_string() || text.is_null());
        let who = ["email", "person_id", "user_id"];
        who.iter().any(|key| of.get(*key).is_some_and(|value| !value.is_null()))
            && ["email", "name", "status"].into_iter().all(text)
            && of.get("is_organizer").is_none_or(Value::is_boolean)
            && [("person_id", "persons"), ("user_id", "users")].iter().all(|(key, target)| {
                let id = of.get(*key).filter(|id| !id.is_null());
                id.is_none_or(|id| is_row(state, target, id))
            })
    })
}

fn is_price(state: &mut AccountState, item: &Value) -> bool {
    let keys = ["currency", "price", "cost", "direct_cost", "notes"];
    parts(item, &keys).is_some_and(|of| {
        of.get("currency").is_some_and(|code| is_currency(state, code))
            && of.get("price").is_none_or(Value::is_number)
            && of.get("cost").is_none_or(Value::is_number)
            && of.get("direct_cost").is_none_or(|cost| cost.is_number() || cost.is_null())
            && of.get("notes").is_none_or(Value::is_string)
    })
}

fn list(value: &Value, mut takes: impl FnMut(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(&mut takes))
}

/// Returns the object, if it has no other keys than these.
pub(super) fn parts<'v>(value: &'v Value, known: &[&str]) -> Option<&'v Map<String, Value>> {
    value.as_object().filter(|of| of.keys().all(|key| known.contains(&key.as_str())))
}

/// Returns whether the parts of an address are text or null. The first part must be text.
pub(super) fn is_address(of: &Map<String, Value>) -> bool {
    of.get("value").is_some_and(Value::is_string)
        && of.values().all(|part| part.is_string() || part.is_null())
}

pub(super) fn is_date(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 10 && Time::parse(text).is_some())
}

pub(super) fn is_clock(value: &Value) -> bool {
    let clock = |text: &str| {
        let whole = if text.len() == 5 { format!("{text}:00") } else { text.to_owned() };
        whole.len() == 8 && Time::parse(&format!("2026-01-01T{whole}Z")).is_some()
    };
    value.as_str().is_some_and(clock)
}

/// Returns whether a text is UTC in whole seconds, the only notation that v2 certainly accepts
/// (pipedrive-api.md 8.2).
fn is_instant(text: &str) -> bool {
    let spelt = text.len() == 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
    spelt && Time::parse(text).is_some()
}

fn is_naked(text: &str) -> bool {
    text.len() == 19 && text.as_bytes()[10] == b' ' && Time::parse(text).is_some()
}

pub(super) fn is_currency(state: &mut AccountState, value: &Value) -> bool {
    value.as_str().is_some_and(|code| {
        holds(state, "currencies", |row| row["code"] == code && row["active_flag"] == true)
    })
}

/// Returns whether a number is the id of an existing row. A deleted user does not count.
pub(super) fn is_row(state: &mut AccountState, resource: &str, value: &Value) -> bool {
    value.as_u64().is_some_and(|id| is_there(state, resource, &id.to_string()))
}

fn is_there(state: &mut AccountState, resource: &str, key: &str) -> bool {
    let Some(resource) = Resource::named(resource) else {
        return false;
    };
    let row = state.table(resource).get(key).filter(|row| row.deleted.is_none());
    // Deleted users stay in their list.
    row.is_some_and(|row| {
        resource.name != "users" || json::find(&row.json, "is_deleted") != Some("true")
    })
}

/// Returns whether a row of a short list fulfils a condition.
fn holds(state: &mut AccountState, resource: &str, wanted: impl Fn(&Value) -> bool) -> bool {
    let Some(resource) = Resource::named(resource) else {
        return false;
    };
    let rows = state.table(resource).rows().iter().filter(|row| row.deleted.is_none());
    rows.filter_map(|row| serde_json::from_slice(&row.json).ok()).any(|row| wanted(&row))
}

/// Returns the ids of the options of a field.
pub(super) fn options(state: &mut AccountState, dictionary: &str, code: &str) -> Vec<u64> {
    let row = Resource::named(dictionary).and_then(|of| state.table(of).get(code));
    let options = row.and_then(|row| json::find(&row.json, "options"));
    let options: Vec<Value> =
        options.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
    options.iter().filter_map(|option| option["id"].as_u64()).collect()
}
