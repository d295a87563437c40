//! What a single value must be to pass a schema, and how it is written where it does not pass.

use super::conform::{JSON_AS_TEXT, TypeMismatches};
use super::convert::{To, converted};
use super::error::{Error, Kind, Result};
use super::json::Json;
use super::members::{Members, Text};
use super::number::{is_finite, is_whole};
use super::object::quoted;
use super::resource::{Column, Type};
use super::time::{is_date, is_utc};
use serde_json::Value;

/// The requirements on a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    kinds: u8,
    pub(super) form: Form,
    inside: Option<Box<Members>>,
    each: Option<Box<Self>>,
    /// Whether the enclosing object must contain the property.
    pub(super) required: bool,
}

/// The additional requirements on a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Plain,
    Date,
    DateTime,
    /// Any text. Other values are written as JSON in a text.
    Spelled,
    /// The property is not selected, and is left out without a report.
    Dropped,
}

const NULL: u8 = 1;
const BOOL: u8 = 2;
const INTEGER: u8 = 4;
const NUMBER: u8 = 8;
const TEXT: u8 = 16;
const OBJECT: u8 = 32;
const LIST: u8 = 64;
const ANY: u8 = u8::MAX;

impl Shape {
    /// Returns the shape of a property that is not selected. It accepts no value.
    pub(super) fn dropped() -> Self {
        Self { form: Form::Dropped, ..Self::default() }
    }

    /// Returns the shape that a schema declares.
    pub(super) fn of(
        schema: &Value,
        whole: &Value,
        inside: &'static [Column],
        seen: &[String],
    ) -> Self {
        let kinds = match &schema["type"] {
            Value::String(name) => kind(name),
            Value::Array(names) => {
                names.iter().filter_map(Value::as_str).fold(0, |kinds, name| kinds | kind(name))
            }
            _ => ANY,
        };
        let form = match schema["format"].as_str() {
            Some("date") => Form::Date,
            Some("date-time") => Form::DateTime,
            _ if schema[JSON_AS_TEXT] == Value::Bool(true) => Form::Spelled,
            _ => Form::Plain,
        };
        let members = || Box::new(Members::of(schema, whole, inside, seen));
        let each = schema["items"].is_object();
        let each =
            each.then(|| Box::new(Self::of(&schema["items"], &whole["items"], inside, seen)));
        let inside = schema.get("properties").map(|_| members());
        Self { kinds, form, inside, each, required: false }
    }

    /// Returns whether null is allowed.
    pub(super) fn is_nullable(&self) -> bool {
        self.kinds & NULL != 0
    }

    /// Returns whether every value of exactly this type is accepted. The contents of lists and objects are
    /// not considered.
    pub(super) fn declares(&self, ty: Type) -> bool {
        let (kinds, form) = match ty {
            Type::Bool => (BOOL, Form::Plain),
            Type::Int => (INTEGER, Form::Plain),
            Type::Num => (NUMBER, Form::Plain),
            Type::Date => (TEXT, Form::Date),
            Type::Time | Type::Naked => (TEXT, Form::DateTime),
            Type::List(_) => (LIST, Form::Plain),
            Type::Object(_) => (OBJECT, Form::Plain),
            Type::Text | Type::Clock | Type::TextOrObject | Type::OptionId | Type::Json => {
                (TEXT, Form::Plain)
            }
        };
        let formed = self.form == form || matches!(self.form, Form::Plain | Form::Spelled);
        // A key may be declared without null, because the key of an exact record is never null.
        self.kinds & kinds != 0 && formed && (self.required || self.kinds & NULL != 0)
    }

    /// Copies a value and fills the gaps of objects in it. Returns `false` if the value does not conform.
    #[inline]
    pub(super) fn walk(&mut self, text: &mut Text<'_>, out: &mut Vec<u8>) -> Result<bool> {
        match (text.json.peek(), &mut self.inside, &mut self.each) {
            (b'"', ..) => {
                let text = text.json.text()?;
                Ok(self.kinds & TEXT != 0 && self.says(text))
            }
            (b'{', Some(members), _) if self.kinds & OBJECT != 0 => members.walk(text, out),
            (b'[', _, Some(each)) if self.kinds & LIST != 0 => {
                let mut more = text.json.open(b'[')?;
                while more {
                    if !each.walk(text, out)? {
                        return Ok(false);
                    }
                    more = text.json.more(b'[')?;
                }
                Ok(true)
            }
            _ => {
                let value = text.json.value()?;
                Ok(!text.json.too_large() && self.takes(value))
            }
        }
    }

