//! A warehouse: rows and watermarks, committed together.

use super::commits::{Commits, Owner};
use super::index::Index;
use super::manifest::{Account, File, Layout, Manifest, Table};
use super::opening::{self, Opening};
use super::place::Place;
use super::store::Store;
use super::stream::{Namer, Phase, Stream, Written};
use crate::model::{
    Batch, CustomFields, Definition, Error, Kind, Record, Resource, Result, StreamState, Time,
};
use std::collections::BTreeMap;

/// Most bytes of rows that wait in memory, over all resources; then the largest goes to disk.
const HELD_BYTES_MAX: usize = 64 << 20;
/// Seconds between two commits at least, unless one is due for another reason.
const COMMIT_PAUSE_SECONDS: i64 = 1;
/// How the columns of custom fields are called, for people.
const FIELDS: &str = "_fields.json";

/// How a warehouse is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it must be laid out like; `None` parts take what is there, or the default.
    pub layout: Wanted,
    /// Resources to read anew as a whole.
    pub rebuild: Vec<&'static Resource>,
    /// Whether to take over from a run that holds the lock.
    pub break_lock: bool,
    /// Whether the token may see less than the one before (see [`Warehouse::narrowed`]).
    pub force: bool,
    /// Seconds after which rows that were taken are committed.
    pub commit_seconds: i64,
    /// For tests: the process aborts at this step of its storage.
    pub crash_at_step: Option<u64>,
}

/// A layout as asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How rows are written.
    pub format: Option<super::Format>,
    /// How files are packed.
    pub compression: Option<super::Compression>,
    /// How custom fields are keyed.
    pub keys: Option<CustomFields>,
}

/// A warehouse that is open for one run.
///
/// Rows and the state they prove become visible together, when the manifest is replaced: a process
/// that ends at any moment leaves the last commit, and files that no manifest names, which the next
/// run removes.
pub struct Warehouse {
    store: Store,
    commits: Commits,
    manifest: Manifest,
    namer: Namer,
    streams: BTreeMap<&'static str, Stream>,
    rebuild: Vec<&'static Resource>,
    commit_seconds: i64,
    committed: Time,
    /// Files that runs before this one left behind; removed when a commit has shown that none of
    /// them is still at work.
    leftovers: Vec<String>,
    /// What [`FIELDS`] says, once it was looked at.
    fields: Option<serde_json::Map<String, serde_json::Value>>,
    narrowed: Option<String>,
}

