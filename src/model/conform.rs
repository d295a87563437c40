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

/// The schema keyword of a property that holds text, or JSON as text. It marks columns of several types.
pub const JSON_AS_TEXT: &str = "x-json";

/// The requirements on the records of a stream, compiled from the stream's schema.
#[derive(Debug, Clone)]
pub struct Conformer {
    members: Members,
    /// Whether the schema is that of the table and all columns are selected, so that the facts about an exact
    /// record are valid. Columns then have the same positions as in the table.
    table: bool,
    /// The selected properties after the columns, each as null. An exact record contains none of them.
    beyond: Vec<u8>,
}

/// The values and properties that did not conform, in one or more records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TypeMismatches {
    /// The paths of values that were replaced by null. A dot separates keys.
    pub nulled: Vec<String>,
    /// The properties that the schema does not declare. They are left out.
    pub undeclared: Vec<String>,
}

impl Conformer {
    /// Compiles the requirements of `schema`. Properties of `whole` that `schema` lacks were not selected. A
    /// record without a property in `key` is refused. `seen` are custom fields in the order in which a record
    /// contained them.
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

    /// Appends a conforming record: all selected properties, in the order of the schema. A value that
    /// conforms is copied unchanged. A value that can be converted without loss is converted. Other values,
    /// and absent ones, are null. Undeclared properties are left out.
    ///
    /// Only the nested values and the gaps of an exact record are checked. After an error, `out` contains
    /// part of the record.
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

    /// Appends an exact record, and corrects these parts of it.
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
