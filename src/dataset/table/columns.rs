//! Converts records to typed columns, and keeps values that do not fit a column.

use super::cells::{Cells, ScalarText, instant, instants_array};
use super::column::Column;
use super::misfits::{LeftOver, TypeMismatches};
use super::order::Order;
use super::plan::Plan;
use crate::model::{
    Custom, Definition, Error, Json, Key, Keys, Kind, Names, Resource, Result, Time, is_true, pairs,
};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take_record_batch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

/// The time at which the row was read: `Timestamp(us, UTC)`, never null.
pub const SYNCED_AT: &str = "_synced_at";
/// Whether the row is deleted: a tombstone, or a row with `is_deleted` or the status `deleted`. It is
/// never null.
pub const DELETED: &str = "_deleted";
/// The values that the typed columns do not represent: a JSON object with the API's keys, or null.
pub const EXTRA: &str = "_extra";

/// Converts records of one resource to the columns of a table.
///
/// The columns are those of the resource, the account's custom fields with the labels of their options,
/// and [`SYNCED_AT`], [`DELETED`] and [`EXTRA`]. All columns except `_synced_at` and `_deleted` may be
/// null, including keys: a row without a key is kept. The names must be made by [`Names::pinned`],
/// because the names of the wire formats may collide with the resource's columns.
///
/// **Nothing is lost.** A value fits its column if the column represents the same value: whole numbers
/// of 64 bits, decimal numbers that a double prints identically, valid dates, instants in any notation
/// down to microseconds, and text. Ids of options are text. If the shape is open, the column holds the
/// raw JSON. A value of another type is converted if the result is equivalent. A value that does not fit
/// completely, or was converted, is stored in [`EXTRA`] under its key with its own bytes, without line
/// breaks between tokens. The same applies to every unknown key. The column keeps the part that fits. A
/// record therefore equals its columns, overridden by `_extra`, where custom fields of v2 are under
/// `custom_fields`. Null, a missing key and an empty `custom_fields` are equivalent.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the columns of a table are its columns")]
pub struct Columns {
    resource: &'static Resource,
    schema: SchemaRef,
    /// The top-level keys, by index in `columns`. If custom fields are nested, the last one is
    /// `custom_fields`.
    keys: Keys,
    /// The keys of nested custom fields, whose columns begin at `nested`.
    hashes: Keys,
    nested: Option<usize>,
    is_deleted: Option<usize>,
    /// The column `status`, which marks deleted projects.
    status: Option<usize>,
    columns: Vec<Column>,
    synced: Vec<i64>,
    deleted: BooleanBufferBuilder,
    extra: Cells,
    /// The bytes of JSON in the rows.
    json: usize,
    row: Row,
    misfits: TypeMismatches,
    mapping: Value,
}

/// The state of the row that is being read.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent findings about one row")]
struct Row {
    deleted: bool,
    /// Whether the row's status is `deleted`.
    stated: bool,
    tombstone: bool,
    /// Whether `_extra` must contain a value.
    odd: bool,
    /// Whether `_extra` must contain all of `custom_fields`.
    odd_custom: bool,
    seen_custom: bool,
    /// The columns that do not represent their values completely.
    unfit: Vec<usize>,
}

impl Columns {
    /// Creates the columns of a resource in an account with these field definitions.
    ///
    /// `names` determines the names of custom fields, and adds a column of labels for fields with
    /// options. Without `names` the columns have the keys of the API, and there are no labels.
    pub fn of(
        resource: &'static Resource,
        definitions: &[Definition],
        names: Option<&Names>,
    ) -> Self {
        let plan = Plan::of(resource, definitions, names);
        let mut fields: Vec<Field> = plan.columns.iter().flat_map(Column::fields).collect();
        fields.push(Field::new(SYNCED_AT, instant(), false));
        fields.push(Field::new(DELETED, DataType::Boolean, false));
        fields.push(Field::new(EXTRA, DataType::Utf8, true));
        let nested = (resource.custom == Custom::Nested).then_some(plan.top.len());
        let top = plan.top.iter().map(String::as_str);
        let keys = Keys::new(top.chain(nested.map(|_| "custom_fields")));
        Self {
            resource,
            schema: Arc::new(Schema::new(fields)),
            is_deleted: keys.place("is_deleted"),
            status: keys.place("status"),
            keys,
            hashes: Keys::new(plan.hashes.iter().map(String::as_str)),
            nested,
            columns: plan.columns,
            synced: Vec::new(),
            deleted: BooleanBufferBuilder::new(0),
            extra: Cells::texts(),
            json: 0,
            row: Row::default(),
            misfits: TypeMismatches::default(),
            mapping: Value::Array(plan.mapping),
        }
    }

