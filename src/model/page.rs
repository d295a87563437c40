//! A page of a list: one scan of the body finds the records, what is next, and what is odd.

use super::error::{Error, Kind, Result};
use super::record::Record;
use super::resource::{Column, Custom, Listing, Paging, Resource, Type};
use super::time::Time;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The records of one answer, in its order.
#[derive(Debug, Default)]
pub struct Page {
    /// Slices of the body.
    pub records: Vec<Record>,
    /// Where the next page is, as far as the answer says.
    pub next: Next,
    /// What did not look as documented, each thing once a page.
    pub surprises: Vec<Surprise>,
}

/// What an answer says about the page after it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Next {
    /// This was the last one.
    #[default]
    End,
    /// Ask again with this cursor, opaque.
    Cursor(String),
    /// Ask again from this offset.
    Start(u64),
    /// The answer does not say. For an offset list (mail threads, by the specification) only an
    /// answer without new rows is the end; for a cursor list it means the end as well, but a full
    /// page is asked for again first.
    Unsaid,
}

/// A column that did not look as documented. The record is passed on as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Surprise {
    /// A key the table does not know.
    Unknown(String),
    /// A value of another type than the table says.
    OtherType(&'static str),
    /// A key the API always sends was not there.
    Missing(&'static str),
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "unknown field {name:?}"),
            Self::OtherType(name) => write!(f, "field {name:?} has another type than documented"),
            Self::Missing(name) => write!(f, "field {name:?} is missing"),
        }
    }
}

/// What to look for in the rows of one resource; made once, used for every page.
#[derive(Debug, Clone)]
pub struct Layout {
    columns: &'static [Column],
    custom: Custom,
    paging: Paging,
    limit: usize,
    key: Vec<u8>,
    cursor: Option<u8>,
    deleted: Option<u8>,
    required: u64,
}

/// Most columns a resource may have: one bit each while a row is read.
pub(super) const COLUMNS_MAX: usize = 64;

impl Layout {
    /// The layout of what this listing answers.
    pub fn of(resource: &'static Resource, listing: &Listing) -> Self {
        let position = |name: &str| {
            let found = resource.columns.iter().take(COLUMNS_MAX).position(|c| c.name == name);
            found.and_then(|place| u8::try_from(place).ok())
        };
        let added = resource.parent.as_ref().map_or([None, None], |p| [p.column, p.digest]);
        let sent = |name: &str| !added.contains(&Some(name));
        let required = resource.columns.iter().take(COLUMNS_MAX).enumerate();
        Self {
            columns: resource.columns,
            custom: resource.custom,
            paging: listing.paging,
            limit: listing.limit as usize,
            key: resource.key.iter().filter(|k| sent(k)).filter_map(|k| position(k)).collect(),
            cursor: resource.cursor.and_then(position),
            deleted: position("is_deleted"),
            required: required
                .filter(|(_, column)| !column.optional && sent(column.name))
                .fold(0, |bits, (place, _)| bits | 1 << place),
        }
    }
}

impl Layout {
    /// Whether a page of a cursor list holds as many rows as were asked for.
    pub fn is_full(&self, page: &Page) -> bool {
        self.paging == Paging::Cursor && page.records.len() >= self.limit
    }
}

impl Page {
    /// Splits a body into its records, without copying them.
    ///
    /// `data: null` is an empty page. Anything that is not a successful list is a
    /// [`Kind::Shape`] error: a walk must not end on a page that was none.
    pub fn split(body: &Bytes, layout: &Layout) -> Result<Self> {
        let text = std::str::from_utf8(body)
            .map_err(|e| Error::new(Kind::Shape, "answer is not UTF-8").because(e))?;
        let mut rows = Rows::new(layout, text.as_ptr() as usize);
        match rows.envelope(text) {
            Ok(envelope) => rows.page(body, &envelope),
            // A first key with an escape hides where its row starts: read rows one by one.
            Err(_) if rows.lost => rows.one_by_one(body, text),
            Err(error) => Err(shape(error)),
        }
    }
}

fn shape(error: serde_json::Error) -> Error {
    Error::new(Kind::Shape, "answer is not a page of JSON records").because(error)
}

