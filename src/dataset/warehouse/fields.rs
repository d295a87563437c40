//! Describes the columns of custom fields, deleted fields included: `_fields.json`.

use super::super::forms::FIELDS;
use super::super::store::Store;
use super::super::table::same_column;
use crate::model::{Custom, Definition, Resource, Result, Time};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The key of the time at which a field was found to be deleted.
const DELETED: &str = "deleted_at";
/// The key of the time at which a field was found to have a type that requires another column.
const RETYPED: &str = "retyped_at";

/// The field definitions of a resource in an account. By default none are known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dictionary<'d> {
    /// The readable definitions.
    pub definitions: &'d [Definition],
    /// Whether the definitions are complete, so that a field without a definition is deleted.
    pub whole: bool,
}

/// The file of custom field descriptions. `None` until it is read.
#[derive(Debug, Default)]
pub(super) struct Fields(Option<Map<String, Value>>);

impl Fields {
    /// Returns the descriptions of the custom fields of a resource.
    pub(super) async fn of(&mut self, store: &Store, resource: &Resource) -> Result<Vec<Value>> {
        let fields = self.read(store).await?;
        Ok(fields.get(resource.name).and_then(Value::as_array).cloned().unwrap_or_default())
    }

    async fn read(&mut self, store: &Store) -> Result<&mut Map<String, Value>> {
        if self.0.is_none() {
            // The file is derived from the manifest and the account. A damaged file is rewritten.
            let read = store.get(FIELDS).await?;
            let read = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            self.0 = Some(read.unwrap_or_default());
        }
        Ok(self.0.get_or_insert_default())
    }

    /// Writes the file if its content changed.
    pub(super) async fn write(
        &mut self,
        store: &Store,
        mappings: impl Iterator<Item = (&'static str, &[Value])>,
    ) -> Result<()> {
        let mut mappings = mappings.filter(|(_, mapping)| !mapping.is_empty()).peekable();
        if mappings.peek().is_none() {
            return Ok(());
        }
        let fields = self.read(store).await?;
        let mut changed = false;
        for (name, mapping) in mappings {
            if fields.get(name).and_then(Value::as_array).map(Vec::as_slice) != Some(mapping) {
                fields.insert(name.to_owned(), mapping.into());
                changed = true;
            }
        }
        if changed {
            let text = serde_json::to_vec_pretty(fields).unwrap_or_default();
            store.put(FIELDS, text.into()).await?;
        }
        Ok(())
    }
}

/// Releases the columns of fields whose type has changed since the files were written. The column is
/// kept under a key that no field has, and the field gets a new column. Returns one message for each
/// field.
pub(super) fn give_up(
    resource: &Resource,
    columns: &mut BTreeMap<String, String>,
    known: &[Value],
    definitions: &[Definition],
) -> Vec<String> {
    let flat = resource.custom == Custom::Flat;
    let mut said = Vec::new();
    for definition in definitions.iter().filter(|definition| definition.custom) {
        let code = &definition.code;
        let column = columns.get(code).unwrap_or(code).clone();
        let is_current = |entry: &&Value| {
            entry["hash"] == **code && entry["column"] == column && entry.get(RETYPED).is_none()
        };
        let Some(before) = known.iter().find(is_current).and_then(|entry| entry["type"].as_str())
        else {
            continue;
        };
        if same_column(definition, before, flat) {
            continue;
        }
        columns.remove(code);
        columns.insert(format!("{code}#{before}#{column}"), column.clone());
        said.push(format!(
            "field \"{}\" (hash {code}) is of type {} now and was {before}: column \"{column}\" stays as it \
             is, and later values have a column of their own",
            definition.name, definition.ty
        ));
    }
    said
}

/// Returns the current entries, followed by the known entries whose column no current entry uses. Each
/// of the latter has the time at which its field was found to be deleted or retyped. Adds a message to
/// `said` for each newly deleted field.
pub(super) fn remembered(
    mut today: Vec<Value>,
    known: &[Value],
    dictionary: Dictionary<'_>,
    now: Time,
    said: &mut Vec<String>,
) -> Vec<Value> {
    let columns: BTreeSet<String> =
        today.iter().filter_map(|entry| entry["column"].as_str()).map(str::to_owned).collect();
    let there: BTreeSet<&str> =
        dictionary.definitions.iter().map(|definition| definition.code.as_str()).collect();
    for entry in known {
        let (Some(column), Some(code)) = (entry["column"].as_str(), entry["hash"].as_str()) else {
            continue;
        };
        if columns.contains(column) {
            continue;
        }
        let mut entry = entry.clone();
        if entry.get(DELETED).is_none() && entry.get(RETYPED).is_none() {
            if there.contains(code) {
                entry[RETYPED] = now.to_string().into();
            } else if dictionary.whole {
                entry[DELETED] = now.to_string().into();
                said.push(format!(
                    "field {} (hash {code}) was deleted in Pipedrive; its column \"{column}\" stays",
                    entry["name"]
                ));
            }
        }
        today.push(entry);
    }
    today
}
