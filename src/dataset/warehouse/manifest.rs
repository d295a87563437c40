//! The manifest of a warehouse: its files, the progress of each resource, and its owner.

use super::super::account::Account;
use super::super::forms;
use super::layout::{Compression, Format, Layout};
use crate::model::{CustomFields, Error, Kind, Resource, Result, StreamState, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The maximum number of rows of a list without times for which an interrupted walk starts again:
/// otherwise rows that were edited behind its position would arrive with the next run only. A longer walk
/// continues.
const WALKED_AGAIN_ROWS_MAX: u64 = 10_000;

/// The version of a warehouse's manifest. 1: the first version.
///
/// Older versions are read. A newer version is refused, because overwriting an unknown format could
/// destroy rows.
pub const MANIFEST_VERSION: u64 = 1;

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) path: String,
    /// The committed bytes. Later bytes are not part of the data.
    pub(super) bytes: u64,
    pub(super) rows: u64,
    /// The temporary path of the file, if the process ended between the commit and the rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) staged: Option<String>,
}

/// The state of one resource.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// The position of the read, as JSON. The state of a resource of another version is preserved.
    pub(super) state: Option<Value>,
    pub(super) files: Vec<File>,
    /// The path of the index of keys and digests, for resources that every run reads in full.
    pub(super) index: Option<String>,
    /// The column of each custom field by hash. It is fixed when the field is first seen.
    pub(super) columns: BTreeMap<String, String>,
    /// The start of the last complete read or key sweep that saw all rows.
    pub(super) checked: Option<Time>,
    /// The start of the data, if the first run was configured to leave older rows out.
    pub(super) start: Option<Time>,
    /// The number of rows of the last run.
    pub(super) count: u64,
}

impl Table {
    /// Returns the state of the resource. `None` if it is read from the beginning.
    ///
    /// An interrupted walk of a short list without times is read again: see [`WALKED_AGAIN_ROWS_MAX`]. It
    /// continues if tokens are so few that one run may not finish it (`capped`).
    pub(super) fn state(&self, resource: &Resource, capped: bool) -> Result<Option<StreamState>> {
        let Some(state) = &self.state else { return Ok(None) };
        let goes_on = |state: &StreamState| {
            let long = state.records > WALKED_AGAIN_ROWS_MAX;
            resource.incremental() || state.complete || long || capped
        };
        Ok(StreamState::from_json(resource, state)?.filter(goes_on))
    }

    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Returns the paths of all files of the table.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str()).chain(self.index.as_deref())
    }

    /// Records that a file was renamed to its final name.
    pub(super) fn renamed(&mut self, to: &str) {
        for file in self.files.iter_mut().filter(|file| file.path == to) {
            file.staged = None;
        }
    }
}

/// The content of a warehouse's manifest.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) layout: Layout,
    pub(super) account: Account,
    pub(super) tables: BTreeMap<String, Table>,
    /// Resources that are being read again as a whole. They replace their table at the end.
    pub(super) rebuilds: BTreeMap<String, Table>,
    pub(super) updated_at: Time,
    /// Whether the last run read every requested resource completely.
    pub(super) complete: bool,
    /// The resources that the company does not have, with Pipedrive's message.
    pub(super) unavailable: BTreeMap<String, String>,
    /// The latest `_synced_at` that was assigned. A later row gets a later one.
    pub(super) stamp: Time,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u64,
    tool: String,
    format: Format,
    compression: Compression,
    custom_fields: CustomFields,
    account: Account,
    updated_at: Time,
    complete: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    unavailable: BTreeMap<String, String>,
    synced_at: Time,
    /// The latest delivered time by resource, for people and for tools that read manifests of pdcli.
    #[serde(default)]
    watermarks: BTreeMap<String, Value>,
    #[serde(default)]
    counts: BTreeMap<String, u64>,
    #[serde(flatten)]
    tables: Tables,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rebuild: Option<Tables>,
}

#[derive(Default, Serialize, Deserialize)]
struct Tables {
    #[serde(default)]
    streams: BTreeMap<String, Value>,
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    indexes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    columns: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    checked_at: BTreeMap<String, Time>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    starts: BTreeMap<String, Time>,
}

