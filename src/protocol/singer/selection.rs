//! The selection of a catalog: streams, their properties, and how each is read.

use super::catalog::is_automatic;
use super::metadata::{Metadata, flag};
use crate::model::{Error, Kind, Resource, Result};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A stream to read.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The resource.
    pub resource: &'static Resource,
    /// The replication method.
    pub method: Method,
    /// The JSON Schema of its records with the selected properties.
    pub schema: Value,
    /// The JSON Schema with all properties, as in the catalog.
    pub whole: Value,
    /// Objects that are selected although none of their properties is, with dots between keys. They are
    /// left out, because the selection rules exclude some of their properties and include none.
    pub hollow: Vec<String>,
}

/// The replication method of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Changes since the bookmark.
    Incremental,
    /// Everything in every run.
    FullTable,
}

impl Method {
    /// Returns the best method that a stream supports.
    pub fn of(resource: &Resource) -> Self {
        if resource.incremental() { Self::Incremental } else { Self::FullTable }
    }

    /// Returns the Singer name of the method.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Incremental => "INCREMENTAL",
            Self::FullTable => "FULL_TABLE",
        }
    }
}

/// Parses a catalog that an orchestrator or a user edited, and returns the selected streams, each once.
///
/// The rules are those of protocols.md 10. Streams that are not selected may be unknown.
pub fn selections(catalog: &Value) -> Result<Vec<Selection>> {
    let Some(streams) = catalog.get("streams").and_then(Value::as_array) else {
        let message = "is not a catalog, as --discover prints it: it has no streams";
        return Err(Error::new(Kind::Config, message).at("catalog"));
    };
    let mut seen = BTreeSet::new();
    let mut selected = Vec::new();
    for stream in streams {
        let metadata = Metadata::from_json(&stream["metadata"]);
        if !is_selected(stream, &metadata) {
            continue;
        }
        let name = stream["tap_stream_id"].as_str().or_else(|| stream["stream"].as_str());
        let name = name.unwrap_or_default();
        let place = format!("catalog, stream \"{name}\"");
        let fail = |message: &str| Error::new(Kind::Config, message).at(&place);
        let Some(resource) = Resource::named(name) else {
            return Err(fail(
                "there is no such stream; run --discover and create the catalog again",
            ));
        };
        if !seen.insert(resource.name) {
            return Err(fail("is selected twice"));
        }
        let mut whole = stream["schema"].clone();
        if !whole["properties"].is_object() {
            return Err(fail("has no schema with properties; take it as --discover prints it"));
        }
        let method = method(resource, stream, &metadata).map_err(|error| error.at(&place))?;
        allow_null(&mut whole, resource.key);
        let mut hollow = Vec::new();
        let schema = chosen(resource, &whole, &metadata, (&mut Vec::new(), true), &mut hollow);
        selected.push(Selection { resource, method, schema, whole, hollow });
    }
    if selected.is_empty() {
        let message = "selects no stream; set \"selected\": true in the metadata of those you want";
        return Err(Error::new(Kind::Config, message).at("catalog"));
    }
    Ok(selected)
}

/// Returns `selected` of the stream, from its metadata or, as in old catalogs, from the stream itself.
/// The default is `selected-by-default`.
fn is_selected(stream: &Value, metadata: &Metadata) -> bool {
    let selected = metadata.flag(&[], "selected").or_else(|| flag(&stream["selected"]));
    selected.or_else(|| metadata.flag(&[], "selected-by-default")).unwrap_or(false)
}

/// Returns the forced method, or else the chosen one, or else the default.
fn method(resource: &Resource, stream: &Value, metadata: &Metadata) -> Result<Method> {
    let usual = Method::of(resource);
    let key = metadata.text(&[], "replication-key");
    if let Some(key) =
        key.filter(|key| usual == Method::Incremental && resource.cursor != Some(key))
    {
        let message = match resource.cursor {
            Some(cursor) => {
                format!("replication-key \"{key}\" is none; it can only be \"{cursor}\"")
            }
            None => format!("replication-key \"{key}\" is none; leave it out"),
        };
        return Err(Error::new(Kind::Config, message));
    }
    let asked = metadata.text(&[], "replication-method");
    match asked.or_else(|| stream["replication_method"].as_str()) {
        _ if usual == Method::FullTable => Ok(usual),
        None | Some("INCREMENTAL") => Ok(usual),
        Some("FULL_TABLE") => Ok(Method::FullTable),
        Some(other) => {
            let message =
                format!("replication-method \"{other}\" is none; take INCREMENTAL or FULL_TABLE");
            Err(Error::new(Kind::Config, message))
        }
    }
}

