//! Converts values of custom fields to their form in a bundle: by name, with labels and public ids.
//!
//! | type in Pipedrive | value in `custom` |
//! | --- | --- |
//! | enum, set | label, list of labels |
//! | monetary | `{"amount","currency"}` |
//! | daterange | `{"from","until"}` |
//! | user, org, people | e-mail, public id of an account, of a contact |
//! | time, timerange, address | the object as version 2 of the API has it |
//! | all others | as they are |

use super::dictionary::{CustomValue, Dictionary};
use super::identity::Known;
use super::source::id;
use crate::bundle::format::Entity;
use crate::model::{LABELS_BYTES_MAX, is_custom, list, members, quoted, text, work};
use std::collections::HashMap;

/// The custom values of a record.
#[derive(Default)]
pub(super) struct Custom {
    /// The values as a JSON object.
    pub(super) json: String,
    /// The value of the field that stores the public id.
    pub(super) marker: Option<String>,
    /// The fields that could not be mapped completely, and the reasons.
    pub(super) lost: Vec<(String, &'static str)>,
    /// The fields that refer to an account or contact that is not yet read.
    pub(super) deferred: Vec<(String, Entity, u64)>,
}

/// The rows and users that values can refer to.
pub(super) struct Targets<'t> {
    pub(super) users: &'t HashMap<u64, String>,
    pub(super) known: &'t Known,
}

/// The reasons why a value is kept as Pipedrive has it.
const UNKNOWN_OPTION: &str = "names an option that the field no longer has; the id is kept";
const LABELS_TOO_LONG: &str = "has labels of more than 64 KiB together; the ids are kept";
const UNKNOWN_USER: &str = "is no user with an e-mail address; the id is kept";
const NO_ID: &str = "is no id; the value is kept";
const UNKNOWN_FIELD: &str = "belongs to a field that the account does not describe; left out";

/// Maps the values of API version 2: an object by field hash.
pub(super) fn nested(dictionary: &Dictionary, targets: &Targets<'_>, raw: &str) -> Custom {
    let mut custom = Custom::begin();
    for (code, value) in members(raw) {
        if value != "null" {
            custom.add(dictionary, targets, &code, value);
        }
    }
    custom.end()
}

/// Maps the values of API version 1: keys at the top level, with subfields in separate keys.
pub(super) fn flat<'r>(
    dictionary: &Dictionary,
    targets: &Targets<'_>,
    pairs: impl Iterator<Item = (&'r str, &'r str)>,
) -> Custom {
    let mut custom = Custom::begin();
    let mut whole: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (key, value) in pairs.filter(|(key, _)| is_custom(key)) {
        let (code, part) = key.split_at(40);
        let part = part.trim_start_matches('_');
        work::count(1);
        let place = *places.entry(code).or_insert(whole.len());
        match whole.get_mut(place) {
            Some((_, parts)) => parts.push((part, value)),
            None => whole.push((code, vec![(part, value)])),
        }
    }
    for (code, parts) in whole {
        let own = parts.iter().find(|(part, _)| part.is_empty()).map_or("null", |(_, raw)| raw);
        if own == "null" {
            continue;
        }
        let ty = dictionary.custom.get(code).map_or("", |field| field.ty.as_str());
        let value = match ty {
            "monetary" | "daterange" | "time" | "timerange" | "address" => {
                let parts = parts.iter().map(|(part, raw)| {
                    format!("{}:{raw}", quoted(if part.is_empty() { "value" } else { part }))
                });
                format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
            }
            "set" => {
                let ids = text(own).unwrap_or_else(|| own.to_owned());
                let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
                format!("[{}]", ids.map(quoted).collect::<Vec<_>>().join(","))
            }
            _ => own.to_owned(),
        };
        custom.add(dictionary, targets, code, &value);
    }
    custom.end()
}

impl Custom {
    fn begin() -> Self {
        Self { json: "{".to_owned(), ..Self::default() }
    }

    fn end(mut self) -> Self {
        self.json.push('}');
        self
    }

    fn add(&mut self, dictionary: &Dictionary, targets: &Targets<'_>, code: &str, raw: &str) {
        if dictionary.marker.as_deref() == Some(code) {
            self.marker = text(raw).filter(|id| !id.is_empty());
            return;
        }
        let Some(field) = dictionary.custom.get(code) else {
            self.lost.push((code.to_owned(), UNKNOWN_FIELD));
            return;
        };
        let refers = match field.ty.as_str() {
            "org" => Some(Entity::Accounts),
            "people" => Some(Entity::Contacts),
            _ => None,
        };
        let value = match refers {
            Some(to) => id(raw).ok_or(NO_ID).map(|id| {
                let (public_id, came) = targets.known.deferred_id(to, id);
                if !came {
                    self.deferred.push((field.name.clone(), to, id));
                }
                Some(quoted(&public_id))
            }),
            None => value(field, targets, raw),
        };
        let value = match value {
            Ok(value) => value,
            Err(why) => {
                self.lost.push((field.name.clone(), why));
                None
            }
        };
        if self.json.len() > 1 {
            self.json.push(',');
        }
        self.json.push_str(&quoted(&field.name));
        self.json.push(':');
        self.json.push_str(value.as_deref().unwrap_or(raw));
    }
}

/// Converts a value to its form in the bundle. Returns `None` if it does not change.
fn value(
    field: &CustomValue,
    targets: &Targets<'_>,
    raw: &str,
) -> Result<Option<String>, &'static str> {
    let label = |id: &str| field.labels.get(id.trim_matches('"')).map(|label| quoted(label));
    Ok(match field.ty.as_str() {
        "enum" => Some(label(raw).ok_or(UNKNOWN_OPTION)?),
        "set" => {
            let mut labels = String::new();
            for id in list(raw) {
                if !labels.is_empty() {
                    labels.push(',');
                }
                labels.push_str(&label(id).ok_or(UNKNOWN_OPTION)?);
                if labels.len() > LABELS_BYTES_MAX {
                    return Err(LABELS_TOO_LONG);
                }
            }
            Some(format!("[{labels}]"))
        }
        "monetary" => Some(renamed(raw, &[("value", "amount"), ("currency", "currency")])),
        "daterange" => Some(renamed(raw, &[("value", "from"), ("until", "until")])),
        "user" => {
            let email = id(raw).and_then(|id| targets.users.get(&id));
            Some(quoted(email.ok_or(UNKNOWN_USER)?))
        }
        _ => None,
    })
}

/// Returns an object with only the named members, renamed. Null members are dropped.
fn renamed(raw: &str, names: &[(&str, &str)]) -> String {
    let object = members(raw);
    let pairs = names.iter().filter_map(|(old, new)| {
        let (_, value) = object.iter().find(|(key, _)| key == old)?;
        (*value != "null").then(|| format!("\"{new}\":{value}"))
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}
