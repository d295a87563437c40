//! Reads from the rows of a warehouse which keys it holds.

use super::super::store::Store;
use super::layout::{Format, Layout};
use super::manifest::File;
use super::reading;
use crate::model::{Error, Kind, Result, is_true, pairs, usable};
use arrow_array::{Array as _, BooleanArray, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::HashMap;

/// The status of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyStatus {
    /// The row exists in the list of live rows.
    Live,
    /// The row exists in the archive.
    Archived,
    /// The row is deleted, according to itself or to a tombstone.
    Gone,
}

/// The status of the latest row of each key.
pub(super) type Known = HashMap<Box<str>, KeyStatus>;

/// The key column of every resource that is swept.
pub(super) const KEY: &str = "id";
const DELETED: &str = "_deleted";
const ARCHIVED: &str = "is_archived";

/// Returns the keys in the files of one resource. The files are in commit order.
pub(super) async fn known(store: &Store, layout: Layout, files: &[File]) -> Result<Known> {
    let mut known = Known::new();
    for file in files {
        let damaged = |error: &dyn std::fmt::Display| {
            Error::new(Kind::Data, format!("cannot be read back ({error})"))
                .at(store.place().name_of(&file.path))
        };
        if layout.format == Format::Ndjson {
            let mut take = |line: &str| {
                known.extend(standing(line.as_bytes())?);
                Ok(())
            };
            reading::lines(store, layout.compression, file, &mut take).await?;
            continue;
        }
        let bytes = store.get(&file.path).await?.ok_or_else(|| damaged(&"it is missing"))?;
        columns(bytes, &mut known).map_err(|error| damaged(&error))?;
    }
    Ok(known)
}

/// Returns the key and the status of a row. `None` if the row has no key.
pub(super) fn standing(json: &[u8]) -> Result<Option<(Box<str>, KeyStatus)>> {
    let json = std::str::from_utf8(json)
        .map_err(|error| Error::new(Kind::Data, "row is not UTF-8").because(error))?;
    let (mut key, mut gone, mut archived) = (None, false, false);
    pairs(json, |name, value| match &*name {
        KEY if usable(value) => key = Some(Box::from(value.trim_matches('"'))),
        "is_deleted" | DELETED => gone |= is_true(value),
        ARCHIVED => archived = is_true(value),
        _ => {}
    })?;
    Ok(key.map(|key| (key, KeyStatus::of(gone, archived))))
}

impl KeyStatus {
    fn of(gone: bool, archived: bool) -> Self {
        match (gone, archived) {
            (true, _) => Self::Gone,
            (false, true) => Self::Archived,
            (false, false) => Self::Live,
        }
    }
}

fn columns(bytes: Bytes, known: &mut Known) -> parquet::errors::Result<()> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let schema = builder.parquet_schema();
    let mask = ProjectionMask::columns(schema, [KEY, DELETED, ARCHIVED]);
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let (deleted, archived) = (flags(&batch, DELETED), flags(&batch, ARCHIVED));
        let is = |flags: Option<&BooleanArray>, row: usize| {
            flags.is_some_and(|flags| flags.is_valid(row) && flags.value(row))
        };
        let Some(keys) = batch.column_by_name(KEY) else {
            continue;
        };
        let numbers = keys.as_any().downcast_ref::<Int64Array>();
        let texts = keys.as_any().downcast_ref::<StringArray>();
        for row in (0..batch.num_rows()).filter(|row| keys.is_valid(*row)) {
            let key: Box<str> = match (numbers, texts) {
                (Some(numbers), _) => numbers.value(row).to_string().into(),
                (_, Some(texts)) => texts.value(row).into(),
                _ => continue,
            };
            // Rows of one key are stored in the order of arrival, also within a part.
            known.insert(key, KeyStatus::of(is(deleted, row), is(archived, row)));
        }
    }
    Ok(())
}

fn flags<'b>(batch: &'b RecordBatch, name: &str) -> Option<&'b BooleanArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}
