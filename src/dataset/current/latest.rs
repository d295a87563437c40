//! Finds the current row of each key: the last one, unless it is a tombstone.

use super::super::table::DELETED;
use crate::model::{Resource, Type};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, BooleanArray, Int64Array, RecordBatch, StringArray};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// The length in bytes of a digest that identifies a key that is not a single number.
const DIGEST_BYTES: usize = 16;

/// The number of the last row of each key. A numeric key takes 16 bytes and another key 24, in addition
/// to the overhead of a hash map.
#[derive(Debug)]
pub(super) struct Latest {
    key: &'static [&'static str],
    seen: KeyState,
    rows: u64,
    /// The number of rows without a usable key.
    keyless: u64,
}

#[derive(Debug)]
enum KeyState {
    Numbers(HashMap<i64, Last>),
    Digests(HashMap<[u8; DIGEST_BYTES], Last>),
}

#[derive(Debug, Clone, Copy)]
struct Last {
    row: u64,
    gone: bool,
}

enum Key {
    Number(i64),
    Digest([u8; DIGEST_BYTES]),
}

impl Latest {
    pub(super) fn of(resource: &Resource) -> Self {
        let number = |name: &&str| {
            resource.column(name).is_some_and(|column| matches!(column.ty, Type::Int))
        };
        let seen = match resource.key {
            [name] if number(name) => KeyState::Numbers(HashMap::new()),
            _ => KeyState::Digests(HashMap::new()),
        };
        Self { key: resource.key, seen, rows: 0, keyless: 0 }
    }

    /// Records the rows of a batch.
    pub(super) fn note(&mut self, batch: &RecordBatch) {
        let keys = Keys::of(batch, self.key);
        let gone = deleted(batch);
        for row in 0..batch.num_rows() {
            let last = Last { row: self.rows, gone: is(gone, row) };
            self.rows += 1;
            match (keys.at(row, self.is_number()), &mut self.seen) {
                (Some(Key::Number(key)), KeyState::Numbers(seen)) => {
                    seen.insert(key, last);
                }
                (Some(Key::Digest(key)), KeyState::Digests(seen)) => {
                    seen.insert(key, last);
                }
                _ => self.keyless += 1,
            }
        }
    }

    /// Returns whether every row has a usable key.
    pub(super) fn all_keyed(&self) -> bool {
        self.keyless == 0
    }

    /// Starts a second pass over the same rows.
    pub(super) fn again(&mut self) {
        self.rows = 0;
    }

    /// Returns the indexes of the current rows of the batch. A row without a usable key is current
    /// unless it is marked as deleted.
    pub(super) fn holding(&mut self, batch: &RecordBatch) -> Vec<usize> {
        let keys = Keys::of(batch, self.key);
        let gone = deleted(batch);
        let first = self.rows;
        self.rows += batch.num_rows() as u64;
        let holds = |row: &usize| {
            let last = match (keys.at(*row, self.is_number()), &self.seen) {
                (Some(Key::Number(key)), KeyState::Numbers(seen)) => seen.get(&key),
                (Some(Key::Digest(key)), KeyState::Digests(seen)) => seen.get(&key),
                _ => None,
            };
            let number = first + *row as u64;
            last.map_or(!is(gone, *row), |last| last.row == number && !last.gone)
        };
        (0..batch.num_rows()).filter(holds).collect()
    }

    /// Returns the number of keys whose last row is marked as deleted.
    pub(super) fn gone(&self) -> u64 {
        let gone = match &self.seen {
            KeyState::Numbers(seen) => seen.values().filter(|last| last.gone).count(),
            KeyState::Digests(seen) => seen.values().filter(|last| last.gone).count(),
        };
        gone as u64
    }

    fn is_number(&self) -> bool {
        matches!(self.seen, KeyState::Numbers(_))
    }
}

/// The key columns of a batch.
struct Keys<'b>(Vec<Values<'b>>);

enum Values<'b> {
    Numbers(&'b Int64Array),
    Texts(&'b StringArray),
    /// A column whose type cannot be a key.
    Other,
}

impl<'b> Keys<'b> {
    fn of(batch: &'b RecordBatch, key: &[&str]) -> Self {
        let values = |name: &&str| {
            let Some(column) = batch.column_by_name(name) else { return Values::Other };
            match (column.as_primitive_opt::<Int64Type>(), column.as_string_opt()) {
                (Some(numbers), _) => Values::Numbers(numbers),
                (None, Some(texts)) => Values::Texts(texts),
                (None, None) => Values::Other,
            }
        };
        Self(key.iter().map(values).collect())
    }

    fn at(&self, row: usize, number: bool) -> Option<Key> {
        if number {
            return match self.0.first()? {
                Values::Numbers(numbers) if numbers.is_valid(row) => {
                    Some(Key::Number(numbers.value(row)))
                }
                _ => None,
            };
        }
        let mut hash = Sha256::new();
        for values in &self.0 {
            let text = match values {
                Values::Numbers(numbers) if numbers.is_valid(row) => numbers.value(row).to_string(),
                Values::Texts(texts) if texts.is_valid(row) => texts.value(row).to_owned(),
                _ => return None,
            };
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&hash.finalize()[..DIGEST_BYTES]);
        Some(Key::Digest(digest))
    }
}

fn deleted(batch: &RecordBatch) -> Option<&BooleanArray> {
    batch.column_by_name(DELETED)?.as_boolean_opt()
}

fn is(flags: Option<&BooleanArray>, row: usize) -> bool {
    flags.is_some_and(|flags| flags.is_valid(row) && flags.value(row))
}
