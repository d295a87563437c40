//! Compares two backups, change by change.

use super::derived_fields::{is_computed, says_deleted};
use super::field_names::Naming;
use super::fields::{Compare, FieldChange, one_line};
use super::ignore::{Ignore, Meanings};
use super::index::{Entry, Found, Index, key};
use super::mistyped;
use super::onesided::{self, Both, OneSided, Side};
use super::schema::{self, SchemaChange};
use crate::dataset::snapshot::{BackupReader, Parts, Rows};
use crate::model::{Error, Kind, Resource, Result, members, text};
use serde::Serialize;
use std::collections::VecDeque;

/// The options of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The resources to compare. `None` means all resources that both backups have.
    pub resources: Option<Vec<&'static Resource>>,
    /// Whether to show the hashes of custom fields and the ids of options instead of names and labels.
    pub raw: bool,
    /// Whether to compare fields that Pipedrive computes or sets, and to report every row that only one
    /// side can contain.
    pub all_fields: bool,
    /// The fields to leave out.
    pub ignore: Ignore,
}

/// A row that differs.
#[derive(Debug, Clone)]
pub struct Change {
    /// The collection of the row: the file stem of a resource, or the array of a bundle.
    pub resource: &'static str,
    /// The row's key.
    pub key: String,
    /// The name or title of the row in its newest version. `None` if it has neither.
    pub name: Option<String>,
    /// The kind of difference.
    pub what: What,
}

/// The difference of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Only the newer backup has the row. The text is its JSON on one line.
    Added(String),
    /// Only the older backup has the row. The text is its JSON on one line.
    Removed(String),
    /// Both backups have the row, with different values.
    Modified(Vec<FieldChange>),
    /// Both backups have the row, and it is deleted in the newer one. The text is its JSON on one line;
    /// the list holds the other changes.
    Deleted(String, Vec<FieldChange>),
}

/// The numbers of rows that differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that only the newer backup has.
    pub added: u64,
    /// Rows that only the older backup has.
    pub removed: u64,
    /// Rows that both have, with different values.
    pub modified: u64,
    /// Rows that both have and that were deleted in between.
    pub deleted: u64,
    /// Changed values in modified and deleted rows.
    #[serde(rename = "fieldsChanged")]
    pub fields: u64,
    /// Rows in which only values changed that Pipedrive computes or sets.
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
            What::Deleted(_, fields) => {
                self.deleted += 1;
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
            deleted: total.deleted + counts.deleted,
            fields: total.fields + counts.fields,
            folded: total.folded + counts.folded,
        })
    }
}

/// A resource that only one of the backups has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file stem of the resource.
    pub resource: &'static str,
    /// `A` for the older backup, `B` for the newer one.
    #[serde(rename = "presentIn")]
    pub present: &'static str,
}

/// A comparison of two backups. Rows are matched by key. A row with the same bytes on both sides costs
/// only a hash.
///
/// Memory: 32 bytes for each row of the current resource in the older backup.
pub struct Diff<'s> {
    old: &'s BackupReader,
    new: &'s BackupReader,
    options: Options,
    /// The resources that are not compared yet.
    rest: VecDeque<&'static Resource>,
    current: Option<Current<'s>>,
    schema: Vec<SchemaChange>,
    skipped: Vec<Skipped>,
    counts: Vec<(&'static Resource, Counts)>,
    one_sided: onesided::Found,
}

/// The resource that is being compared.
struct Current<'s> {
    resource: &'static Resource,
    naming: Naming,
    ignored: Meanings,
    /// The fields that occur on each side.
    both: Both,
    /// The positions of the older rows. `None` after all newer rows were read.
    index: Option<Index>,
    rows: Rows,
    parts: Parts<'s>,
    /// The rows that only the older side has.
    removed: VecDeque<Entry>,
}

/// The result for the next row.
enum Step {
    Changed(Change),
    Folded,
    Nothing,
    End,
}

impl<'s> Diff<'s> {
    /// Starts a comparison. Reads the field definitions, pipelines and stages of both sides.
    ///
    /// Returns a [`Kind::Usage`] error if a name in `ignore` matches no field.
    pub async fn open(
        old: &'s BackupReader,
        new: &'s BackupReader,
        options: Options,
    ) -> Result<Self> {
        let wanted = |resource: &Resource| {
            let listed = options.resources.as_ref();
            listed.is_none_or(|listed| listed.iter().any(|one| one.name == resource.name))
        };
        let schema = schema::changes(old, new, wanted).await?;
        let records = || Resource::all().filter(|r| wanted(r) && !schema::is_dictionary(r));
        let mut rest: Vec<_> =
            records().filter(|r| old.holds(r.file) && new.holds(r.file)).collect();
        rest.sort_by_key(|resource| resource.file);
        mistyped::refuse(&options.ignore, [old, new], &rest).await?;
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
        let one_sided = onesided::Found::default();
        Ok(Self { old, new, options, rest, current: None, schema, skipped, counts, one_sided })
    }

    /// Returns the changes of field definitions, pipelines and stages.
    pub fn schema(&self) -> &[SchemaChange] {
        &self.schema
    }

    /// Returns the resources that only one of the backups has.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Returns the data found so far that only one of the backups can contain. It is not counted as a
    /// change.
    pub fn one_sided(&self) -> &[OneSided] {
        self.one_sided.all()
    }

    /// Returns the names in `ignore` that matched no field. The result is final after the comparison.
    pub fn unmet(&self) -> Vec<&str> {
        self.options.ignore.unmet()
    }