impl Tables {
    /// Refuses names that no run writes. `above` is the prefix of their keys in errors.
    fn must_be_named(&self, above: &str, place: &str) -> Result<()> {
        const WAY_OUT: &str = "bring the manifest back from a copy, or sync to another --dir";
        let refused = |key: String, name: &str| {
            Err(forms::refused(place, &format!("{above}{key}"), name, WAY_OUT))
        };
        let maps = [
            ("streams", self.streams.keys().collect::<Vec<_>>()),
            ("files", self.files.keys().collect()),
            ("indexes", self.indexes.keys().collect()),
        ];
        for (key, names) in maps {
            if let Some(name) = names.into_iter().find(|name| !forms::is_table(name)) {
                return refused(format!("a key of {key}"), name);
            }
        }
        for (table, files) in &self.files {
            for (number, file) in files.iter().enumerate() {
                if !forms::is_rows(&file.path, table) {
                    return refused(format!("files.{table}[{number}].path"), &file.path);
                }
                let staged = file.staged.as_deref();
                let whole =
                    forms::is_lines_of(&file.path, table) && Resource::named(table).is_some();
                if let Some(staged) =
                    staged.filter(|staged| !whole || !forms::is_rebuild(staged, table))
                {
                    return refused(format!("files.{table}[{number}].staged"), staged);
                }
            }
        }
        match self.indexes.iter().find(|(table, path)| !forms::is_index(path, table)) {
            Some((table, path)) => refused(format!("indexes.{table}"), path),
            None => Ok(()),
        }
    }

    fn of(tables: &BTreeMap<String, Table>) -> Self {
        let mut stored = Self::default();
        for (name, table) in tables {
            let name = || name.clone();
            stored.files.insert(name(), table.files.clone());
            stored.streams.extend(table.state.clone().map(|state| (name(), state)));
            stored.indexes.extend(table.index.clone().map(|index| (name(), index)));
            stored.checked_at.extend(table.checked.map(|time| (name(), time)));
            stored.starts.extend(table.start.map(|time| (name(), time)));
            if !table.columns.is_empty() {
                stored.columns.insert(name(), table.columns.clone());
            }
        }
        stored
    }

    fn tables(self, counts: &BTreeMap<String, u64>) -> BTreeMap<String, Table> {
        let Self { mut streams, mut files, mut indexes, mut columns, checked_at, starts } = self;
        let names: Vec<String> = files.keys().chain(streams.keys()).cloned().collect();
        let mut tables = BTreeMap::new();
        for name in names {
            tables.entry(name.clone()).or_insert_with(|| Table {
                state: streams.remove(&name),
                files: files.remove(&name).unwrap_or_default(),
                index: indexes.remove(&name),
                columns: columns.remove(&name).unwrap_or_default(),
                checked: checked_at.get(&name).copied(),
                start: starts.get(&name).copied(),
                count: counts.get(&name).copied().unwrap_or(0),
            });
        }
        tables
    }
}

impl Manifest {
    /// Stores the state of a resource. During a rebuild it is separate from the table.
    pub(super) fn keep(&mut self, name: &str, table: &Table, rebuild: bool) {
        let tables = if rebuild { &mut self.rebuilds } else { &mut self.tables };
        tables.insert(name.to_owned(), table.clone());
    }

