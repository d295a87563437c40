//! Scans a page in one pass: the bounds, key, time and type of every row.
//!
//! Values are checked during the scan, as slices of the body. Nothing is copied and nothing is read twice,
//! except for the few texts that hold escapes.

use super::convert::{To, converted, is_true};
use super::error::{Error, Kind, Result};
use super::json::Json;
use super::keys::{Key, Keys};
use super::number::{is_finite, is_whole};
use super::page::{KEYS_MAX, Layout, Page, is_custom, next, shape};
use super::record::{NestedRows, Record, usable};
use super::resource::{Custom, Paging, Type};
use super::schema_deviation::SchemaDeviations;
use super::time::{Time, is_date, is_utc};
use bytes::Bytes;
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::mem;

/// Most rows of one answer: each costs some 200 bytes, were it only `{}`.
const ROWS_MAX: usize = 1_000_000;

/// The state of parsing a page.
pub(super) struct Scan<'l> {
    layout: &'l Layout,
    body: &'l Bytes,
    json: Json<'l>,
    keys: Keys,
    records: Vec<Record>,
    surprises: SchemaDeviations,
    /// Finds an empty text inside nested values. `zero` finds a zero date.
    empty: Finder<'static>,
    zero: Finder<'static>,
    /// Whether the rows may contain half of a character.
    halves: bool,
    /// Whether the row limit was exceeded.
    over: bool,
}

/// The parts of a response around the rows.
#[derive(Default)]
struct Envelope<'a> {
    success: Option<bool>,
    data: bool,
    additional: Option<&'a str>,
}

impl<'l> Scan<'l> {
    /// Returns a parser for a body. `text` is the same body as text.
    pub(super) fn of(body: &'l Bytes, text: &'l str, layout: &'l Layout) -> Self {
        Self {
            layout,
            body,
            json: Json::new(text),
            keys: layout.keys.clone(),
            records: Vec::new(),
            surprises: SchemaDeviations::default(),
            empty: Finder::new(b":\"\""),
            zero: Finder::new(b"0000-00-00"),
            halves: false,
            over: false,
        }
    }

    /// Parses the page. It is called once.
    pub(super) fn page(&mut self) -> Result<Page> {
        let envelope = self.envelope();
        let over = self.over || self.json.is_too_deep();
        // The error names the limit that was exceeded.
        let envelope = envelope.map_err(|error| if over { error } else { shape(error) })?;
        if envelope.success == Some(false) {
            return Err(Error::new(Kind::Shape, "answer says success: false with status 200"));
        }
        if !envelope.data {
            return Err(Error::new(Kind::Shape, "answer has no data"));
        }
        Ok(Page {
            next: next(self.layout.paging, envelope.additional)?,
            records: mem::take(&mut self.records),
            surprises: self.surprises.drain(),
        })
    }

    /// Returns whether the text read so far may contain half of a character, also after an error.
    pub(super) const fn halves(&mut self) -> bool {
        self.halves || self.json.halves()
    }