    /// Returns the counts so far, by resource.
    pub fn counts(&self) -> &[(&'static Resource, Counts)] {
        &self.counts
    }

    /// Returns the sum of all counts so far.
    pub fn total(&self) -> Counts {
        self.counts.iter().map(|(_, counts)| *counts).sum()
    }

    /// Returns the next change: by file stem, in the order of the newer file, with removed rows last.
    /// `None` means the end. A damaged file is a [`Kind::Data`] error and never counts as missing.
    pub async fn next(&mut self) -> Result<Option<Change>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(resource) = self.rest.pop_front() else {
                    return Ok(None);
                };
                self.current = Some(self.open_resource(resource).await?);
                self.counts.push((resource, Counts::default()));
                continue;
            };
            let sides = (self.old, self.new);
            let step = current.step(sides, &mut self.options, &mut self.one_sided).await?;
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

    async fn open_resource(&mut self, resource: &'static Resource) -> Result<Current<'s>> {
        let naming = Naming::read(resource, self.old, self.new, self.options.raw).await?;
        let names = [resource.file, resource.name];
        let ignored = self.options.ignore.of(&names, |name| naming.knows(name));
        Ok(Current {
            resource,
            naming,
            ignored,
            both: Both::default(),
            index: Some(Index::of(self.old, resource).await?),
            rows: self.new.rows(resource.file, false).await?,
            parts: self.old.parts(resource.file)?,
            removed: VecDeque::new(),
        })
    }
}

impl Current<'_> {
    async fn step(
        &mut self,
        sides: (&BackupReader, &BackupReader),
        options: &mut Options,
        one_sided: &mut onesided::Found,
    ) -> Result<Step> {
        let resource = self.resource;
        let Some(index) = &mut self.index else {
            return self.removed(sides.1, options, one_sided).await;
        };
        let Some(row) = self.rows.next().await? else {
            self.removed = self.index.take().map(|index| index.unseen().into()).unwrap_or_default();
            return Ok(Step::Nothing);
        };
        let key = key(resource, row.json);
        let entry = match index.find(&key, row.json) {
            Found::Unchanged | Found::Again => return Ok(Step::Nothing),
            Found::Added => {
                if let Some(how) = unread(sides.0, resource, row.json, options) {
                    one_sided.add(resource, "rows", how, Side::New);
                    return Ok(Step::Nothing);
                }
                let name = called(row.json);
                let what = What::Added(one_line(row.json));
                return Ok(Step::Changed(Change { resource: resource.file, key, name, what }));
            }
            Found::Other(entry) => entry,
        };
        let old = read(&mut self.parts, entry).await?;
        let all = Compare::new(&self.naming).rows(&old, row.json);
        let (mut fields, mut folded, mut deleted) = (Vec::new(), false, false);
        for field in all {
            let column = field.keys.first().map(String::as_str).unwrap_or_default();
            if !options.all_fields && is_computed(resource, column)
                || options.ignore.takes(&self.ignored, &field)
            {
                folded = true;
            } else if says_deleted(resource, &field) {
                deleted = true;
            } else if !options.all_fields
                && let Some(side) = self.both.one_sided(sides, resource, &field).await?
            {
                one_sided.add(resource, "field", &field.label, side);
            } else {
                fields.push(field);
            }
        }
        let what = match (deleted, fields.is_empty()) {
            (true, _) => What::Deleted(one_line(row.json), fields),
            (false, false) => What::Modified(fields),
            (false, true) => return Ok(if folded { Step::Folded } else { Step::Nothing }),
        };
        let name = called(row.json);
        Ok(Step::Changed(Change { resource: resource.file, key, name, what }))
    }

    async fn removed(
        &mut self,
        new: &BackupReader,
        options: &Options,
        one_sided: &mut onesided::Found,
    ) -> Result<Step> {
        let Some(entry) = self.removed.pop_front() else {
            return Ok(Step::End);
        };
        let row = read(&mut self.parts, entry).await?;
        if let Some(how) = unread(new, self.resource, &row, options) {
            one_sided.add(self.resource, "rows", how, Side::Old);
            return Ok(Step::Nothing);
        }
        let key = key(self.resource, &row);
        let (name, what) = (called(&row), What::Removed(one_line(&row)));
        Ok(Step::Changed(Change { resource: self.resource.file, key, name, what }))
    }
}

/// Returns why the program that wrote this side does not read the row. `None` if it reads the row.
fn unread(
    side: &BackupReader,
    resource: &Resource,
    row: &str,
    options: &Options,
) -> Option<&'static str> {
    let lacks = !options.all_fields && side.backup().lacks_rows_of(resource);
    if lacks { onesided::unread(row) } else { None }
}

async fn read(parts: &mut Parts<'_>, entry: Entry) -> Result<String> {
    let bytes = parts.at(entry.offset, entry.length as usize).await?;
    String::from_utf8(bytes.into())
        .map_err(|error| Error::new(Kind::Data, "file changed while it was read").because(error))
}

/// Returns the name of a row: the first non-empty one of the fields that hold names.
pub(crate) fn called(row: &str) -> Option<String> {
    const NAMES: [&str; 8] =
        ["title", "name", "subject", "field_name", "label", "file_name", "email", "public_name"];
    let members = members(row);
    NAMES.iter().find_map(|name| {
        let (_, value) = members.iter().find(|(key, _)| key == name)?;
        text(value).filter(|text| !text.trim().is_empty())
    })
}

/// Returns the differences of two rows without a definition, by their own keys.
pub(crate) fn field_changes(old: &str, new: &str) -> Vec<FieldChange> {
    Compare::new(&Naming::default()).rows(old, new)
}