    /// Returns the Arrow schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Returns the resource.
    pub const fn resource(&self) -> &'static Resource {
        self.resource
    }

    /// Adds a record: a JSON object from the API, or a tombstone, which is a key with `"_deleted":true`.
    ///
    /// After an error nothing was added. The error has the kind [`Kind::Shape`] if the text is not a
    /// JSON object.
    pub fn push(&mut self, json: &[u8], synced: Time) -> Result<()> {
        let text = simdutf8::basic::from_utf8(json)
            .map_err(|error| Error::new(Kind::Shape, "record is not UTF-8").because(error))?;
        let rows = self.rows();
        let extra = match self.fill(text) {
            Ok(extra) => extra,
            Err(error) => {
                self.columns.iter_mut().for_each(|column| column.truncate(rows));
                return Err(error);
            }
        };
        if let Some(extra) = extra {
            self.extra.put_text(rows, &extra);
        }
        self.synced.push(synced.micros());
        self.deleted.append(self.row.deleted || self.row.stated || self.row.tombstone);
        self.json += json.len();
        Ok(())
    }

    /// Returns the number of rows since the last batch.
    pub fn rows(&self) -> usize {
        self.synced.len()
    }

    /// Returns the bytes of JSON since the last batch.
    pub const fn json_bytes(&self) -> usize {
        self.json
    }

    /// Returns the approximate memory of the rows in bytes.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(Column::bytes);
        columns.sum::<usize>() + self.extra.bytes() + 9 * self.synced.capacity()
    }

    /// Returns the rows since the last batch, sorted by the resource's key: numbers by value, text by
    /// bytes, and missing keys first. Rows with the same key keep their order.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        let rows = self.rows();
        for column in &mut self.columns {
            column.finish(rows, &mut arrays);
        }
        arrays.push(Arc::new(instants_array(mem::take(&mut self.synced), None)));
        arrays.push(Arc::new(BooleanArray::new(self.deleted.finish(), None)));
        arrays.push(self.extra.finish(rows));
        self.json = 0;
        let bug = |error| Error::new(Kind::Bug, "columns make no batch").because(error);
        let batch = RecordBatch::try_new(self.schema(), arrays).map_err(bug)?;
        match Order::of(&batch, self.resource.key).permutation(batch.num_rows()) {
            Some(places) => take_record_batch(&batch, &places).map_err(bug),
            None => Ok(batch),
        }
    }

    /// Returns the number of values that the columns do not represent, by field, including unknown keys.
    /// Custom fields of v2 are named `custom_fields.<hash>`. Tombstones are not counted.
    pub const fn misfits(&self) -> &BTreeMap<String, u64> {
        self.misfits.by_field()
    }

    /// Returns a list with the `column`, `hash`, `name` and `type` of each custom field. An entry also
    /// has `options`, the `label_column`, and under `parts` the columns of companions, if there are any.
    pub const fn mapping(&self) -> &Value {
        &self.mapping
    }

    /// Fills the next row. Returns the content of `_extra`.
    fn fill(&mut self, text: &str) -> Result<Option<String>> {
        self.keys.begin();
        self.row = Row::default();
        let mut json = Json::new(text);
        let mut more = json.open(b'{')?;
        while more {
            self.take(&mut json)?;
            more = json.more(b'{')?;
        }
        json.end()?;
        if self.row.odd { self.left_over(text) } else { Ok(None) }
    }

    /// Reads a pair of the record.
    fn take(&mut self, json: &mut Json<'_>) -> Result<()> {
        match self.keys.next(json)? {
            Key::Known(place) if self.nested == Some(place) => self.take_custom(json, place),
            Key::Known(place) => {
                let raw = json.value()?;
                self.put(place, raw);
                if self.is_deleted == Some(place) {
                    self.row.deleted = is_true(raw);
                } else if self.status == Some(place) {
                    self.row.stated = raw == "\"deleted\"";
                }
                Ok(())
            }
            Key::Unknown(key) => {
                let raw = json.value()?;
                self.row.odd |= raw != "null";
                match &*key {
                    "is_deleted" => self.row.deleted = is_true(raw),
                    DELETED => self.row.tombstone = raw == "true",
                    _ => {}
                }
                Ok(())
            }
        }
    }

    fn take_custom(&mut self, json: &mut Json<'_>, first: usize) -> Result<()> {
        if mem::replace(&mut self.row.seen_custom, true) {
            self.forget_custom(first);
        }
        if json.peek() != b'{' {
            if json.value()? != "null" {
                self.forget_custom(first);
            }
            return Ok(());
        }
        self.hashes.begin();
        let mut more = json.open(b'{')?;
        while more {
            let key = self.hashes.next(json)?;
            let raw = json.value()?;
            match key {
                Key::Known(place) => self.put(first + place, raw),
                Key::Unknown(_) => self.row.odd |= raw != "null",
            }
            more = json.more(b'{')?;
        }
        Ok(())
    }

    /// Removes the row's custom fields from their columns. All of them are stored in `_extra`.
    fn forget_custom(&mut self, first: usize) {
        let rows = self.rows();
        for column in &mut self.columns[first..] {
            column.truncate(rows);
        }
        self.row.odd = true;
        self.row.odd_custom = true;
    }

    fn put(&mut self, place: usize, raw: &str) {
        let rows = self.synced.len();
        let column = &mut self.columns[place];
        let fitted = column.said == ScalarText::Whole;
        // The last value of a repeated key counts, as in JSON readers. `_extra` contains all of them.
        let again = column.len() > rows;
        if again {
            column.truncate(rows);
            column.said = ScalarText::Less;
        }
        if raw != "null" {
            column.said = column.said.max(column.put(rows, raw));
        }
        if fitted && column.said != ScalarText::Whole {
            self.row.odd = true;
            self.row.unfit.push(place);
        }
    }

    /// Reads the row again to collect the content of `_extra`.
    fn left_over(&mut self, text: &str) -> Result<Option<String>> {
        let Self { keys, hashes, nested, columns, row, misfits, .. } = self;
        let mut count = |path: &str, key: &str| {
            if !row.tombstone {
                misfits.count(&[path, key].concat());
            }
        };
        let mut extra = LeftOver::default();
        let mut inner = Ok(());
        pairs(text, |key, raw| match keys.place(&key) {
            Some(place) if *nested == Some(place) && !row.odd_custom => {
                if raw == "null" {
                    return;
                }
                let mut custom = LeftOver::default();
                inner = pairs(raw, |hash, raw| {
                    let said = hashes.place(&hash).map(|field| columns[place + field].said);
                    let fits = said.map(|said| said == ScalarText::Whole);
                    if custom.keep(&hash, raw, fits) && said != Some(ScalarText::Converted) {
                        count("custom_fields.", &hash);
                    }
                });
                if let Some(custom) = custom.finish() {
                    extra.keep(&key, &custom, Some(false));
                }
            }
            known => {
                let said = known.map(|place| match *nested {
                    Some(custom) if custom == place => ScalarText::Less,
                    _ => columns[place].said,
                });
                let fits = said.map(|said| said == ScalarText::Whole);
                if extra.keep(&key, raw, fits) && said != Some(ScalarText::Converted) {
                    count("", &key);
                }
            }
        })?;
        inner?;
        for place in row.unfit.drain(..) {
            columns[place].said = ScalarText::Whole;
        }
        Ok(extra.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::work;
    use arrow_array::cast::AsArray as _;

    const NOW: Time = Time::from_seconds(1_795_000_000);

    fn deals() -> Columns {
        Columns::of(Resource::named("deals").expect("there are deals"), &[], None)
    }

    #[test]
    fn the_work_grows_with_the_records() {
        for (name, rows) in work::ODD_ROWS {
            work::grows_with_its_input(name, 1_000, |times| {
                let mut columns = deals();
                // `Page` splits rows one after the other.
                let rows = format!("[{}]", rows(times));
                crate::model::items(&rows, |row| {
                    // Unpaired surrogates were replaced before.
                    columns.push(row.as_bytes(), NOW).expect("it is an object");
                })
                .expect("they are rows");
                columns.finish().expect("columns are of one length");
            });
        }
    }

    #[test]
    fn numbers_that_no_double_holds_stand_aside_as_they_are() {
        let digits = "7".repeat(5_000);
        for number in ["1e999", "-1E400", digits.as_str()] {
            let mut columns = deals();
            let row = format!("{{\"id\":{number},\"value\":{number},\"new\":[{number}]}}");
            columns.push(row.as_bytes(), NOW).expect("it is an object");
            let batch = columns.finish().expect("columns are of one length");
            let extra = batch.column_by_name(EXTRA).expect("it is there").as_string::<i32>();
            assert_eq!(extra.value(0), row);
        }
    }
}
