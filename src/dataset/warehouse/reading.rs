//! Reads the rows of a warehouse's files.

use super::super::current::Found;
use super::super::store::Store;
use super::super::table::{DELETED, EXTRA};
use super::layout::Compression;
use super::manifest::File;
use super::ndjson;
use crate::model::{Error, Kind, Result};
use arrow_schema::Field;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;
use std::io::{BufRead as _, BufReader, Read};

/// Passes on the lines in the committed part of a file.
pub(super) async fn lines(
    store: &Store,
    compression: Compression,
    file: &File,
    take: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let path = path(store, file).await?;
    let place = || store.place().name_of(&path);
    if store.supports_append() {
        let opened = store.reading(&path)?.take(file.bytes);
        return each_line(opened, compression, take).map_err(|error| error.at(place()));
    }
    let bytes = whole(store, &path).await?;
    each_line(&bytes[..], compression, take).map_err(|error| error.at(place()))
}

fn each_line(
    bytes: impl Read,
    compression: Compression,
    take: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut reader = BufReader::new(ndjson::reader(compression, bytes)?);
    let mut line = String::new();
    loop {
        line.clear();
        let read = reader
            .read_line(&mut line)
            .map_err(|error| Error::new(Kind::Data, "rows cannot be read back").because(error))?;
        if read == 0 {
            return Ok(());
        }
        take(&line)?;
    }
}

/// Passes on the rows of a Parquet file. With `key` it reads only the columns of the key and those that
/// mark a row as deleted.
pub(super) async fn batches(
    store: &Store,
    file: &File,
    key: Option<&[&str]>,
    take: &mut dyn FnMut(Found) -> Result<()>,
) -> Result<()> {
    let path = path(store, file).await?;
    let place = || store.place().name_of(&path);
    if store.supports_append() {
        let opened = store.reading(&path)?;
        return each_batch(opened, key, &place, take);
    }
    each_batch(whole(store, &path).await?, key, &place, take)
}

fn each_batch(
    file: impl ChunkReader + 'static,
    key: Option<&[&str]>,
    place: &dyn Fn() -> String,
    take: &mut dyn FnMut(Found) -> Result<()>,
) -> Result<()> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::new(Kind::Data, format!("cannot be read back ({error})")).at(place())
    };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| damaged(&e))?;
    let fields = builder.schema().fields().iter().map(|field| Field::clone(field)).collect();
    let extra = !is_empty(builder.metadata(), EXTRA);
    take(Found::Columns { fields, extra })?;
    if let Some(key) = key {
        let columns = key.iter().copied().chain([DELETED]);
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
        builder = builder.with_projection(mask);
    }
    for batch in builder.build().map_err(|error| damaged(&error))? {
        take(Found::Rows(batch.map_err(|error| damaged(&error))?))?;
    }
    Ok(())
}

/// Returns whether the statistics of a file state that a column contains only nulls.
fn is_empty(metadata: &ParquetMetaData, name: &str) -> bool {
    metadata.row_groups().iter().all(|group| {
        let mut columns = group.columns().iter();
        let column = columns.find(|column| column.column_path().string() == name);
        let nulls = column.map(|c| c.statistics().and_then(Statistics::null_count_opt));
        let rows = u64::try_from(group.num_rows()).unwrap_or_default();
        nulls.is_none_or(|nulls| nulls == Some(rows))
    })
}

/// Returns the path of a file. The rename after a commit may not have been done.
async fn path(store: &Store, file: &File) -> Result<String> {
    if let Some(staged) = &file.staged
        && store.list(None).await?.contains_key(staged)
    {
        return Ok(staged.clone());
    }
    Ok(file.path.clone())
}

async fn whole(store: &Store, path: &str) -> Result<bytes::Bytes> {
    store.get(path).await?.ok_or_else(|| {
        Error::new(Kind::Data, "cannot be read back (it is missing)")
            .at(store.place().name_of(path))
    })
}
