//! Reads the rows of one table in two passes: the first finds the current rows, the second returns them.

use super::super::table::{Columns, DELETED, EXTRA, SYNCED_AT};
use super::cells::{Cell, Lists, cell, labels};
use super::headings::{Heading, Part};
use super::holding::{Held, Holding, Shape};
use super::latest::Latest;
use super::lookups::Lookups;
use crate::model::{Custom, Error, Kind, Resource, Result, Time, pairs, quoted};
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};
use std::collections::BTreeSet;

/// The number of JSON rows that are converted to columns at a time.
const ROWS_AT_A_TIME: usize = 2_000;
/// The number of bytes of JSON that are converted to columns at a time. A single row may be longer.
const BYTES_AT_A_TIME: usize = 8 << 20;

/// A table of a warehouse or backup.
#[derive(Debug)]
pub struct Table<'h> {
    holding: &'h Holding,
    resource: &'static Resource,
    shape: Shape,
    headings: Vec<Heading>,
    latest: Latest,
    keyed: bool,
}

/// An item that reading a table produces.
pub(in crate::dataset) enum Found {
    /// The columns of a file, and whether `_extra` contains a value.
    Columns { fields: Vec<Field>, extra: bool },
    /// The next rows of the file.
    Rows(RecordBatch),
}

impl<'h> Table<'h> {
    pub(super) async fn open(holding: &'h Holding, resource: &'static Resource) -> Result<Self> {
        let shape = Shape::of(holding, resource).await?;
        let latest = Latest::of(resource);
        let headings = Vec::new();
        let mut table = Self { holding, resource, shape, headings, latest, keyed: true };
        let mut columns: Vec<Field> = Vec::new();
        let mut odd = false;
        let mut latest = Latest::of(resource);
        let entries = table
            .pass(true, &mut |found| {
                match found {
                    Found::Columns { fields, extra } => {
                        odd |= extra;
                        for field in fields {
                            join(&mut columns, field);
                        }
                    }
                    Found::Rows(batch) => {
                        let extra = batch.column_by_name(EXTRA);
                        odd |= extra.is_some_and(|extra| extra.null_count() < extra.len());
                        latest.note(&batch);
                    }
                }
                Ok(())
            })
            .await?;
        table.shape.fields.entries.extend(entries.into_iter().map(|mut entry| {
            let hash = entry["hash"].as_str().and_then(|key| table.shape.hashes.get(key));
            if let Some(hash) = hash.cloned() {
                entry["hash"] = hash.into();
            }
            entry
        }));
        // JSON rows carry no read time.
        let timed = table.shape.names.is_none();
        columns.retain(|field| match field.name().as_str() {
            EXTRA => odd,
            SYNCED_AT => timed,
            _ => true,
        });
        // Columns that only later files have are placed before the columns of this program.
        let ours = [SYNCED_AT, DELETED, EXTRA];
        columns.sort_by_key(|field| ours.contains(&field.name().as_str()));
        table.headings = table.shape.fields.headings(&columns);
        table.keyed = latest.all_keyed();
        table.latest = latest;
        Ok(table)
    }

    /// Adds the names of referenced rows. Returns a message about tables with too many names.
    pub fn name_references(&mut self, lookups: &Lookups) -> Option<String> {
        lookups.join(self.resource, &mut self.headings)
    }

