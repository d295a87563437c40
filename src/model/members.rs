//! The properties of an object: the schema of each, and the order in which they are written.

use super::conform::TypeMismatches;
use super::error::{Error, Kind, Result};
use super::json::Json;
use super::keys::{Key, Keys};
use super::order::{Property, properties};
use super::resource::Column;
use super::shape::{Form, Shape};
use serde_json::Value;
use std::mem;

/// The properties of an object, in the order in which they are written, and the requirements on each.
#[derive(Debug, Clone)]
pub(super) struct Members {
    pub(super) keys: Keys,
    pub(super) shapes: Vec<Shape>,
    /// The position of the first selected property, and after each property the position of the next one.
    first: usize,
    next: Vec<usize>,
    /// Whether other properties are allowed.
    pub(super) open: bool,
    /// The places of the properties in the current object.
    slots: Vec<Option<Slot>>,
}

/// A text that is read, and copied to the output as far as it conforms.
pub(super) struct Text<'t> {
    whole: &'t str,
    pub(super) json: Json<'t>,
    copied: usize,
}

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { whole: text, json: Json::new(text), copied: 0 }
    }

    /// Copies the text up to this position, from where the last copy ended.
    fn copy(&mut self, to: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.whole.as_bytes().get(self.copied..to).unwrap_or_default());
        self.copied = to;
    }

    pub(super) fn rest(mut self, out: &mut Vec<u8>) {
        self.copy(self.whole.len(), out);
    }
}

/// The place of a property in a text: the start of the key, and the start and end of the value.
#[derive(Debug, Clone, Copy)]
struct Slot {
    key: usize,
    value: usize,
    end: usize,
    too_large: bool,
}

impl Members {
    /// Compiles the properties of a schema. Properties of `whole` that it lacks are left out of the output.
    pub(super) fn of(
        schema: &Value,
        whole: &Value,
        columns: &'static [Column],
        seen: &[String],
    ) -> Self {
        let declared = &schema["properties"];
        let all = properties(whole, columns, seen);
        let shape = |property: &Property<'_>| match declared.get(property.name) {
            Some(schema) => Shape::of(schema, property.schema, property.inside, seen),
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

    /// Copies an object and fills its gaps. Returns `false` if a property is out of order or does not
    /// conform. The rest of the object is then not read.
    pub(super) fn walk(&mut self, text: &mut Text<'_>, out: &mut Vec<u8>) -> Result<bool> {
        let mut due = self.first;
        self.keys.begin();
        let mut more = text.json.open(b'{')?;
        let empty = !more;
        while more {
            let at = text.json.at();
            match self.keys.next(&mut text.json)? {
                Key::Known(place) => {
                    if place > due {
                        text.copy(at, out);
                        while due < place {
                            if !self.fill(due, out) {
                                return Ok(false);
                            }
                            out.push(b',');
                            due = self.next[due];
                        }
                    }
                    if place != due || !self.shapes[place].walk(text, out)? {
                        return Ok(false);
                    }
                    due = self.next[place];
                }
                // An undeclared property must follow all declared ones.
                Key::Unknown(_) if !self.open || due < self.shapes.len() => return Ok(false),
                Key::Unknown(_) => {
                    text.json.value()?;
                    if text.json.too_large() {
                        return Ok(false);
                    }
                }
            }
            more = text.json.more(b'{')?;
        }
        if due < self.shapes.len() {
            text.copy(text.json.at() - 1, out);
            let mut comma = !empty;
            while due < self.shapes.len() {
                out.extend_from_slice(if comma { b"," } else { b"" });
                if !self.fill(due, out) {
                    return Ok(false);
                }
                comma = true;
                due = self.next[due];
            }
        }
        Ok(true)
    }

    /// Writes an absent property as null. Returns `false` if null is not allowed.
    fn fill(&self, place: usize, out: &mut Vec<u8>) -> bool {
        let shape = &self.shapes[place];
        if shape.required || !shape.is_nullable() {
            return false;
        }
        out.extend_from_slice(self.keys.spelled(place).as_bytes());
        out.extend_from_slice(b"null");
        true
    }

    /// Rewrites an object so that it conforms.
    pub(super) fn mend(
        &mut self,
        text: &str,
        path: &dyn Fn() -> String,
        out: &mut Vec<u8>,
        misfits: &mut TypeMismatches,
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
                // If a name occurs twice, the last value is used.
                Key::Known(place) => slots[place] = Some(slot),
                Key::Unknown(_) if self.open => slots.push(Some(slot)),
                Key::Unknown(name) => misfits.undeclared.push(below(&path(), &name)),
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

    /// Writes the property at this position. Returns `false` if nothing is written.
    fn put(
        &mut self,
        place: usize,
        slot: Option<&Slot>,
        (text, path): (&str, &dyn Fn() -> String),
        out: &mut Vec<u8>,
        misfits: &mut TypeMismatches,
    ) -> Result<bool> {
        let Some(slot) = slot else {
            if self.shapes[place].required {
                let message = "a row lacks its key, or a part of it: no loader takes it";
                return Err(Error::new(Kind::Shape, message));
            }
            return Ok(self.fill(place, out));
        };
        let (spelled, value) = (&text[slot.key..slot.value], &text[slot.value..slot.end]);
        let path = || below(&path(), &name_of(spelled));
        match self.shapes.get_mut(place) {
            Some(shape) if shape.form == Form::Dropped => return Ok(false),
            Some(shape) => {
                out.extend_from_slice(spelled.as_bytes());
                shape.put((value, slot.too_large), &path, out, misfits)?;
            }
            // The property is not declared. A number in it that is too large for a double would still end a
            // load.
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

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Returns the name of a key that is written with its quotes and colon.
fn name_of(spelled: &str) -> String {
    let quoted = spelled.trim_end().trim_end_matches(':').trim_end();
    serde_json::from_str(quoted).unwrap_or_default()
}
