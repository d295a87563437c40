//! JSON Schemas of resources, with this account's custom fields.

use super::error::{Error, Kind, Result};
use super::resource::{Column, Custom, Resource, Type};
use super::settings::CustomFields;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The definition of a field, from a v2 field dictionary (API facts 5.3).
#[derive(Debug, Clone, Deserialize)]
pub struct Definition {
    /// Its name, as people see it; not unique.
    #[serde(rename = "field_name")]
    pub name: String,
    /// Its key in records: 40 hexadecimal digits for a custom field.
    #[serde(rename = "field_code")]
    pub code: String,
    /// Its type: `varchar`, `enum`, `monetary`, … The list grows without notice.
    #[serde(rename = "field_type", default)]
    pub ty: String,
    /// The options of an `enum` or `set`.
    #[serde(default)]
    pub options: Option<Vec<FieldOption>>,
    /// Whether it is this account's own.
    #[serde(rename = "is_custom_field", default)]
    pub custom: bool,
}

/// One option of a field.
#[derive(Debug, Clone, Deserialize)]
pub struct FieldOption {
    /// A number, or text for some built-in fields.
    pub id: Value,
    /// What people see.
    #[serde(default)]
    pub label: String,
}

impl Definition {
    /// Reads a row of a field dictionary.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json)
            .map_err(|e| Error::new(Kind::Shape, "field definition is not readable").because(e))
    }

    /// The parts that stand beside the key where custom fields are flat: `_currency` and the like
    /// (API facts 5.4).
    pub(super) fn companions(&self, flat: bool) -> &'static [&'static str] {
        match self.ty.as_str() {
            _ if !flat => &[],
            "monetary" => &["currency"],
            "daterange" => &["until"],
            "time" => &["timezone_id"],
            "timerange" => &["until", "timezone_id"],
            "address" => ADDRESS_PARTS,
            _ => &[],
        }
    }

    /// A key made of the name: lower-case words joined by `_`, or the code where the name has
    /// no letter or digit.
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

/// The JSON Schema of a resource's records as they go over the wire.
///
/// `definitions` are those of the account; with none, custom fields are an open object. With
/// [`CustomFields::Name`] the keys are those of `names`.
pub fn json_schema(
    resource: &Resource,
    definitions: &[Definition],
    names: Option<&super::names::Names>,
) -> Value {
    let mut properties = Map::new();
    for column in resource.columns {
        properties.insert(column.name.to_owned(), of_column(column));
    }
    let mut custom = Map::new();
    for definition in definitions.iter().filter(|definition| definition.custom) {
        let key = names.map_or(definition.code.as_str(), |n| n.key(&definition.code));
        custom_field(&mut custom, key, definition, resource.custom == Custom::Flat);
        if let Some(label) = names.and_then(|names| names.label_key(&definition.code)) {
            custom.insert(label, labels(definition));
        }
    }
    match resource.custom {
        Custom::None => {}
        Custom::Nested => {
            properties.insert(
                "custom_fields".to_owned(),
                json!({"type": ["null", "object"], "additionalProperties": true, "properties": custom}),
            );
        }
        Custom::Flat => properties.extend(custom),
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": true,
        "properties": properties,
    })
}

fn of_column(column: &Column) -> Value {
    of_type(column.ty)
}

fn of_type(ty: Type) -> Value {
    match ty {
        Type::Bool => json!({"type": ["null", "boolean"]}),
        Type::Int => json!({"type": ["null", "integer"]}),
        Type::Num => json!({"type": ["null", "number"]}),
        // Durations and clock times come as HH:MM or HH:MM:SS, which `format: time` forbids.
        Type::Text | Type::Clock => json!({"type": ["null", "string"]}),
        Type::Date => date(),
        Type::Time | Type::Naked => json!({
            "type": ["null", "string"], "format": "date-time",
            "airbyte_type": "timestamp_with_timezone",
        }),
        Type::List(item) => json!({"type": ["null", "array"], "items": of_type(*item)}),
        Type::Object(columns) => {
            let properties: Map<_, _> =
                columns.iter().map(|c| (c.name.to_owned(), of_column(c))).collect();
            json!({"type": ["null", "object"], "additionalProperties": true, "properties": properties})
        }
        Type::TextOrObject => json!({"type": ["null", "string", "object"]}),
        Type::IntOrText => json!({"type": ["null", "integer", "string"]}),
        Type::Json => json!({
            "type": ["null", "string", "number", "boolean", "object", "array"],
        }),
    }
}

