//! The rows of an organization, and their change events.

use crate::model::{Time, members, quoted, text};
use bytes::Bytes;
use std::collections::HashMap;

/// The arrays of an export, in the order of an import: plural, singular, prefix of public ids.
pub(super) const ARRAYS: [(&str, &str, &str); 5] = [
    ("accounts", "account", "acct_"),
    ("contacts", "contact", "cnt_"),
    ("opportunities", "opportunity", "opp_"),
    ("leads", "lead", "lead_"),
    ("activities", "activity", "act_"),
];

/// A row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The number among all rows of the CRM. The UUID is derived from it.
    pub(super) number: u64,
    pub(super) public_id: Box<str>,
    pub(super) deleted: bool,
    /// The fields, without the internal id.
    pub(super) json: Bytes,
}

/// A change of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) array: u8,
    /// The number of the row.
    pub(super) row: u64,
    pub(super) what: What,
    pub(super) at: Time,
}

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Created,
    Updated,
    Deleted,
    Imported,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Imported => "imported",
        }
    }
}

/// The rows of one array, in the order of creation.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) list: Vec<Row>,
    places: HashMap<Box<str>, usize>,
}

impl Rows {
    pub(super) fn find(&self, public_id: &str) -> Option<usize> {
        self.places.get(public_id).copied()
    }

    pub(super) fn push(&mut self, row: Row) {
        self.places.insert(row.public_id.clone(), self.list.len());
        self.list.push(row);
    }
}

/// Returns the UUID of a row or an event.
pub(super) fn uuid(kind: u16, number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{:08x}-{kind:04x}-4{:03x}-8{:03x}-{:012x}",
        mixed >> 32,
        mixed >> 20 & 0xfff,
        mixed >> 8 & 0xfff,
        number & 0xffff_ffff_ffff
    )
}

/// Returns whether a text has the form of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let dash = |place| matches!(place, 8 | 13 | 18 | 23);
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(place, byte)| if dash(place) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// Returns the UUID of a row.
pub(super) fn row_uuid(number: u64) -> String {
    uuid(0xc0de, number)
}

impl Row {
    /// Returns the row as in a response.
    pub(super) fn shown(&self, id: bool) -> Vec<u8> {
        if !id {
            return self.json.to_vec();
        }
        let mut out = format!("{{\"id\":\"{}\",", row_uuid(self.number)).into_bytes();
        out.extend_from_slice(&self.json[1..]);
        out
    }

    /// Returns the characters of one of its fields.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        get(std::str::from_utf8(&self.json).unwrap_or_default(), name)
    }
}

/// Returns the characters of a field of an object.
pub(super) fn get(object: &str, name: &str) -> Option<String> {
    let object = members(object);
    let (_, value) = object.iter().find(|(key, _)| key == name)?;
    text(value)
}

impl Event {
    pub(super) fn shown(&self, number: u64, times: bool) -> String {
        let at = if times { format!(",\"created_at\":\"{}\"", self.at) } else { String::new() };
        format!(
            "{{\"id\":\"{}\",\"record_type\":\"{}\",\"record_id\":\"{}\",\"event_type\":\"{}\"{at}}}",
            uuid(0xe7e7, number),
            ARRAYS[usize::from(self.array)].1,
            row_uuid(self.row),
            self.what.name()
        )
    }
}

/// Returns an object with these members set. Existing members keep their order. Values are raw, so numbers
/// are returned as they were sent.
pub(super) fn merged(old: &str, set: &[(String, String)]) -> Bytes {
    let mut out = String::with_capacity(old.len() + 64);
    out.push('{');
    let mut add = |key: &str, value: &str| {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&quoted(key));
        out.push(':');
        out.push_str(value);
    };
    let old = members(old);
    for (key, value) in &old {
        let new = set.iter().rev().find(|(name, _)| name == key);
        add(key, new.map_or(value, |(_, value)| value));
    }
    for (place, (key, value)) in set.iter().enumerate() {
        let known = old.iter().any(|(name, _)| name == key);
        let again = set[place + 1..].iter().any(|(name, _)| name == key);
        if !known && !again {
            add(key, value);
        }
    }
    out.push('}');
    Bytes::from(out)
}
