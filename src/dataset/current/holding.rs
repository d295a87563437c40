//! Opens a warehouse or a backup to read it row by row.

use super::super::commit_log::{self, MANIFEST};
use super::super::location::Location;
use super::super::snapshot::BackupReader;
use super::super::store::Store;
use super::super::warehouse::Inventory;
use super::headings::Fields;
use super::table::Table;
use crate::model::{
    CustomFields, Definition, Definitions, Error, FieldOption, Kind, Names, Resource, Result,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A warehouse or a backup, opened for reading.
#[derive(Debug)]
pub struct Holding(pub(super) Held);

#[derive(Debug)]
pub(super) enum Held {
    Warehouse(Box<Inventory>),
    Backup(Box<BackupReader>),
}

impl Holding {
    /// Opens a location for reading. Fails with [`Kind::Usage`] if it holds neither a warehouse nor a
    /// backup.
    pub async fn open(place: &Location) -> Result<Self> {
        if place.folder().is_some_and(|folder| !folder.is_dir()) {
            let message = "there is no such folder";
            return Err(Error::new(Kind::Usage, message).at(place.to_string()));
        }
        let store = Store::look(place)?;
        let manifest = commit_log::newest_manifest(&store).await?;
        let json = manifest.as_deref().map(serde_json::from_slice::<Value>);
        let json = json.and_then(std::result::Result::ok).unwrap_or_default();
        // The manifest is one of this program, or one of pdcli, for which the error states how to
        // convert it.
        if json.get("streams").is_some() || json["watermarks"].is_object() {
            let inventory = Inventory::of(place).await?;
            return inventory
                .map(|inventory| Self(Held::Warehouse(Box::new(inventory))))
                .ok_or_else(|| {
                    Error::new(Kind::Data, "the manifest has gone").at(place.name_of(MANIFEST))
                });
        }
        match BackupReader::open(place).await {
            Ok(snapshot) => Ok(Self(Held::Backup(Box::new(snapshot)))),
            Err(error) if error.kind() == Kind::Usage && manifest.is_none() => {
                let message = "neither a warehouse nor a backup: there is no manifest.json and no \
                               file of a resource";
                Err(Error::new(Kind::Usage, message).at(place.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns `warehouse` or `backup`.
    pub fn what(&self) -> &'static str {
        match &self.0 {
            Held::Warehouse(_) => "warehouse",
            Held::Backup(_) => "backup",
        }
    }

    /// Returns the resources with rows in the warehouse, or with a file in the backup.
    pub fn resources(&self) -> Vec<&'static Resource> {
        let holds = |resource: &&'static Resource| match &self.0 {
            Held::Warehouse(inventory) => inventory.rows(resource).is_some_and(|rows| rows > 0),
            Held::Backup(snapshot) => snapshot.holds(resource.file),
        };
        Resource::all().filter(holds).collect()
    }

    /// Returns a warning if the data is incomplete.
    pub fn caveat(&self) -> Option<String> {
        let complete = match &self.0 {
            Held::Warehouse(inventory) => inventory.complete(),
            // A pdcli backup does not state it.
            Held::Backup(snapshot) => snapshot.backup().complete.unwrap_or(true),
        };
        let what = self.what();
        (!complete)
            .then(|| format!("the {what} is incomplete: its last run did not read everything"))
    }

    /// Returns a table with its current rows.
    pub async fn table(&self, resource: &'static Resource) -> Result<Table<'_>> {
        Table::open(self, resource).await
    }
}

/// The form of the rows of a table, and its custom fields.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The field definitions by the keys of the rows, for rows of JSON.
    pub(super) definitions: Vec<Definition>,
    /// The columns of the custom fields.
    pub(super) names: Option<Names>,
    /// The keys of labels, in rows that already contain labels.
    pub(super) labels: BTreeSet<String>,
    /// The hashes by key, if the rows are keyed by names.
    pub(super) hashes: BTreeMap<String, String>,
    pub(super) fields: Fields,
}

impl Shape {
    pub(super) async fn of(holding: &Holding, resource: &'static Resource) -> Result<Self> {
        match &holding.0 {
            Held::Warehouse(inventory) => {
                let entries = inventory.fields(resource).await?;
                Ok(Self::of_warehouse(inventory, resource, entries))
            }
            Held::Backup(snapshot) => {
                let definitions = dictionary(snapshot, resource).await?;
                let names = Names::pinned(resource, &definitions, &BTreeMap::new());
                Ok(Self { names: Some(names), definitions, ..Self::default() })
            }
        }
    }

    fn of_warehouse(inventory: &Inventory, resource: &Resource, entries: Vec<Value>) -> Self {
        let readable = inventory.keys() == CustomFields::Name;
        let key = if readable { "column" } else { "hash" };
        let definitions: Vec<_> =
            entries.iter().filter_map(|entry| definition(entry, key)).collect();
        let pins = if readable {
            definitions.iter().map(|field| (field.code.clone(), field.code.clone())).collect()
        } else {
            BTreeMap::new()
        };
        let names = Names::pinned(resource, &definitions, &pins);
        let text = |entry: &Value| entry["label_column"].as_str().map(str::to_owned);
        let labels = entries.iter().filter_map(text).collect();
        if !inventory.is_columns() {
            let hash = |entry: &Value| {
                let (key, hash) = (entry[key].as_str()?, entry["hash"].as_str()?);
                Some((key.to_owned(), hash.to_owned()))
            };
            let hashes = entries.iter().filter_map(hash).collect();
            let names = Some(names);
            return Self { definitions, names, labels, hashes, fields: Fields::default() };
        }
        let renamed = (!readable).then_some((definitions, names));
        Self { fields: Fields { entries, renamed }, ..Self::default() }
    }
}

/// Returns the definition for an entry of `_fields.json`. `key` is the entry's member with the field's
/// key.
fn definition(entry: &Value, key: &str) -> Option<Definition> {
    let option = |option: &Value| FieldOption {
        id: option["id"].clone(),
        label: option["label"].as_str().map(str::to_owned),
    };
    let options = entry["options"].as_array().map(|options| options.iter().map(option).collect());
    Some(Definition {
        name: entry["name"].as_str()?.to_owned(),
        code: entry[key].as_str()?.to_owned(),
        ty: entry["type"].as_str()?.to_owned(),
        options,
        custom: true,
    })
}

/// Returns the custom fields of a resource in a backup.
async fn dictionary(snapshot: &BackupReader, resource: &Resource) -> Result<Vec<Definition>> {
    let dictionary = resource.fields.and_then(Resource::named).map(|fields| fields.file);
    let Some(stem) = dictionary.filter(|stem| snapshot.holds(stem)) else {
        return Ok(Vec::new());
    };
    let mut definitions = Definitions::default();
    let mut rows = snapshot.rows(stem, false).await?;
    while let Some(row) = rows.next().await? {
        definitions.add_page(row.json.as_bytes());
    }
    Ok(definitions.known)
}
