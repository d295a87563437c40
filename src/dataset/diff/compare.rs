//! Two backups held against each other, change by change.

use super::computed::is_computed;
use super::fields::{Compare, FieldChange, one_line};
use super::index::{Entry, Found, Index, key};
use super::naming::Naming;
use super::schema::{self, SchemaChange};
use crate::dataset::snapshot::{Parts, Rows, Snapshot};
use crate::model::{Error, Kind, Resource, Result};
use serde::Serialize;
use std::collections::VecDeque;

/// How two backups are to be compared.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What to compare; everything both have, if `None`.
    pub resources: Option<Vec<&'static Resource>>,
    /// Whether custom fields keep their hashes, and options their ids.
    pub raw: bool,
    /// Whether fields that Pipedrive counts or stamps by itself count.
    pub all_fields: bool,
    /// Fields that do not count: `title`, `deals.title`, a custom field's name or hash, or the
    /// beginning of a path.
    pub ignore: Vec<String>,
}

/// A row that differs.
#[derive(Debug, Clone)]
pub struct Change {
    /// What it is a row of: the file stem of a resource, or the array of a bundle.
    pub resource: &'static str,
    /// Its key.
    pub key: String,
    /// How it differs.
    pub what: What,
}

/// How a row differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Only the newer backup has it: its JSON on one line.
    Added(String),
    /// Only the older one has it.
    Removed(String),
    /// Both have it, with other values.
    Modified(Vec<FieldChange>),
}

/// How many rows differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that only the newer backup has.
    pub added: u64,
    /// Rows that only the older one has.
    pub removed: u64,
    /// Rows that both have, with other values.
    pub modified: u64,
    /// Values that differ in those.
    #[serde(rename = "fieldsChanged")]
    pub fields: u64,
    /// Rows of which nothing differs but what Pipedrive counts or stamps by itself.
    pub folded: u64,
}

impl Counts {
    /// Counts a change.
    pub(crate) fn take(&mut self, what: &What) {
        match what {
            What::Added(_) => self.added += 1,
            What::Removed(_) => self.removed += 1,
            What::Modified(fields) => {
                self.modified += 1;
                self.fields += fields.len() as u64;
            }
        }
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |total, counts| Self {
            added: total.added + counts.added,
            removed: total.removed + counts.removed,
            modified: total.modified + counts.modified,
            fields: total.fields + counts.fields,
            folded: total.folded + counts.folded,
        })
    }
}

/// A resource that only one of the backups has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its file stem.
    pub resource: &'static str,
    /// `A` for the older one, `B` for the newer.
    #[serde(rename = "presentIn")]
    pub present: &'static str,
}

/// Two backups that are being compared. Rows are matched by key; a row with the same bytes on both
/// sides costs a hash of them and no more.
///
/// Memory: 32 bytes for each row of the older side of the resource at hand.
pub struct Diff<'s> {
    old: &'s Snapshot,
    new: &'s Snapshot,
    options: Options,
    /// Resources still to be compared.
    rest: VecDeque<&'static Resource>,
    current: Option<Current<'s>>,
    schema: Vec<SchemaChange>,
    skipped: Vec<Skipped>,
    counts: Vec<(&'static Resource, Counts)>,
}

/// The resource at hand.
struct Current<'s> {
    resource: &'static Resource,
    naming: Naming,
    /// Where the older rows lie; none once the newer ones have been passed.
    index: Option<Index>,
    rows: Rows,
    parts: Parts<'s>,
    /// Rows that only the older side has.
    removed: VecDeque<Entry>,
}

/// What came of the next row.
enum Step {
    Changed(Change),
    Folded,
    Nothing,
    End,
}

impl<'s> Diff<'s> {
    /// Begins to compare: reads what the set-up of the account says on both sides.
    pub async fn open(old: &'s Snapshot, new: &'s Snapshot, options: Options) -> Result<Self> {
        let wanted = |resource: &Resource| {
            let listed = options.resources.as_ref();
            listed.is_none_or(|listed| listed.iter().any(|one| one.name == resource.name))
        };
        let schema = schema::changes(old, new, wanted).await?;
        let records = || Resource::all().filter(|r| wanted(r) && !schema::is_dictionary(r));
        let mut rest: Vec<_> =
            records().filter(|r| old.holds(r.file) && new.holds(r.file)).collect();
        rest.sort_by_key(|resource| resource.file);
        let mut skipped: Vec<_> = records()
            .filter_map(|resource| {
                let present = match (old.holds(resource.file), new.holds(resource.file)) {
                    (true, false) => "A",
                    (false, true) => "B",
                    _ => return None,
                };
                Some(Skipped { resource: resource.file, present })
            })
            .collect();
        skipped.sort_by_key(|skipped| skipped.resource);
        let (rest, counts) = (rest.into(), Vec::new());
        Ok(Self { old, new, options, rest, current: None, schema, skipped, counts })
    }

