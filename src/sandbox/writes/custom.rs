//! Values of custom fields in writes, in both spellings (pipedrive-api.md 5.4).

use super::body::Body;
use super::shape::{ADDRESS, is_address, is_clock, is_currency, is_date, is_row, parts};
use crate::sandbox::account_state::AccountState;
use crate::sandbox::custom::{Field, Kind};
use serde_json::{Map, Value};

/// Most characters of a `varchar`.
const VARCHAR_CHARS_MAX: usize = 255;

/// Returns the errors of an object `custom_fields`. Null clears a field of any type.
pub(super) fn nested(state: &mut AccountState, resource: &str, value: &Value) -> Vec<String> {
    let Some(given) = value.as_object() else {
        return vec!["custom_fields: Expected an object".to_owned()];
    };
    let fields = state.account().fields(resource).to_vec();
    let fault = |(code, value): (&String, &Value)| {
        let Some(field) = fields.iter().find(|field| field.code == *code) else {
            return Some(format!("custom_fields.{code}: unknown custom field"));
        };
        let fits = value.is_null() || fits(state, field, value);
        (!fits).then(|| format!("custom_fields.{code}: Expected a value for {}", field.kind.name()))
    };
    given.iter().filter_map(fault).collect()
}

/// Returns whether a field accepts a value, in the notation of v2.
fn fits(state: &mut AccountState, field: &Field, value: &Value) -> bool {
    let option = |id: &Value| field.options.iter().any(|(known, _)| id.as_u64() == Some(*known));
    match field.kind {
        Kind::Varchar | Kind::VarcharAuto => {
            value.as_str().is_some_and(|text| text.chars().count() <= VARCHAR_CHARS_MAX)
        }
        Kind::Text | Kind::Phone => value.is_string(),
        Kind::Double => value.is_number(),
        Kind::Date => is_date(value),
        Kind::Enum => option(value),
        // An empty selection is written as null, not as [].
        Kind::Set => value.as_array().is_some_and(|ids| !ids.is_empty() && ids.iter().all(option)),
        Kind::User => is_row(state, "users", value),
        Kind::Org => is_row(state, "organizations", value),
        Kind::People => is_row(state, "persons", value),
        Kind::Monetary => parts(value, &["value", "currency"]).is_some_and(|of| {
            // The currency may be null. Whether it may be left out is UNVERIFIED.
            let currency = of.get("currency");
            of.get("value").is_some_and(Value::is_number)
                && currency.is_some_and(|code| code.is_null() || is_currency(state, code))
        }),
        Kind::DateRange => parts(value, &["value", "until"]).is_some_and(|of| {
            ["value", "until"].iter().all(|key| of.get(*key).is_some_and(is_date))
        }),
        Kind::Time => parts(value, &["value", "timezone_id", "timezone_name"])
            .is_some_and(|of| of.get("value").is_some_and(is_clock) && is_zoned(of)),
        Kind::TimeRange => parts(value, &["value", "until", "timezone_id", "timezone_name"])
            .is_some_and(|of| {
                ["value", "until"].iter().all(|key| of.get(*key).is_some_and(is_clock))
                    && is_zoned(of)
            }),
        Kind::Address => {
            let mut known = ADDRESS.to_vec();
            known.push("formatted_address");
            parts(value, &known).is_some_and(is_address)
        }
    }
}

fn is_zoned(of: &Map<String, Value>) -> bool {
    of.get("timezone_id").is_none_or(|id| id.is_u64() || id.is_null())
        && of.get("timezone_name").is_none_or(|name| name.is_string() || name.is_null())
}

/// Returns the additional top-level keys of a field in a lead.
fn companions(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Monetary => vec!["currency"],
        Kind::DateRange => vec!["until"],
        Kind::Time => vec!["timezone_id"],
        Kind::TimeRange => vec!["until", "timezone_id"],
        Kind::Address => {
            let mut parts = ADDRESS[1..].to_vec();
            parts.push("formatted_address");
            parts
        }
        _ => Vec::new(),
    }
}

/// Returns the top-level keys of a field in a lead, each with its name inside a value object.
fn flat_keys(field: &Field) -> Vec<(String, &'static str)> {
    let companions = companions(field.kind).into_iter();
    let mut keys = vec![(field.code.clone(), "value")];
    keys.extend(companions.map(|part| (format!("{}_{part}", field.code), part)));
    keys
}

/// Returns whether a top-level key of a lead belongs to one of these fields.
pub(super) fn is_flat(fields: &[Field], key: &str) -> bool {
    let mut near = fields.iter().filter(|field| key.starts_with(&field.code));
    near.any(|field| flat_keys(field).iter().any(|(known, _)| known == key))
}

/// The new values of top-level keys of a lead: raw values, or `None` for fields that are cleared.
pub(super) type Flat = Vec<(String, Option<String>)>;

/// Checks the custom fields in the body of a lead together with the current values of the lead.
pub(super) fn flat(
    state: &mut AccountState,
    fields: &[Field],
    body: &Body,
    old: Option<&Map<String, Value>>,
) -> Result<Flat, Vec<String>> {
    let (mut flat, mut faults) = (Vec::new(), Vec::new());
    for field in fields {
        let keys = flat_keys(field);
        if !keys.iter().any(|(key, _)| body.get(key).is_some()) {
            continue;
        }
        if body.get(&field.code).is_some_and(Value::is_null) {
            if keys.iter().any(|(key, _)| body.given(key).is_some()) {
                faults.push(format!("{}: its parts are set though it is null", field.code));
            }
            flat.extend(keys.into_iter().map(|(key, _)| (key, None)));
            continue;
        }
        let mut whole = Map::new();
        for (key, part) in &keys {
            if let Some(value) = body.get(key).or_else(|| old?.get(key)) {
                whole.insert((*part).to_owned(), value.clone());
            }
        }
        if !unfolded(field.kind, whole).is_some_and(|value| fits(state, field, &value)) {
            faults.push(format!("{}: Expected a value for {}", field.code, field.kind.name()));
        }
        for (key, _) in keys {
            if let Some(raw) = body.raw(&key) {
                flat.push((key, Some(raw.to_owned())));
            }
        }
    }
    if faults.is_empty() { Ok(flat) } else { Err(faults) }
}

/// Returns the v2 value of the keys of a lead. Leads contain options as text: `"31"`, `"11,12"`. Whether they
/// accept numbers as well is UNVERIFIED.
fn unfolded(kind: Kind, mut whole: Map<String, Value>) -> Option<Value> {
    let id = |text: &str| text.parse::<u64>().ok().map(Value::from);
    match kind {
        Kind::Enum => id(whole.get("value")?.as_str()?),
        Kind::Set => {
            let ids: Option<Vec<_>> = whole.get("value")?.as_str()?.split(',').map(id).collect();
            ids.map(Value::from)
        }
        _ if companions(kind).is_empty() => whole.remove("value"),
        _ => Some(Value::Object(whole)),
    }
}
