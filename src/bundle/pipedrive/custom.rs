//! Converts custom values back to Pipedrive's form. It is the reverse of the export's mapping.

use super::id_map::IdMap;
use crate::bundle::format::Entity;
use crate::bundle::map::{AccountSetup, Target};
use crate::model::{list, members, quoted, text};

/// Longest text of a `varchar` field.
const VARCHAR_MAX: usize = 255;

/// The way in which values of a field type are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Varchar,
    Text,
    Number,
    Date,
    DateRange,
    Money,
    Option,
    Options,
    User,
    Account,
    Contact,
    /// An object, as in version 2 of the API: `time`, `timerange`.
    Clock,
    Address,
    Other,
}

impl Kind {
    /// Returns the kind of a field type.
    pub(super) fn of(ty: &str) -> Self {
        match ty {
            "varchar" | "varchar_auto" | "phone" => Self::Varchar,
            "text" => Self::Text,
            "double" => Self::Number,
            "date" => Self::Date,
            "daterange" => Self::DateRange,
            "monetary" => Self::Money,
            "enum" => Self::Option,
            "set" => Self::Options,
            "user" => Self::User,
            "org" => Self::Account,
            "people" => Self::Contact,
            "time" | "timerange" => Self::Clock,
            "address" => Self::Address,
            _ => Self::Other,
        }
    }
}

/// Returns the value as Pipedrive will return it, or the reason why it cannot store the value.
pub(super) fn held(kind: Kind, value: &str, setup: &AccountSetup) -> Result<String, &'static str> {
    let first = value.as_bytes().first().copied().unwrap_or(b'n');
    let is_text = first == b'"';
    let own = || value.to_owned();
    Ok(match kind {
        Kind::Text | Kind::Varchar if !is_text => {
            let text = quoted(value);
            if kind == Kind::Varchar && text.len() > VARCHAR_MAX {
                return Err("is longer than 255 characters");
            }
            text
        }
        Kind::Varchar if text(value).is_some_and(|text| text.chars().count() > VARCHAR_MAX) => {
            return Err("is longer than 255 characters");
        }
        Kind::Number if !matches!(first, b'-' | b'0'..=b'9') => return Err("is no number"),
        Kind::Date if !is_text || value.len() != 12 => return Err("is no date"),
        Kind::Money | Kind::DateRange | Kind::Clock | Kind::Address if first != b'{' => {
            return Err("is no object");
        }
        Kind::Address => address(value),
        Kind::Option if !is_text => return Err("is no option"),
        Kind::Options if list(value).iter().any(|item| !item.starts_with('"')) || first != b'[' => {
            return Err("is no list of options");
        }
        Kind::User if text(value).and_then(|email| setup.user(&email)).is_none() => {
            return Err("is no active user of the account");
        }
        Kind::Account | Kind::Contact if !is_text => return Err("is no public id"),
        Kind::Other => return Err("the field's type cannot be written"),
        _ => own(),
    })
}

/// Returns the value in the form of the API. Returns `None` if the value refers to something that does not
/// exist.
pub(super) fn written(
    target: Target<'_>,
    value: &str,
    setup: &AccountSetup,
    ids: &IdMap,
) -> Option<String> {
    let option = |raw: &str| {
        let label = text(raw)?;
        target.options.get(&label).cloned()
    };
    Some(match Kind::of(target.ty) {
        Kind::Option => option(value)?,
        Kind::Options => {
            let ids: Option<Vec<_>> = list(value).into_iter().map(option).collect();
            format!("[{}]", ids?.join(","))
        }
        Kind::Money => renamed(value, &[("amount", "value"), ("currency", "currency")]),
        Kind::DateRange => renamed(value, &[("from", "value"), ("until", "until")]),
        Kind::User => setup.user(&text(value)?)?.to_string(),
        Kind::Account => ids.find(Entity::Accounts, &text(value)?)?.to_owned(),
        Kind::Contact => ids.find(Entity::Contacts, &text(value)?)?.to_owned(),
        _ => value.to_owned(),
    })
}

/// Converts a value of API version 2 to version 1, where subfields have separate keys
/// (pipedrive-api.md 5.4).
pub(super) fn flat(target: Target<'_>, value: &str) -> Vec<(String, String)> {
    let code = target.code;
    match Kind::of(target.ty) {
        Kind::Option => vec![(code.to_owned(), quoted(value))],
        Kind::Options => {
            let ids = list(value).join(",");
            vec![(code.to_owned(), quoted(&ids))]
        }
        Kind::Money | Kind::DateRange | Kind::Clock | Kind::Address => members(value)
            .into_iter()
            // A missing currency is sent as null; other missing subfields are omitted.
            .filter(|(part, value)| *value != "null" || part == "currency")
            .map(|(part, value)| {
                let key = if part == "value" { code.to_owned() } else { format!("{code}_{part}") };
                (key, value.to_owned())
            })
            .collect(),
        _ => vec![(code.to_owned(), value.to_owned())],
    }
}

/// Returns the writable parts of an address. Pipedrive computes `formatted_address` from them
/// (pipedrive-api.md 5.1).
pub(super) fn address(value: &str) -> String {
    const PARTS: [&str; 10] = [
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
    let object = members(value);
    let parts = object
        .iter()
        .filter(|(key, value)| PARTS.contains(&key.as_ref()) && value.starts_with('"'))
        .map(|(key, value)| format!("\"{key}\":{value}"));
    format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
}

/// Returns an object with only the named members, renamed. Missing members become null.
fn renamed(value: &str, names: &[(&str, &str)]) -> String {
    let object = members(value);
    let pairs = names.iter().map(|(old, new)| {
        let value = object.iter().find(|(key, _)| key == old).map_or("null", |(_, value)| value);
        format!("\"{new}\":{value}")
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}
