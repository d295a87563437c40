//! Encodes columns as Parquet parts in memory.

use super::columns::Columns;
use super::order::{Order, Value};
use crate::model::{Error, Kind, Result, Time};
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use bytes::Bytes;
use std::collections::HashSet;
use std::mem;

/// The number of rows at which a row group ends.
pub const ROW_GROUP_ROWS: usize = 20_000;

/// The bytes of JSON at which a row group ends.
pub const ROW_GROUP_JSON_BYTES: usize = 32 << 20;

/// Most cells of a row group: where an account has very many fields, most of them empty, they take more
/// memory than the rows' JSON.
const ROW_GROUP_CELLS_MAX: usize = 32 << 20;

/// Encoded bytes at which a part ends, after the row group that reaches them.
pub const PART_BYTES_MAX: usize = 16 << 20;

/// A metadata entry that tells Spark 3 which calendar the dates and times use. It is the calendar that
/// Parquet prescribes. Without the entry, Spark 3 refuses a file with a date before 1582-10-15 or a time
/// before 1900, because Spark 2 could have written it
/// (`INCONSISTENT_BEHAVIOR_CROSS_VERSION.READ_ANCIENT_DATETIME`). With a writer version of at least 3.0
/// it reads the values unchanged (Spark's `DataSourceUtils.datetimeRebaseSpec`). Other readers ignore
/// the entry.
const SPARK_VERSION: (&str, &str) = ("org.apache.spark.version", "3.1.0");

/// A finished Parquet file.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The bytes of the file.
    pub bytes: Bytes,
    /// The number of rows.
    pub rows: u64,
}

/// Writes the Parquet parts of one resource.
///
/// Within a part the rows ascend by the resource's key (see [`Columns::finish`]). If the next rows begin
/// below the last key, a new part begins. Parts are compressed with zstd, have statistics per row group,
/// and use a dictionary for columns whose values repeat.
#[derive(Debug)]
pub struct Parts {
    columns: Columns,
    /// The maximum number of rows of a row group.
    group_rows: usize,
    part: Option<Part>,
    full: Vec<Encoded>,
}

#[derive(Debug)]
struct Part {
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    last: Vec<Value>,
}

impl Parts {
    /// Creates an empty table with these columns.
    pub fn new(columns: Columns) -> Self {
        let cells = ROW_GROUP_CELLS_MAX / columns.schema().fields().len().max(1);
        let group_rows = cells.clamp(1, ROW_GROUP_ROWS);
        Self { columns, group_rows, part: None, full: Vec::new() }
    }

    /// Adds a record; see [`Columns::push`].
    ///
    /// After an error of kind [`Kind::Shape`] the table is unchanged.
    pub fn push(&mut self, json: &[u8], synced: Time) -> Result<()> {
        self.columns.push(json, synced)?;
        if self.columns.rows() >= self.group_rows
            || self.columns.json_bytes() >= ROW_GROUP_JSON_BYTES
        {
            self.end_group()?;
        }
        Ok(())
    }

    /// Returns whether a part is complete.
    pub const fn has_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// Returns the approximate memory in bytes: rows that are not encoded, and parts that were not
    /// taken.
    pub fn held(&self) -> usize {
        let part = self
            .part
            .as_ref()
            .map_or(0, |part| part.writer.bytes_written() + part.writer.memory_size());
        let full: usize = self.full.iter().map(|part| part.bytes.len()).sum();
        self.columns.bytes() + part + full
    }

    /// Takes the complete parts in order. A part is complete when it is full, or when its last key is
    /// above the next one.
    pub fn take_full(&mut self) -> Vec<Encoded> {
        mem::take(&mut self.full)
    }

    /// Takes all remaining rows as complete parts in order. The table is empty afterwards and accepts
    /// new rows.
    pub fn close(&mut self) -> Result<Vec<Encoded>> {
        self.end_group()?;
        self.end_part()?;
        Ok(self.take_full())
    }

    /// Returns the columns.
    pub const fn columns(&self) -> &Columns {
        &self.columns
    }

