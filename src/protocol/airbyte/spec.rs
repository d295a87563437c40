//! The `spec` message: the configuration keys in the form of the platform (protocols.md 4).

use crate::model::{AUTH_METHODS, AuthMethod, ConfigKey, KEYS, ValueType, Visibility};
use serde_json::{Map, Value, json};

/// Returns the payload of the SPEC message.
pub fn spec() -> Value {
    let mut properties = Map::new();
    properties.insert("credentials".to_owned(), credentials());
    let keys =
        KEYS.iter().filter(|key| matches!(key.place, Visibility::Everywhere | Visibility::Hidden));
    for (key, order) in keys.zip(1..) {
        properties.insert(key.name.to_owned(), property(key, order));
    }
    json!({
        "documentationUrl": "https://developers.pipedrive.com/docs/api/v1",
        "supportsIncremental": true,
        "connectionSpecification": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Pipedrive",
            "type": "object",
            "additionalProperties": true,
            "properties": properties,
        }
    })
}

fn credentials() -> Value {
    json!({
        "type": "object",
        "title": "Authentication",
        "order": 0,
        "oneOf": AUTH_METHODS.iter().map(way).collect::<Vec<_>>(),
    })
}

fn way(way: &AuthMethod) -> Value {
    let mut properties = Map::new();
    let auth_type = json!({"type": "string", "const": way.auth_type, "order": 0});
    properties.insert("auth_type".to_owned(), auth_type);
    for (key, order) in way.keys.iter().zip(1..) {
        properties.insert(key.name.to_owned(), property(key, order));
    }
    let mut needed = vec!["auth_type"];
    needed.extend(way.keys.iter().map(|key| key.name));
    json!({
        "title": way.title,
        "type": "object",
        "required": needed,
        "properties": properties,
    })
}

fn property(key: &ConfigKey, order: u32) -> Value {
    let mut property = match key.takes {
        ValueType::Text([]) => json!({"type": "string"}),
        ValueType::Text(examples) => json!({"type": "string", "examples": examples}),
        ValueType::Secret => json!({"type": "string", "airbyte_secret": true}),
        ValueType::Time => json!({
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
            "pattern_descriptor": "YYYY-MM-DDTHH:MM:SSZ",
            "examples": ["2024-01-01T00:00:00Z"],
        }),
        ValueType::Flag(usual) => json!({"type": "boolean", "default": usual}),
        ValueType::Number { least, most, usual } => {
            let mut number = json!({"type": "integer", "minimum": least});
            if most < u64::MAX {
                number["maximum"] = most.into();
            }
            if let Some(usual) = usual {
                number["default"] = usual.into();
            }
            number
        }
        ValueType::Word(words) => json!({"type": "string", "enum": words, "default": words[0]}),
    };
    property["title"] = key.title.into();
    property["description"] = key.about.into();
    property["order"] = order.into();
    if key.place == Visibility::Hidden {
        property["airbyte_hidden"] = true.into();
    }
    property
}
