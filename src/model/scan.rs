//! The scan behind a page: bounds, key, time and type of every row, in one pass.
//!
//! Values are looked at while the parser passes them, and rows are found again as slices of the
//! body by the addresses of their borrowed keys: nothing is copied and nothing parsed twice.

use super::error::{Error, Kind, Result};
use super::page::{COLUMNS_MAX, KEYS_MAX, Layout, Page, Surprise, is_custom, next, shape};
use super::record::Record;
use super::resource::{Custom, Paging, Type};
use super::time::Time;
use super::token::{Name, Scalar};
use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What one row turned out to be.
#[derive(Default)]
struct Row {
    /// Offset of its opening brace, or of white space or the first quote after it.
    start: usize,
    key: Option<String>,
    time: Option<Time>,
    odd: bool,
    deleted: bool,
}

/// The slices of rows: from the brace at or before their start to the last brace before the next.
fn slices(body: &Bytes, rows: &[Row], end: usize) -> Vec<Bytes> {
    let before = |byte: u8, end: usize| memchr::memrchr(byte, &body[..end]).unwrap_or(0);
    let starts: Vec<usize> = rows.iter().map(|row| before(b'{', row.start + 1)).collect();
    let next = starts.iter().skip(1).copied().chain([before(b']', end)]);
    starts.iter().zip(next).map(|(start, next)| body.slice(*start..=before(b'}', next))).collect()
}

/// The rows of a page being read.
pub(super) struct Rows<'l> {
    layout: &'l Layout,
    /// Address of the body, which turns addresses of slices into offsets.
    base: usize,
    read: Vec<Row>,
    surprises: Vec<Surprise>,
    /// Name and place of the column that the i-th key of the previous row was: rows of a page
    /// look alike.
    order: Vec<(&'static str, Option<u8>)>,
    /// Finds an empty text, and a zero date, inside custom fields.
    empty: Finder<'static>,
    zero: Finder<'static>,
    /// Whether the bounds of rows are told from their keys.
    streaming: bool,
    /// Set when a value that is not parsed may hold half of a character.
    pub(super) halves: bool,
    /// Set when they cannot be.
    pub(super) lost: bool,
}

/// What stands around the rows.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    success: Option<bool>,
    data: bool,
    /// Offset of something after the rows and before anything else that ends in a bracket.
    end: usize,
    additional: Option<&'a RawValue>,
}

impl<'l> Rows<'l> {
    pub(super) fn new(layout: &'l Layout, base: usize) -> Self {
        Self {
            layout,
            base,
            read: Vec::new(),
            surprises: Vec::new(),
            order: Vec::new(),
            empty: Finder::new(b":\"\""),
            zero: Finder::new(b"0000-00-00"),
            halves: false,
            streaming: true,
            lost: false,
        }
    }