/// What one row turned out to be.
#[derive(Default)]
struct Row {
    /// Offset of its opening brace, or of white space or the first quote after it.
    start: usize,
    /// Offset of its closing brace, or of white space before it.
    end: usize,
    key: Option<String>,
    time: Option<Time>,
    odd: bool,
    deleted: bool,
}

impl Row {
    /// The object around its keys and values: back to the opening brace, on to the closing one.
    fn slice_of(&self, body: &Bytes) -> Bytes {
        let open = body[..=self.start].iter().rposition(|byte| *byte == b'{');
        let close = body[self.end..].iter().position(|byte| *byte == b'}');
        body.slice(open.unwrap_or(self.start)..close.map_or(body.len(), |at| self.end + at + 1))
    }
}

struct Rows<'l> {
    layout: &'l Layout,
    /// Address of the body, which turns addresses of slices into offsets.
    base: usize,
    rows: Vec<Row>,
    surprises: Vec<Surprise>,
    /// The column of the i-th key of the previous row: rows of a page look alike.
    order: Vec<Option<u8>>,
    /// Whether the bounds of rows are told from their keys.
    streaming: bool,
    /// Set when they cannot be.
    lost: bool,
}

#[derive(Default)]
struct Envelope<'a> {
    success: Option<bool>,
    data: bool,
    additional: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Additional<'a> {
    #[serde(borrow, default)]
    next_cursor: Option<Cow<'a, str>>,
    #[serde(default)]
    pagination: Option<Pagination>,
    // The official specification shows the pagination one level higher (API facts 3.2).
    #[serde(default)]
    more_items_in_collection: Option<bool>,
    #[serde(default)]
    next_start: Option<u64>,
}

#[derive(Deserialize)]
struct Pagination {
    #[serde(default)]
    more_items_in_collection: Option<bool>,
    #[serde(default)]
    next_start: Option<u64>,
}

impl<'l> Rows<'l> {
    fn new(layout: &'l Layout, base: usize) -> Self {
        Self {
            layout,
            base,
            rows: Vec::new(),
            surprises: Vec::new(),
            order: Vec::new(),
            streaming: true,
            lost: false,
        }
    }

    fn envelope<'a>(&mut self, text: &'a str) -> serde_json::Result<Envelope<'a>> {
        let mut json = serde_json::Deserializer::from_str(text);
        let envelope = EnvelopeSeed(self).deserialize(&mut json)?;
        json.end()?;
        Ok(envelope)
    }

    fn page(self, body: &Bytes, envelope: &Envelope<'_>) -> Result<Page> {
        if envelope.success == Some(false) {
            return Err(Error::new(Kind::Shape, "answer says success: false with status 200"));
        }
        if !envelope.data {
            return Err(Error::new(Kind::Shape, "answer has no data"));
        }
        let next = next(self.layout.paging, envelope.additional)?;
        let records = self.rows.into_iter().map(|row| Record {
            json: row.slice_of(body),
            key: row.key,
            time: row.time,
            odd: row.odd,
            deleted: row.deleted,
        });
        Ok(Page { records: records.collect(), next, surprises: self.surprises })
    }

    fn one_by_one(mut self, body: &Bytes, text: &str) -> Result<Page> {
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
        self.rows.clear();
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
            self.rows.push(Row { start, end: start + slice.get().len() - 1, ..row });
        }
        let envelope =
            Envelope { success: whole.success, data: true, additional: whole.additional_data };
        self.page(body, &envelope)
    }

    /// The column of the `nth` key of a row, guessed from the row before.
    fn column(&mut self, nth: usize, name: &str) -> Option<u8> {
        if let Some(&Some(guess)) = self.order.get(nth)
            && self.layout.columns[usize::from(guess)].name == name
        {
            return Some(guess);
        }
        let columns = self.layout.columns.iter().take(COLUMNS_MAX);
        let found = columns.into_iter().position(|column| column.name == name);
        let found = found.and_then(|place| u8::try_from(place).ok());
        if self.order.len() <= nth {
            self.order.resize(nth + 1, None);
        }
        self.order[nth] = found;
        found
    }

    fn unknown(&mut self, name: &str, value: &str, row: &mut Row) {
        if self.layout.custom == Custom::Flat && is_custom(name) {
            row.odd |= value == "\"\"";
            return;
        }
        self.surprised(Surprise::Unknown(name.to_owned()));
    }

    fn known(&mut self, place: u8, value: &str, row: &mut Row) {
        let column = &self.layout.columns[usize::from(place)];
        let first = value.as_bytes().first().copied().unwrap_or(b' ');
        if first == b'n' {
            return;
        }
        if !column.ty.takes(first) {
            self.surprised(Surprise::OtherType(column.name));
        }
        if self.layout.cursor == Some(place) {
            row.time = Time::parse(value.trim_matches('"'));
        }
        row.deleted |= self.layout.deleted == Some(place) && first == b't';
        row.odd |= match column.ty {
            Type::Time => {
                value.len() < 22 || !value.ends_with("Z\"") || value.starts_with("\"0000")
            }
            Type::Date => value.len() != 12 || value.starts_with("\"0000"),
            Type::Clock => value.len() < 7,
            Type::Naked => true,
            Type::Object([]) => {
                memchr::memmem::find(value.as_bytes(), b":\"\"").is_some()
                    || memchr::memmem::find(value.as_bytes(), b"0000-00-00").is_some()
            }
            _ => false,
        };
        if row.odd && matches!(column.ty, Type::Time | Type::Date | Type::Naked) {
            let text = value.trim_matches('"');
            if !text.is_empty() && !text.starts_with("0000") && Time::parse(text).is_none() {
                self.surprised(Surprise::OtherType(column.name));
            }
        }
    }

    fn surprised(&mut self, surprise: Surprise) {
        if !self.surprises.contains(&surprise) {
            self.surprises.push(surprise);
        }
    }
}

