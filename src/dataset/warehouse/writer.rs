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
/// Seconds between two commits, unless one is due for another reason.
const COMMIT_PAUSE_SECONDS: i64 = 1;

/// How a warehouse is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it must be laid out like; `None` parts take what is there, or the default.
    pub layout: Wanted,
    /// Resources to read again as a whole.
    pub rebuild: Vec<&'static Resource>,
    /// Whether to take over from a run that holds the lock.
    pub break_lock: bool,
    /// Whether the token may see less than the one before (see [`Warehouse::narrowed`]).
    pub force: bool,
    /// Where resources begin that were never read; everything, if `None`.
    pub start: Option<Time>,
    /// Where resources begin this once that were read before.
    pub since: Option<Time>,
    /// Whether the run's tokens are limited, so that a short list may take several runs.
    pub capped: bool,
    /// States from elsewhere. Resources that were never read continue from them.
    pub handed: BTreeMap<&'static str, StreamState>,
    /// Seconds after which rows that were taken are committed.
    pub commit_seconds: i64,
    /// For tests: the process aborts at this step of its storage.
    pub crash_at_step: Option<u64>,
}

/// A warehouse that is open for one run.
///
/// Rows and the state they prove become visible together, when the manifest is replaced: a process
/// that ends at any moment leaves the last commit, and files that no manifest names, which the next
/// run removes.
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
    /// Files that earlier runs left behind; removed once a commit shows that none is still at work.
    leftovers: Vec<String>,
    broken: Broken,
    fields: Fields,
    views: Views,
    narrowed: Option<String>,
    pub(super) before: Option<Time>,
}

/// What a warehouse says when a resource is about to be read into it.
#[derive(Debug, Default)]
pub struct OpenedTable {
    /// From where to read it; all of it, if `None`.
    pub state: Option<StreamState>,
    /// Whether reading it from there brings every row there is.
    pub whole: bool,
    /// Whether it replaces a table that is there.
    pub rebuild: bool,
    /// Whether the company did not have it when the last run asked for it.
    pub lacking: bool,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Warehouse {
    /// Opens a warehouse, or makes one in an empty place. What a broken run left is put in order.
    ///
    /// Also tells what a person should know. Fails when the place holds something else, another
    /// account's data, a newer or damaged manifest, or when another run is writing.
    pub async fn open(
        place: &Location,
        account: Account,
        options: &Options,
        owner: Owner,
    ) -> Result<(Self, Vec<String>)> {
        // Flags that contradict each other leave no folder behind.
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
        // Where the last run ended between its commit and these, they name files that go now.
        notes.extend(warehouse.views.write(&warehouse.store, &warehouse.manifest).await?);
        if place.folder().is_some() {
            // The lock is ours: no other writer is active.
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

    /// How it is laid out.
    pub fn layout(&self) -> Layout {
        self.manifest.layout
    }

    /// Why the token may see less than those before it, if it does: rows that are missing then
    /// need not be gone.
    pub fn narrowed(&self) -> Option<&str> {
        self.narrowed.as_deref()
    }

    /// Prepares a resource for reading; once more when its definitions are known, before any row.
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

    /// Takes rows, and commits if it is time to.
    pub async fn write_batch(&mut self, batch: Batch, now: Time) -> Result<()> {
        let stamp = self.stamp(now);
        let stream = begun(&mut self.streams, batch.resource)?;
        let records = match &mut stream.index {
            Some(index) => index.sift(batch.records),
            None => batch.records,
        };
        // A page of which only a part was taken must not be committed: it would come again.
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

    /// A resource was read to its end; as a whole, if a time is given, beginning then.
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

    /// A resource was given up. What was taken of it stays.
    pub async fn fail(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        begun(&mut self.streams, resource)?.phase = Phase::GivenUp;
        self.commit_if_due(now).await
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

    /// The rows of one resource that this run wrote; of a [broken](Self::broken) one, what is
    /// committed of them.
    pub fn written(&self, resource: &Resource) -> Written {
        let broken = self.broken.holds(resource);
        let stream = self.streams.get(resource.name);
        stream.map(|s| if broken { s.proven } else { s.written }).unwrap_or_default()
    }

    /// Returns the number of values that did not fit their column and are in `_extra`, by field.
    pub fn misfits(&self, resource: &Resource) -> Vec<(String, u64)> {
        self.streams.get(resource.name).map(Stream::misfits).unwrap_or_default()
    }

    /// Resources whose files could not be written. [`Self::close`] commits what was taken of all
    /// others.
    pub fn broken(&self) -> impl Iterator<Item = (&'static Resource, Error)> {
        self.broken.errors()
    }

    /// Gives the warehouse free without a commit: what the last one holds stands.
    pub async fn release(&self) -> Result<()> {
        self.commits.end(&self.store).await
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
        self.commit(now, |_| true).await?;
        self.broken.check()
    }

    /// Later than every stamp before, also when a clock was set back.
    fn stamp(&mut self, now: Time) -> Time {
        self.manifest.stamp = now.max(self.manifest.stamp.next());
        self.manifest.stamp
    }

    /// Commits what is due: ended resources, rows that have waited long enough, and the largest
    /// resource when too much is held in memory.
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

    /// Stores what these resources hold, then replaces the manifest. What cannot be stored is
    /// [broken](Self::broken), and the others are committed.
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
        // An obstacle was reported when the warehouse was opened.
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
