//! Writes the rows of one resource to files.

use super::fields::{Dictionary, give_up, remembered};
use super::index::Index;
use super::layout::{Format, Layout};
use super::manifest::{File, Table};
use super::ndjson::Lines;

use super::super::forms::{INDEXES, is_rebuild};
use super::super::store::Store;
use super::super::table::{Columns, Encoded, Parts};
use crate::model::{CustomFields, Names, Record, Resource, Result, StreamState, Time};
use serde_json::Value;

/// Most bytes of lines that wait before they are appended to a local file.
const LINES_BYTES_MAX: usize = 1 << 20;

/// A resource that is being written.
pub(super) struct Stream {
    pub(super) resource: &'static Resource,
    /// The table after all received rows are committed, except for those in memory.
    pub(super) table: Table,
    /// Whether the resource is read again completely, to replace the existing rows.
    pub(super) rebuild: bool,
    /// The state before a run that was configured to start at another time. The state never falls behind
    /// it.
    pub(super) floor: Option<StreamState>,
    pub(super) index: Option<Index>,
    /// The state that the received rows reach.
    pub(super) reached: Option<StreamState>,
    /// The time at which the oldest uncommitted item was received.
    pub(super) waiting: Option<Time>,
    pub(super) phase: Phase,
    /// The descriptions of custom fields.
    pub(super) mapping: Vec<Value>,
    pub(super) written: Written,
    /// The committed part of what was written.
    pub(super) proven: Written,
    rows: Rows,
    /// Whether appended lines are not durable yet.
    unsynced: bool,
}

/// The phase of reading a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Reading,
    /// The read ended before all rows were received.
    GivenUp,
    /// The resource was read to the end.
    Finished,
}

/// The amount that a run wrote of one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// The number of rows, including tombstones.
    pub rows: u64,
    /// The number of tombstones.
    pub deleted: u64,
    /// The number of new or extended files.
    pub files: u64,
    /// The number of bytes added to the files.
    pub bytes: u64,
}

enum Rows {
    Columns(Box<Parts>),
    Lines(Box<Feed>),
}

/// The buffer of lines, and the readable names of custom fields if they were requested.
struct Feed {
    lines: Lines,
    names: Option<Names>,
    /// The suffix of its file names.
    ending: String,
}

/// The known custom fields of a resource at the start of a run.
pub(super) struct Known<'k> {
    /// The definitions of the account.
    pub(super) dictionary: Dictionary<'k>,
    /// The entries in `_fields.json` that earlier runs wrote.
    pub(super) fields: &'k [Value],
    pub(super) now: Time,
}

impl Stream {
    /// Prepares writing. Messages for the user about columns are added to `notes`.
    pub(super) fn new(
        resource: &'static Resource,
        mut table: Table,
        layout: Layout,
        known: &Known<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let definitions = known.dictionary.definitions;
        let typed = layout.format == Format::Parquet || layout.keys == CustomFields::Name;
        if resource.fields.is_some() && typed {
            notes.extend(give_up(resource, &mut table.columns, known.fields, definitions));
        }
        let names = match layout.keys {
            CustomFields::Hash if !table.columns.is_empty() => {
                let retyped = definitions.iter().filter(|field| {
                    let mark = format!("{}#", field.code);
                    table
                        .columns
                        .range(mark.clone()..)
                        .next()
                        .is_some_and(|(code, _)| code.starts_with(&mark))
                });
                let other = retyped
                    .map(|field| (field.code.clone(), format!("{}_{}", field.code, field.ty)));
                let other: Vec<_> = other.collect();
                for (code, column) in other {
                    table.columns.entry(code).or_insert(column);
                }
                Some(Names::of_hashes(resource, definitions, &table.columns))
            }
            CustomFields::Name if resource.fields.is_some() => {
                let names = Names::pinned(resource, definitions, &table.columns);
                notes.extend(names.renamed().iter().cloned());
                table.columns = names.pins();
                Some(names)
            }
            _ => None,
        };
        let columns = Columns::of(resource, definitions, names.as_ref());
        let today = columns.mapping().as_array().cloned().unwrap_or_default();
        let mapping = remembered(today, known.fields, known.dictionary, known.now, notes);
        let rows = match layout.format {
            Format::Parquet => Rows::Columns(Box::new(Parts::new(columns))),
            Format::Ndjson => {
                let lines = Lines::new(layout.compression)?;
                let ending = format!("ndjson{}", layout.compression.ending());
                Rows::Lines(Box::new(Feed { lines, names, ending }))
            }
        };
        table.count = 0;
        Ok(Self {
            resource,
            table,
            rebuild: false,
            floor: None,
            index: None,
            reached: None,
            waiting: None,
            phase: Phase::Reading,
            mapping,
            written: Written::default(),
            proven: Written::default(),
            rows,
            unsynced: false,
        })
    }