/// Whether a top-level key is a custom field or a part of one: 40 hexadecimal digits, then
/// nothing or `_currency`, `_until` and the like (API facts 5.4).
pub(super) fn is_custom(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= 40
        && bytes[..40].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && matches!(bytes.get(40), None | Some(b'_'))
}

fn next(paging: Paging, additional: Option<&RawValue>) -> Result<Next> {
    let absent = additional.is_none();
    let additional: Additional<'_> = match additional {
        Some(raw) => serde_json::from_str::<Option<Additional<'_>>>(raw.get()).map_err(shape)?,
        None => None,
    }
    .unwrap_or_default();
    Ok(match paging {
        Paging::Plain | Paging::Goals => Next::End,
        Paging::Cursor => match additional.next_cursor {
            Some(cursor) if !cursor.is_empty() => Next::Cursor(cursor.into_owned()),
            _ if absent => Next::Unsaid,
            _ => Next::End,
        },
        Paging::Offset => {
            let (more, start) = match additional.pagination {
                Some(page) => (page.more_items_in_collection, page.next_start),
                None => (additional.more_items_in_collection, additional.next_start),
            };
            match (more, start) {
                (Some(false), _) => Next::End,
                (_, Some(start)) => Next::Start(start),
                _ => Next::Unsaid,
            }
        }
    })
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
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
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
            self.0.rows.push(row);
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
        let mut keys = [None; 4];
        while let Some(name) = map.next_key::<Name<'de>>()? {
            if nth == 0 && rows.streaming {
                let Cow::Borrowed(name) = name.0 else {
                    rows.lost = true;
                    return Err(A::Error::custom("the first key holds an escape"));
                };
                // The quote before the key; an escape-free key is a slice of the body.
                row.start = (name.as_ptr() as usize).wrapping_sub(rows.base + 1);
            }
            let value = map.next_value::<&'de RawValue>()?.get();
            row.end = (value.as_ptr() as usize).wrapping_sub(rows.base) + value.len();
            if let Some(place) = rows.column(nth, &name.0) {
                seen |= 1 << place;
                rows.known(place, value, &mut row);
                if let Some(slot) = rows.layout.key.iter().position(|key| *key == place)
                    && let Some(key) = keys.get_mut(slot)
                {
                    *key = Some(value);
                }
            } else {
                rows.unknown(&name.0, value, &mut row);
            }
            nth += 1;
        }
        if nth == 0 && rows.streaming {
            rows.lost = true;
            return Err(A::Error::custom("a row has no keys"));
        }
        row.key = joined(&keys[..rows.layout.key.len().min(4)]);
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

/// A key, borrowed unless it holds an escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        json.deserialize_str(NameVisitor)
    }
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
