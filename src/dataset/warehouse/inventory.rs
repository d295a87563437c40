//! What a warehouse holds, for those who only look.

use super::super::account::Account;
use super::super::commits::{self, MANIFEST};
use super::super::place::Place;
use super::super::store::Store;
use super::manifest::Manifest;
use crate::model::{Resource, Result, StreamState, Time};

/// What a warehouse holds.
#[derive(Debug)]
pub struct Inventory(Manifest);

impl Inventory {
    /// Looks into a warehouse without touching it; `None` when there is none.
    pub async fn of(place: &Place) -> Result<Option<Self>> {
        if place.folder().is_some_and(|folder| !folder.is_dir()) {
            return Ok(None);
        }
        let store = Store::look(place)?;
        let bytes = commits::newest_manifest(&store).await?;
        let manifest = bytes.map(|bytes| Manifest::from_json(&bytes, &place.name_of(MANIFEST)));
        Ok(manifest.transpose()?.map(Self))
    }

    /// How far a resource was read, as a run goes on from there whose tokens are limited or not.
    pub fn state(&self, resource: &Resource, capped: bool) -> Result<Option<StreamState>> {
        self.0.tables.get(resource.name).map_or(Ok(None), |table| table.state(resource, capped))
    }

    /// Whether the company did not have a resource when the last run asked for it.
    pub fn lacks(&self, resource: &Resource) -> bool {
        self.0.unavailable.contains_key(resource.name)
    }

    /// Bytes of the files of a resource; `None` when it was never read.
    pub fn bytes(&self, resource: &Resource) -> Option<u64> {
        let table = self.0.tables.get(resource.name)?;
        Some(table.files.iter().map(|file| file.bytes).sum())
    }

    /// Whose data it is.
    pub fn account(&self) -> &Account {
        &self.0.account
    }

    /// When the last run committed last.
    pub fn updated_at(&self) -> Time {
        self.0.updated_at
    }

    /// Whether the last run read everything it was asked for.
    pub fn complete(&self) -> bool {
        self.0.complete
    }

    /// Resources that were begun, or are being read anew, and not read to their end.
    pub fn unfinished(&self) -> Result<Vec<String>> {
        let mut unfinished = Vec::new();
        for resource in Resource::all().filter(|resource| !self.lacks(resource)) {
            let finished = match self.0.tables.get(resource.name) {
                Some(table) => {
                    table.state(resource, true)?.is_some_and(|state| state.finished().is_some())
                }
                None => true,
            };
            if !finished || self.0.rebuilds.contains_key(resource.name) {
                unfinished.push(resource.name.to_owned());
            }
        }
        Ok(unfinished)
    }

    /// Rows of a resource; `None` when it was never read.
    pub fn rows(&self, resource: &Resource) -> Option<u64> {
        self.0.tables.get(resource.name).map(super::manifest::Table::rows)
    }
}
