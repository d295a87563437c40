//! Compares values whose order has no meaning: sets, and lists of e-mail addresses and phone numbers. The
//! module is pure.

use crate::model::{Column, Type, json_eq, list, text};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// The way in which the values of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// Compared as they are.
    Plain,
    /// Compared as a set of ids or words: labels, options, members.
    Set,
    /// Compared as contacts, which are identified by their values.
    Contacts,
}

impl Likeness {
    /// Returns the comparison for a column. Lists of ids and words are unordered.
    pub(super) fn of(column: &Column) -> Self {
        match column.ty {
            Type::List(Type::Int | Type::Text | Type::OptionId) => Self::Set,
            Type::List(Type::Object(members)) => {
                let has = |name: &str| members.iter().any(|member| member.name == name);
                if has("value") && has("label") { Self::Contacts } else { Self::Plain }
            }
            _ => Self::Plain,
        }
    }
}

/// Returns whether two sets are equal. A set is a list, or a text with comma-separated members. Null is
/// equal to an empty set.
pub(super) fn same_sets(old: &str, new: &str) -> bool {
    let (old, new) = (set(old), set(new));
    old.is_some() && old == new
}

/// Returns the members of a set. `None` if the value is not a set.
fn set(raw: &str) -> Option<BTreeSet<String>> {
    let plain = |raw: &str| text(raw).unwrap_or_else(|| raw.to_owned());
    match raw.as_bytes().first()? {
        b'[' => Some(list(raw).into_iter().map(plain).collect()),
        b'n' => Some(BTreeSet::new()),
        b'"' => {
            let all = text(raw)?;
            let members = all.split(',').map(str::trim).filter(|member| !member.is_empty());
            Some(members.map(str::to_owned).collect())
        }
        b'0'..=b'9' => Some(BTreeSet::from([raw.to_owned()])),
        _ => None,
    }
}

/// The difference between two lists of contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contacts {
    /// Equal: the same contacts in any order. A contact without a value is ignored.
    Alike,
    /// The common values have the same order. Differences are reported by position.
    InPlace,
    /// Any other difference.
    Moved,
}

pub(super) fn contacts(old: &str, new: &str) -> Contacts {
    let (Some(before), Some(after)) = (entries(old), entries(new)) else {
        return Contacts::Moved;
    };
    let mut waiting: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (nth, (_, value, _)) in before.iter().enumerate() {
        waiting.entry(value).or_default().push_back(nth);
    }
    let (mut alike, mut in_place) = (before.len() == after.len(), true);
    for (place, value, raw) in &after {
        let other = waiting.get_mut(value.as_str()).and_then(VecDeque::pop_front);
        let Some((there, _, other)) = other.map(|nth| &before[nth]) else {
            alike = false;
            continue;
        };
        alike &= json_eq(other, raw);
        in_place &= there == place;
    }
    if alike {
        return Contacts::Alike;
    }
    if in_place && list(old).len() == list(new).len() { Contacts::InPlace } else { Contacts::Moved }
}

/// Returns the contacts that have a value: the position, the value and the raw object. `None` if the
/// text is not a list of objects.
fn entries(raw: &str) -> Option<Vec<(usize, String, &str)>> {
    if !raw.starts_with(['[', 'n']) {
        return None;
    }
    let mut found = Vec::new();
    for (place, entry) in list(raw).into_iter().enumerate() {
        if !entry.starts_with('{') {
            return None;
        }
        let mut value = String::new();
        // An entry that cannot be parsed has no value.
        let _ = crate::model::pairs(entry, |key, raw| {
            if key == "value" {
                value = text(raw).unwrap_or_else(|| raw.to_owned());
            }
        });
        if !value.is_empty() && value != "null" {
            found.push((place, value, entry));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_no_order() {
        let check = |old: &str, new: &str, expected: bool| {
            assert_eq!(same_sets(old, new), expected, "{old} and {new}");
            assert_eq!(same_sets(new, old), expected, "{new} and {old}");
        };
        check("[1,2]", "[2,1]", true);
        check("[1,2]", "[2]", false);
        check("\"1,2\"", "\"2, 1\"", true);
        check("\"1,2\"", "[2,1]", true);
        check("\"3\"", "3", true);
        check("null", "[]", true);
        check("null", "\"\"", true);
        check("null", "[1]", false);
        check("true", "null", false);
    }

    #[test]
    fn contacts_are_known_by_their_values() {
        use Contacts::{Alike, InPlace, Moved};
        let check = |old: &str, new: &str, expected: Contacts| {
            assert_eq!(contacts(old, new), expected, "{old} and {new}");
            assert_eq!(contacts(new, old), expected, "{new} and {old}");
        };
        let (a, b) = (r#"{"value":"a","label":"work"}"#, r#"{"label":"home","value":"b"}"#);
        let all = |entries: &[&str]| format!("[{}]", entries.join(","));
        check(&all(&[a, b]), &all(&[b, a]), Alike);
        check(&all(&[a, b]), &all(&[a, r#"{"value":"c"}"#]), InPlace);
        check(&all(&[a]), &all(&[r#"{"value":"a","label":"x"}"#]), InPlace);
        check(&all(&[a, b]), &all(&[b, r#"{"value":"a","label":"x"}"#]), Moved);
        check(&all(&[a, b]), &all(&[b]), Moved);
        check(&all(&[a, a]), &all(&[a]), Moved);
        // An account without e-mail addresses is represented in three ways.
        check("[]", r#"[{"value":"","primary":true}]"#, Alike);
        check("null", r#"[{"value":null}]"#, Alike);
        check("[]", "null", Alike);
        check("[1]", &all(&[a]), Moved);
    }
}
