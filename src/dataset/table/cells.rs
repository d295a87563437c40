//! Builds one column value by value from raw JSON.

use super::exact;
use super::texts::{Form, Texts};
use crate::model::{Definition, Json, Key, Keys, Result, To, Type, converted, items};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, ListArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{
    BooleanBufferBuilder, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer,
};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use std::mem;
use std::sync::Arc;

/// The values of a column.
///
/// Values are added to rows in ascending order. Skipped rows are null. They cost nothing until a later
/// value is added: most custom fields are null in most records. A value that does not fit becomes null.
/// Of a list or object, the parts that fit are kept.
#[derive(Debug)]
pub(super) struct Cells {
    nulls: NullBufferBuilder,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bool(BooleanBufferBuilder),
    /// Whole numbers. `quoted` means that the API writes them as text.
    Int {
        ints: Vec<i64>,
        quoted: bool,
    },
    Num(Vec<f64>),
    /// Days since 1970-01-01.
    Date(Vec<i32>),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Time(Vec<i64>),
    Text(Texts, Form),
    /// A list. `quoted` means that the API writes whole numbers as one text, separated by commas.
    List {
        ends: Vec<i32>,
        of: Box<Cells>,
        quoted: bool,
    },
    Struct {
        keys: Keys,
        names: Vec<&'static str>,
        parts: Vec<Cells>,
    },
}

/// The extent to which a column represents a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ScalarText {
    /// The value is represented completely, in its own type.
    #[default]
    Whole,
    /// The value is represented completely, in the type of the column.
    Converted,
    /// The value is not represented completely.
    Less,
}

impl Cells {
    /// Creates a column for values of this type.
    pub(super) fn of(ty: Type) -> Self {
        let text = |form| Values::Text(Texts::default(), form);
        Self::new(match ty {
            Type::Bool => Values::Bool(BooleanBufferBuilder::new(0)),
            Type::Int => Values::Int { ints: Vec::new(), quoted: false },
            Type::Num => Values::Num(Vec::new()),
            Type::Text | Type::Clock => text(Form::Text),
            Type::TextOrObject => text(Form::Label),
            Type::Date => Values::Date(Vec::new()),
            Type::Time | Type::Naked => Values::Time(Vec::new()),
            Type::List(of) => {
                Values::List { ends: vec![0], of: Box::new(Self::of(*of)), quoted: false }
            }
            Type::OptionId => text(Form::OptionId),
            Type::Json | Type::Object([]) => text(Form::Json),
            Type::Object(columns) => {
                let names: Vec<_> = columns.iter().map(|column| column.name).collect();
                let parts = columns.iter().map(|column| Self::of(column.ty)).collect();
                Values::Struct { keys: Keys::new(names.iter().copied()), names, parts }
            }
        })
    }

    /// Creates a column for the values of a custom field.
    ///
    /// Flat fields write the selected options as text, `"2"` or `"1,2"`. The column holds whole numbers.
    pub(super) fn of_field(field: &Definition, flat: bool) -> Self {
        let mut cells = Self::of(field.column(flat));
        if !(flat && field.chosen()) {
            return cells;
        }
        match &mut cells.values {
            Values::Int { quoted, .. } | Values::List { quoted, .. } => *quoted = true,
            _ => {}
        }
        cells
    }

    /// Creates a column of texts that this program generates.
    pub(super) fn texts() -> Self {
        Self::of(Type::Text)
    }

    /// Creates a column of lists of texts that this program generates.
    pub(super) fn text_lists() -> Self {
        Self::of(Type::List(&Type::Text))
    }

    fn new(values: Values) -> Self {
        Self { nulls: NullBufferBuilder::new(0), values }
    }

    /// Adds a value of well-formed JSON to a row. Returns how completely the column represents it.
    pub(super) fn put(&mut self, row: usize, raw: &str) -> ScalarText {
        if raw == "null" {
            self.reach(row + 1);
            return ScalarText::Whole;
        }
        self.reach(row);
        let (valid, said) = match &mut self.values {
            Values::Bool(bools) => {
                let (value, said) = read(raw, Some(To::Bool), |raw| match raw {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                });
                bools.append(value.unwrap_or_default());
                (value.is_some(), said)
            }
            Values::Int { ints, quoted } => {
                let plain = if *quoted { exact::quoted(raw).unwrap_or(raw) } else { raw };
                add(ints, read(plain, Some(To::Int), exact::int))
            }
            Values::Num(nums) => add(nums, read(raw, Some(To::Num), exact::num)),
            Values::Date(days) => add(days, read(raw, None, exact::day)),
            Values::Time(instants) => add(instants, read(raw, None, exact::micros)),
            Values::Text(texts, form) => {
                let said = texts.push(raw, *form);
                (said != ScalarText::Less, said)
            }
            Values::List { ends, of, quoted } => {
                let (valid, said) = add_list(of, raw, *quoted);
                ends.push(offset(of.len()));
                (valid, said)
            }
            Values::Struct { keys, parts, .. } => put_struct(row, keys, parts, raw),
        };
        self.nulls.append(valid);
        said
    }

