//! What a warehouse holds, for those who only look.

use super::super::commits::{self, MANIFEST};
use super::super::place::Place;
use super::super::store::Store;
use super::manifest::Manifest;
use crate::model::{Resource, Result, StreamState};

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

    /// How far a resource was read.
    pub fn state(&self, resource: &Resource) -> Result<Option<StreamState>> {
        self.0.tables.get(resource.name).map_or(Ok(None), |table| table.state(resource))
    }

    /// Rows of a resource; `None` when it was never read.
    pub fn rows(&self, resource: &Resource) -> Option<u64> {
        self.0.tables.get(resource.name).map(super::manifest::Table::rows)
    }
}
