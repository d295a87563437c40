//! Reads what an earlier run stored: states and row counts.

use super::files;
use crate::dataset::Location;
use crate::dataset::warehouse::Inventory;
use crate::model::{Error, Kind, Resource, Result, StreamState};
use crate::protocol::SavedState;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The state of an earlier run. It is empty for a first run.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    pub(super) states: BTreeMap<&'static str, StreamState>,
    /// The row counts by resource, where known.
    pub(super) rows: BTreeMap<&'static str, u64>,
    /// The resources that the company did not have.
    pub(super) lacking: BTreeSet<&'static str>,
}

impl Earlier {
    /// Reads a state file of the command `read`.
    pub(super) fn state(path: &Path, resources: &[&'static Resource]) -> Result<Self> {
        let saved = SavedState::from_json(&files::json("state", path)?)?;
        let mut earlier = Self::default();
        for resource in resources {
            if let Some(state) = saved.of(resource)? {
                earlier.states.insert(resource.name, state);
            }
        }
        Ok(earlier)
    }

    /// Reads the manifest of a warehouse.
    pub(super) async fn warehouse(
        dir: &str,
        resources: &[&'static Resource],
        capped: bool,
    ) -> Result<Self> {
        let place = Location::parse(dir)?;
        let Some(inventory) = Inventory::of(&place).await? else {
            let message = "there is no warehouse; leave --dir out to plan a first run";
            return Err(Error::new(Kind::Data, message).at(format!("--dir {place}")));
        };
        let mut earlier = Self::default();
        for resource in resources {
            if let Some(state) = inventory.state(resource, capped)? {
                earlier.states.insert(resource.name, state);
            }
            if inventory.lacks(resource) {
                earlier.lacking.insert(resource.name);
            }
        }
        let rows = Resource::all().filter_map(|r| Some((r.name, inventory.rows(r)?)));
        earlier.rows.extend(rows);
        Ok(earlier)
    }
}