    /// Adds a text to a row of a text column.
    pub(super) fn put_text(&mut self, row: usize, text: &str) {
        self.reach(row);
        if let Values::Text(texts, _) = &mut self.values {
            texts.push_text(text);
            self.nulls.append_non_null();
        }
    }

    /// Adds a list to a row of a column of text lists.
    pub(super) fn put_list<'t>(&mut self, row: usize, list: impl Iterator<Item = Option<&'t str>>) {
        self.reach(row);
        if let Values::List { ends, of, .. } = &mut self.values {
            for text in list {
                match text {
                    Some(text) => of.put_text(of.len(), text),
                    None => of.reach(of.len() + 1),
                }
            }
            ends.push(offset(of.len()));
            self.nulls.append_non_null();
        }
    }

    /// Returns the number of rows up to the last one that was added.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Fills the skipped rows before this one with nulls.
    fn reach(&mut self, row: usize) {
        let missing = row.saturating_sub(self.len());
        if missing == 0 {
            return;
        }
        match &mut self.values {
            Values::Bool(bools) => bools.append_n(missing, false),
            Values::Int { ints: longs, .. } | Values::Time(longs) => longs.resize(row, 0),
            Values::Num(nums) => nums.resize(row, 0.0),
            Values::Date(days) => days.resize(row, 0),
            Values::Text(texts, _) => texts.reach(row),
            Values::List { ends, of, .. } => ends.resize(row + 1, offset(of.len())),
            Values::Struct { .. } => {}
        }
        self.nulls.append_n_nulls(missing);
    }

    /// Removes the values from row `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        self.nulls.truncate(len);
        match &mut self.values {
            Values::Bool(bools) => bools.truncate(len),
            Values::Int { ints: longs, .. } | Values::Time(longs) => longs.truncate(len),
            Values::Num(nums) => nums.truncate(len),
            Values::Date(days) => days.truncate(len),
            Values::Text(texts, _) => texts.truncate(len),
            Values::List { ends, of, .. } => {
                ends.truncate(len + 1);
                of.truncate(usize::try_from(ends[len]).unwrap_or_default());
            }
            Values::Struct { parts, .. } => parts.iter_mut().for_each(|part| part.truncate(len)),
        }
    }

    /// Returns the approximate memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.nulls.allocated_size()
            + match &self.values {
                Values::Bool(bools) => bools.capacity() / 8,
                Values::Int { ints: longs, .. } | Values::Time(longs) => 8 * longs.capacity(),
                Values::Num(nums) => 8 * nums.capacity(),
                Values::Date(days) => 4 * days.capacity(),
                Values::Text(texts, _) => texts.capacity(),
                Values::List { ends, of, .. } => 4 * ends.capacity() + of.bytes(),
                Values::Struct { parts, .. } => parts.iter().map(Self::bytes).sum(),
            }
    }

    /// Returns the Arrow type of the column.
    pub(super) fn ty(&self) -> DataType {
        match &self.values {
            Values::Bool(_) => DataType::Boolean,
            Values::Int { .. } => DataType::Int64,
            Values::Num(_) => DataType::Float64,
            Values::Date(_) => DataType::Date32,
            Values::Time(_) => instant(),
            Values::Text(..) => DataType::Utf8,
            Values::List { of, .. } => DataType::List(element(of)),
            Values::Struct { names, parts, .. } => DataType::Struct(fields(names, parts)),
        }
    }

    /// Returns the values of `rows` rows, and empties the column.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.reach(rows);
        let nulls = self.nulls.finish();
        match &mut self.values {
            Values::Bool(bools) => Arc::new(BooleanArray::new(bools.finish(), nulls)),
            Values::Int { ints, .. } => Arc::new(Int64Array::new(taken(ints).into(), nulls)),
            Values::Num(nums) => Arc::new(Float64Array::new(taken(nums).into(), nulls)),
            Values::Date(days) => Arc::new(Date32Array::new(taken(days).into(), nulls)),
            Values::Time(instants) => Arc::new(instants_array(taken(instants), nulls)),
            Values::Text(texts, _) => Arc::new(texts.finish(nulls)),
            Values::List { ends, of, .. } => {
                let element = element(of);
                let ends = OffsetBuffer::new(ScalarBuffer::from(mem::replace(ends, vec![0])));
                let items = of.finish(of.len());
                Arc::new(ListArray::new(element, ends, items, nulls))
            }
            Values::Struct { names, parts, .. } => {
                let fields = fields(names, parts);
                let arrays = parts.iter_mut().map(|part| part.finish(rows)).collect();
                Arc::new(
                    StructArray::try_new_with_length(fields, arrays, nulls, rows)
                        .expect("all parts are as long as the object's column"),
                )
            }
        }
    }
}

