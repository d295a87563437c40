//! A page of a list: one scan of the body finds the records, what is next, and what is odd.

use super::error::{Error, Kind, Result};
use super::record::Record;
use super::resource::{Column, Custom, Listing, Paging, Resource, Type};
use super::scan::Rows;
use bytes::Bytes;
use serde::Deserialize;
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
    pub(super) columns: &'static [Column],
    pub(super) custom: Custom,
    pub(super) paging: Paging,
    limit: usize,
    pub(super) key: Vec<u8>,
    pub(super) cursor: Option<u8>,
    pub(super) deleted: Option<u8>,
    pub(super) required: u64,
    /// Columns whose value is read as a slice: keys, and what may be nested.
    pub(super) whole: u64,
}

/// Most columns a key may have.
pub(super) const KEYS_MAX: usize = 4;
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
        let columns = || resource.columns.iter().take(COLUMNS_MAX).enumerate();
        let bits = |is: &dyn Fn(&Column) -> bool| {
            let these = columns().filter(|(_, column)| is(column));
            these.fold(0, |bits, (place, _)| bits | 1 << place)
        };
        Self {
            columns: resource.columns,
            custom: resource.custom,
            paging: listing.paging,
            limit: listing.limit as usize,
            key: resource
                .key
                .iter()
                .filter(|k| sent(k))
                .filter_map(|k| position(k))
                .take(KEYS_MAX)
                .collect(),
            cursor: resource.cursor.and_then(position),
            deleted: position("is_deleted"),
            required: bits(&|column| !column.optional && sent(column.name)),
            whole: bits(&|column| {
                let nested = matches!(
                    column.ty,
                    Type::List(_) | Type::Object(_) | Type::TextOrObject | Type::Json
                );
                nested || resource.key.contains(&column.name)
            }),
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

pub(super) fn next(paging: Paging, additional: Option<&RawValue>) -> Result<Next> {
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

/// Whether a top-level key is a custom field or a part of one: 40 hexadecimal digits, then
/// nothing or `_currency`, `_until` and the like (API facts 5.4).
pub(super) fn is_custom(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= 40
        && bytes[..40].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && matches!(bytes.get(40), None | Some(b'_'))
}

pub(super) fn shape(error: serde_json::Error) -> Error {
    Error::new(Kind::Shape, "answer is not a page of JSON records").because(error)
}
