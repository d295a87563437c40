//! Lists the files of a warehouse, for readers.

use super::super::account::Account;
use super::super::commit_log::{self, MANIFEST};
use super::super::current::Found;
use super::super::location::Location;
use super::super::store::Store;
use super::fields::Fields;
use super::layout::Format;
use super::manifest::{File, Manifest, Table};
use super::reading;
use crate::model::{CustomFields, Resource, Result, StreamState, Time};
use serde_json::Value;

/// The contents of a warehouse, opened for reading.
#[derive(Debug)]
pub struct Inventory {
    store: Store,
    manifest: Manifest,
}

impl Inventory {
    /// Opens a warehouse without changing it. `None` if there is none.
    pub async fn of(place: &Location) -> Result<Option<Self>> {
        if place.folder().is_some_and(|folder| !folder.is_dir()) {
            return Ok(None);
        }
        let store = Store::look(place)?;
        let bytes = commit_log::newest_manifest(&store).await?;
        let manifest = bytes.map(|bytes| Manifest::from_json(&bytes, &place.name_of(MANIFEST)));
        Ok(manifest.transpose()?.map(|manifest| Self { store, manifest }))
    }

    /// Returns the state that a run continues from, which depends on whether its tokens are limited.
    pub fn state(&self, resource: &Resource, capped: bool) -> Result<Option<StreamState>> {
        self.manifest
            .tables
            .get(resource.name)
            .map_or(Ok(None), |table| table.state(resource, capped))
    }

    /// Returns whether the company did not have a resource when the last run requested it.
    pub fn lacks(&self, resource: &Resource) -> bool {
        self.manifest.unavailable.contains_key(resource.name)
    }

    /// Returns the bytes of the files of a resource. `None` if it was never read.
    pub fn bytes(&self, resource: &Resource) -> Option<u64> {
        let table = self.manifest.tables.get(resource.name)?;
        Some(table.files.iter().map(|file| file.bytes).sum())
    }

    /// Returns the account of the data.
    pub fn account(&self) -> &Account {
        &self.manifest.account
    }

    /// Returns the time of the last commit.
    pub fn updated_at(&self) -> Time {
        self.manifest.updated_at
    }

    /// Returns whether the last run read every requested resource completely.
    pub fn complete(&self) -> bool {
        self.manifest.complete
    }

    /// Returns resources that were started, or are being read again, and are unfinished.
    pub fn unfinished(&self) -> Result<Vec<String>> {
        let mut unfinished = Vec::new();
        for resource in Resource::all().filter(|resource| !self.lacks(resource)) {
            let finished = match self.manifest.tables.get(resource.name) {
                Some(table) => {
                    table.state(resource, true)?.is_some_and(|state| state.finished().is_some())
                }
                None => true,
            };
            if !finished || self.manifest.rebuilds.contains_key(resource.name) {
                unfinished.push(resource.name.to_owned());
            }
        }
        Ok(unfinished)
    }

    /// Returns the number of rows of a resource. `None` if it was never read.
    pub fn rows(&self, resource: &Resource) -> Option<u64> {
        self.table(resource).map(Table::rows)
    }

    /// Returns how custom fields are keyed.
    pub(in super::super) fn keys(&self) -> CustomFields {
        self.manifest.layout.keys
    }

    /// Returns whether rows are stored in columns, and not as lines of JSON.
    pub(in super::super) fn is_columns(&self) -> bool {
        self.manifest.layout.format == Format::Parquet
    }

    /// Returns the entries of a resource in `_fields.json`.
    pub(in super::super) async fn fields(&self, resource: &Resource) -> Result<Vec<Value>> {
        Fields::default().of(&self.store, resource).await
    }

    /// Passes on the rows of a resource that are stored in columns, in commit order. With `keys` it
    /// passes only the columns that decide which rows are current.
    pub(in super::super) async fn batches(
        &self,
        resource: &Resource,
        keys: bool,
        take: &mut dyn FnMut(Found) -> Result<()>,
    ) -> Result<()> {
        for file in self.files(resource) {
            reading::batches(&self.store, file, keys.then_some(resource.key), take).await?;
        }
        Ok(())
    }

    /// Passes on the rows of a resource that are stored as lines, in commit order.
    pub(in super::super) async fn lines(
        &self,
        resource: &Resource,
        take: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        for file in self.files(resource) {
            reading::lines(&self.store, self.manifest.layout.compression, file, take).await?;
        }
        Ok(())
    }

    fn files(&self, resource: &Resource) -> &[File] {
        self.table(resource).map_or(&[], |table| &table.files)
    }

    fn table(&self, resource: &Resource) -> Option<&Table> {
        self.manifest.tables.get(resource.name)
    }
}
