//! The Singer catalog: every resource with the custom fields of the account, and metadata for every
//! property.

use super::metadata::Metadata;
use super::selection::{Method, Selection};
use crate::model::{
    CustomFields, Definition, JSON_AS_TEXT, Names, Resource, Type, beside, json_schema,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The spelling of records.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spelling {
    /// The keys of custom fields.
    pub keys: CustomFields,
    /// Whether objects and lists are written as JSON text. A target that creates columns from the members
    /// of an object then has columns that do not depend on whether the object is null.
    pub objects_as_text: bool,
}

/// Returns the catalog, one JSON document.
///
/// `definitions` contains the field dictionaries by resource name. If a dictionary could not be read, the
/// custom fields of its resources stay open. `lacking` contains Pipedrive's messages about resources that
/// the company lacks: they are not selected by default, and their metadata contains the reason.
pub fn catalog(
    definitions: &BTreeMap<&str, Vec<Definition>>,
    spelling: Spelling,
    lacking: &BTreeMap<&str, String>,
) -> Value {
    let streams: Vec<_> = Resource::all()
        .map(|resource| {
            let said = lacking.get(resource.name).map(String::as_str);
            stream(resource, &schema(resource, definitions, spelling), said)
        })
        .collect();
    json!({ "streams": streams })
}

/// Returns the selection without a catalog: every stream that is not read on request only, with all its
/// properties.
pub fn default_selection(
    definitions: &BTreeMap<&str, Vec<Definition>>,
    spelling: Spelling,
) -> Vec<Selection> {
    Resource::all()
        .filter(|resource| !resource.on_request)
        .map(|resource| {
            let schema = schema(resource, definitions, spelling);
            let (method, whole) = (Method::of(resource), schema.clone());
            Selection { resource, method, schema, whole, hollow: Vec::new() }
        })
        .collect()
}

fn stream(resource: &Resource, schema: &Value, lacking: Option<&str>) -> Value {
    let method = Method::of(resource);
    let mut metadata = Metadata::default();
    let mut root = json!({
        "inclusion": "available",
        "selected-by-default": !resource.on_request && lacking.is_none(),
        "table-key-properties": resource.key,
    });
    match method {
        Method::Incremental => {
            root["valid-replication-keys"] = resource.cursor.into_iter().collect();
        }
        // No other method is possible.
        Method::FullTable => root["forced-replication-method"] = method.name().into(),
    }
    if let Some(said) = lacking {
        root["not-available"] = said.into();
    }
    metadata.put(&[], root);
    describe(resource, schema, &mut Vec::new(), &mut metadata);
    let mut stream = json!({
        "tap_stream_id": resource.name,
        "stream": resource.name,
        "schema": schema,
        "key_properties": resource.key,
        "replication_method": method.name(),
        "metadata": metadata.entries(),
    });
    if let (Method::Incremental, Some(cursor)) = (method, resource.cursor) {
        stream["replication_key"] = cursor.into();
    }
    stream
}

/// Adds metadata of every property, also of those inside objects.
fn describe(resource: &Resource, schema: &Value, path: &mut Vec<String>, metadata: &mut Metadata) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let automatic = path.is_empty() && is_automatic(resource, name);
        path.extend(["properties".to_owned(), name.clone()]);
        let inclusion = if automatic { "automatic" } else { "available" };
        metadata.put(path, json!({"inclusion": inclusion}));
        describe(resource, property, path, metadata);
        path.truncate(path.len() - 2);
    }
}

/// Returns whether a property is part of every record, whatever is selected: keys, and the time of
/// change.
pub(super) fn is_automatic(resource: &Resource, name: &str) -> bool {
    resource.key.contains(&name) || resource.cursor == Some(name)
}

/// Returns the JSON Schema of a stream for the strictest loaders: keys are never null, and a column has
/// one type.
fn schema(
    resource: &Resource,
    definitions: &BTreeMap<&str, Vec<Definition>>,
    spelling: Spelling,
) -> Value {
    let fields = resource.fields.and_then(|name| definitions.get(name));
    let fields = fields.map(Vec::as_slice).unwrap_or_default();
    let names = Names::wire(spelling.keys, resource, fields, &BTreeMap::new());
    let mut schema = json_schema(resource, fields, names.as_ref());
    without_annotations(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.remove("additionalProperties");
    }
    for column in resource.columns.iter().filter(|c| matches!(c.ty, Type::TextOrObject)) {
        schema["properties"][column.name] = json!({"type": ["null", "string"]});
        schema["properties"][beside(column.name)] =
            json!({"type": ["null", "string"], JSON_AS_TEXT: true});
    }
    for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        let types = property["type"].as_array().cloned().unwrap_or_default();
        let several = types.iter().filter(|name| *name != "null").count() > 1;
        let nested = types.iter().any(|name| *name == "object" || *name == "array");
        if several || spelling.objects_as_text && nested {
            property["type"] = json!(["null", "string"]);
            property[JSON_AS_TEXT] = true.into();
            for inside in ["properties", "additionalProperties", "items"] {
                property.as_object_mut().and_then(|property| property.remove(inside));
            }
        }
        if !is_plain_item(&property["items"])
            && let Some(list) = property.as_object_mut()
        {
            // A column of lists of integers cannot hold [1.5, 2] in a database with typed lists.
            list.remove("items");
        }
        if resource.key.contains(&name.as_str()) {
            let kept = property["type"].as_array().into_iter().flatten();
            property["type"] = kept.filter(|name| *name != "null").cloned().collect();
        }
    }
    schema
}

/// Returns whether all items of a list have one type that lists of databases support.
fn is_plain_item(items: &Value) -> bool {
    let types = items["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let types: Vec<_> = types.filter(|name| *name != "null").collect();
    matches!(types.as_slice(), ["integer" | "string" | "boolean" | "object"])
}

/// Removes annotations that only Airbyte reads.
fn without_annotations(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.remove("airbyte_type");
            object.values_mut().for_each(without_annotations);
        }
        Value::Array(items) => items.iter_mut().for_each(without_annotations),
        _ => {}
    }
}
