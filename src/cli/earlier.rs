//! What an earlier run left: states, and how many rows there were.

use super::files;
use crate::model::{Error, Kind, Resource, Result, StreamState};
use crate::protocol::airbyte::{Configured, states};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// An earlier run of these resources; empty for a first one.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    pub(super) states: BTreeMap<&'static str, StreamState>,
    /// Rows of each resource, where they were counted.
    pub(super) rows: BTreeMap<&'static str, u64>,
}

impl Earlier {
    /// From the state file of `read`.
    pub(super) fn state(path: &Path, resources: &[&'static Resource]) -> Result<Self> {
        let configured = resources.iter().map(|&resource| Configured {
            resource,
            incremental: true,
            schema: Value::Null,
        });
        let configured: Vec<_> = configured.collect();
        let states = states(&files::json("state", path)?, &configured)?;
        Ok(Self { states, rows: BTreeMap::new() })
    }

    /// From the manifest of a warehouse in a local folder. Keys it lacks are not missed.
    pub(super) fn warehouse(folder: &Path, resources: &[&'static Resource]) -> Result<Self> {
        let path = folder.join("manifest.json");
        let place = || format!("--dir {}", path.display());
        if folder.to_string_lossy().contains("://") {
            let message = "plan looks into local folders only";
            return Err(Error::new(Kind::Usage, message).at(place()));
        }
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                let message = "is not there: the folder holds no warehouse; leave --dir out to plan a first run";
                Error::new(Kind::Data, message).at(place())
            }
            _ => Error::new(Kind::Storage, format!("file cannot be read ({error})")).at(place()),
        })?;
        let manifest: Value = serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(Kind::Data, format!("file is not JSON ({error})")).at(place())
        })?;
        let mut earlier = Self::default();
        for resource in resources {
            if let Some(state) = manifest["streams"].get(resource.name)
                && let Some(state) = StreamState::from_json(resource, state)?
            {
                earlier.states.insert(resource.name, state);
            }
        }
        for resource in Resource::all() {
            if let Some(files) = manifest["files"].get(resource.name).and_then(Value::as_array) {
                let rows = files.iter().filter_map(|file| file["rows"].as_u64()).sum();
                earlier.rows.insert(resource.name, rows);
            }
        }
        Ok(earlier)
    }
}