    /// Returns the resource.
    pub fn resource(&self) -> &'static Resource {
        self.resource
    }

    /// Returns the columns.
    pub fn headings(&self) -> &[Heading] {
        &self.headings
    }

    /// Returns whether every row has a key.
    pub fn is_keyed(&self) -> bool {
        self.keyed
    }

    /// Returns the number of deleted rows, which are left out.
    pub fn gone(&self) -> u64 {
        self.latest.gone()
    }

    /// Passes on the current rows in the order in which they were written, one cell per heading.
    pub async fn rows(
        mut self,
        lists: Lists,
        take: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        let mut latest = std::mem::replace(&mut self.latest, Latest::of(self.resource));
        latest.again();
        let headings = std::mem::take(&mut self.headings);
        self.pass(false, &mut |found| {
            let Found::Rows(batch) = found else { return Ok(()) };
            let columns: Vec<_> =
                headings.iter().map(|heading| Source::of(heading, &batch)).collect();
            for row in latest.holding(&batch) {
                let cells: Vec<_> = columns.iter().map(|column| column.cell(row, lists)).collect();
                take(&cells)?;
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Reads all rows. With `keys` it reads only the key columns, if that is cheaper. Returns the
    /// description of the custom field columns of JSON rows.
    async fn pass(
        &mut self,
        keys: bool,
        take: &mut dyn FnMut(Found) -> Result<()>,
    ) -> Result<Vec<serde_json::Value>> {
        let Shape { definitions, names, labels, .. } = &self.shape;
        let resource = self.resource;
        let Some(names) = names else {
            let Held::Warehouse(inventory) = &self.holding.0 else {
                return Err(Error::new(Kind::Bug, "a backup has no Parquet"));
            };
            inventory.batches(resource, keys, take).await?;
            return Ok(Vec::new());
        };
        let columns = Columns::of(resource, definitions, Some(names));
        let fields = columns.schema().fields().iter().map(|field| Field::clone(field)).collect();
        take(Found::Columns { fields, extra: false })?;
        let mut typed = Typed { columns, take };
        match &self.holding.0 {
            Held::Warehouse(inventory) => {
                inventory
                    .lines(resource, &mut |line| {
                        if labels.is_empty() {
                            return typed.push(line);
                        }
                        typed.push(&without(line, resource, labels)?)
                    })
                    .await?;
            }
            Held::Backup(snapshot) => {
                let mut rows = snapshot.rows(resource.file, false).await?;
                while let Some(row) = rows.next().await? {
                    typed.push(row.json)?;
                }
            }
        }
        typed.finish()?;
        let mapping = typed.columns.mapping().as_array().cloned();
        Ok(mapping.unwrap_or_default())
    }
}

/// JSON rows that are being converted to columns.
struct Typed<'t> {
    columns: Columns,
    take: &'t mut dyn FnMut(Found) -> Result<()>,
}

impl Typed<'_> {
    fn push(&mut self, json: &str) -> Result<()> {
        let pushed = self.columns.push(json.as_bytes(), Time::EPOCH);
        pushed.map_err(|error| error.of_kind(Kind::Data))?;
        if self.columns.rows() >= ROWS_AT_A_TIME || self.columns.json_bytes() >= BYTES_AT_A_TIME {
            self.finish()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        if self.columns.rows() == 0 {
            return Ok(());
        }
        (self.take)(Found::Rows(self.columns.finish()?))
    }
}

/// The source of a heading's cells in a batch.
struct Source<'b> {
    heading: &'b Heading,
    /// The column, and the member of its objects. `None` if the batch has no such column.
    arrays: Option<(&'b ArrayRef, Option<&'b ArrayRef>)>,
}

impl<'b> Source<'b> {
    fn of(heading: &'b Heading, batch: &'b RecordBatch) -> Self {
        let arrays = batch.column_by_name(&heading.from).and_then(|column| {
            let Part::Member(name) = &heading.part else { return Some((column, None)) };
            Some((column, Some(column.as_struct_opt()?.column_by_name(name)?)))
        });
        Self { heading, arrays }
    }

    fn cell(&self, row: usize, lists: Lists) -> Cell<'b> {
        match (self.arrays, &self.heading.part) {
            (None, _) => Cell::Null,
            (Some((column, _)), _) if column.is_null(row) => Cell::Null,
            (Some((_, Some(member))), _) => cell(member, row, lists),
            (Some((column, None)), Part::Labels(by_id)) => labels(column, row, lists, by_id),
            (Some((column, None)), _) => cell(column, row, lists),
        }
    }
}

/// Adds a column. If another file has it with another type, the column becomes text.
fn join(columns: &mut Vec<Field>, field: Field) {
    match columns.iter_mut().find(|known| known.name() == field.name()) {
        None => columns.push(field),
        Some(known) if known.data_type() != field.data_type() => {
            *known = Field::new(field.name(), DataType::Utf8, true);
        }
        Some(_) => {}
    }
}

/// Returns a row without the keys of labels beside its custom fields.
fn without(line: &str, resource: &Resource, labels: &BTreeSet<String>) -> Result<String> {
    let mut out = String::with_capacity(line.len());
    let mut inner = Ok(());
    pairs(line, |key, value| {
        if resource.custom == Custom::Flat && labels.contains(&*key) {
            return;
        }
        member(&mut out, &key);
        if resource.custom == Custom::Nested && key == "custom_fields" && value.starts_with('{') {
            let mut fields = String::with_capacity(value.len());
            inner = pairs(value, |key, value| {
                if !labels.contains(&*key) {
                    member(&mut fields, &key);
                    fields.push_str(value);
                }
            });
            out.push_str(&ended(fields));
        } else {
            out.push_str(value);
        }
    })?;
    inner.map(|()| ended(out))
}

fn member(out: &mut String, key: &str) {
    out.push(if out.is_empty() { '{' } else { ',' });
    out.push_str(&quoted(key));
    out.push(':');
}

fn ended(mut object: String) -> String {
    object.push_str(if object.is_empty() { "{}" } else { "}" });
    object
}
