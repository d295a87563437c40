//! Writes a warehouse: rows and watermarks are committed together.

use super::super::account::Account;
use super::super::commit_log::{CommitLog, Owner};
use super::super::location::Location;
use super::super::store::Store;
use super::broken::Broken;
use super::fields::{Dictionary, Fields};
use super::index::Index;
use super::layout::{Layout, Wanted};
use super::manifest::{Manifest, Table};
use super::opening::{self, OpenedWarehouse};
use super::stream::{Known, Namer, Phase, Stream, Written};
use super::views::Views;
use crate::model::{Batch, Error, Kind, Record, Resource, Result, StreamState, Time};
use std::collections::BTreeMap;

/// Most bytes of rows that wait in memory, over all resources; then the largest goes to disk.
const HELD_BYTES_MAX: usize = 64 << 20;
/// Seconds between two commits, unless a commit is due for another reason.
const COMMIT_PAUSE_SECONDS: i64 = 1;

/// The options for opening a warehouse.
#[derive(Debug, Clone)]
pub struct Options {
    /// The required layout. A part that is `None` accepts the existing value or the default.
    pub layout: Wanted,
    /// The resources to read again completely.
    pub rebuild: Vec<&'static Resource>,
    /// Whether to take over from a run that holds the lock.
    pub break_lock: bool,
    /// Whether to accept a token that may see fewer rows than an earlier one (see
    /// [`Warehouse::narrowed`]).
    pub force: bool,
    /// The time from which to read resources that were never read. `None` means everything.
    pub start: Option<Time>,
    /// The time from which this run reads resources that were read before.
    pub since: Option<Time>,
    /// Whether the run's tokens are limited, so that a short list may take several runs.
    pub capped: bool,
    /// The states from another source. Resources that were never read continue from them.
    pub handed: BTreeMap<&'static str, StreamState>,
    /// Seconds after which received rows are committed.
    pub commit_seconds: i64,
    /// The step of the storage at which the process aborts. For tests only.
    pub crash_at_step: Option<u64>,
}

/// A warehouse that is open for one run.
///
/// Rows and their state become visible together, when the manifest is replaced. A process that ends at
/// any time leaves the last commit, and files that no manifest names. The next run removes those files.
pub struct Warehouse {
    store: Store,
    commits: CommitLog,
    pub(super) manifest: Manifest,
    namer: Namer,
    streams: BTreeMap<&'static str, Stream>,
    rebuild: Vec<&'static Resource>,
    start: Option<Time>,
    since: Option<Time>,
    capped: bool,
    handed: BTreeMap<&'static str, StreamState>,
    commit_seconds: i64,
    committed: Time,
    /// The files of earlier runs. They are removed after a commit shows that no such run is active.
    leftovers: Vec<String>,
    broken: Broken,
    fields: Fields,
    views: Views,
    narrowed: Option<String>,
    pub(super) before: Option<Time>,
}

/// The state of a table when a resource is about to be read into it.
#[derive(Debug, Default)]
pub struct OpenedTable {
    /// The state from which to read. `None` means to read everything.
    pub state: Option<StreamState>,
    /// Whether a read from that state returns every existing row.
    pub whole: bool,
    /// Whether the read replaces an existing table.
    pub rebuild: bool,
    /// Whether the company did not have the resource when the last run requested it.
    pub lacking: bool,
    /// The messages for the user.
    pub notes: Vec<String>,
}