    /// Returns whether a value is of the type. Its contents are not considered.
    #[inline]
    fn takes(&self, value: &str) -> bool {
        let takes = |kind: u8| self.kinds & kind != 0;
        match value.as_bytes().first() {
            Some(b'"') => takes(TEXT) && self.says(value),
            Some(b'n') => takes(NULL),
            Some(b't' | b'f') => takes(BOOL),
            Some(b'{') => takes(OBJECT),
            Some(b'[') => takes(LIST),
            _ => takes(NUMBER) && is_finite(value) || takes(INTEGER) && is_whole(value),
        }
    }

    /// Returns whether a text, with its quotes, has the form.
    fn says(&self, value: &str) -> bool {
        let text = &value[1..value.len() - 1];
        match self.form {
            Form::Date => is_date(text.as_bytes()),
            Form::DateTime => is_utc(text.as_bytes()),
            Form::Plain | Form::Spelled | Form::Dropped => true,
        }
    }

    /// Writes a value so that it conforms. `too_large`: whether a number in it is too large for a double.
    pub(super) fn put(
        &mut self,
        (value, too_large): (&str, bool),
        path: &dyn Fn() -> String,
        out: &mut Vec<u8>,
        misfits: &mut TypeMismatches,
    ) -> Result<()> {
        let fits = self.takes(value);
        match (&mut self.inside, &mut self.each) {
            (Some(members), _) if fits && value.starts_with('{') => {
                return members.mend(value, path, out, misfits);
            }
            (_, Some(each)) if fits && value.starts_with('[') => {
                return each.put_all(value, path, out, misfits);
            }
            _ => {}
        }
        // Lists and objects with declared contents were written above. In all other values, every number must
        // be finite.
        if fits && !too_large {
            out.extend_from_slice(value.as_bytes());
        } else if self.form == Form::Spelled {
            out.extend_from_slice(quoted(value).as_bytes());
        } else if let Some(same) = self.to().and_then(|to| converted(value, to)) {
            out.extend_from_slice(same.as_bytes());
        } else if self.kinds & NULL != 0 {
            misfits.nulled.push(path());
            out.extend_from_slice(b"null");
        } else {
            let message = "a value is not of its declared type, and the schema does not allow null";
            return Err(Error::new(Kind::Shape, message).at(path()));
        }
        Ok(())
    }

    /// Returns the conversion for values of other types.
    fn to(&self) -> Option<To> {
        let takes = |kind| self.kinds & kind != 0;
        match self.form {
            Form::Plain if takes(BOOL) => Some(To::Bool),
            Form::Plain if takes(INTEGER) => Some(To::Int),
            Form::Plain if takes(NUMBER) => Some(To::Num),
            Form::Plain if takes(TEXT) => Some(To::Text),
            _ => None,
        }
    }

    fn put_all(
        &mut self,
        list: &str,
        path: &dyn Fn() -> String,
        out: &mut Vec<u8>,
        misfits: &mut TypeMismatches,
    ) -> Result<()> {
        let mut json = Json::new(list);
        let mut more = json.open(b'[')?;
        out.push(b'[');
        let first = out.len();
        while more {
            if out.len() > first {
                out.push(b',');
            }
            let value = json.value()?;
            self.put((value, json.too_large()), path, out, misfits)?;
            more = json.more(b'[')?;
        }
        out.push(b']');
        json.end()
    }
}

fn kind(name: &str) -> u8 {
    match name {
        "null" => NULL,
        "boolean" => BOOL,
        "integer" => INTEGER,
        "number" => NUMBER,
        "string" => TEXT,
        "object" => OBJECT,
        "array" => LIST,
        _ => ANY,
    }
}
