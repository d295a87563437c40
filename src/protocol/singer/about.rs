//! Describes the tap and its configuration, for orchestrators and people.

use crate::model::{AUTH_METHODS, ConfigKey, KEYS, ValueType, Visibility};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The capabilities of the tap, in the terms of Meltano.
const CAPABILITIES: &[&str] =
    &["catalog", "properties", "discover", "state", "about", "activate-version"];

/// Returns the object of `--about --format json`, as Meltano's SDK prints it (protocols.md 11).
pub fn about() -> Value {
    json!({
        "name": "tap-pipedrive",
        "description": env!("CARGO_PKG_DESCRIPTION"),
        "version": env!("CARGO_PKG_VERSION"),
        // The tap uses neither Meltano's SDK nor Python.
        "sdk_version": null,
        "supported_python_versions": [],
        "capabilities": CAPABILITIES,
        "settings": settings(),
    })
}

/// Returns the JSON Schema of the configuration.
fn settings() -> Value {
    let mut credentials = Map::new();
    let ways: Vec<_> = AUTH_METHODS.iter().map(|way| way.auth_type).collect();
    credentials.insert(
        "auth_type".to_owned(),
        json!({"type": ["string", "null"], "enum": ways, "title": "Way to identify"}),
    );
    for key in AUTH_METHODS.iter().flat_map(|way| way.keys) {
        credentials.insert(key.name.to_owned(), setting(key));
    }
    let mut properties = Map::new();
    properties.insert(
        "credentials".to_owned(),
        json!({"type": ["object", "null"], "title": "Authentication", "properties": credentials}),
    );
    for key in shown() {
        properties.insert(key.name.to_owned(), setting(key));
    }
    json!({
        "type": "object",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": properties,
    })
}

/// Returns the keys that a tap reads. Its token is at the top level, as in the existing tap.
fn shown() -> impl Iterator<Item = &'static ConfigKey> {
    KEYS.iter().filter(|key| match key.place {
        Visibility::Everywhere | Visibility::Singer => true,
        Visibility::Hidden => matches!(key.name, "api_token" | "user_agent" | "base_url"),
        Visibility::Warehouse => false,
    })
}

fn setting(key: &ConfigKey) -> Value {
    let mut setting = match key.takes {
        ValueType::Text(_) => json!({"type": ["string", "null"]}),
        ValueType::Secret => json!({"type": ["string", "null"], "secret": true}),
        ValueType::Time => json!({"type": ["string", "null"], "format": "date-time"}),
        ValueType::Flag(usual) => json!({"type": ["boolean", "null"], "default": usual}),
        ValueType::Number { least, usual, .. } => {
            let mut number = json!({"type": ["integer", "null"], "minimum": least});
            if let Some(usual) = usual {
                number["default"] = usual.into();
            }
            number
        }
        ValueType::Word(words) => {
            json!({"type": ["string", "null"], "enum": words, "default": words[0]})
        }
    };
    setting["title"] = key.title.into();
    setting["description"] = key.about.into();
    setting
}

/// Returns the text of `--about --format markdown`.
pub fn markdown() -> String {
    let about = about();
    let mut page = format!(
        "# `tap-pipedrive` v{}\n\n{}\n\n## Capabilities\n\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION")
    );
    for capability in CAPABILITIES {
        let _ = writeln!(page, "* `{capability}`");
    }
    page.push_str("\n## Settings\n\n| setting | default | description |\n| --- | --- | --- |\n");
    let settings = &about["settings"]["properties"];
    let nested = settings["credentials"]["properties"].as_object().into_iter().flatten();
    let nested = nested.map(|(name, setting)| (format!("credentials.{name}"), setting));
    let top = settings.as_object().into_iter().flatten();
    let top = top.filter(|(name, _)| *name != "credentials");
    for (name, setting) in top.map(|(name, setting)| (name.clone(), setting)).chain(nested) {
        let usual = match &setting["default"] {
            Value::Null => String::new(),
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        let text = setting["description"].as_str().or_else(|| setting["title"].as_str());
        let _ = writeln!(page, "| `{name}` | {usual} | {} |", text.unwrap_or_default());
    }
    page
}
