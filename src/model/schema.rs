//! JSON Schemas of resources, with the custom fields of the account.

use super::conform::JSON_AS_TEXT;
use super::definition::Definition;
use super::names::Names;
use super::normalize::beside;
use super::resource::{Column, Custom, Resource, Type};
use super::settings::CustomFields;
use serde_json::{Map, Value, json};

/// Returns the JSON Schema of a resource's records as they are written on the wire.
///
/// `definitions` are those of the account. Without any, custom fields are an open object. With `names`,
/// custom fields have those keys. If these are columns, custom fields are top-level properties, and every
/// column has one type besides null: a column of several types is text, or JSON as text.
pub fn json_schema(
    resource: &Resource,
    definitions: &[Definition],
    names: Option<&Names>,
) -> Value {
    let mut properties = Map::new();
    let columns = names.is_some_and(Names::are_columns);
    let nested =
        |column: &Column| resource.custom == Custom::Nested && column.name == "custom_fields";
    for column in resource.columns.iter().filter(|column| !(columns && nested(column))) {
        let schema = if columns { of_one_type(column.ty) } else { of_column(column) };
        properties.insert(column.name.to_owned(), schema);
        if columns && matches!(column.ty, Type::TextOrObject) {
            properties.insert(beside(column.name), json_as_text());
        }
    }
    let mut custom = Map::new();
    for definition in definitions.iter().filter(|definition| definition.custom) {
        let key = names.map_or(definition.code.as_str(), |n| n.key(&definition.code));
        custom_field(&mut custom, key, definition, resource.custom == Custom::Flat, columns);
        if let Some(label) = names.and_then(|names| names.label_key(&definition.code)) {
            custom.insert(label.to_owned(), labels(definition));
        }
    }
    match resource.custom {
        Custom::None => {}
        Custom::Nested if !columns => {
            properties.insert(
                "custom_fields".to_owned(),
                json!({"type": ["null", "object"], "additionalProperties": true, "properties": custom}),
            );
        }
        Custom::Nested | Custom::Flat => properties.extend(custom),
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
        // Durations and times of day have the form HH:MM or HH:MM:SS, which `format: time` does not allow.
        Type::Text | Type::Clock => json!({"type": ["null", "string"]}),
        Type::Date => json!({"type": ["null", "string"], "format": "date"}),
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
        Type::OptionId => json!({"type": ["null", "integer", "string", "boolean"]}),
        Type::Json => json!({
            "type": ["null", "string", "number", "boolean", "object", "array"],
        }),
    }
}

/// Returns the schema of a column of one type.
fn of_one_type(ty: Type) -> Value {
    match ty {
        Type::Json => json_as_text(),
        Type::TextOrObject => of_type(Type::Text),
        Type::List(Type::Json) => json!({"type": ["null", "array"]}),
        ty => of_type(ty),
    }
}

fn json_as_text() -> Value {
    json!({"type": ["null", "string"], JSON_AS_TEXT: true})
}

/// Adds a custom field to the properties: one key in v2, a key and its companions where custom fields are
/// top-level keys (pipedrive-api.md 5.4).
fn custom_field(
    into: &mut Map<String, Value>,
    key: &str,
    definition: &Definition,
    flat: bool,
    column: bool,
) {
    for part in definition.companions(flat) {
        let title = format!("{} ({})", definition.name, part.name);
        let described = describe(of_column(part), &title, definition);
        into.insert(format!("{key}_{}", part.name), described);
    }
    let schema =
        if column { of_one_type(definition.column(flat)) } else { of_type(definition.value(flat)) };
    into.insert(key.to_owned(), describe(schema, &definition.name, definition));
}

/// The beginning of the description of a custom field. Its type and key follow.
pub(super) const CUSTOM_FIELD: &str = "custom field of type ";

/// The maximum number of options in a description. A schema is one line, whose length must be limited.
const OPTIONS_SHOWN: usize = 50;

fn describe(mut schema: Value, title: &str, definition: &Definition) -> Value {
    let mut description = format!("{CUSTOM_FIELD}{}, key {}", definition.ty, definition.code);
    if let Some(options) = definition.options.as_deref().filter(|options| !options.is_empty()) {
        let shown: Vec<String> = options
            .iter()
            .take(OPTIONS_SHOWN)
            .map(|option| match &option.label {
                Some(label) => format!("{} = {label}", option.key()),
                None => option.key(),
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
        _ => of_type(Type::Text),
    };
    describe(schema, &format!("{} (label)", definition.name), definition)
}

/// The methods about the keys of a wire format.
impl CustomFields {
    /// Returns whether keys are derived from field names.
    pub fn readable(self) -> bool {
        self != Self::Hash
    }
}
