//! Finds changes in the configuration of an account: fields, options, pipelines, and stages.

use crate::dataset::snapshot::BackupReader;
use crate::model::{Lookup, Resource, Result, list, members, pairs, text, usable};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A change of a field definition, a pipeline or a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemaChange {
    /// The file of the change: `dealFields`, `stages`.
    pub resource: &'static str,
    /// `field`, `option`, `pipeline` or `stage`.
    pub kind: &'static str,
    /// `added`, `removed`, `renamed`, or `retyped` for a field of another type.
    pub change: &'static str,
    /// The field's code or the row's id. For an option it is the field's code, `/` and the option's id.
    pub id: String,
    /// The name in the newer backup, or else in the older one.
    pub name: String,
    /// The older name or type.
    #[serde(rename = "oldValue")]
    pub old: Option<String>,
    /// The newer name or type.
    #[serde(rename = "newValue")]
    pub new: Option<String>,
}

/// A field definition of API v1 or v2, a pipeline, or a stage.
#[derive(Debug, Clone, Default)]
struct Thing {
    id: String,
    name: Option<String>,
    ty: Option<String>,
    /// The labels by option id.
    options: BTreeMap<String, String>,
}

impl Thing {
    /// Reads a row. `None` if it has no id for a comparison. Unreadable members are treated as absent,
    /// and only compared members are read.
    fn of(row: &str) -> Option<Self> {
        let mut thing = Self::default();
        let (mut id, mut code) = (None, None);
        pairs(row, |key, raw| match &*key {
            "id" => id = as_text(raw),
            // A v1 definition has a numeric id in addition to its key. The key identifies it.
            "key" | "field_code" => code = as_text(raw),
            "name" | "field_name" => thing.name = text(raw),
            "field_type" => thing.ty = text(raw),
            "options" if raw.starts_with('[') => {
                thing.options = list(raw).into_iter().filter_map(option).collect();
            }
            _ => {}
        })
        .ok()?;
        thing.id = code.or(id)?;
        Some(thing)
    }
}

/// Returns the id and the label of an option.
fn option(raw: &str) -> Option<(String, String)> {
    let all = members(raw);
    let option = Lookup::of(&all);
    let label = option.get(usize::MAX, "label").and_then(text).unwrap_or_default();
    option.get(usize::MAX, "id").and_then(as_text).map(|id| (id, label))
}

type Things = BTreeMap<String, Thing>;

/// Returns all changes of definitions, pipelines and stages, for the files that both backups have.
pub(super) async fn changes(
    old: &BackupReader,
    new: &BackupReader,
    wanted: impl Fn(&Resource) -> bool,
) -> Result<Vec<SchemaChange>> {
    let mut found = Vec::new();
    let mut deals: BTreeSet<String> = BTreeSet::new();
    // Deals come first. Leads have the same custom fields, which are reported once.
    for resource in Resource::all().filter(|resource| wanted(resource)) {
        let Some(kind) = kind(resource) else { continue };
        if !old.holds(resource.file) || !new.holds(resource.file) {
            continue;
        }
        let (mut before, mut after) = (read(old, resource).await?, read(new, resource).await?);
        if resource.name == "deal_fields" {
            deals.extend(before.keys().chain(after.keys()).cloned());
        }
        if resource.name == "lead_fields" {
            before.retain(|id, _| !deals.contains(id));
            after.retain(|id, _| !deals.contains(id));
        }
        compare(resource.file, kind, &before, &after, &mut found);
    }
    Ok(found)
}

/// Returns whether a file contains definitions instead of records.
pub(super) fn is_dictionary(resource: &Resource) -> bool {
    resource.file.ends_with("Fields")
}

fn kind(resource: &Resource) -> Option<&'static str> {
    match resource.name {
        _ if is_dictionary(resource) => Some("field"),
        "pipelines" => Some("pipeline"),
        "stages" => Some("stage"),
        _ => None,
    }
}

async fn read(snapshot: &BackupReader, resource: &Resource) -> Result<Things> {
    let mut things = Things::new();
    let mut rows = snapshot.rows(resource.file, false).await?;
    while let Some(row) = rows.next().await? {
        if let Some(thing) = Thing::of(row.json) {
            things.insert(thing.id.clone(), thing);
        }
    }
    Ok(things)
}

fn compare(
    resource: &'static str,
    kind: &'static str,
    before: &Things,
    after: &Things,
    found: &mut Vec<SchemaChange>,
) {
    let mut add = |kind, change, id: &str, name: &str, old: Option<String>, new: Option<String>| {
        let (id, name) = (id.to_owned(), name.to_owned());
        found.push(SchemaChange { resource, kind, change, id, name, old, new });
    };
    for (id, thing) in after {
        let name = thing.name.clone().unwrap_or_default();
        let Some(earlier) = before.get(id) else {
            add(kind, "added", id, &name, None, Some(name.clone()));
            continue;
        };
        if earlier.name != thing.name {
            add(kind, "renamed", id, &name, earlier.name.clone(), thing.name.clone());
        }
        if earlier.ty != thing.ty {
            add(kind, "retyped", id, &name, earlier.ty.clone(), thing.ty.clone());
        }
        let (old, new) = (&earlier.options, &thing.options);
        for (option, label) in new {
            let id = format!("{id}/{option}");
            match old.get(option) {
                None => add("option", "added", &id, &name, None, Some(label.clone())),
                Some(earlier) if earlier != label => {
                    add(
                        "option",
                        "renamed",
                        &id,
                        &name,
                        Some(earlier.clone()),
                        Some(label.clone()),
                    );
                }
                Some(_) => {}
            }
        }
        for (option, label) in old.iter().filter(|(option, _)| !new.contains_key(*option)) {
            add("option", "removed", &format!("{id}/{option}"), &name, Some(label.clone()), None);
        }
    }
    for (id, thing) in before.iter().filter(|(id, _)| !after.contains_key(*id)) {
        let name = thing.name.clone().unwrap_or_default();
        add(kind, "removed", id, &name, Some(name.clone()), None);
    }
}

/// Returns an id as text. `None` if the value is not a usable id.
fn as_text(raw: &str) -> Option<String> {
    usable(raw).then(|| text(raw).unwrap_or_else(|| raw.to_owned()))
}
