//! Sorts rows by their key.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use std::cmp::Ordering;

/// The key columns of a batch.
pub(super) struct Order<'b>(Vec<Values<'b>>);

enum Values<'b> {
    Ints(&'b Int64Array),
    Texts(&'b StringArray),
}

/// The value of a row in a key column. Null sorts first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
}

impl<'b> Order<'b> {
    /// Orders by these columns in sequence: numbers by value, texts by bytes.
    pub(super) fn of(batch: &'b RecordBatch, key: &[&str]) -> Self {
        let columns = key.iter().filter_map(|name| batch.column_by_name(name));
        let values = columns.filter_map(|column| {
            let ints = column.as_primitive_opt::<Int64Type>().map(Values::Ints);
            ints.or_else(|| column.as_string_opt().map(Values::Texts))
        });
        Self(values.collect())
    }

    /// Returns the key of a row.
    pub(super) fn key(&self, row: usize) -> Vec<Value> {
        let value = |values: &Values<'_>| match values {
            Values::Ints(ints) if ints.is_valid(row) => Value::Int(ints.value(row)),
            Values::Texts(texts) if texts.is_valid(row) => Value::Text(texts.value(row).to_owned()),
            _ => Value::Null,
        };
        self.0.iter().map(value).collect()
    }

    /// Returns the sorted order of the rows. `None` if they are sorted. The sort is stable.
    pub(super) fn permutation(&self, rows: usize) -> Option<UInt32Array> {
        if (1..rows).all(|row| self.compare(row - 1, row) != Ordering::Greater) {
            return None;
        }
        let mut places: Vec<u32> = (0..).zip(0..rows).map(|(place, _)| place).collect();
        places.sort_by(|a, b| self.compare(*a as usize, *b as usize));
        Some(places.into())
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let each = self.0.iter().map(|values| match values {
            Values::Ints(ints) => {
                (ints.is_valid(a), ints.value(a)).cmp(&(ints.is_valid(b), ints.value(b)))
            }
            Values::Texts(texts) => {
                (texts.is_valid(a), texts.value(a)).cmp(&(texts.is_valid(b), texts.value(b)))
            }
        });
        each.fold(Ordering::Equal, Ordering::then)
    }
}