impl Warehouse {
    /// Opens a warehouse, or creates one in an empty location. Repairs the files of an interrupted run.
    ///
    /// Also returns messages for the user. Fails if the location holds other data, data of another
    /// account, or a newer or damaged manifest, or if another run holds the lock.
    pub async fn open(
        place: &Location,
        account: Account,
        options: &Options,
        owner: Owner,
    ) -> Result<(Self, Vec<String>)> {
        // Contradictory options are refused before a folder is created.
        options.layout.or_default()?;
        let store = Store::open(place, options.crash_at_step)?;
        let (run, now) = (owner.run.clone(), owner.since);
        let OpenedWarehouse { commits, manifest, leftovers, mut notes, narrowed } =
            opening::open(&store, account, options, owner).await?;
        let before = (!manifest.tables.is_empty()).then_some(manifest.updated_at);
        let mut warehouse = Self {
            before,
            store,
            commits,
            manifest,
            namer: Namer::new(run),
            streams: BTreeMap::new(),
            rebuild: options.rebuild.clone(),
            start: options.start,
            since: options.since,
            capped: options.capped,
            handed: options.handed.clone(),
            commit_seconds: options.commit_seconds,
            committed: now,
            leftovers,
            broken: Broken::default(),
            fields: Fields::default(),
            views: Views::default(),
            narrowed,
        };
        // The views may name files that are removed next, if the last run ended after its commit.
        notes.extend(warehouse.views.write(&warehouse.store, &warehouse.manifest).await?);
        if place.folder().is_some() {
            // The lock is held, so no other writer is active.
            warehouse.remove_leftovers().await?;
        }
        notes.extend(warehouse.interrupted_rebuilds());
        Ok((warehouse, notes))
    }

    fn interrupted_rebuilds(&self) -> Option<String> {
        let names: Vec<&str> = self.manifest.rebuilds.keys().map(String::as_str).collect();
        (!names.is_empty()).then(|| {
            format!(
                "a rebuild was interrupted; it continues where it stopped, for {}",
                names.join(", ")
            )
        })
    }

    /// Returns the layout.
    pub fn layout(&self) -> Layout {
        self.manifest.layout
    }

    /// Returns why the token may see fewer rows than an earlier one. Missing rows are then not
    /// necessarily deleted.
    pub fn narrowed(&self) -> Option<&str> {
        self.narrowed.as_deref()
    }

    /// Prepares a resource for reading. A second call, before any row, adds its definitions.
    pub async fn begin_resource(
        &mut self,
        resource: &'static Resource,
        dictionary: Dictionary<'_>,
        now: Time,
    ) -> Result<OpenedTable> {
        let name = resource.name;
        let existing = self.manifest.tables.get(name);
        let asked = self.rebuild.iter().any(|other| other.name == name) && existing.is_some();
        let broken_off = self.manifest.rebuilds.get(name);
        let rebuild = asked || broken_off.is_some();
        let mut table = match (broken_off, existing) {
            (Some(table), _) => table.clone(),
            (None, Some(table)) if rebuild => {
                Table { columns: table.columns.clone(), ..Table::default() }
            }
            (None, existing) => existing.cloned().unwrap_or_default(),
        };
        let state = table.state(resource, self.capped)?;
        let lacking = self.manifest.unavailable.contains_key(name);
        let mut begun = OpenedTable { state, rebuild, lacking, ..OpenedTable::default() };
        let index = if resource.incremental() {
            None
        } else {
            Some(self.index(&table, begun.state.as_ref()).await?)
        };
        let handed = self.handed.get(name).filter(|_| resource.incremental() && !rebuild);
        match (handed, &begun.state) {
            (Some(_), Some(_)) => {
                begun
                    .notes
                    .push("continues from the state of this warehouse, without --state".into());
            }
            (Some(state), None) if !state.settled() => {
                begun.notes.push("--state was not read to its end: everything is read".into());
            }
            _ => {}
        }
        let handed = handed.filter(|state| state.settled());
        let floor = match (self.since, &begun.state) {
            _ if !resource.incremental() => None,
            (_, None) if handed.is_some() => {
                table.start = handed.and_then(StreamState::since);
                begun.state = handed.cloned();
                None
            }
            (since, None) => {
                table.start = since.filter(|_| !rebuild).or(self.start);
                begun.state = table.start.map(|start| StreamState::starting_at(resource, start));
                None
            }
            (Some(since), Some(state)) if state.settled() && !rebuild => {
                if state.since() < Some(since) {
                    begun
                        .notes
                        .push("--since lies after what was read: nothing is left out".into());
                }
                let floor = state.clone();
                begun.state = Some(floor.rewound_to(since));
                Some(floor)
            }
            (Some(_), Some(_)) => {
                begun.notes.push(
                    "was not read to its end yet: that read continues, without --since".into(),
                );
                None
            }
            (None, Some(_)) => None,
        };
        let settled = begun.state.as_ref().is_some_and(StreamState::settled);
        begun.whole = table.start.is_none() && !settled;
        let known = match resource.fields {
            Some(_) => self.fields.of(&self.store, resource).await?,
            None => Vec::new(),
        };
        let known = Known { dictionary, fields: &known, now };
        let mut stream =
            Stream::new(resource, table, self.manifest.layout, &known, &mut begun.notes)?;
        (stream.rebuild, stream.index, stream.floor) = (rebuild, index, floor);
        stream.follow(self.streams.remove(name));
        self.streams.insert(name, stream);
        Ok(begun)
    }