    fn end_group(&mut self) -> Result<()> {
        if self.columns.rows() == 0 {
            return Ok(());
        }
        let batch = self.columns.finish()?;
        let order = Order::of(&batch, self.columns.resource().key);
        if self.part.as_ref().is_some_and(|part| order.key(0) < part.last) {
            self.end_part()?;
        }
        let part = match &mut self.part {
            Some(part) => part,
            none => none.insert(Part::begin(&batch)?),
        };
        part.writer.write(&batch).and_then(|()| part.writer.flush()).map_err(bug)?;
        part.rows += batch.num_rows() as u64;
        part.last = order.key(batch.num_rows() - 1);
        if part.writer.bytes_written() >= PART_BYTES_MAX { self.end_part() } else { Ok(()) }
    }

    fn end_part(&mut self) -> Result<()> {
        if let Some(part) = self.part.take() {
            let bytes = part.writer.into_inner().map_err(bug)?.into();
            self.full.push(Encoded { bytes, rows: part.rows });
        }
        Ok(())
    }
}

impl Part {
    /// Starts a part. The first rows determine which columns use a dictionary.
    fn begin(first: &RecordBatch) -> Result<Self> {
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("source-pipedrive ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(bug)?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_write_batch_size(ROW_GROUP_ROWS)
            .set_dictionary_enabled(false)
            .set_key_value_metadata(Some(vec![KeyValue::new(
                SPARK_VERSION.0.to_owned(),
                SPARK_VERSION.1.to_owned(),
            )]));
        for (field, array) in first.schema().fields().iter().zip(first.columns()) {
            let mut repeating = Vec::new();
            leaves(vec![field.name().clone()], array, &mut repeating);
            for path in repeating {
                properties = properties.set_column_dictionary_enabled(ColumnPath::new(path), true);
            }
        }
        // Without a copy of the Arrow schema, readers use only the Parquet types, which all of them
        // interpret in the same way. In these types `+00:00` means UTC.
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), first.schema(), options);
        Ok(Self { writer: writer.map_err(bug)?, rows: 0, last: Vec::new() })
    }
}

/// Adds the paths of the leaf columns whose values repeat.
fn leaves(path: Vec<String>, array: &ArrayRef, repeating: &mut Vec<Vec<String>>) {
    let below = |name: &str| [path.as_slice(), &[name.to_owned()]].concat();
    match array.data_type() {
        DataType::List(_) => {
            leaves(
                [below("list"), vec!["element".to_owned()]].concat(),
                array.as_list::<i32>().values(),
                repeating,
            );
        }
        DataType::Struct(fields) => {
            for (field, part) in fields.iter().zip(array.as_struct().columns()) {
                leaves(below(field.name()), part, repeating);
            }
        }
        _ if repeats(array) => repeating.push(path),
        _ => {}
    }
}

/// The number of values that are examined for repetition.
const SAMPLE: usize = 2_048;

/// Returns whether each value of this column occurs at least three times on average in the first rows.
fn repeats(array: &ArrayRef) -> bool {
    let valid = (0..array.len()).filter(|row| array.is_valid(*row)).take(SAMPLE);
    let (mut values, mut distinct) = (0, 0);
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let mut seen = HashSet::new();
            for row in valid {
                values += 1;
                distinct += usize::from(seen.insert(texts.value(row)));
            }
        }
        DataType::Boolean => return false,
        ty => {
            let word = |row: usize| match ty {
                DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
                DataType::Float64 => {
                    array.as_primitive::<Float64Type>().value(row).to_bits().cast_signed()
                }
                DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
                _ => array.as_primitive::<TimestampMicrosecondType>().value(row),
            };
            let mut seen = HashSet::new();
            for row in valid {
                values += 1;
                distinct += usize::from(seen.insert(word(row)));
            }
        }
    }
    distinct * 3 <= values
}

fn bug(error: ParquetError) -> Error {
    Error::new(Kind::Bug, "rows cannot be encoded as Parquet").because(error)
}