/// Allows null for every property except keys: a property that Pipedrive does not send is null in a
/// record.
fn allow_null(schema: &mut Value, key: &[&str]) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        allow_null(property, &[]);
        let Some(types) = property.get_mut("type").filter(|_| !key.contains(&name.as_str())) else {
            continue;
        };
        if types.is_string() {
            *types = Value::from(vec![types.take()]);
        }
        if let Some(types) = types.as_array_mut().filter(|types| !types.contains(&"null".into())) {
            types.insert(0, "null".into());
        }
    }
}

/// Returns the schema with the selected properties only, also inside objects. Objects without a selected
/// property are added to `hollow`.
fn chosen(
    resource: &Resource,
    schema: &Value,
    metadata: &Metadata,
    (path, parent): (&mut Vec<String>, bool),
    hollow: &mut Vec<String>,
) -> Value {
    let mut kept = schema.clone();
    let Some(properties) = schema["properties"].as_object() else {
        return kept;
    };
    let mut chosen_ones = Map::new();
    for (name, property) in properties {
        let top = path.is_empty();
        path.extend(["properties".to_owned(), name.clone()]);
        let inclusion = metadata.text(path, "inclusion");
        let selected = if inclusion == Some("automatic") || top && is_automatic(resource, name) {
            true
        } else if inclusion == Some("unsupported") {
            false
        } else {
            let asked = metadata.flag(path, "selected");
            asked.or_else(|| metadata.flag(path, "selected-by-default")).unwrap_or(parent)
        };
        if selected {
            let chosen = chosen(resource, property, metadata, (path, true), hollow);
            if holds_any(property) && !holds_any(&chosen) {
                let names: Vec<_> = path.iter().skip(1).step_by(2).map(String::as_str).collect();
                hollow.push(names.join("."));
            } else {
                chosen_ones.insert(name.clone(), chosen);
            }
        }
        path.truncate(path.len() - 2);
    }
    kept["properties"] = Value::Object(chosen_ones);
    kept
}