    fn envelope(&mut self) -> Result<Envelope<'l>> {
        let mut envelope = Envelope::default();
        let mut more = self.json.open(b'{')?;
        while more {
            match &*self.json.key()? {
                "data" => {
                    self.data()?;
                    envelope.data = true;
                    self.halves |= self.json.halves();
                }
                "success" => {
                    envelope.success = match self.json.value()? {
                        "true" => Some(true),
                        "false" => Some(false),
                        "null" => None,
                        _ => return Err(self.json.malformed()),
                    }
                }
                "additional_data" => {
                    envelope.additional = Some(self.json.value()?).filter(|raw| *raw != "null");
                }
                _ => drop(self.json.value()?),
            }
            // Text outside the rows is not used, except for the next cursor. An invalid cursor is refused
            // and not repaired.
            self.json.halves();
            more = self.json.more(b'{')?;
        }
        self.json.end()?;
        Ok(envelope)
    }

    /// Reads a list of records, or null. For goals, it reads an object with such a list, or null.
    fn data(&mut self) -> Result<()> {
        match self.layout.paging {
            Paging::Goals => {}
            _ if self.json.peek() == b'n' => return self.json.value().map(drop),
            Paging::One => return self.row(),
            Paging::Cursor | Paging::Offset | Paging::Plain => return self.rows(),
        }
        if self.json.peek() == b'n' {
            return self.json.value().map(drop);
        }
        let mut found = false;
        let mut more = self.json.open(b'{')?;
        while more {
            if self.json.key()? != "goals" {
                self.json.value()?;
            } else if mem::replace(&mut found, true) {
                return Err(self.json.malformed());
            } else if self.json.peek() == b'n' {
                self.json.value()?;
            } else {
                self.rows()?;
            }
            more = self.json.more(b'{')?;
        }
        if found { Ok(()) } else { Err(self.json.malformed()) }
    }

    fn rows(&mut self) -> Result<()> {
        let mut more = self.json.open(b'[')?;
        while more {
            match self.layout.wrapped {
                None => self.row()?,
                Some(under) => self.wrapped(under)?,
            }
            more = self.json.more(b'[')?;
        }
        Ok(())
    }

    /// Reads a row under a key of an item. Null is skipped.
    fn wrapped(&mut self, under: &str) -> Result<()> {
        let mut found = false;
        let mut more = self.json.open(b'{')?;
        while more {
            let here = self.json.key()? == under;
            if here && mem::replace(&mut found, true) {
                return Err(self.json.malformed());
            }
            if here && self.json.peek() != b'n' {
                self.row()?;
            } else {
                self.json.value()?;
            }
            more = self.json.more(b'{')?;
        }
        if found { Ok(()) } else { Err(self.json.malformed()) }
    }

    fn row(&mut self) -> Result<()> {
        self.json.peek();
        let start = self.json.at();
        let exact = (!self.layout.partial).then(NestedRows::default);
        let mut row = Record { exact, ..Record::bare(Bytes::new()) };
        let mut seen = 0_u64;
        let mut key = [None; KEYS_MAX];
        self.keys.begin();
        // The position of the next expected column.
        let mut due = 0;
        let mut more = self.json.open(b'{')?;
        while more {
            let at = self.json.at();
            match self.keys.next(&mut self.json)? {
                Key::Known(place) => {
                    seen |= 1 << place;
                    if place != due {
                        misplaced(due, place, at - start, &mut row);
                    }
                    due = place + 1;
                    let value = self.json.field()?;
                    self.exact(place, value, start, &mut row);
                    if self.layout.whole >> place & 1 == 1 {
                        self.nested(place, value, &mut row);
                        if let Some(slot) = self.layout.key.iter().position(|key| *key == place) {
                            key[slot] = Some(value);
                        }
                    } else if value != "null" {
                        self.scalar(place, value, &mut row);
                    }
                }
                Key::Unknown(name) => {
                    let value = self.json.field()?;
                    row.exact = None;
                    self.unknown(&name, value, &mut row);
                }
            }
            more = self.json.more(b'{')?;
        }
        if due < self.layout.columns.len() {
            misplaced(due, self.layout.columns.len(), self.json.at() - 1 - start, &mut row);
        }
        row.json = self.body.slice(start..self.json.at());
        row.key = joined(&key[..self.layout.key.len()]);
        let missing = self.layout.required & !seen;
        if self.layout.key.iter().any(|key| seen >> key & 1 == 0) {
            row.exact = None;
        }
        if missing != 0 {
            self.surprises.missing(missing, self.layout.columns);
        }
        if self.records.len() == ROWS_MAX {
            let message = format!("answer holds more than {ROWS_MAX} rows");
            self.over = true;
            return Err(Error::new(Kind::Shape, message));
        }
        self.records.push(row);
        Ok(())
    }

    /// Notes whether a value is exactly of its type, and its position if it is nested.
    #[inline]
    fn exact(&self, place: usize, value: &str, start: usize, row: &mut Record) {
        let Some(inside) = &mut row.exact else { return };
        let exact = match first(value) {
            b'n' => !self.layout.key.contains(&place),
            b'{' | b'[' => {
                let end = self.json.at() - start;
                inside.push(place, end - value.len(), end)
            }
            _ => is_exact(self.layout.columns[place].ty, value),
        };
        if !exact {
            row.exact = None;
        }
    }

    fn unknown(&mut self, name: &str, value: &str, row: &mut Record) {
        if self.layout.custom == Custom::Flat && is_custom(name) {
            row.odd |= value == "\"\"";
            return;
        }
        self.surprises.unknown(name);
    }

    /// Checks a value that is kept as a slice: a key, a list, an object.
    fn nested(&mut self, place: usize, value: &str, row: &mut Record) {
        let column = &self.layout.columns[place];
        let first = first(value);
        if first != b'n' && !column.ty.takes(first) {
            self.surprises.other_type(place, column);
        }
        // Where only text is accepted, the object is replaced by its label.
        row.odd |= first == b'{' && matches!(column.ty, Type::TextOrObject);
        // The schema determines later which values are corrected.
        row.odd |= self.layout.dated >> place & 1 == 1
            && (self.empty.find(value.as_bytes()).is_some()
                || self.zero.find(value.as_bytes()).is_some());
    }

    /// Checks a value of any other column. It is not null.
    #[inline]
    fn scalar(&mut self, place: usize, value: &str, row: &mut Record) {
        let column = &self.layout.columns[place];
        let first = first(value);
        let fits = column.ty.takes(first)
            && match column.ty {
                Type::Time | Type::Naked | Type::Date | Type::Clock => {
                    self.moment(place, column.ty, &unquoted(value), row)
                }
                Type::Bool => {
                    row.deleted |= self.layout.deleted == Some(place) && is_true(value);
                    true
                }
                _ => true,
            };
        let same = || To::of(column.ty).is_some_and(|to| converted(value, to).is_some());
        if !fits && !same() {
            self.surprises.other_type(place, column);
        }
        // The number is passed on unchanged. A consumer that needs a double replaces it.
        if matches!(first, b'-' | b'0'..=b'9') && !is_finite(value) {
            row.exact = None;
            self.surprises.too_large(place, column);
        }
    }

    /// Reads a date or time. Returns `false` if the text is none.
    fn moment(&self, place: usize, ty: Type, text: &str, row: &mut Record) -> bool {
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
}