    pub(super) fn envelope<'a>(&mut self, text: &'a str) -> serde_json::Result<Envelope<'a>> {
        let mut json = serde_json::Deserializer::from_str(text);
        let mut envelope = EnvelopeSeed(self).deserialize(&mut json)?;
        json.end()?;
        if envelope.end == 0 {
            envelope.end = text.len();
        }
        Ok(envelope)
    }

    pub(super) fn page(self, body: &Bytes, envelope: &Envelope<'_>) -> Result<Page> {
        if envelope.success == Some(false) {
            return Err(Error::new(Kind::Shape, "answer says success: false with status 200"));
        }
        if !envelope.data {
            return Err(Error::new(Kind::Shape, "answer has no data"));
        }
        let next = next(self.layout.paging, envelope.additional)?;
        let slices = slices(body, &self.read, envelope.end);
        let records = self.read.into_iter().zip(slices).map(|(row, json)| Record {
            json,
            key: row.key,
            time: row.time,
            odd: row.odd,
            deleted: row.deleted,
        });
        Ok(Page { records: records.collect(), next, surprises: self.surprises })
    }

    pub(super) fn one_by_one(mut self, body: &Bytes, text: &str) -> Result<Page> {
        #[derive(Deserialize)]
        struct Whole<'a> {
            success: Option<bool>,
            #[serde(borrow)]
            data: Option<&'a RawValue>,
            #[serde(borrow)]
            additional_data: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Goals<'a> {
            #[serde(borrow)]
            goals: Vec<&'a RawValue>,
        }
        self.read.clear();
        self.streaming = false;
        let whole: Whole<'_> = serde_json::from_str(text).map_err(shape)?;
        let data = whole.data.map_or("[]", RawValue::get);
        let slices: Vec<&RawValue> = match self.layout.paging {
            Paging::Goals => serde_json::from_str::<Goals<'_>>(data).map_err(shape)?.goals,
            _ => serde_json::from_str(data).map_err(shape)?,
        };
        for slice in slices {
            let mut json = serde_json::Deserializer::from_str(slice.get());
            let row = RowSeed(&mut self).deserialize(&mut json).map_err(shape)?;
            let start = slice.get().as_ptr() as usize - self.base;
            self.read.push(Row { start, ..row });
        }
        let data = data.as_ptr() as usize - self.base + data.len();
        let envelope = Envelope {
            success: whole.success,
            data: true,
            end: data,
            additional: whole.additional_data,
        };
        self.page(body, &envelope)
    }

    /// The column of the `nth` key of a row, guessed from the row before.
    fn column(&mut self, nth: usize, name: &str) -> Option<u8> {
        if let Some((guess, place)) = self.order.get(nth)
            && *guess == name
        {
            return *place;
        }
        let mut columns = self.layout.columns.iter().take(COLUMNS_MAX);
        let found = columns.position(|column| column.name == name);
        let place = found.and_then(|place| u8::try_from(place).ok());
        if self.order.len() <= nth {
            self.order.resize(nth + 1, ("", None));
        }
        self.order[nth] = (found.map_or("", |place| self.layout.columns[place].name), place);
        place
    }

    fn unknown(&mut self, name: &str, value: &str, row: &mut Row) {
        if self.layout.custom == Custom::Flat && is_custom(name) {
            row.odd |= value == "\"\"";
            return;
        }
        self.surprised(Surprise::Unknown(name.to_owned()));
    }

    /// A value that is looked at as text: a key, a list, an object.
    fn nested(&mut self, place: u8, value: &str, row: &mut Row) {
        let column = &self.layout.columns[usize::from(place)];
        let first = value.as_bytes().first().copied().unwrap_or(b' ');
        if first != b'n' && !column.ty.takes(first) {
            self.surprised(Surprise::OtherType(column.name));
        }
        let bytes = value.as_bytes();
        self.halves |= half_character(bytes);
        // What exactly is mended is decided where the schema is known.
        row.odd |= self.layout.dated >> place & 1 == 1
            && (self.empty.find(bytes).is_some() || self.zero.find(bytes).is_some());
    }

    fn scalar(&mut self, place: u8, value: &Scalar<'_>, row: &mut Row) {
        let column = &self.layout.columns[usize::from(place)];
        let fits = match (value, column.ty) {
            (Scalar::Null, _)
            | (Scalar::Number, Type::Int | Type::Num | Type::IntOrText)
            | (Scalar::Text(_), Type::Text | Type::IntOrText | Type::TextOrObject) => true,
            (Scalar::Bool(yes), Type::Bool) => {
                row.deleted |= *yes && self.layout.deleted == Some(place);
                true
            }
            (Scalar::Text(text), Type::Time | Type::Naked | Type::Date | Type::Clock) => {
                self.moment(place, column.ty, text, row)
            }
            _ => false,
        };
        if !fits {
            self.surprised(Surprise::OtherType(column.name));
        }
    }

    /// Reads a date or time; `false` when it is none.
    fn moment(&self, place: u8, ty: Type, text: &str, row: &mut Row) -> bool {
        let zero = text.starts_with("0000");
        let odd = match ty {
            Type::Time => text.len() < 20 || !text.ends_with('Z') || zero,
            Type::Date => text.len() != 10 || zero,
            Type::Clock => text.is_empty(),
            _ => true,
        };
        row.odd |= odd;
        if self.layout.cursor == Some(place) {
            row.time = Time::parse(text);
            return row.time.is_some() || text.is_empty() || zero;
        }
        !odd || matches!(ty, Type::Clock) || text.is_empty() || zero || Time::parse(text).is_some()
    }

    fn surprised(&mut self, surprise: Surprise) {
        if !self.surprises.contains(&surprise) {
            self.surprises.push(surprise);
        }
    }
}

