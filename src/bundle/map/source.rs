//! A Pipedrive record that tracks which of its fields were consumed. Fields that were not are counted.

use crate::bundle::fitting::{NAMELESS, is_nameless, mended, says_nothing, shortened};
use crate::bundle::format::{Entity, ROW_BYTES_MAX, Shape};
use crate::model::{Members, members, quoted, text, work};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// The members of a record, with a flag for each that was consumed.
pub(super) struct Fields<'r> {
    members: Members<'r>,
    taken: Vec<bool>,
    /// The index where the next look-up starts.
    next: usize,
}

impl<'r> Fields<'r> {
    pub(super) fn of(record: &'r str) -> Self {
        let members = members(record);
        let taken = vec![false; members.len()];
        Self { members, taken, next: 0 }
    }

    /// Returns the raw value of a key and marks it as consumed. Returns `None` if it is absent or null.
    pub(super) fn consume(&mut self, name: &str) -> Option<&'r str> {
        let count = self.members.len();
        let place =
            (self.next..count).chain(0..self.next).find(|place| self.members[*place].0 == name)?;
        self.next = (place + 1) % count;
        self.taken[place] = true;
        Some(self.members[place].1).filter(|value| *value != "null")
    }

    /// Consumes a text and returns its characters.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.consume(name).and_then(text)
    }

    /// Consumes an id, which is a whole number.
    pub(super) fn id(&mut self, name: &str) -> Option<u64> {
        id(self.consume(name)?)
    }

    /// Consumes a flag. Returns `true` for true and for the 1 of API version 1.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.consume(name).is_some_and(|value| matches!(value, "true" | "1"))
    }

    /// Returns the non-empty members that were not consumed, in the order of the record.
    pub(super) fn rest(self) -> impl Iterator<Item = (std::borrow::Cow<'r, str>, &'r str)> {
        let left = self.members.into_iter().zip(self.taken).filter(|(_, taken)| !taken);
        left.map(|(member, _)| member).filter(|(_, value)| !is_empty(value))
    }
}

/// Parses an id. API version 1 writes it as a number, a text, or an object with a `value`.
pub(super) fn id(raw: &str) -> Option<u64> {
    match raw.as_bytes().first()? {
        b'{' => {
            let object = members(raw);
            let own = object.iter().find(|(key, _)| key == "value");
            let own = own.or_else(|| object.iter().find(|(key, _)| key == "id"));
            own.and_then(|(_, value)| id(value))
        }
        b'"' => text(raw)?.parse().ok(),
        _ => raw.parse().ok(),
    }
}

/// Returns whether a value is empty.
pub(super) fn is_empty(value: &str) -> bool {
    matches!(value, "null" | "\"\"" | "[]" | "{}")
}

/// A row of the bundle that is written pair by pair. Every value fits its field.
pub(super) struct Out<'o> {
    row: &'o mut String,
    entity: Entity,
    /// The fields whose values the bundle cannot hold, and the reasons.
    lost: Vec<(String, &'static str)>,
}

/// The reasons why a value is not in its field.
const OTHER_SHAPE: &str = "is of another type than the bundle's field; left out";
const TOO_LONG: &str = "makes the row longer than 1024 KiB; left out, or cut";
const NO_NAME: &str = "is missing; a row needs one, and is called –";

impl<'o> Out<'o> {
    /// Starts a row of this array in a buffer.
    pub(super) fn start(row: &'o mut String, entity: Entity) -> Self {
        row.clear();
        row.push('{');
        Self { row, entity, lost: Vec::new() }
    }

    /// Records that part of a field is lost.
    pub(super) fn lose(&mut self, field: &str, why: &'static str) {
        self.lost.push((field.to_owned(), why));
    }

    /// Writes the name of a row that requires one.
    pub(super) fn name(&mut self, value: Option<&str>) {
        let name = value.and_then(|raw| mended(Shape::Text, raw));
        let name = name.filter(|name| !is_nameless(name));
        if name.is_none() {
            self.lose("name", NO_NAME);
        }
        self.raw("name", Some(name.as_deref().unwrap_or(NAMELESS)));
    }