    /// Takes over the state from before the custom fields were known. It must be called before the first
    /// row.
    pub(super) fn follow(&mut self, before: Option<Self>) {
        if let Some(Self { reached, waiting, phase, .. }) = before {
            (self.reached, self.waiting, self.phase) = (reached, waiting, phase);
        }
    }

    /// Adds rows. `stamp` orders them among all rows of their key.
    pub(super) fn push(&mut self, records: &[Record], stamp: Time) -> Result<()> {
        for record in records {
            self.push_json(&record.json, stamp)?;
        }
        Ok(())
    }

    /// Adds a row.
    pub(super) fn push_json(&mut self, json: &[u8], stamp: Time) -> Result<()> {
        self.written.rows += 1;
        self.table.count += 1;
        match &mut self.rows {
            Rows::Columns(parts) => parts.push(json, stamp),
            Rows::Lines(feed) => feed.push(json),
        }
    }

    /// Returns the number of bytes in memory.
    pub(super) fn held(&self) -> usize {
        match &self.rows {
            Rows::Columns(parts) => parts.held(),
            Rows::Lines(feed) => feed.lines.held(),
        }
    }

    /// Returns the number of values that did not fit their column, by field.
    pub(super) fn misfits(&self) -> Vec<(String, u64)> {
        match &self.rows {
            Rows::Columns(parts) => parts
                .columns()
                .misfits()
                .iter()
                .map(|(field, count)| (field.clone(), *count))
                .collect(),
            Rows::Lines(_) => Vec::new(),
        }
    }

    /// Returns whether a part or the buffer of lines is full.
    pub(super) fn is_full(&self, store: &Store) -> bool {
        match &self.rows {
            Rows::Columns(parts) => parts.has_full(),
            Rows::Lines(feed) => store.supports_append() && feed.lines.held() >= LINES_BYTES_MAX,
        }
    }

    /// Stores the index if it changed. Returns the path of the index that it replaces.
    async fn store_index(&mut self, store: &Store, namer: &mut Namer) -> Result<Option<String>> {
        let Some(index) = self.index.as_mut().filter(|index| index.changed) else {
            return Ok(None);
        };
        let path = namer.index(self.resource);
        store.put(&path, index.to_json()?.into()).await?;
        index.changed = false;
        Ok(self.table.index.replace(path))
    }

    /// Updates the table's state after all received rows were stored.
    pub(super) fn write_manifest_entry(&mut self) {
        if let Some(reached) = &self.reached {
            let state = match &self.floor {
                Some(floor) => reached.not_behind(floor),
                None => reached.clone(),
            };
            self.table.state = Some(state.to_json());
        }
        self.proven = self.written;
        self.waiting = None;
    }

    /// Gives the file of a complete rebuild its final name, and returns the rename to do.
    pub(super) fn settle_file(&mut self) -> Option<(String, String)> {
        let name = self.resource.name;
        let file = self.table.files.iter_mut().find(|file| is_rebuild(&file.path, name))?;
        let (_, ending) = file.path.split_once(".ndjson")?;
        let path = format!("{}.ndjson{ending}", self.resource.name);
        let staged = std::mem::replace(&mut file.path, path.clone());
        file.staged = Some(staged.clone());
        Some((staged, path))
    }

