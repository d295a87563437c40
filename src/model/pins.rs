//! The keys of custom fields that schemas and states have fixed.

use super::definition::Definition;
use super::names::Names;
use super::resource::{Custom, Resource};
use super::schema::CUSTOM_FIELD;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The key of the names in a stream's state. Versions that do not know it ignore it.
const NAMES: &str = "names";

/// Returns the readable keys by hash in a stream's saved state.
pub fn names_of(state: &Value) -> BTreeMap<String, String> {
    let names = state[NAMES].as_object().into_iter().flatten();
    let names = names.filter_map(|(code, key)| Some((code.clone(), key.as_str()?.to_owned())));
    names.filter(|(_, key)| !key.is_empty()).collect()
}

/// Returns the state with the names of its stream, if there are any.
pub fn with_names(mut state: Value, names: &BTreeMap<String, String>) -> Value {
    if !names.is_empty() {
        let names = names.iter().map(|(code, key)| (code.clone(), Value::from(key.as_str())));
        state[NAMES] = Value::Object(names.collect());
    }
    state
}

/// Returns the keys by hash of both maps. `first` takes precedence. Each field and each key occurs once.
pub fn joined(
    mut first: BTreeMap<String, String>,
    then: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let taken: BTreeSet<String> = first.values().cloned().collect();
    for (code, key) in then {
        if !taken.contains(&key) {
            first.entry(code).or_insert(key);
        }
    }
    first
}

/// Returns the keys by hash in a schema made by [`json_schema`](super::json_schema): those of fields, without
/// their labels and companions.
pub fn declared(resource: &Resource, schema: &Value) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, property) in custom(resource, schema).into_iter().flatten() {
        let Some(code) = code_of(property).filter(|_| !is_beside(name, property)) else { continue };
        if name != code {
            found.entry(code.to_owned()).or_insert_with(|| name.clone());
        }
    }
    found
}

/// Returns the columns of custom fields that a schema lacks.
pub fn undeclared<'n>(schema: &Value, names: &'n Names) -> Vec<&'n str> {
    let columns = names.keys().filter(|_| names.are_columns());
    columns.filter(|column| schema["properties"].get(column).is_none()).collect()
}

/// Returns the schema with the current keys of these fields. A consumer that knows a key keeps it.
pub fn repinned(resource: &Resource, mut schema: Value, pins: &BTreeMap<String, String>) -> Value {
    let declared = declared(resource, &schema);
    let changed: BTreeMap<&str, (&str, &str)> = declared
        .iter()
        .filter_map(|(code, from)| {
            let to = pins.get(code).filter(|to| *to != from)?;
            Some((code.as_str(), (from.as_str(), to.as_str())))
        })
        .collect();
    if changed.is_empty() {
        return schema;
    }
    let properties = if is_object(resource, &schema) {
        &mut schema["properties"]["custom_fields"]["properties"]
    } else {
        &mut schema["properties"]
    };
    if let Value::Object(properties) = properties {
        let all = std::mem::take(properties).into_iter();
        *properties = all
            .map(|(name, property)| {
                let change = code_of(&property).and_then(|code| changed.get(code));
                let renamed = change.and_then(|(from, to)| {
                    name.strip_prefix(from).map(|rest| format!("{to}{rest}"))
                });
                (renamed.unwrap_or(name), property)
            })
            .collect();
    }
    schema
}

fn custom<'s>(resource: &Resource, schema: &'s Value) -> Option<&'s Map<String, Value>> {
    match resource.custom {
        _ if is_object(resource, schema) => {
            schema["properties"]["custom_fields"]["properties"].as_object()
        }
        Custom::Nested | Custom::Flat => schema["properties"].as_object(),
        Custom::None => None,
    }
}

/// Returns whether a schema has custom fields as an object. Otherwise they are columns, or do not exist.
fn is_object(resource: &Resource, schema: &Value) -> bool {
    resource.custom == Custom::Nested && schema["properties"].get("custom_fields").is_some()
}

/// Returns the hash of the field that a property describes.
fn code_of(property: &Value) -> Option<&str> {
    let about = property["description"].as_str()?.strip_prefix(CUSTOM_FIELD)?;
    let (_, code) = about.split_once(", key ")?;
    code.split(';').next()
}

/// Returns whether a property is an addition to that of a field: labels, a currency.
fn is_beside(name: &str, property: &Value) -> bool {
    let title = property["title"].as_str().unwrap_or_default();
    let part =
        title.strip_suffix(')').and_then(|title| title.rsplit_once(" (")).map(|(_, part)| part);
    part.is_some_and(|part| {
        let ends = |part: &str| name.strip_suffix(part).is_some_and(|name| name.ends_with('_'));
        let beside = Definition::is_companion(part) && ends(part);
        beside || part == "label" && (ends("label") || ends("labels"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Definition, Names, json_schema};
    use serde_json::json;

    fn definitions() -> Vec<Definition> {
        let field = |name: &str, code: char, ty: &str, options: Value| {
            let code = code.to_string().repeat(40);
            serde_json::from_value(json!({"field_name": name, "field_code": code, "field_type": ty,
                "options": options, "is_custom_field": true}))
            .expect("it is a definition")
        };
        let options = json!([{"id": 1, "label": "a, key x; b"}]);
        vec![
            field("Tier", 'a', "enum", options.clone()),
            field("Tags", 'b', "set", options),
            field("Cost (net)", 'c', "monetary", json!(null)),
            field("★", 'd', "text", json!(null)),
        ]
    }

    #[test]
    fn a_schema_tells_its_keys_and_takes_others() {
        let code = |letter: char| letter.to_string().repeat(40);
        for name in ["deals", "leads"] {
            let resource = Resource::named(name).expect("it exists");
            let mut fields = definitions();
            let names = Names::of(resource, &fields);
            let schema = json_schema(resource, &fields, Some(&names));
            let keys = declared(resource, &schema);
            let known = [('a', "tier"), ('b', "tags"), ('c', "cost_net")];
            assert_eq!(keys, known.map(|(letter, key)| (code(letter), key.to_owned())).into());
            assert_eq!(repinned(resource, schema.clone(), &keys), schema);
            for field in &mut fields {
                field.name = format!("New {}", field.name);
            }
            let now = json_schema(resource, &fields, Some(&Names::of(resource, &fields)));
            let kept = repinned(resource, now, &keys);
            let keys = |schema: &Value| {
                let keys = custom(resource, schema).into_iter().flat_map(Map::keys);
                keys.cloned().collect::<std::collections::BTreeSet<_>>()
            };
            assert!(keys(&schema).len() >= 6);
            let (mut kept, mut before) = (keys(&kept), keys(&schema));
            // The field had no key before, and gets one now.
            kept.retain(|key| !key.starts_with("new"));
            before.remove(&code('d'));
            assert_eq!(kept, before);
        }
    }

    #[test]
    fn names_travel_in_a_state_that_others_still_read() {
        let names = BTreeMap::from([("a".repeat(40), "tier".to_owned())]);
        let state = with_names(json!({"version": 1}), &names);
        assert_eq!(names_of(&state), names);
        assert_eq!(names_of(&json!({"names": ["x"]})), BTreeMap::new());
        assert_eq!(with_names(json!({}), &BTreeMap::new()), json!({}));
    }
}