    /// Writes a pair with a JSON value. A missing value is written as null, so that a field that was
    /// emptied is also emptied in the target.
    pub(super) fn raw(&mut self, key: &str, value: Option<&str>) {
        let shape = self.entity.field(key).map(|field| field.shape);
        let fitted = value.map(|raw| (raw, shape.map_or(Some(raw.into()), |s| mended(s, raw))));
        let value: Option<Cow<'_, str>> = match fitted {
            Some((raw, None)) => {
                if !says_nothing(raw) {
                    self.lose(key, OTHER_SHAPE);
                }
                None
            }
            Some((_, fitted)) => fitted,
            None => None,
        };
        if self.row.len() > 1 {
            self.row.push(',');
        }
        self.row.push('"');
        self.row.push_str(key);
        self.row.push_str("\":");
        match value.as_deref() {
            // Line breaks occur only between tokens.
            Some(value) if value.contains(['\n', '\r']) => {
                self.row.extend(value.chars().filter(|c| !matches!(c, '\n' | '\r')));
            }
            value => self.row.push_str(value.unwrap_or("null")),
        }
    }

    /// Writes a pair with a text value.
    pub(super) fn text(&mut self, key: &str, value: Option<&str>) {
        self.raw(key, value.map(quoted).as_deref());
    }

    /// Finishes the row and returns the lost fields with the reasons.
    pub(super) fn end(mut self) -> Vec<(String, &'static str)> {
        self.row.push('}');
        if self.row.len() > ROW_BYTES_MAX {
            let mut lost = Vec::new();
            *self.row = shortened(self.row, &mut lost);
            self.lost.extend(lost.into_iter().map(|field| (field, TOO_LONG)));
        }
        self.lost
    }
}

/// Most fields of a resource whose losses are named; the others are counted together.
const FIELDS_MAX: usize = 1_000;
/// The name that replaces fields above the limit.
const OTHERS: &str = "(other fields)";
/// The maximum length of a reported field name, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The values that were not mapped, by resource and field: reason and count.
#[derive(Debug, Default)]
pub(super) struct Losses {
    resources: BTreeMap<&'static str, Lost>,
}

/// The losses of one resource.
#[derive(Debug, Default)]
struct Lost {
    fields: Vec<(String, &'static str, u64)>,
    /// The indexes in `fields`, by field. A field has one index per reason.
    places: HashMap<String, Vec<usize>>,
    /// The index where the next look-up starts. Records of one resource usually lack the same fields in the
    /// same order.
    next: usize,
}

impl Losses {
    pub(super) fn count(&mut self, resource: &'static str, field: &str, reason: &'static str) {
        let field = &field[..field.floor_char_boundary(NAME_BYTES_MAX)];
        self.resources.entry(resource).or_default().count(field, reason);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &str, &'static str, u64)> {
        self.resources.iter().flat_map(|(resource, lost)| {
            let fields = lost.fields.iter();
            fields.map(|(field, reason, rows)| (*resource, field.as_str(), *reason, *rows))
        })
    }
}

impl Lost {
    fn count(&mut self, field: &str, reason: &'static str) {
        work::count(1);
        let place = match self.fields.get(self.next) {
            Some((known, why, _)) if known == field && *why == reason => self.next,
            _ => self.place(field, reason),
        };
        self.fields[place].2 += 1;
        self.next = place + 1;
    }

    fn place(&mut self, field: &str, reason: &'static str) -> usize {
        let known = self.places.get(field).into_iter().flatten();
        let known = known.copied().find(|place| self.fields[*place].1 == reason);
        match known {
            Some(place) => place,
            None if self.fields.len() >= FIELDS_MAX && field != OTHERS => {
                self.place(OTHERS, reason)
            }
            None => {
                let place = self.fields.len();
                self.fields.push((field.to_owned(), reason, 0));
                self.places.entry(field.to_owned()).or_default().push(place);
                place
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_fields_are_counted_in_one_step_each_and_not_all_named() {
        work::grows_with_its_input("a field of its own in every row", 2_000, |rows| {
            let mut losses = Losses::default();
            for n in 0..rows {
                losses.count("deals", &format!("field{n}"), "no place");
                losses.count("deals", "always", "no place");
            }
            let all: Vec<_> = losses.iter().collect();
            let total: u64 = all.iter().map(|(_, _, _, rows)| rows).sum();
            assert_eq!(total, 2 * rows as u64);
            assert_eq!(all.len(), FIELDS_MAX + 1);
        });
    }

    #[test]
    fn a_field_may_be_lost_for_several_reasons() {
        let mut losses = Losses::default();
        for reason in ["a", "b", "a"] {
            losses.count("deals", "x", reason);
        }
        let all: Vec<_> = losses.iter().collect();
        assert_eq!(all, [("deals", "x", "a", 2), ("deals", "x", "b", 1)]);
    }
}