/// Notes that another column than the expected one is at this position.
#[cold]
fn misplaced(due: usize, place: usize, at: usize, row: &mut Record) {
    match &mut row.exact {
        Some(inside) if place > due => inside.lacks(due, place, at),
        Some(inside) => inside.disorder(),
        None => {}
    }
}

fn first(value: &str) -> u8 {
    value.as_bytes().first().copied().unwrap_or(b'n')
}

/// Returns whether a scalar that is not null is exactly of its type. A column of several types counts as
/// text.
#[inline]
fn is_exact(ty: Type, value: &str) -> bool {
    let text = || value.as_bytes().get(1..value.len() - 1).unwrap_or_default();
    match (ty, first(value)) {
        (Type::Bool, b't' | b'f')
        | (Type::Num, b'-' | b'0'..=b'9')
        | (Type::Text | Type::Clock | Type::TextOrObject | Type::OptionId | Type::Json, b'"') => {
            true
        }
        (Type::Int, b'-' | b'0'..=b'9') => is_whole(value),
        (Type::Date, b'"') => is_date(text()),
        (Type::Time | Type::Naked, b'"') => is_utc(text()),
        _ => false,
    }
}

/// Returns the characters of a string. A string with half of a character gives nothing, because the page is
/// parsed again.
fn unquoted(value: &str) -> Cow<'_, str> {
    if value.contains('\\') {
        return Cow::Owned(serde_json::from_str(value).unwrap_or_default());
    }
    Cow::Borrowed(value.trim_matches('"'))
}

/// Returns the key's values as text joined by `/`. `None` if one is missing or cannot be used.
fn joined(values: &[Option<&str>]) -> Option<String> {
    let mut key = String::new();
    for (place, value) in values.iter().enumerate() {
        let value = (*value).filter(|value| usable(value))?;
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
