//! Adopts a warehouse of pdcli: keeps its files, and uses its watermarks as start values.
//!
//! Version 0.18 of pdcli keeps watermarks in `manifest.json`, one second later than the newest row. It
//! loses rows that are written later in that second. Later versions keep the newest time itself, in
//! `warehouse-manifest.json`. Neither reads archived or deleted deals (pdcli.md 2).

use super::super::account::Account;
use super::super::forms::is_of_tables;
use super::super::store::Store;
use super::layout::{Compression, Format, Layout};
use super::manifest::{File, Manifest, Table};
use crate::model::{
    CustomFields, Error, Kind, Progress, Resource, Result, StreamState, Time, pairs,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};

/// The manifest in which later versions store their watermarks.
const LATER_MANIFEST: &str = "warehouse-manifest.json";
/// The entities that pdcli reads.
const ENTITIES: [&str; 5] = ["deals", "persons", "organizations", "activities", "products"];
/// Seconds for which the API lists a deleted deal (pipedrive-api.md 2.5). Deals that are listed now may
/// have been deleted this long before the watermark, and pdcli does not request them.
const DELETED_SECONDS: i64 = 30 * 86_400;
/// The layout of a pdcli warehouse.
pub(super) const LAYOUT: Layout =
    Layout { format: Format::Ndjson, compression: Compression::None, keys: CustomFields::Hash };

/// A warehouse of pdcli, with the time from which to read each entity.
#[derive(Debug, Default)]
pub(super) struct Pdclis {
    since: BTreeMap<&'static str, Time>,
}

/// Detects a pdcli warehouse in a folder whose `manifest.json` has this content. Fails if a backup of
/// pdcli is in the same folder, because there is only one `manifest.json`.
pub(super) async fn found(store: &Store, manifest: Option<&[u8]>) -> Result<Option<Pdclis>> {
    if !store.supports_append() {
        return Ok(None);
    }
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let later = store.get(LATER_MANIFEST).await?;
    let later = later.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let later = later.filter(|json| json["watermarks"].is_object());
    let early = match &manifest {
        None => None,
        Some(json) if json["version"].is_null() && json["watermarks"].is_object() => Some(json),
        Some(json)
            if json["version"].is_null() && json["completed"].is_array() && later.is_some() =>
        {
            let message = format!(
                "this folder holds a backup and a warehouse of pdcli: move {LATER_MANIFEST} and the \
                 .ndjson files into a folder of their own, and sync to that"
            );
            return Err(Error::new(Kind::Data, message).at(store.place().to_string()));
        }
        // The file belongs to this program, or its origin is unknown.
        Some(_) => return Ok(None),
    };
    if early.is_none() && later.is_none() {
        return Ok(None);
    }
    let mut since: BTreeMap<&'static str, Time> = BTreeMap::new();
    for (json, back) in
        early.map(|json| (json, -1)).into_iter().chain(later.as_ref().map(|j| (j, 0)))
    {
        for entity in ENTITIES {
            let time = json["watermarks"][entity].as_str().and_then(Time::parse);
            if let Some(time) = time.map(|time| time.plus_seconds(back)) {
                since.entry(entity).and_modify(|known| *known = time.min(*known)).or_insert(time);
            }
        }
    }
    Ok(Some(Pdclis { since }))
}

impl Pdclis {
    /// Returns the manifest that this program uses for the same files, and messages for the user.
    ///
    /// Nothing is written. Fails if a line of a file is not a row. After a killed run pdcli appends to
    /// the incomplete line, whose content is then lost.
    pub(super) fn manifest(
        self,
        store: &Store,
        account: Account,
        listed: &BTreeMap<String, u64>,
        now: Time,
    ) -> Result<(Manifest, Vec<String>)> {
        let file = |entity: &str| format!("{entity}.ndjson");
        let known = |path: &String| ENTITIES.into_iter().any(|entity| *path == file(entity));
        if let Some(path) = listed.keys().find(|path| is_of_tables(path) && !known(path)) {
            let message = "is no file of pdcli's warehouse: move it away, or sync to another --dir";
            return Err(Error::new(Kind::Data, message).at(store.place().name_of(path)));
        }
        let mut notes = vec![
            "taking over a warehouse of pdcli: it continues from its watermarks, for deals 30 days earlier \
             and with all archived ones; it does not record whose account it is; rows that were \
             deleted are found with --deletes sweep"
                .to_owned(),
        ];
        let mut tables = BTreeMap::new();
        for entity in ENTITIES {
            let path = file(entity);
            let Some(resource) = Resource::named(entity).filter(|_| listed.contains_key(&path))
            else {
                if self.since.contains_key(entity) {
                    notes.push(format!("{path} is not there: all {entity} are read"));
                }
                continue;
            };
            let (bytes, rows) = whole_lines(store, &path)?;
            let state = self.since.get(entity).map(|since| state(resource, *since).to_json());
            if state.is_none() {
                notes.push(format!("{path} has no watermark: all {entity} are read"));
            }
            let files = vec![File { path, bytes, rows, staged: None }];
            tables.insert(entity.to_owned(), Table { state, files, ..Table::default() });
        }
        let manifest = Manifest {
            layout: LAYOUT,
            account,
            tables,
            rebuilds: BTreeMap::new(),
            unavailable: BTreeMap::new(),
            updated_at: now,
            complete: false,
            stamp: now,
        };
        Ok((manifest, notes))
    }
}

/// Returns the state from which a resource is read. A listing that pdcli does not request is read from
/// its beginning.
fn state(resource: &Resource, since: Time) -> StreamState {
    let [live, others @ ..] = resource.listings else { return StreamState::default() };
    if others.is_empty() {
        return StreamState::starting_at(resource, since);
    }
    let since = since.plus_seconds(-DELETED_SECONDS);
    let listings = BTreeMap::from([(live.name.to_owned(), Progress::starting_at(since))]);
    StreamState { listings, ..StreamState::default() }
}

/// Returns the number of bytes and rows in the complete lines of a file. An incomplete line follows the
/// last line break.
fn whole_lines(store: &Store, path: &str) -> Result<(u64, u64)> {
    let fail = |message: String| Error::new(Kind::Data, message).at(store.place().name_of(path));
    let mut reader = BufReader::new(store.reading(path)?.take(u64::MAX));
    let (mut line, mut bytes, mut rows) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| fail(format!("cannot be read ({error})")).of_kind(Kind::Storage))?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Ok((bytes, rows));
        }
        let row = std::str::from_utf8(&line).ok();
        if !row.is_some_and(|row| row.starts_with('{') && pairs(row, |_, _| {}).is_ok()) {
            return Err(fail(format!(
                "line {} is no row, since a run of pdcli was interrupted: remove that line and the \
                 entity's watermark to have it read again, or sync to an empty --dir",
                rows + 1
            )));
        }
        bytes += read as u64;
        rows += 1;
    }
}