    /// Stores [full](Self::is_full) parts. No manifest names them yet.
    pub(super) async fn store_full(&mut self, store: &Store, namer: &mut Namer) -> Result<()> {
        match &mut self.rows {
            Rows::Columns(parts) => {
                let full = parts.take_full();
                self.store_parts(full, store, namer).await
            }
            Rows::Lines(_) => self.append(store, namer),
        }
    }

    /// Stores all received rows durably. They become visible when the manifest names them. Returns the
    /// path of a file that is not needed after that.
    pub(super) async fn store(
        &mut self,
        store: &Store,
        namer: &mut Namer,
    ) -> Result<Option<String>> {
        self.store_all(store, namer).await?;
        self.store_index(store, namer).await
    }

    async fn store_all(&mut self, store: &Store, namer: &mut Namer) -> Result<()> {
        let feed = match &mut self.rows {
            Rows::Columns(parts) => {
                let parts = parts.close()?;
                return self.store_parts(parts, store, namer).await;
            }
            Rows::Lines(feed) => feed,
        };
        if !store.supports_append() {
            let Some((bytes, rows)) = feed.lines.take()? else {
                return Ok(());
            };
            let path = namer.part(self.resource, &feed.ending);
            let part = Encoded { bytes: bytes.into(), rows };
            return self.store_part(path, part, store).await;
        }
        if !feed.lines.is_empty() {
            self.append(store, namer)?;
        }
        if let Some(file) = self.table.files.last().filter(|_| self.unsynced) {
            store.sync(&file.path)?;
        }
        self.unsynced = false;
        Ok(())
    }

    /// Appends the buffered lines to the resource's file.
    fn append(&mut self, store: &Store, namer: &Namer) -> Result<()> {
        let Rows::Lines(feed) = &mut self.rows else {
            return Ok(());
        };
        if self.table.files.is_empty() {
            let path = if self.rebuild {
                namer.rebuild(self.resource, &feed.ending)
            } else {
                format!("{}.{}", self.resource.name, feed.ending)
            };
            self.table.files.push(File { path, bytes: 0, rows: 0, staged: None });
        }
        let Some(file) = self.table.files.last_mut() else {
            return Ok(());
        };
        let before = file.bytes;
        file.rows += feed.lines.drain(|bytes| {
            store.append(&file.path, before, bytes)?;
            file.bytes += bytes.len() as u64;
            Ok(())
        })?;
        self.unsynced = true;
        self.written.files = 1;
        self.written.bytes += file.bytes - before;
        Ok(())
    }

    async fn store_parts(
        &mut self,
        parts: Vec<Encoded>,
        store: &Store,
        namer: &mut Namer,
    ) -> Result<()> {
        for part in parts {
            let path = namer.part(self.resource, "parquet");
            self.store_part(path, part, store).await?;
        }
        Ok(())
    }

    async fn store_part(&mut self, path: String, part: Encoded, store: &Store) -> Result<()> {
        let bytes = part.bytes.len() as u64;
        store.put(&path, part.bytes).await?;
        self.table.files.push(File { path, bytes, rows: part.rows, staged: None });
        self.written.files += 1;
        self.written.bytes += bytes;
        Ok(())
    }
}

impl Feed {
    fn push(&mut self, json: &[u8]) -> Result<()> {
        let Some(names) = &self.names else {
            return self.lines.push(json);
        };
        let text = std::str::from_utf8(json).expect("a record is a slice of a page that was UTF-8");
        self.lines.push(&names.apply(text)?)
    }
}

/// Generates names for the files of a run.
#[derive(Debug)]
pub(super) struct Namer {
    pub(super) run: String,
    next: u64,
}

impl Namer {
    pub(super) fn new(run: String) -> Self {
        Self { run, next: 1 }
    }

    fn part(&mut self, resource: &Resource, ending: &str) -> String {
        let number = self.number();
        format!("{}/part-{}-{number:05}.{ending}", resource.name, self.run)
    }

    pub(super) fn index(&mut self, resource: &Resource) -> String {
        let number = self.number();
        format!("{INDEXES}/{}-{}-{number:05}.json", resource.name, self.run)
    }

    fn rebuild(&self, resource: &Resource, ending: &str) -> String {
        format!("{}.rebuild-{}.{ending}", resource.name, self.run)
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}