    /// Ends a rebuild, which replaces the table. Returns the paths of the replaced files.
    pub(super) fn promote(&mut self, name: &str, rebuilt: &Table) -> Vec<String> {
        self.rebuilds.remove(name);
        let kept: Vec<&str> = rebuilt.paths().collect();
        let old = self.tables.remove(name).unwrap_or_default();
        old.paths().filter(|path| !kept.contains(path)).map(str::to_owned).collect()
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let named = |value: &dyn Fn(&Table) -> Option<Value>| {
            let pairs = self.tables.iter().filter_map(|(name, t)| Some((name.clone(), value(t)?)));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let stored = Stored {
            version: MANIFEST_VERSION,
            tool: concat!("source-pipedrive ", env!("CARGO_PKG_VERSION")).to_owned(),
            format: self.layout.format,
            compression: self.layout.compression,
            custom_fields: self.layout.keys,
            account: self.account.clone(),
            updated_at: self.updated_at,
            complete: self.complete,
            unavailable: self.unavailable.clone(),
            synced_at: self.stamp,
            watermarks: named(&|table| table.state.as_ref()?.get("update_time").cloned()),
            counts: self.tables.iter().map(|(name, table)| (name.clone(), table.count)).collect(),
            tables: Tables::of(&self.tables),
            rebuild: (!self.rebuilds.is_empty()).then(|| Tables::of(&self.rebuilds)),
        };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads a manifest. `place` names it in errors.
    pub(super) fn from_json(bytes: &[u8], place: &str) -> Result<Self> {
        let fail = |message: String| Error::new(Kind::Data, message).at(place);
        let json: Value = serde_json::from_slice(bytes).map_err(|error| {
            fail(format!(
                "manifest is not JSON ({error}); bring it back from a copy, or sync to another --dir"
            ))
        })?;
        let version = json.get("version").and_then(Value::as_u64);
        let ours = json.get("format").is_some() && json.get("streams").is_some();
        if json.get("completed").is_some() && json.get("streams").is_none() {
            return Err(fail(
                "this is the manifest of a backup, not of a warehouse: use another --dir"
                    .to_owned(),
            ));
        }
        match version {
            Some(version) if version > MANIFEST_VERSION => {
                return Err(fail(format!(
                    "manifest is of version {version}, this program reads up to {MANIFEST_VERSION}: upgrade it"
                )));
            }
            Some(_) if ours => {}
            None if json["watermarks"].is_object() => {
                let message = "this is a warehouse of pdcli: sync warehouse --dir takes it over";
                return Err(fail(message.to_owned()));
            }
            _ => {
                return Err(fail(
                    "this is no manifest of a warehouse of ours; sync to another --dir".to_owned(),
                ));
            }
        }
        let stored: Stored = serde_json::from_value(json).map_err(|error| {
            fail(
                "manifest is corrupt; bring it back from a copy, or sync to another --dir"
                    .to_owned(),
            )
            .because(error)
        })?;
        stored.tables.must_be_named("", place)?;
        stored.rebuild.iter().try_for_each(|tables| tables.must_be_named("rebuild.", place))?;
        let rebuilds = stored.rebuild.unwrap_or_default().tables(&BTreeMap::new());
        Ok(Self {
            layout: Layout {
                format: stored.format,
                compression: stored.compression,
                keys: stored.custom_fields,
            },
            account: stored.account,
            tables: stored.tables.tables(&stored.counts),
            rebuilds,
            updated_at: stored.updated_at,
            complete: stored.complete,
            unavailable: stored.unavailable,
            stamp: stored.synced_at,
        })
    }
}

/// Returns a manifest in which every key has a value, for the test that each key is documented.
// There is no `..`, so that a new key must be added here.
#[cfg(test)]
pub(crate) fn every_key(account: Account) -> Value {
    let name = || "deals".to_owned();
    let file = || File {
        path: "deals.ndjson".to_owned(),
        bytes: 0,
        rows: 0,
        staged: Some("deals.rebuild.ndjson".to_owned()),
    };
    let tables = || Tables {
        streams: BTreeMap::from([(name(), Value::Null)]),
        files: BTreeMap::from([(name(), vec![file()])]),
        indexes: BTreeMap::from([(name(), "_keys/deals".to_owned())]),
        columns: BTreeMap::from([(name(), BTreeMap::new())]),
        checked_at: BTreeMap::from([(name(), Time::EPOCH)]),
        starts: BTreeMap::from([(name(), Time::EPOCH)]),
    };
    let stored = Stored {
        version: MANIFEST_VERSION,
        tool: "x".to_owned(),
        format: Format::Ndjson,
        compression: Compression::None,
        custom_fields: CustomFields::Hash,
        account,
        updated_at: Time::EPOCH,
        complete: false,
        unavailable: BTreeMap::from([(name(), "402".to_owned())]),
        synced_at: Time::EPOCH,
        watermarks: BTreeMap::new(),
        counts: BTreeMap::new(),
        tables: tables(),
        rebuild: Some(tables()),
    };
    serde_json::to_value(&stored).expect("a manifest is JSON")
}
