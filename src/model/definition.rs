//! Field definitions: how an account describes its own fields.

use super::definitions::read;
use super::error::{Error, Kind, Result};
use super::resource::{Column, Type};
use super::resources::{ADDRESS, ADDRESS_COLUMNS, ADDRESS_PARTS, INTS, opt};
use serde::Deserialize;
use serde_json::Value;

/// The definition of a field, from a v2 field dictionary (pipedrive-api.md 5.3).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Definition {
    /// The name that users see. It is not unique. A field without a name has its code here.
    pub name: String,
    /// The key in records: 40 hexadecimal digits for a custom field.
    pub code: String,
    /// The type: `varchar`, `enum`, `monetary`, … New types appear without notice. Empty if the field has
    /// none.
    pub ty: String,
    /// The options of an `enum` or `set`.
    pub options: Option<Vec<FieldOption>>,
    /// Whether the field is a custom field of this account.
    pub custom: bool,
}

/// One option of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldOption {
    /// The id: a number, text for some built-in fields, true or false for yes-or-no fields.
    pub id: Value,
    /// The label that users see.
    pub label: Option<String>,
}

impl FieldOption {
    /// Returns the id as text.
    pub fn key(&self) -> String {
        self.id.as_str().map_or_else(|| self.id.to_string(), str::to_owned)
    }
}

impl TryFrom<Value> for Definition {
    type Error = Error;

    /// Reads a row of a field dictionary. Options that cannot be read are left out.
    fn try_from(row: Value) -> Result<Self> {
        let read = read(&row).map_err(|why| {
            Error::new(Kind::Shape, format!("field definition is not readable: {why}"))
        })?;
        Ok(read.0)
    }
}

impl Definition {
    /// Reads a row of a field dictionary. Options that cannot be read are left out;
    /// [`Definitions`](super::Definitions) reports them.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let row: Value = serde_json::from_slice(json).map_err(|error| {
            Error::new(Kind::Shape, "field definition is not readable").because(error)
        })?;
        Self::try_from(row)
    }

    /// Returns the type of the field's value in a record: one value in v2, the main part where custom fields
    /// are top-level keys (pipedrive-api.md 5.4).
    ///
    /// A value of an unknown type may be any JSON. So may users, persons and organizations where fields are
    /// top-level keys: an id or an object, depending on the endpoint.
    pub fn value(&self, flat: bool) -> Type {
        match (self.ty.as_str(), flat) {
            ("double", _) | ("monetary", true) => Type::Num,
            ("monetary", false) => MONEY,
            (
                "int" | "user" | "org" | "people" | "deal" | "lead" | "project" | "stage" | "enum",
                false,
            ) => Type::Int,
            ("set", false) => INTS,
            ("date", _) | ("daterange", true) => Type::Date,
            ("daterange", false) => DATE_RANGE,
            ("time", false) => CLOCK,
            ("time" | "timerange", true) => Type::Clock,
            ("timerange", false) => CLOCK_RANGE,
            ("address", false) => ADDRESS,
            ("varchar" | "varchar_auto" | "text" | "phone", _)
            | ("enum" | "set" | "address", true) => Type::Text,
            _ => Type::Json,
        }
    }

    /// Returns the type of the field's values in a column. Ids of selected options are integers, also where
    /// the API sends them as text.
    pub fn column(&self, flat: bool) -> Type {
        self.value(flat && !self.chosen())
    }

    /// Returns the additional keys of a field where custom fields are top-level keys: `_currency` and similar
    /// suffixes (pipedrive-api.md 5.4).
    pub fn companions(&self, flat: bool) -> &'static [Column] {
        match self.ty.as_str() {
            _ if !flat => &[],
            "monetary" => const { &[opt("currency", Type::Text)] },
            "daterange" => const { &[opt("until", Type::Date)] },
            "time" => const { &[opt("timezone_id", Type::Int)] },
            "timerange" => const { &[opt("until", Type::Clock), opt("timezone_id", Type::Int)] },
            "address" => ADDRESS_PARTS,
            _ => &[],
        }
    }

    /// Returns whether a field type has a companion of this name.
    pub(super) fn is_companion(name: &str) -> bool {
        let others = ["currency", "until", "timezone_id"];
        others.contains(&name) || ADDRESS_PARTS.iter().any(|part| part.name == name)
    }

    /// Returns whether the value is one or more of the field's options.
    pub fn chosen(&self) -> bool {
        matches!(self.ty.as_str(), "enum" | "set")
    }

    /// Returns a key derived from the name: lower-case words joined by `_`. The code, if the name has no
    /// letter or digit.
    pub fn readable(&self) -> String {
        let mut key = String::new();
        for letter in self.name.chars().flat_map(char::to_lowercase) {
            if letter.is_alphanumeric() {
                key.push(letter);
            } else if !key.is_empty() && !key.ends_with('_') {
                key.push('_');
            }
        }
        let key = key.trim_end_matches('_');
        if key.is_empty() { self.code.clone() } else { key.to_owned() }
    }
}

/// The type of an amount of money. The currency may be missing.
const MONEY: Type = Type::Object(MONEY_PARTS);
const MONEY_PARTS: &[Column] = &[opt("value", Type::Num), opt("currency", Type::Text)];

const DATE_RANGE: Type = Type::Object(&[opt("value", Type::Date), opt("until", Type::Date)]);

const CLOCK: Type = Type::Object(&[
    opt("value", Type::Clock),
    opt("timezone_id", Type::Int),
    opt("timezone_name", Type::Text),
]);

const CLOCK_RANGE: Type = Type::Object(CLOCK_RANGE_PARTS);
const CLOCK_RANGE_PARTS: &[Column] = &[
    opt("value", Type::Clock),
    opt("until", Type::Clock),
    opt("timezone_id", Type::Int),
    opt("timezone_name", Type::Text),
];

/// The parts of composite values, in the order in which the API sends them. Dates, times and their ranges
/// have parts of one of these lists.
pub(super) const COMPOSITES: [&[Column]; 3] = [MONEY_PARTS, CLOCK_RANGE_PARTS, ADDRESS_COLUMNS];
