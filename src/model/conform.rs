//! Makes records conform to a JSON Schema, for strict loaders.
//!
//! A loader of the Singer ecosystem checks every record. It ends the whole load at the first value that is
//! not of its declared type, or at a property that was not declared (protocols.md 9).

use super::error::Result;
use super::json::Json;
use super::members::{Members, Text};
use super::order::properties;
use super::record::{NestedRows, Part};
use super::resource::Resource;
use super::shape::Form;
use serde_json::Value;

/// The keyword of a property that holds text, or JSON as text: of columns that come in several types.
pub const JSON_AS_TEXT: &str = "x-json";

/// What the records of a stream must be, compiled from their schema.
#[derive(Debug, Clone)]
pub struct Conformer {
    members: Members,
    /// Whether the schema is that of the table and all of it is wanted, so that what is known of an
    /// exact record holds. Columns have the places then that they have in the table.
    table: bool,
    /// The properties that are wanted beside the columns, each null: no exact record has one.
    beyond: Vec<u8>,
}

/// What did not fit in one record or more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TypeMismatches {
    /// Paths of values that are null now, dots between keys.
    pub nulled: Vec<String>,
    /// Properties that the schema does not declare. They are left out.
    pub undeclared: Vec<String>,
}

impl Conformer {
    /// What records must be to pass `schema`. Properties of `whole` that it lacks were not selected;
    /// a record without one of those in `key` passes never. `seen` are custom fields in the order in which
    /// a record had them.
    pub fn of(resource: &Resource, schema: &Value, whole: &Value, seen: &[String]) -> Self {
        let mut members = Members::of(schema, whole, resource.columns, seen);
        members.open = false;
        let names = properties(whole, resource.columns, seen);
        for (property, shape) in names.iter().zip(&mut members.shapes) {
            shape.required = resource.key.contains(&property.name);
        }
        let mut places = resource.columns.iter().zip(names.iter().zip(&members.shapes));
        let table = places.all(|(column, (property, shape))| {
            column.name == property.name && shape.form != Form::Dropped && shape.declares(column.ty)
        });
        let table = table && names.len() >= resource.columns.len();
        let mut beyond = Vec::new();
        for (place, shape) in members.shapes.iter().enumerate().skip(resource.columns.len()) {
            if shape.form != Form::Dropped && shape.is_nullable() {
                beyond.push(b',');
                beyond.extend_from_slice(members.keys.spelled(place).as_bytes());
                beyond.extend_from_slice(b"null");
            }
        }
        Self { members, table, beyond }
    }

    /// Adds a record as it passes: with all properties that are wanted, in the order of the schema.
    /// What fits stands as it was spelled, what says the same in another type is converted, other values
    /// are null, and so are those that are absent; undeclared properties are left out.
    ///
    /// Of a record that is known to be exact, only what is inside of it is looked at. After an error
    /// part of the record was added.
    pub fn put(
        &mut self,
        json: &str,
        exact: Option<&NestedRows>,
        out: &mut Vec<u8>,
        misfits: &mut TypeMismatches,
    ) -> Result<()> {
        if let Some(parts) = exact.filter(|_| self.table).and_then(NestedRows::parts) {
            return self.splice(json, parts, out, misfits);
        }
        let before = out.len();
        let mut text = Text::new(json);
        if self.members.walk(&mut text, out)? {
            text.rest(out);
            return Ok(());
        }
        out.truncate(before);
        self.members.mend(json, &String::new, out, misfits)
    }

    /// Adds a record that is exact, and mends these parts of it.
    fn splice(
        &mut self,
        json: &str,
        parts: impl Iterator<Item = Part>,
        out: &mut Vec<u8>,
        misfits: &mut TypeMismatches,
    ) -> Result<()> {
        let mut copied = 0;
        for part in parts {
            match part {
                Part::Value { column, start, end } => {
                    let value = json.get(start..end).unwrap_or_default();
                    out.extend_from_slice(json.as_bytes().get(copied..start).unwrap_or_default());
                    copied = end;
                    let (before, mut text) = (out.len(), Text::new(value));
                    let shape = &mut self.members.shapes[column];
                    if shape.walk(&mut text, out)? {
                        text.rest(out);
                        continue;
                    }
                    out.truncate(before);
                    let mut number = Json::new(value);
                    number.value()?;
                    let path = || self.members.keys.name(column);
                    shape.put((value, number.too_large()), &path, out, misfits)?;
                }
                Part::Gap { from, to, at } => {
                    out.extend_from_slice(json.as_bytes().get(copied..at).unwrap_or_default());
                    copied = at;
                    let last = json.as_bytes().get(at) == Some(&b'}');
                    for place in from..to {
                        out.extend_from_slice(if last { b"," } else { b"" });
                        out.extend_from_slice(self.members.keys.spelled(place).as_bytes());
                        out.extend_from_slice(if last { b"null" } else { b"null," });
                    }
                }
            }
        }
        let end = json.len().saturating_sub(1).max(copied);
        out.extend_from_slice(json.as_bytes().get(copied..end).unwrap_or_default());
        out.extend_from_slice(&self.beyond);
        out.extend_from_slice(json.as_bytes().get(end..).unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