/// Returns whether a schema declares properties.
fn holds_any(schema: &Value) -> bool {
    schema["properties"].as_object().is_some_and(|properties| !properties.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::{Spelling, catalog};
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    /// Returns streams as `name method properties`, of a catalog after these changes to its metadata.
    fn shown(changes: &Value) -> String {
        let mut catalog = catalog(&BTreeMap::new(), Spelling::default(), &BTreeMap::new());
        for (stream, rules) in changes.as_object().expect("streams") {
            let streams = catalog["streams"].as_array_mut().expect("there are streams");
            let stream = streams.iter_mut().find(|s| s["stream"] == *stream).expect("it exists");
            for (path, facts) in rules.as_object().expect("rules") {
                let crumbs: Vec<&str> = path.split('/').filter(|crumb| !crumb.is_empty()).collect();
                let entries = stream["metadata"].as_array_mut().expect("there is metadata");
                let entry = entries.iter_mut().find(|entry| entry["breadcrumb"] == json!(crumbs));
                let entry = entry.expect("every property has metadata");
                let entry = entry["metadata"].as_object_mut().expect("facts");
                entry.extend(facts.as_object().expect("facts").clone());
            }
        }
        // Only what the test names.
        for stream in catalog["streams"].as_array_mut().expect("there are streams") {
            if changes.get(stream["stream"].as_str().expect("a name")).is_none() {
                stream["selected"] = false.into();
                let root = &mut stream["metadata"][0]["metadata"];
                root["selected"] = "false".into();
            }
        }
        let selections = match selections(&catalog) {
            Ok(selections) => selections,
            Err(error) => return error.to_string(),
        };
        let lines = selections.iter().map(|selection| {
            let properties = selection.schema["properties"].as_object().expect("properties");
            let names: Vec<_> = properties.keys().map(String::as_str).collect();
            let all = selection.whole["properties"].as_object().map_or(0, Map::len);
            let names = if names.len() == all { "all".to_owned() } else { names.join(",") };
            format!("{} {} {names}", selection.resource.name, selection.method.name())
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "tests hand in what json! makes")]
    fn check(changes: Value, expected: &str) {
        assert_eq!(shown(&changes), expected);
    }

    #[test]
    fn streams_are_selected_by_default_or_by_word() {
        check(json!({"stages": {}}), "stages FULL_TABLE all");
        check(json!({"stages": {"": {"selected": "true"}}}), "stages FULL_TABLE all");
        check(
            json!({"deal_changelog": {"": {"selected": true}}}),
            "deal_changelog INCREMENTAL all",
        );
        check(
            json!({"deal_changelog": {}}),
            "catalog: selects no stream; set \"selected\": true in the metadata of those you want",
        );
    }

    #[test]
    fn methods_are_forced_or_chosen() {
        check(json!({"deals": {"": {"replication-method": "FULL_TABLE"}}}), "deals FULL_TABLE all");
        check(
            json!({"stages": {"": {"replication-method": "INCREMENTAL"}}}),
            "stages FULL_TABLE all",
        );
        check(
            json!({"deals": {"": {"replication-method": "LOG_BASED"}}}),
            "catalog, stream \"deals\": replication-method \"LOG_BASED\" is none; take INCREMENTAL or FULL_TABLE",
        );
        check(
            json!({"deals": {"": {"replication-key": "add_time"}}}),
            "catalog, stream \"deals\": replication-key \"add_time\" is none; it can only be \"update_time\"",
        );
    }

    #[test]
    fn keys_and_cursors_stay_whatever_is_deselected() {
        let mut rules = Map::new();
        let deals = Resource::named("deals").expect("there are deals");
        for column in deals.columns.iter().filter(|column| column.name != "title") {
            rules.insert(format!("properties/{}", column.name), json!({"selected": false}));
        }
        rules.insert("properties/lost_reason_object".to_owned(), json!({"selected": false}));
        check(json!({"deals": rules}), "deals INCREMENTAL id,title,update_time");
    }

    #[test]
    fn properties_inside_objects_are_selected_too() {
        let deselected =
            |crumbs: Value| json!({"breadcrumb": crumbs, "metadata": {"selected": false}});
        let schema = json!({"properties": {
            "id": {},
            "in": {"properties": {"a": {}, "b": {}}},
            "of": {"properties": {"c": {"properties": {"d": {}}}, "e": {"properties": {}}}},
        }});
        let choose = |metadata: Value| {
            let deals = Resource::named("deals").expect("there are deals");
            let (metadata, mut hollow) = (Metadata::from_json(&metadata), Vec::new());
            let chosen = chosen(deals, &schema, &metadata, (&mut Vec::new(), true), &mut hollow);
            (chosen, hollow)
        };
        let (a, b) = (
            json!(["properties", "in", "properties", "a"]),
            json!(["properties", "in", "properties", "b"]),
        );
        let d = json!(["properties", "of", "properties", "c", "properties", "d"]);
        let id = json!(["properties", "id"]);
        let (chosen, hollow) = choose(json!([deselected(a.clone()), deselected(id)]));
        assert_eq!(chosen["properties"]["in"], json!({"properties": {"b": {}}}));
        assert_eq!(chosen["properties"]["id"], json!({}));
        assert_eq!(hollow, [""; 0]);
        let (chosen, hollow) = choose(json!([deselected(a), deselected(b), deselected(d)]));
        assert_eq!(
            chosen,
            json!({"properties": {"id": {}, "of": {"properties": {"e": {"properties": {}}}}}})
        );
        assert_eq!(hollow, ["in", "of.c"]);
    }

    #[test]
    fn every_property_but_a_key_may_be_null() {
        let mut schema = json!({"properties": {
            "id": {"type": "integer"},
            "a": {"type": "string"},
            "b": {"type": ["string", "null"]},
            "c": {"type": ["object"], "properties": {"id": {"type": "integer"}}},
            "d": {},
        }});
        allow_null(&mut schema, &["id"]);
        assert_eq!(
            schema["properties"],
            json!({
                "id": {"type": "integer"},
                "a": {"type": ["null", "string"]},
                "b": {"type": ["string", "null"]},
                "c": {"type": ["null", "object"], "properties": {"id": {"type": ["null", "integer"]}}},
                "d": {},
            })
        );
    }
}