struct EnvelopeSeed<'r, 'l>(&'r mut Rows<'l>);

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_, '_> {
    type Value = Envelope<'de>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_, '_> {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with success and data")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key::<Name<'de>>()? {
            if envelope.data && envelope.end == 0 {
                envelope.end = if let Cow::Borrowed(key) = key.0 {
                    (key.as_ptr() as usize).wrapping_sub(self.0.base)
                } else {
                    self.0.lost = true;
                    return Err(A::Error::custom("a key of the envelope holds an escape"));
                };
            }
            match &*key.0 {
                "success" => envelope.success = map.next_value()?,
                "data" => {
                    map.next_value_seed(DataSeed(self.0))?;
                    envelope.data = true;
                }
                "additional_data" => envelope.additional = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(envelope)
    }
}

struct DataSeed<'r, 'l>(&'r mut Rows<'l>);

impl<'de> DeserializeSeed<'de> for DataSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records, or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element_seed(RowSeed(self.0))? {
            self.0.read.push(row);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.0.layout.paging != Paging::Goals {
            return Err(A::Error::custom("data is one object, not a list"));
        }
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "goals" {
                map.next_value_seed(DataSeed(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct RowSeed<'r, 'l>(&'r mut Rows<'l>);

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = Row;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let rows = self.0;
        let mut row = Row::default();
        let mut seen = 0_u64;
        let mut nth = 0;
        let mut keys = [None; KEYS_MAX];
        while let Some(name) = map.next_key::<Name<'de>>()? {
            if nth == 0 && rows.streaming {
                let Cow::Borrowed(name) = name.0 else {
                    rows.lost = true;
                    return Err(A::Error::custom("the first key holds an escape"));
                };
                // The quote before the key; an escape-free key is a slice of the body.
                row.start = (name.as_ptr() as usize).wrapping_sub(rows.base + 1);
            }
            match rows.column(nth, &name.0) {
                Some(place) => {
                    seen |= 1 << place;
                    if rows.layout.whole >> place & 1 == 1 {
                        let value = map.next_value::<&'de RawValue>()?.get();
                        rows.nested(place, value, &mut row);
                        if let Some(slot) = rows.layout.key.iter().position(|key| *key == place) {
                            keys[slot.min(KEYS_MAX - 1)] = Some(value);
                        }
                    } else {
                        let value = map.next_value::<Scalar<'de>>()?;
                        rows.scalar(place, &value, &mut row);
                    }
                }
                None => rows.unknown(&name.0, map.next_value::<&'de RawValue>()?.get(), &mut row),
            }
            nth += 1;
        }
        if nth == 0 && rows.streaming {
            rows.lost = true;
            return Err(A::Error::custom("a row has no keys"));
        }
        row.key = joined(&keys[..rows.layout.key.len()]);
        let missing = rows.layout.required & !seen;
        if missing != 0 {
            for (place, column) in rows.layout.columns.iter().enumerate() {
                if missing >> place & 1 == 1 {
                    rows.surprised(Surprise::Missing(column.name));
                }
            }
        }
        Ok(row)
    }
}

/// Whether a value that is not parsed may hold half of a character.
#[inline(never)]
fn half_character(mut bytes: &[u8]) -> bool {
    while let Some(at) = memchr::memchr(b'\\', bytes) {
        if matches!(bytes.get(at + 1..at + 3), Some(b"ud" | b"uD")) {
            return true;
        }
        // The escaped byte may be a backslash itself.
        bytes = bytes.get(at + 2..).unwrap_or_default();
    }
    false
}

/// The key's values as text joined by `/`; `None` if one is missing or null.
fn joined(values: &[Option<&str>]) -> Option<String> {
    let mut key = String::new();
    for (place, value) in values.iter().enumerate() {
        let value = (*value).filter(|value| *value != "null")?;
        if place > 0 {
            key.push('/');
        }
        if value.contains('\\') {
            key.push_str(&serde_json::from_str::<String>(value).ok()?);
        } else {
            key.push_str(value.trim_matches('"'));
        }
    }
    (!values.is_empty()).then_some(key)
}
