//! The state of a data set as its manifest describes it, for readers.

use super::account::Account;
use super::commit_log::{MANIFEST, newest_manifest};
use super::location::Location;
use super::snapshot::{Backup, BackupReader, CONTENT_INDEX, Manifest, resource_of};
use super::store::Store;
use super::warehouse::Inventory;
use crate::model::{Error, Kind, Resource, Result, Time};
use serde_json::Value;

/// The state of a warehouse or a backup.
#[derive(Debug, Clone)]
pub struct RunStatus {
    /// Whether it is a backup. Otherwise it is a warehouse.
    pub backup: bool,
    /// The account of the data, if it is known.
    pub account: Option<Account>,
    /// The time of the last write of the manifest.
    pub last_run: Option<Time>,
    /// Whether the last finished run read everything that was requested. For a backup this describes the
    /// current one, not an unfinished replacement.
    pub complete: bool,
    /// The number of rows of all resources.
    pub rows: u64,
    /// The bytes of all files that the manifest names.
    pub bytes: u64,
    /// The resources, in the documented order.
    pub resources: Vec<Part>,
    /// The names of the unfinished resources of the run that is resumed.
    pub unfinished: Vec<String>,
    /// For a backup that is being replaced: the start of the new one.
    pub next: Option<Option<Time>>,
}

/// The state of one resource.
#[derive(Debug, Clone)]
pub struct Part {
    /// The name of the resource.
    pub name: String,
    /// The number of rows.
    pub rows: u64,
    /// The bytes of its files.
    pub bytes: u64,
    /// The time up to which it was read, by Pipedrive's clock, if it is known.
    pub until: Option<Time>,
}

impl RunStatus {
    /// Reads the state of a data set without changing it. Fails with [`Kind::Usage`] if there is none.
    pub async fn of(place: &Location) -> Result<Self> {
        if place.folder().is_some_and(|folder| !folder.is_dir()) {
            let message = "there is no such folder";
            return Err(Error::new(Kind::Usage, message).at(place.to_string()));
        }
        let bytes = newest_manifest(&Store::look(place)?).await?;
        let Some(bytes) = bytes else {
            let message = "this is neither a warehouse nor a backup: there is no manifest.json";
            return Err(Error::new(Kind::Usage, message).at(place.to_string()));
        };
        let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if json.get("completed").is_none() {
            return Self::of_warehouse(place).await;
        }
        let manifest = Manifest::from_json(&bytes, &place.name_of(MANIFEST))?;
        let mut standing = Self::of_backup(&manifest);
        if manifest.backup.is_pdcli_backup() {
            // The manifest contains no sizes.
            let snapshot = BackupReader::open(place).await?;
            for part in &mut standing.resources {
                let stem = Resource::named(&part.name).map_or("", |resource| resource.file);
                part.bytes = snapshot.size(stem).unwrap_or(0);
            }
            standing.bytes = standing.resources.iter().map(|part| part.bytes).sum();
        }
        Ok(standing)
    }

    async fn of_warehouse(place: &Location) -> Result<Self> {
        let Some(inventory) = Inventory::of(place).await? else {
            return Err(Error::new(Kind::Usage, "there is no warehouse").at(place.to_string()));
        };
        let mut resources = Vec::new();
        for resource in Resource::all().filter(|resource| !inventory.lacks(resource)) {
            if let (Some(rows), Some(bytes)) = (inventory.rows(resource), inventory.bytes(resource))
            {
                let until = inventory.state(resource, true)?.and_then(|state| state.until);
                resources.push(Part { name: resource.name.to_owned(), rows, bytes, until });
            }
        }
        Ok(Self {
            backup: false,
            account: Some(inventory.account().clone()),
            last_run: Some(inventory.updated_at()),
            complete: inventory.complete(),
            rows: resources.iter().map(|part| part.rows).sum(),
            bytes: resources.iter().map(|part| part.bytes).sum(),
            unfinished: inventory.unfinished()?,
            resources,
            next: None,
        })
    }

    fn of_backup(manifest: &Manifest) -> Self {
        let Manifest { backup, next } = manifest;
        let mut resources = Vec::new();
        for resource in Resource::all() {
            let (stem, file) = (resource.file, backup.files.get(resource.file));
            let rows = file.map(|file| file.rows).or_else(|| backup.counts.get(stem).copied());
            resources.extend(rows.map(|rows| Part {
                name: resource.name.to_owned(),
                rows,
                bytes: file.map_or(0, |file| file.bytes),
                until: file.map(|file| file.read_until),
            }));
        }
        let named =
            |stem: &&str| resource_of(stem).map_or(*stem, |resource| resource.name).to_owned();
        let missing = |backup: &Backup| {
            let settled = |stem: &str| backup.settled(stem);
            let missing = backup.asked().into_iter().filter(|stem| !settled(stem));
            missing.map(|stem| named(&stem)).collect::<Vec<_>>()
        };
        let mut unfinished = missing(next.as_ref().unwrap_or(backup));
        let latest = next.as_ref().unwrap_or(backup);
        if latest.includes_contents() && !latest.files.contains_key(CONTENT_INDEX) {
            unfinished.push("attachments".to_owned());
        }
        Self {
            backup: true,
            account: backup.account.clone(),
            last_run: latest.updated_at,
            complete: backup.finished() && backup.failed.is_empty(),
            rows: resources.iter().map(|part| part.rows).sum(),
            bytes: backup.files.values().map(|file| file.bytes).sum(),
            resources,
            unfinished,
            next: next.as_ref().map(|next| next.started_at),
        }
    }
}