    async fn index(&self, table: &Table, state: Option<&StreamState>) -> Result<Index> {
        let mut index = match &table.index {
            None => Index::default(),
            Some(path) => {
                let bytes = self.store.get(path).await?;
                bytes.as_deref().and_then(Index::from_json).ok_or_else(|| {
                    let message =
                        "file of known keys is missing or damaged; --full reads the resource again";
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

    /// Adds rows, and commits if a commit is due.
    pub async fn write_batch(&mut self, batch: Batch, now: Time) -> Result<()> {
        let stamp = self.stamp(now);
        let stream = begun(&mut self.streams, batch.resource)?;
        let records = match &mut stream.index {
            Some(index) => index.sift(batch.records),
            None => batch.records,
        };
        // A partially received page must not be committed, because the next run receives it again.
        stream.push(&records, stamp).map_err(|error| error.of_kind(Kind::Data))?;
        stream.reached = Some(batch.reached);
        stream.waiting.get_or_insert(now);
        if stream.is_full(&self.store) {
            self.commits.still_ours(&self.store)?;
            let stored = stream.store_full(&self.store, &mut self.namer).await;
            stored.unwrap_or_else(|error| self.broken.add(batch.resource, &error));
        }
        self.commit_if_due(now).await
    }

    /// Records that a resource was read to the end. `whole` is the start of a read of all rows.
    pub async fn finish(
        &mut self,
        resource: &'static Resource,
        reached: StreamState,
        whole: Option<Time>,
        now: Time,
    ) -> Result<()> {
        let stream = begun(&mut self.streams, resource)?;
        stream.reached = Some(reached);
        stream.table.checked = stream.table.checked.max(whole);
        stream.phase = Phase::Finished;
        stream.waiting.get_or_insert(now);
        self.commit_if_due(now).await
    }

    /// Records that reading a resource failed. Its received rows stay.
    pub async fn fail(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        begun(&mut self.streams, resource)?.phase = Phase::GivenUp;
        self.commit_if_due(now).await
    }

    /// Adds tombstones, and rows that a key sweep found.
    pub(super) async fn amend(
        &mut self,
        resource: &'static Resource,
        rows: &[Record],
        tombstones: &[Vec<u8>],
        now: Time,
    ) -> Result<()> {
        let stamp = self.stamp(now);
        let stream = begun(&mut self.streams, resource)?;
        stream.push(rows, stamp)?;
        for json in tombstones {
            stream.push_json(json, stamp)?;
        }
        stream.written.deleted += tombstones.len() as u64;
        stream.waiting.get_or_insert(now);
        self.commit(now, |_| true).await?;
        self.broken.check()
    }

    pub(super) fn stream(&mut self, resource: &'static Resource) -> Result<&mut Stream> {
        begun(&mut self.streams, resource)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the rows of a resource that this run wrote. For a [broken](Self::broken) resource it
    /// returns only the committed ones.
    pub fn written(&self, resource: &Resource) -> Written {
        let broken = self.broken.holds(resource);
        let stream = self.streams.get(resource.name);
        stream.map(|s| if broken { s.proven } else { s.written }).unwrap_or_default()
    }

    /// Returns the number of values that did not fit their column and are in `_extra`, by field.
    pub fn misfits(&self, resource: &Resource) -> Vec<(String, u64)> {
        self.streams.get(resource.name).map(Stream::misfits).unwrap_or_default()
    }

    /// Returns the resources whose files could not be written. [`Self::close`] commits the rows of all
    /// others.
    pub fn broken(&self) -> impl Iterator<Item = (&'static Resource, Error)> {
        self.broken.errors()
    }

    /// Releases the lock without a commit. The last commit stays valid.
    pub async fn release(&self) -> Result<()> {
        self.commits.end(&self.store).await
    }

    /// Commits everything and releases the lock. `complete` states whether the run read every requested
    /// resource completely.
    pub async fn close(&mut self, complete: bool, now: Time) -> Result<()> {
        self.manifest.complete = complete;
        self.commit(now, |_| true).await?;
        self.commits.end(&self.store).await
    }

    /// Commits all received rows.
    pub async fn flush(&mut self, now: Time) -> Result<()> {
        self.commit(now, |_| true).await?;
        self.broken.check()
    }

    /// Returns a timestamp that is later than all previous ones, even if the clock was set back.
    fn stamp(&mut self, now: Time) -> Time {
        self.manifest.stamp = now.max(self.manifest.stamp.next());
        self.manifest.stamp
    }

    /// Commits what is due: finished resources, rows that have waited long enough, and the largest
    /// resource if too much memory is in use.
    async fn commit_if_due(&mut self, now: Time) -> Result<()> {
        self.broken.check()?;
        self.commit_due(now).await?;
        self.broken.check()
    }

    async fn commit_due(&mut self, now: Time) -> Result<()> {
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

    /// Stores the rows of these resources, then replaces the manifest. A resource that cannot be stored
    /// becomes [broken](Self::broken). The others are committed.
    async fn commit(&mut self, now: Time, which: impl Fn(&Stream) -> bool) -> Result<()> {
        self.commits.still_ours(&self.store)?;
        let mut superseded = Vec::new();
        let mut renames = Vec::new();
        for stream in self.streams.values_mut().filter(|stream| which(stream)) {
            if self.broken.holds(stream.resource) {
                continue;
            }
            match stream.store(&self.store, &mut self.namer).await {
                Ok(old) => superseded.extend(old),
                Err(error) => {
                    self.broken.add(stream.resource, &error);
                    continue;
                }
            }
            stream.write_manifest_entry();
            if stream.rebuild && stream.phase == Phase::Finished {
                stream.rebuild = false;
                renames.extend(stream.settle_file());
                superseded.extend(self.manifest.promote(stream.resource.name, &stream.table));
            }
            self.manifest.keep(stream.resource.name, &stream.table, stream.rebuild);
        }
        self.manifest.complete &= self.broken.is_empty();
        let mappings =
            self.streams.values().map(|stream| (stream.resource.name, &stream.mapping[..]));
        self.fields.write(&self.store, mappings).await?;
        self.manifest.updated_at = now;
        self.commits.replace(&self.store, self.manifest.to_json().into(), now).await?;
        self.committed = now;
        for (from, to) in renames {
            self.store.rename(&from, &to)?;
            let streams = self.streams.values_mut().map(|stream| &mut stream.table);
            streams.chain(self.manifest.tables.values_mut()).for_each(|table| table.renamed(&to));
        }
        // A foreign file of views was reported when the warehouse was opened.
        self.views.write(&self.store, &self.manifest).await?;
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
}

fn begun<'s>(
    streams: &'s mut BTreeMap<&'static str, Stream>,
    resource: &'static Resource,
) -> Result<&'s mut Stream> {
    streams.get_mut(resource.name).ok_or_else(|| {
        Error::new(Kind::Bug, "rows of a resource that was not begun").at(resource.name)
    })
}
