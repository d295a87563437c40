//! A record: the bytes that Pipedrive sent, and the few facts that we need about them.

use super::json::Json;
use super::object::pairs;
use super::resource::Resource;
use super::time::Time;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// Most columns a key may have.
const KEY_COLUMNS_MAX: usize = 4;

/// A record as the API sent it, with facts noted while its page was parsed.
#[derive(Debug, Clone)]
pub struct Record {
    /// The object, a slice of its page. It may contain line breaks between tokens.
    pub json: Bytes,
    /// The values of the key joined by `/`. `None` if a key column is missing, or holds a value that does
    /// not identify a row: null, true or false, an empty text, an object, a list.
    pub key: Option<String>,
    /// The value of the cursor column. `None` if it is absent, null or not a time.
    pub time: Option<Time>,
    /// Whether the record has a time, date or label that must be corrected for a strict loader.
    pub odd: bool,
    /// Whether the row is marked as deleted.
    pub deleted: bool,
    /// The nested values and the gaps, if everything else is exactly as documented.
    pub exact: Option<NestedRows>,
}

/// Most lists, objects and gaps that are remembered of a record.
const INSIDE_MAX: usize = 10;

/// The positions of a record's lists and objects, and of absent columns. Every other key of the record is a
/// column of its resource, with null or a value of exactly its type. Key columns are not null.
#[derive(Debug, Clone, Copy, Default)]
pub struct NestedRows {
    places: [(u8, u8, u32, u32); INSIDE_MAX],
    len: u8,
    /// Whether the columns are not in the order of the table, a column occurs twice, or there are more gaps
    /// than can be stored.
    unordered: bool,
}

/// A part of a record that is checked. Positions are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The value of the column at this index in the table, a list or an object.
    Value { column: usize, start: usize, end: usize },
    /// The columns `from..to` of the table are absent. Their position is `at`.
    Gap { from: usize, to: usize, at: usize },
}

impl NestedRows {
    /// Adds the value of the column at this index in the table, with its range in the record. Returns `false`
    /// if there is no room left.
    pub(super) fn push(&mut self, column: usize, start: usize, end: usize) -> bool {
        self.add(column, 0, start, end)
    }

    /// Notes that the columns `from..to` of the table are absent at this position.
    pub(super) fn lacks(&mut self, from: usize, to: usize, at: usize) {
        // An empty range marks a gap, because no value is empty.
        self.unordered |= !self.add(from, to, at, at);
    }

    /// Notes that a column follows a later one of the table, or occurs twice.
    pub(super) fn disorder(&mut self) {
        self.unordered = true;
    }

    fn add(&mut self, column: usize, to: usize, start: usize, end: usize) -> bool {
        let numbers =
            (u8::try_from(column), u8::try_from(to), u32::try_from(start), u32::try_from(end));
        match (numbers, self.places.get_mut(usize::from(self.len))) {
            ((Ok(column), Ok(to), Ok(start), Ok(end)), Some(free)) => {
                *free = (column, to, start, end);
                self.len += 1;
                true
            }
            _ => false,
        }
    }

    /// Returns the parts in the order of the record. `None` if the columns of the record are out of order.
    pub(super) fn parts(&self) -> Option<impl Iterator<Item = Part>> {
        let all = self.places.iter().take(usize::from(self.len));
        let parts = all.map(|(column, to, start, end)| {
            let (column, start, end) = (usize::from(*column), *start as usize, *end as usize);
            if start == end {
                Part::Gap { from: column, to: usize::from(*to), at: start }
            } else {
                Part::Value { column, start, end }
            }
        });
        (!self.unordered).then_some(parts)
    }
}

/// A 64-bit digest of bytes, the same on every machine and in every version.
///
/// It distinguishes two versions of one row. With 64 bits of SHA-256, the probability of an accidental match
/// is about 1 in 10^19.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(u64);

impl Digest {
    /// Returns the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// Returns the digest of these parts, concatenated.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        let bytes = hash.finalize();
        Self(bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Returns the digest as a number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Reads 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Record {
    /// Returns a record without any noted facts.
    pub fn bare(json: Bytes) -> Self {
        Self { json, key: None, time: None, odd: false, deleted: false, exact: None }
    }

    /// Returns the digest of the record's bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.json)
    }

    /// Returns the identity of a row without a key: the digest of its owner's key, of these columns, and of
    /// its number among equal rows.
    pub fn identity(&self, owner: &str, columns: &[&str], nth: u32) -> Digest {
        let mut values = vec![String::new(); columns.len()];
        let text = String::from_utf8_lossy(&self.json);
        // A row that is not an object has no columns, so only its owner counts.
        let _ = pairs(&text, |key, value| {
            if let Some(place) = columns.iter().position(|column| *column == key) {
                value.clone_into(&mut values[place]);
            }
        });
        let nth = nth.to_string();
        let mut parts: Vec<&[u8]> = vec![owner.as_bytes(), b"\0", nth.as_bytes()];
        for value in &values {
            parts.push(b"\0");
            parts.push(value.as_bytes());
        }
        Digest::of_parts(&parts)
    }
}

/// Returns whether a JSON value can identify a row: a number, or a text that is not empty. Null, true and
/// false, objects and lists are no ids.
pub(crate) fn usable(value: &str) -> bool {
    match value.as_bytes().first() {
        Some(b'"') => value.len() > 2,
        Some(b'-' | b'0'..=b'9') => true,
        _ => false,
    }
}

/// Returns the key of a row, in the form of [`Record::key`]. `None` if a key column has no usable value, or
/// if the row is not an object. Reading stops at the last key column.
pub fn key_of(resource: &Resource, row: &str) -> Option<String> {
    let mut parts: [Option<Cow<'_, str>>; KEY_COLUMNS_MAX] = Default::default();
    let mut missing = resource.key.len();
    let mut json = Json::new(row);
    let mut more = json.open(b'{').ok()?;
    while more && missing > 0 {
        let key = json.key().ok()?;
        let value = json.value().ok()?;
        if let Some(place) = resource.key.iter().position(|column| *column == key) {
            missing -= usize::from(parts[place].is_none());
            if !usable(value) {
                return None;
            }
            parts[place] = Some(match value.as_bytes() {
                [b'"', ..] => Cow::Owned(serde_json::from_str(value).ok()?),
                _ => Cow::Borrowed(value),
            });
        }
        more = json.more(b'{').ok()?;
    }
    let parts: Option<Vec<_>> = parts.into_iter().take(resource.key.len()).collect();
    Some(parts?.join("/"))
}