/// What a warehouse says when a resource is about to be read into it.
#[derive(Debug, Default)]
pub struct Begun {
    /// How far it was read.
    pub state: Option<StreamState>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Warehouse {
    /// Opens a warehouse, or makes one in an empty place. What a broken run left is put in order.
    ///
    /// Also tells what a person should know. Fails when the place holds something else, another
    /// account's data, a newer or damaged manifest, or when another run is writing.
    pub async fn open(
        place: &Place,
        account: Account,
        options: &Options,
        owner: Owner,
    ) -> Result<(Self, Vec<String>)> {
        let store = Store::open(place, options.crash_at_step)?;
        let (run, now) = (owner.run.clone(), owner.since);
        let Opening { commits, manifest, leftovers, mut notes, narrowed } =
            opening::open(&store, account, options, owner).await?;
        let mut warehouse = Self {
            store,
            commits,
            manifest,
            namer: Namer::new(run),
            streams: BTreeMap::new(),
            rebuild: options.rebuild.clone(),
            commit_seconds: options.commit_seconds,
            committed: now,
            leftovers,
            fields: None,
            narrowed,
        };
        if place.folder().is_some() {
            // The lock is ours: nobody else is at work here.
            warehouse.remove_leftovers().await?;
        }
        notes.extend(warehouse.interrupted_rebuilds());
        Ok((warehouse, notes))
    }

    fn interrupted_rebuilds(&self) -> Option<String> {
        let names: Vec<&str> = self.manifest.rebuilds.keys().map(String::as_str).collect();
        (!names.is_empty()).then(|| {
            format!(
                "a rebuild was broken off; it goes on where it stopped, for {}",
                names.join(", ")
            )
        })
    }

    /// How it is laid out.
    pub fn layout(&self) -> Layout {
        self.manifest.layout
    }

    /// Why the token may see less than those before it, if it does: rows that are missing then
    /// need not be gone.
    pub fn narrowed(&self) -> Option<&str> {
        self.narrowed.as_deref()
    }

    /// Prepares a resource for reading. With `from`, the run begins there instead of where the
    /// last one ended, and what that one reached is not given up.
    pub async fn begin(
        &mut self,
        resource: &'static Resource,
        definitions: &[Definition],
        from: Option<Time>,
    ) -> Result<Begun> {
        let name = resource.name;
        let existing = self.manifest.tables.get(name);
        let asked = self.rebuild.iter().any(|other| other.name == name) && existing.is_some();
        let broken_off = self.manifest.rebuilds.get(name);
        let rebuild = asked || broken_off.is_some();
        let table = match (broken_off, existing) {
            (Some(table), _) => table.clone(),
            (None, Some(table)) if rebuild => {
                Table { columns: table.columns.clone(), ..Table::default() }
            }
            (None, existing) => existing.cloned().unwrap_or_default(),
        };
        let state = table.state(resource)?;
        let mut notes = Vec::new();
        let index = if resource.incremental() {
            None
        } else {
            Some(self.index(&table, state.as_ref()).await?)
        };
        let mut stream =
            Stream::new(resource, table, self.manifest.layout, definitions, &mut notes)?;
        (stream.rebuild, stream.index) = (rebuild, index);
        let state = match from {
            Some(_) if resource.incremental() => {
                stream.floor = state;
                None
            }
            _ => state,
        };
        self.streams.insert(name, stream);
        Ok(Begun { state, notes })
    }

    async fn index(&self, table: &Table, state: Option<&StreamState>) -> Result<Index> {
        let mut index = match &table.index {
            None => Index::default(),
            Some(path) => {
                let bytes = self.store.get(path).await?;
                bytes.as_deref().and_then(Index::from_json).ok_or_else(|| {
                    let message =
                        "file of known keys is missing or damaged; --full reads the resource anew";
                    Error::new(Kind::Data, message).at(self.store.place().name_of(path))
                })?
            }
        };
        let goes_on = state.is_some_and(|state| state.full && !state.complete);
        if !goes_on {
            index.begin_walk();
        }
        Ok(index)
    }

    /// Takes rows, and commits if it is time to.
    pub async fn take(&mut self, batch: Batch, now: Time) -> Result<()> {
        let stamp = self.stamp(now);
        let stream = stream(&mut self.streams, batch.resource)?;
        let records = match &mut stream.index {
            Some(index) => index.sift(batch.records),
            None => batch.records,
        };
        stream.push(&records, stamp)?;
        stream.reached = Some(batch.reached);
        stream.waiting.get_or_insert(now);
        stream.store_full(&self.store, &mut self.namer).await?;
        self.tend(now).await
    }

    /// A resource was read to its end; as a whole, if a time is given, beginning then.
    pub async fn finish(
        &mut self,
        resource: &'static Resource,
        reached: StreamState,
        whole: Option<Time>,
        now: Time,
    ) -> Result<()> {
        let stream = stream(&mut self.streams, resource)?;
        stream.reached = Some(reached);
        stream.table.checked = stream.table.checked.max(whole);
        stream.phase = Phase::Finished;
        stream.waiting.get_or_insert(now);
        self.tend(now).await
    }

    /// A resource was given up. What was taken of it stays.
    pub async fn fail(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        stream(&mut self.streams, resource)?.phase = Phase::GivenUp;
        self.tend(now).await
    }

    /// Adds rows that say that others are gone, and rows that a key sweep found beside them.
    pub(super) async fn amend(
        &mut self,
        resource: &'static Resource,
        rows: &[Record],
        tombstones: &[Vec<u8>],
        now: Time,
    ) -> Result<()> {
        let stamp = self.stamp(now);
        let stream = stream(&mut self.streams, resource)?;
        stream.push(rows, stamp)?;
        for json in tombstones {
            stream.push_json(json, stamp)?;
        }
        stream.written.deleted += tombstones.len() as u64;
        stream.waiting.get_or_insert(now);
        self.commit(now, |_| true).await
    }

    pub(super) fn stream(&mut self, resource: &'static Resource) -> Result<&mut Stream> {
        stream(&mut self.streams, resource)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The rows of one resource that this run wrote.
    pub fn written(&self, resource: &Resource) -> Written {
        self.streams.get(resource.name).map(|stream| stream.written).unwrap_or_default()
    }

    /// All rows a resource has here, this run's included.
    pub fn rows(&self, resource: &Resource) -> u64 {
        self.streams.get(resource.name).map_or(0, |stream| stream.table.rows())
    }

    /// Values that did not fit their column and stand in `_extra`, by field.
    pub fn misfits(&self, resource: &Resource) -> Vec<(String, u64)> {
        self.streams.get(resource.name).map(Stream::misfits).unwrap_or_default()
    }

    /// Commits everything and gives the warehouse free. `complete`: whether the run read all it
    /// was asked for.
    pub async fn close(&mut self, complete: bool, now: Time) -> Result<()> {
        self.manifest.complete = complete;
        self.commit(now, |_| true).await?;
        self.commits.end(&self.store).await
    }

    /// Commits everything that was taken so far.
    pub async fn flush(&mut self, now: Time) -> Result<()> {
        self.commit(now, |_| true).await
    }

    /// Later than every stamp before, also when a clock was set back.
    fn stamp(&mut self, now: Time) -> Time {
        self.manifest.stamp = now.max(self.manifest.stamp.next());
        self.manifest.stamp
    }

    /// Commits what is due: ended resources, rows that have waited long enough, and the largest
    /// resource when too much is held in memory.
    async fn tend(&mut self, now: Time) -> Result<()> {
        let held: usize = self.streams.values().map(Stream::held).sum();
        if held > HELD_BYTES_MAX {
            let largest = self.streams.values().max_by_key(|stream| stream.held());
            let largest = largest.map(|stream| stream.resource.name);
            return self.commit(now, |stream| Some(stream.resource.name) == largest).await;
        }
        let oldest = now.plus_seconds(-self.commit_seconds);
        let due = |stream: &Stream| stream.waiting.is_some_and(|since| since <= oldest);
        if self.streams.values().any(due) {
            return self.commit(now, |stream| stream.phase != Phase::Reading || due(stream)).await;
        }
        let ended = |stream: &Stream| stream.phase != Phase::Reading;
        let ready = |stream: &Stream| ended(stream) && stream.waiting.is_some();
        if self.streams.values().any(ready)
            && self.committed.plus_seconds(COMMIT_PAUSE_SECONDS) <= now
        {
            return self.commit(now, ended).await;
        }
        Ok(())
    }

    /// Stores what these resources hold, then replaces the manifest.
    async fn commit(&mut self, now: Time, which: impl Fn(&Stream) -> bool) -> Result<()> {
        let mut superseded = Vec::new();
        let mut renames = Vec::new();
        for stream in self.streams.values_mut().filter(|stream| which(stream)) {
            stream.store_all(&self.store, &mut self.namer).await?;
            if let Some(index) = stream.index.as_mut().filter(|index| index.changed) {
                let path = self.namer.index(stream.resource);
                self.store.put(&path, index.to_json()?.into()).await?;
                superseded.extend(stream.table.index.replace(path));
                index.changed = false;
            }
            if let Some(reached) = &stream.reached {
                let state = match &stream.floor {
                    Some(floor) => reached.not_behind(floor),
                    None => reached.clone(),
                };
                stream.table.state = Some(state.to_json());
            }
            stream.waiting = None;
            let name = stream.resource.name.to_owned();
            if stream.rebuild && stream.phase != Phase::Finished {
                self.manifest.rebuilds.insert(name, stream.table.clone());
                continue;
            }
            let before = self.manifest.tables.get(&name);
            if stream.rebuild {
                stream.rebuild = false;
                self.manifest.rebuilds.remove(&name);
                renames.extend(settle(&mut stream.table, stream.resource));
                let kept: Vec<&str> =
                    stream.table.files.iter().map(|file| file.path.as_str()).collect();
                let old = before.into_iter().flat_map(|table| {
                    table.files.iter().map(|file| &file.path).chain(&table.index)
                });
                superseded.extend(old.filter(|path| !kept.contains(&path.as_str())).cloned());
            }
            self.manifest.tables.insert(name, stream.table.clone());
        }
        self.write_fields().await?;
        self.manifest.updated_at = now;
        self.commits.replace(&self.store, self.manifest.to_json().into(), now).await?;
        self.committed = now;
        for (from, to) in renames {
            self.store.rename(&from, &to)?;
            for table in self.manifest.tables.values_mut() {
                table
                    .files
                    .iter_mut()
                    .filter(|file| file.path == to)
                    .for_each(|file| file.staged = None);
            }
            for stream in self.streams.values_mut() {
                stream
                    .table
                    .files
                    .iter_mut()
                    .filter(|file| file.path == to)
                    .for_each(|file| file.staged = None);
            }
        }
        self.remove_leftovers().await?;
        for path in superseded {
            self.store.remove(&path).await?;
        }
        Ok(())
    }

    async fn remove_leftovers(&mut self) -> Result<()> {
        for path in std::mem::take(&mut self.leftovers) {
            self.store.remove(&path).await?;
        }
        Ok(())
    }

    /// Writes how the columns of custom fields are called, when that changed.
    async fn write_fields(&mut self) -> Result<()> {
        let mapping: serde_json::Map<_, _> = self
            .streams
            .values()
            .filter_map(|stream| Some((stream.resource.name.to_owned(), stream.mapping()?)))
            .filter(|(_, mapping)| mapping.as_array().is_some_and(|fields| !fields.is_empty()))
            .collect();
        if mapping.is_empty() {
            return Ok(());
        }
        let before = match &self.fields {
            Some(fields) => fields.clone(),
            None => match self.store.get(FIELDS).await? {
                // It is made of the manifest and the account: a damaged one is made anew.
                Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
                None => serde_json::Map::new(),
            },
        };
        let mut fields = before.clone();
        fields.extend(mapping);
        if fields != before {
            let text = serde_json::to_vec_pretty(&fields).unwrap_or_default();
            self.store.put(FIELDS, text.into()).await?;
        }
        self.fields = Some(fields);
        Ok(())
    }
}

/// Gives the file of a rebuild that has come to its end its proper name; tells what to rename.
fn settle(table: &mut Table, resource: &Resource) -> Option<(String, String)> {
    let marker = format!("{}.rebuild-", resource.name);
    let file: &mut File = table.files.iter_mut().find(|file| file.path.starts_with(&marker))?;
    let (_, ending) = file.path.split_once(".ndjson")?;
    let path = format!("{}.ndjson{ending}", resource.name);
    let staged = std::mem::replace(&mut file.path, path.clone());
    file.staged = Some(staged.clone());
    Some((staged, path))
}

fn stream<'s>(
    streams: &'s mut BTreeMap<&'static str, Stream>,
    resource: &'static Resource,
) -> Result<&'s mut Stream> {
    streams.get_mut(resource.name).ok_or_else(|| {
        Error::new(Kind::Bug, "rows of a resource that was not begun").at(resource.name)
    })
}
