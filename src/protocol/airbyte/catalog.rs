//! The Airbyte catalog: every resource with the custom fields of the account.

use crate::model::{CustomFields, Definition, Names, Resource, json_schema};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the payload of the CATALOG message.
///
/// `definitions` contains the field dictionaries by resource name. If a dictionary could not be read, the
/// custom fields of its resources stay open. `keys` selects the keys of custom fields. `lacking` contains
/// Pipedrive's messages about resources that the company lacks: their schemas mention it.
pub fn catalog(
    definitions: &BTreeMap<&str, Vec<Definition>>,
    keys: CustomFields,
    lacking: &BTreeMap<&str, String>,
) -> Value {
    let streams: Vec<_> = Resource::all()
        .map(|resource| {
            let fields = resource.fields.and_then(|name| definitions.get(name));
            let fields = fields.map(Vec::as_slice).unwrap_or_default();
            let names = Names::wire(keys, resource, fields, &BTreeMap::new());
            let mut schema = json_schema(resource, fields, names.as_ref());
            if let Some(said) = lacking.get(resource.name) {
                schema["description"] = format!("not available to this company ({said})").into();
            }
            stream(resource, &schema)
        })
        .collect();
    json!({ "streams": streams })
}

fn stream(resource: &Resource, schema: &Value) -> Value {
    let incremental = resource.incremental();
    let modes: &[&str] =
        if incremental { &["full_refresh", "incremental"] } else { &["full_refresh"] };
    let key: Vec<_> = resource.key.iter().map(|column| [column]).collect();
    let mut stream = json!({
        "name": resource.name,
        "json_schema": schema,
        "supported_sync_modes": modes,
        // Full reads too continue from a page checkpoint, which is a cursor of ours.
        "source_defined_cursor": true,
        "source_defined_primary_key": key,
        "is_resumable": true,
        "is_file_based": false,
    });
    if let Some(cursor) = resource.cursor.filter(|_| incremental) {
        stream["default_cursor_field"] = json!([cursor]);
    }
    stream
}
