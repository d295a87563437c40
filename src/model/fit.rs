//! Records held against a JSON Schema, for loaders that take nothing else.
//!
//! A loader of the Singer world checks every record and ends the whole load at the first value that
//! is not of its declared type, or at a property that was not declared (protocol facts, section 9).

use super::error::{Error, Kind, Result};
use super::json::Json;
use super::keys::{Key, Keys};
use super::order::{Property, properties};
use super::record::{Inside, Part};
use super::resource::{Column, Resource};
use super::shape::{Form, Shape};
use serde_json::Value;
use std::mem;

/// The keyword of a property that holds text, or JSON as text: of columns that come in several types.
pub const JSON_AS_TEXT: &str = "x-json";

/// What the records of a stream must be, compiled from their schema.
#[derive(Debug, Clone)]
pub struct Fit {
    members: Members,
    /// Whether the schema is that of the table and all of it is wanted, so that what is known of an
    /// exact record holds. Columns have the places then that they have in the table.
    table: bool,
    /// The properties that are wanted beside the columns, each null: no exact record has one.
    beyond: Vec<u8>,
}

/// What did not fit in one record or more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Misfits {
    /// Paths of values that are null now, dots between keys.
    pub nulled: Vec<String>,
    /// Properties that nobody declared, and that are left out.
    pub undeclared: Vec<String>,
}

/// The properties of an object, in the order in which they are written, and what each must be.
#[derive(Debug, Clone)]
pub(super) struct Members {
    keys: Keys,
    shapes: Vec<Shape>,
    /// The place of the first property that is wanted, and after each the next such place.
    first: usize,
    next: Vec<usize>,
    /// Whether other properties than these may stand in it.
    open: bool,
    /// Where the properties of the object at hand are.
    slots: Vec<Option<Slot>>,
}

/// Where a property is in a text: from its key to its value, and from there to the end of that.
#[derive(Debug, Clone, Copy)]
struct Slot {
    key: usize,
    value: usize,
    end: usize,
    too_large: bool,
}

impl Fit {
    /// What records must be to pass `schema`. Properties of `whole` that it lacks were not selected;
    /// a record without one of those in `key` passes never.
    pub fn of(resource: &Resource, schema: &Value, whole: &Value) -> Self {
        let mut members = Members { open: false, ..Members::of(schema, whole, resource.columns) };
        let names = properties(whole, resource.columns);
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
        Self { table, beyond, members }
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
        exact: Option<&Inside>,
        out: &mut Vec<u8>,
        misfits: &mut Misfits,
    ) -> Result<()> {
        match exact.filter(|_| self.table).and_then(Inside::parts) {
            Some(parts) => self.splice(json, parts, out, misfits),
            None if self.members.pass(&mut Json::new(json))? => {
                out.extend_from_slice(json.as_bytes());
                Ok(())
            }
            None => self.members.mend(json, &String::new, out, misfits),
        }
    }

