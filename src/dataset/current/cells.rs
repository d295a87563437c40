//! The values of a row as cells of a sheet or a database.

use crate::model::Time;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Seconds per day.
const DAY_SECONDS: i64 = 86_400;
/// The separator of list items in text for people.
const SEPARATOR: &str = ", ";

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'b> {
    /// No value.
    Null,
    /// A Boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Num(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// A text.
    Text(Cow<'b, str>),
}

/// The representation of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// JSON.
    Json,
    /// Text for people: items separated by commas. Items such as e-mail addresses are shown by their
    /// value.
    Joined,
}

impl Cell<'_> {
    /// Returns the value as text, with dates and times as RFC 3339 in UTC. `None` for null.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(value) => value.to_string().into(),
            Self::Int(value) => value.to_string().into(),
            Self::Num(value) => value.to_string().into(),
            Self::Date(days) => date(*days).into(),
            Self::Time(micros) => Time::from_micros(*micros).to_string().into(),
            Self::Text(text) => Cow::Borrowed(text),
        })
    }
}

fn date(days: i32) -> String {
    Time::from_seconds(i64::from(days) * DAY_SECONDS).date()
}

/// Returns the value of a column in a row.
pub(super) fn cell(array: &ArrayRef, row: usize, lists: Lists) -> Cell<'_> {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::Num(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => Cell::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(..) => {
            Cell::Time(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).into()),
        DataType::List(_) if lists == Lists::Joined => {
            Cell::Text(joined(&array.as_list::<i32>().value(row)).into())
        }
        _ => Cell::Text(json(array, row).to_string().into()),
    }
}

/// Returns the label of an option id, or the labels of a list of ids.
pub(super) fn labels<'b>(
    array: &ArrayRef,
    row: usize,
    lists: Lists,
    labels: &BTreeMap<String, String>,
) -> Cell<'b> {
    let label = |value: &Value| {
        let id = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        labels.get(&id).map_or(Value::Null, |label| label.as_str().into())
    };
    match json(array, row) {
        Value::Null => Cell::Null,
        Value::Array(ids) => {
            let found: Vec<Value> = ids.iter().map(label).collect();
            Cell::Text(match lists {
                Lists::Json => Value::Array(found).to_string().into(),
                Lists::Joined => {
                    let found = found.iter().map(|label| label.as_str().unwrap_or_default());
                    found.collect::<Vec<_>>().join(SEPARATOR).into()
                }
            })
        }
        id => match label(&id) {
            Value::String(label) => Cell::Text(label.into()),
            _ => Cell::Null,
        },
    }
}

fn joined(items: &ArrayRef) -> String {
    let values = match items.as_struct_opt() {
        None => Some(items),
        Some(objects) => objects.column_by_name("value"),
    };
    let Some(values) = values.filter(|values| !values.data_type().is_nested()) else {
        let items = (0..items.len()).map(|item| json(items, item));
        return Value::Array(items.collect()).to_string();
    };
    let shown = (0..values.len()).filter_map(|item| {
        let cell = cell(values, item, Lists::Json);
        cell.text().map(Cow::into_owned)
    });
    shown.collect::<Vec<_>>().join(SEPARATOR)
}

/// Returns a value as JSON.
fn json(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| json(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(array.as_struct().columns());
            let parts = parts.map(|(field, part)| (field.name().clone(), json(part, row)));
            // An absent member is equivalent to a null one.
            Value::Object(parts.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        _ => match cell(array, row, Lists::Json) {
            Cell::Bool(value) => value.into(),
            Cell::Int(value) => value.into(),
            Cell::Num(value) => value.into(),
            other => other.text().map_or(Value::Null, |text| text.into_owned().into()),
        },
    }
}