/// Returns the type of instants in UTC. With `+00:00` no reader needs a time zone database.
pub(super) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
}

/// Returns a column of instants in UTC, from microseconds since 1970.
pub(super) fn instants_array(
    micros: Vec<i64>,
    nulls: Option<NullBuffer>,
) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::new(micros.into(), nulls).with_timezone("+00:00")
}

/// Returns the item field of a list. The Parquet format names it `element`, and readers depend on that
/// name.
fn element(of: &Cells) -> Arc<Field> {
    Arc::new(Field::new("element", of.ty(), true))
}

fn fields(names: &[&'static str], parts: &[Cells]) -> Fields {
    names.iter().zip(parts).map(|(name, part)| Field::new(*name, part.ty(), true)).collect()
}

/// Takes the collected values. The new vector has capacity for as many values, because the next batch
/// has a similar size.
pub(super) fn taken<T>(values: &mut Vec<T>) -> Vec<T> {
    let capacity = values.len();
    mem::replace(values, Vec::with_capacity(capacity))
}

/// Reads a value, with a conversion if necessary.
fn read<T>(raw: &str, to: Option<To>, read: impl Fn(&str) -> Option<T>) -> (Option<T>, ScalarText) {
    if let Some(value) = read(raw) {
        return (Some(value), ScalarText::Whole);
    }
    let value = to.and_then(|to| converted(raw, to)).and_then(|same| read(&same));
    let said = if value.is_some() { ScalarText::Converted } else { ScalarText::Less };
    (value, said)
}

fn add<T: Default>(
    values: &mut Vec<T>,
    (value, said): (Option<T>, ScalarText),
) -> (bool, ScalarText) {
    let fits = value.is_some();
    values.push(value.unwrap_or_default());
    (fits, said)
}

pub(super) fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("a batch is far smaller than two gigabytes")
}

/// Returns whether the value is a list, and whether all items fit.
fn add_list(of: &mut Cells, raw: &str, quoted: bool) -> (bool, ScalarText) {
    if quoted && let Some(text) = exact::quoted(raw) {
        let fits = text.split(',').all(|item| exact::int(item).is_some());
        if fits {
            text.split(',').for_each(|item| {
                of.put(of.len(), item);
            });
        }
        return (fits, if fits { ScalarText::Whole } else { ScalarText::Less });
    }
    let before = of.len();
    let mut said = ScalarText::Whole;
    let read = items(raw, |item| said = said.max(of.put(of.len(), item)));
    if raw.starts_with('[') && read.is_ok() {
        return (true, said);
    }
    of.truncate(before);
    (false, ScalarText::Less)
}

/// Returns whether the value is an object, and whether all members fit.
fn put_struct(row: usize, keys: &mut Keys, parts: &mut [Cells], raw: &str) -> (bool, ScalarText) {
    let read = (raw.as_bytes()[0] == b'{').then(|| read_struct(row, keys, parts, raw));
    if let Some(Ok(said)) = read {
        return (true, said);
    }
    for part in parts {
        part.truncate(row);
    }
    (false, ScalarText::Less)
}

fn read_struct(row: usize, keys: &mut Keys, parts: &mut [Cells], raw: &str) -> Result<ScalarText> {
    let mut said = ScalarText::Whole;
    let mut json = Json::new(raw);
    keys.begin();
    let mut more = json.open(b'{')?;
    while more {
        let key = keys.next(&mut json)?;
        let value = json.value()?;
        match key {
            Key::Known(place) => {
                let part = &mut parts[place];
                // The last value of a repeated key counts, as in JSON readers.
                if part.len() > row {
                    part.truncate(row);
                    said = ScalarText::Less;
                }
                if value != "null" {
                    said = said.max(part.put(row, value));
                }
            }
            Key::Unknown(_) if value == "null" => {}
            Key::Unknown(_) => said = ScalarText::Less,
        }
        more = json.more(b'{')?;
    }
    Ok(said)
}