    /// Adds a record that is exact, and mends these parts of it.
    fn splice(
        &mut self,
        json: &str,
        parts: impl Iterator<Item = Part>,
        out: &mut Vec<u8>,
        misfits: &mut Misfits,
    ) -> Result<()> {
        let mut copied = 0;
        for part in parts {
            match part {
                Part::Value { column, start, end } => {
                    let value = json.get(start..end).unwrap_or_default();
                    let shape = &mut self.members.shapes[column];
                    if shape.pass(&mut Json::new(value))? {
                        continue;
                    }
                    let mut number = Json::new(value);
                    number.value()?;
                    let value = (value, number.too_large());
                    out.extend_from_slice(json.as_bytes().get(copied..start).unwrap_or_default());
                    let path = || self.members.keys.name(column);
                    shape.put(value, &path, out, misfits)?;
                    copied = end;
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

impl Members {
    /// Of a schema; what `whole` has beyond it is to be left out.
    pub(super) fn of(schema: &Value, whole: &Value, columns: &'static [Column]) -> Self {
        let declared = &schema["properties"];
        let all = properties(whole, columns);
        let shape = |property: &Property<'_>| match declared.get(property.name) {
            Some(schema) => Shape::of(schema, property.schema, property.inside),
            None => Shape::dropped(),
        };
        let shapes: Vec<_> = all.iter().map(shape).collect();
        let mut next = vec![shapes.len(); shapes.len()];
        let mut first = shapes.len();
        for (place, shape) in shapes.iter().enumerate().rev() {
            next[place] = first;
            if shape.form != Form::Dropped {
                first = place;
            }
        }
        Self {
            keys: Keys::new(all.iter().map(|property| property.name)),
            shapes,
            first,
            next,
            open: schema["additionalProperties"] != Value::Bool(false),
            slots: Vec::new(),
        }
    }

    /// Reads an object. Once it does not pass, the rest of it is not read.
    pub(super) fn pass(&mut self, json: &mut Json<'_>) -> Result<bool> {
        let mut due = self.first;
        self.keys.begin();
        let mut more = json.open(b'{')?;
        while more {
            match self.keys.next(json)? {
                Key::Known(place) => {
                    if place != due || !self.shapes[place].pass(json)? {
                        return Ok(false);
                    }
                    due = self.next[place];
                }
                // It stands behind those that are declared.
                Key::Unknown(_) if !self.open || due < self.shapes.len() => return Ok(false),
                Key::Unknown(_) => {
                    json.value()?;
                    if json.too_large() {
                        return Ok(false);
                    }
                }
            }
            more = json.more(b'{')?;
        }
        Ok(due == self.shapes.len())
    }

    /// Writes an object as it passes.
    pub(super) fn mend(
        &mut self,
        text: &str,
        path: &dyn Fn() -> String,
        out: &mut Vec<u8>,
        misfits: &mut Misfits,
    ) -> Result<()> {
        let mut json = Json::new(text);
        let mut slots = mem::take(&mut self.slots);
        slots.clear();
        slots.resize(self.shapes.len(), None);
        self.keys.begin();
        let mut more = json.open(b'{')?;
        while more {
            json.peek();
            let start = json.at();
            let key = self.keys.next(&mut json)?;
            json.peek();
            let value = json.at();
            json.value()?;
            let slot = Slot { key: start, value, end: json.at(), too_large: json.too_large() };
            more = json.more(b'{')?;
            match key {
                // Of two with one name the later one holds.
                Key::Known(place) => slots[place] = Some(slot),
                Key::Unknown(_) if self.open => slots.push(Some(slot)),
                Key::Unknown(name) => misfits.undeclared.push(below(path(), &name)),
            }
        }
        json.end()?;
        out.push(b'{');
        let first = out.len();
        for (place, slot) in slots.iter().enumerate() {
            let before = out.len();
            if before > first {
                out.push(b',');
            }
            if !self.put(place, slot.as_ref(), (text, path), out, misfits)? {
                out.truncate(before);
            }
        }
        out.push(b'}');
        self.slots = slots;
        Ok(())
    }

    /// Writes the property of this place. `false` if there is none to write.
    fn put(
        &mut self,
        place: usize,
        slot: Option<&Slot>,
        (text, path): (&str, &dyn Fn() -> String),
        out: &mut Vec<u8>,
        misfits: &mut Misfits,
    ) -> Result<bool> {
        let Some(slot) = slot else {
            let shape = &self.shapes[place];
            if shape.required {
                let message = "a row lacks its key, or a part of it: no loader takes it";
                return Err(Error::new(Kind::Shape, message));
            }
            if shape.form != Form::Dropped && shape.is_nullable() {
                out.extend_from_slice(self.keys.spelled(place).as_bytes());
                out.extend_from_slice(b"null");
                return Ok(true);
            }
            return Ok(false);
        };
        let (spelled, value) = (&text[slot.key..slot.value], &text[slot.value..slot.end]);
        let path = || below(path(), &name_of(spelled));
        match self.shapes.get_mut(place) {
            Some(shape) if shape.form == Form::Dropped => return Ok(false),
            Some(shape) => {
                out.extend_from_slice(spelled.as_bytes());
                shape.put((value, slot.too_large), &path, out, misfits)?;
            }
            // Nobody declared it, but a number in it that no double holds ends a load.
            None => {
                out.extend_from_slice(spelled.as_bytes());
                if slot.too_large {
                    misfits.nulled.push(path());
                }
                let value = if slot.too_large { "null" } else { value };
                out.extend_from_slice(value.as_bytes());
            }
        }
        Ok(true)
    }
}

fn below(path: String, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The name of a key as it is spelled, with its quotes and colon.
fn name_of(spelled: &str) -> String {
    let quoted = spelled.trim_end().trim_end_matches(':').trim_end();
    serde_json::from_str(quoted).unwrap_or_default()
}

#[cfg(test)]
mod tests;