    /// Changes of the set-up.
    pub fn schema(&self) -> &[SchemaChange] {
        &self.schema
    }

    /// Resources that only one of the backups has.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What was counted so far, by resource.
    pub fn counts(&self) -> &[(&'static Resource, Counts)] {
        &self.counts
    }

    /// What was counted so far, all together.
    pub fn total(&self) -> Counts {
        self.counts.iter().map(|(_, counts)| *counts).sum()
    }

    /// The next change: by file stem, in the order of the newer file, removed rows last. `None` when
    /// all is compared. A damaged file is a [`Kind::Data`] error, never a missing one.
    pub async fn next(&mut self) -> Result<Option<Change>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(resource) = self.rest.pop_front() else {
                    return Ok(None);
                };
                self.current = Some(self.begin(resource).await?);
                self.counts.push((resource, Counts::default()));
                continue;
            };
            let step = current.step(&self.options).await?;
            let Some((_, counts)) = self.counts.last_mut() else { continue };
            match step {
                Step::Nothing => {}
                Step::Folded => counts.folded += 1,
                Step::End => self.current = None,
                Step::Changed(change) => {
                    counts.take(&change.what);
                    return Ok(Some(change));
                }
            }
        }
    }

    async fn begin(&self, resource: &'static Resource) -> Result<Current<'s>> {
        let naming = if self.options.raw {
            Naming::default()
        } else {
            Naming::read(resource, self.old, self.new).await?
        };
        Ok(Current {
            resource,
            naming,
            index: Some(Index::of(self.old, resource).await?),
            rows: self.new.rows(resource.file, false).await?,
            parts: self.old.parts(resource.file)?,
            removed: VecDeque::new(),
        })
    }
}

impl Current<'_> {
    async fn step(&mut self, options: &Options) -> Result<Step> {
        let Some(index) = &mut self.index else {
            return self.removed().await;
        };
        let Some(row) = self.rows.next().await? else {
            self.removed = self.index.take().map(|index| index.unseen().into()).unwrap_or_default();
            return Ok(Step::Nothing);
        };
        let key = key(self.resource, row.json);
        let entry = match index.find(&key, row.json) {
            Found::Unchanged | Found::Again => return Ok(Step::Nothing),
            Found::Added => {
                let what = What::Added(one_line(row.json));
                return Ok(Step::Changed(Change { resource: self.resource.file, key, what }));
            }
            Found::Other(entry) => entry,
        };
        let old = read(&mut self.parts, entry).await?;
        let all = Compare::new(&self.naming).rows(&old, row.json);
        let differs = !all.is_empty();
        let fields: Vec<_> =
            all.into_iter().filter(|field| counts(self.resource, field, options)).collect();
        if fields.is_empty() {
            return Ok(if differs { Step::Folded } else { Step::Nothing });
        }
        Ok(Step::Changed(Change {
            resource: self.resource.file,
            key,
            what: What::Modified(fields),
        }))
    }

    async fn removed(&mut self) -> Result<Step> {
        let Some(entry) = self.removed.pop_front() else {
            return Ok(Step::End);
        };
        let row = read(&mut self.parts, entry).await?;
        let key = key(self.resource, &row);
        let what = What::Removed(one_line(&row));
        Ok(Step::Changed(Change { resource: self.resource.file, key, what }))
    }
}

async fn read(parts: &mut Parts<'_>, entry: Entry) -> Result<String> {
    let bytes = parts.at(entry.offset, entry.length as usize).await?;
    String::from_utf8(bytes.into())
        .map_err(|error| Error::new(Kind::Data, "file changed while it was read").because(error))
}

/// Whether a difference counts.
fn counts(resource: &Resource, field: &FieldChange, options: &Options) -> bool {
    let column = field.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let computed = !options.all_fields && is_computed(resource.name, column);
    !computed && !is_ignored(&[resource.file, resource.name], field, &options.ignore)
}

/// Whether a field is one of those that do not matter, of a resource that goes by these names.
pub(crate) fn is_ignored(names: &[&str], field: &FieldChange, ignore: &[String]) -> bool {
    let dotted = field.path.trim_start_matches('/').replace('/', ".");
    ignore.iter().any(|ignored| {
        let ignored = match ignored.split_once('.') {
            Some((name, rest)) if names.contains(&name) => rest,
            _ => ignored,
        };
        let short = |label: &str| label.strip_prefix("custom_fields.").map(str::to_owned);
        [Some(field.label.clone()), Some(dotted.clone()), short(&field.label), short(&dotted)]
            .into_iter()
            .flatten()
            .any(|name| {
                let rest = name.strip_prefix(ignored);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
    })
}

/// What differs between two rows that nobody described: by their own keys.
pub(crate) fn plain(old: &str, new: &str) -> Vec<FieldChange> {
    Compare::new(&Naming::default()).rows(old, new)
}