fn date() -> Value {
    json!({"type": ["null", "string"], "format": "date"})
}

fn text() -> Value {
    json!({"type": ["null", "string"]})
}

fn object(parts: &[(&str, Value)]) -> Value {
    let properties: Map<_, _> =
        parts.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": ["null", "object"], "additionalProperties": true, "properties": properties})
}

/// Adds a custom field to the properties: one key in v2, a key and its companions where custom
/// fields stand flat (API facts 5.4).
fn custom_field(into: &mut Map<String, Value>, key: &str, definition: &Definition, flat: bool) {
    let number = || json!({"type": ["null", "number"]});
    let integer = || json!({"type": ["null", "integer"]});
    let zone = || [("timezone_id", integer()), ("timezone_name", text())];
    let schema = match (definition.ty.as_str(), flat) {
        ("double", _) | ("monetary", true) => number(),
        ("monetary", false) => object(&[("value", number()), ("currency", text())]),
        (
            "int" | "user" | "org" | "people" | "deal" | "lead" | "project" | "stage" | "enum",
            false,
        ) => integer(),
        ("set", false) => json!({"type": ["null", "array"], "items": integer()}),
        ("date", _) | ("daterange", true) => date(),
        ("daterange", false) => object(&[("value", date()), ("until", date())]),
        ("time", false) => object(&[&[("value", text())], &zone()[..]].concat()),
        ("timerange", false) => {
            object(&[&[("value", text()), ("until", text())], &zone()[..]].concat())
        }
        ("address", false) => {
            let parts = ADDRESS_PARTS.iter().map(|part| (*part, text()));
            object(&[("value", text())].into_iter().chain(parts).collect::<Vec<_>>())
        }
        ("varchar" | "varchar_auto" | "text" | "phone", _)
        | ("enum" | "set" | "time" | "timerange" | "address", true) => text(),
        // Users, people and organizations come as an id or an object here, and types unknown to
        // us may come as anything.
        _ => of_type(Type::Json),
    };
    for part in definition.companions(flat) {
        let schema = match (*part, definition.ty.as_str()) {
            ("until", "daterange") => date(),
            ("timezone_id", _) => integer(),
            _ => text(),
        };
        let described = describe(schema, &format!("{} ({part})", definition.name), definition);
        into.insert(format!("{key}_{part}"), described);
    }
    into.insert(key.to_owned(), describe(schema, &definition.name, definition));
}

const ADDRESS_PARTS: &[&str] = &[
    "country",
    "admin_area_level_1",
    "admin_area_level_2",
    "locality",
    "sublocality",
    "route",
    "street_number",
    "subpremise",
    "postal_code",
    "formatted_address",
];

/// Most options a description lists: schemas travel in one line that must stay short.
const OPTIONS_SHOWN: usize = 50;

fn describe(mut schema: Value, title: &str, definition: &Definition) -> Value {
    let mut description =
        format!("custom field of type {}, key {}", definition.ty, definition.code);
    if let Some(options) = definition.options.as_deref().filter(|options| !options.is_empty()) {
        let shown: Vec<String> = options
            .iter()
            .take(OPTIONS_SHOWN)
            .map(|option| match &option.id {
                Value::String(id) => format!("{id} = {}", option.label),
                id => format!("{id} = {}", option.label),
            })
            .collect();
        description.push_str("; options: ");
        description.push_str(&shown.join(", "));
        if options.len() > OPTIONS_SHOWN {
            let more = options.len() - OPTIONS_SHOWN;
            description = format!("{description}, and {more} more");
        }
    }
    if let Value::Object(object) = &mut schema {
        object.insert("title".to_owned(), title.into());
        object.insert("description".to_owned(), description.into());
    }
    schema
}

fn labels(definition: &Definition) -> Value {
    let schema = match definition.ty.as_str() {
        "set" => json!({"type": ["null", "array"], "items": {"type": ["null", "string"]}}),
        _ => text(),
    };
    describe(schema, &format!("{} (label)", definition.name), definition)
}

/// Whether a wire format asks for readable names.
impl CustomFields {
    /// Whether keys are made of field names.
    pub fn readable(self) -> bool {
        self == Self::Name
    }
}
