//! A page of a list. One scan of the body finds the records, the next position, and deviations.

use super::error::{Error, Kind, Result};
use super::keys::Keys;
use super::page_parser::Scan;
use super::record::Record;
use super::resource::{Column, Custom, Listing, Paging, Resource, Type};
use super::schema_deviation::SchemaDeviation;
use bytes::Bytes;
use serde::Deserialize;
use std::borrow::Cow;

/// The records of one response, in its order.
#[derive(Debug, Default)]
pub struct Page {
    /// The records, as slices of the body.
    pub records: Vec<Record>,
    /// The position of the next page, as stated by the response.
    pub next: Next,
    /// The deviations from the documented form, each once a page. At most [`SURPRISES_MAX`] are kept; the
    /// last one counts the others.
    ///
    /// [`SURPRISES_MAX`]: super::schema_deviation::SURPRISES_MAX
    pub surprises: Vec<SchemaDeviation>,
}

/// The information of a response about the next page.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Next {
    /// This page is the last one.
    #[default]
    End,
    /// The next page is requested with this opaque cursor.
    Cursor(String),
    /// The next page is requested with this offset.
    Start(u64),
    /// The response does not state it: `additional_data` is missing, null, or lacks the key. Whether this is
    /// an end depends on the request, see [`super::Asked`].
    Unsaid,
}

/// The parts of a row that a parser looks for, for one resource. One value is used for all pages.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(super) columns: &'static [Column],
    /// The names of the columns, by position.
    pub(super) keys: Keys,
    pub(super) custom: Custom,
    pub(super) paging: Paging,
    pub(super) limit: usize,
    /// Whether the API is known to state nothing about further pages of this list.
    pub(super) silent: bool,
    /// The key of the row inside an item, where rows are wrapped.
    pub(super) wrapped: Option<&'static str>,
    pub(super) key: Vec<usize>,
    pub(super) cursor: Option<usize>,
    pub(super) deleted: Option<usize>,
    pub(super) required: u64,
    /// The columns whose value is kept as a slice: keys, and columns that may be nested. One bit each.
    pub(super) whole: u64,
    /// The nested columns that may hold dates or times. One bit each.
    pub(super) dated: u64,
    /// Whether the API's rows lack columns that are added later.
    pub(super) partial: bool,
}

/// Returns whether a nested value may hold a date or a time. Custom fields may.
fn dated(ty: Type) -> bool {
    match ty {
        Type::Object([]) => true,
        Type::Object(columns) => columns.iter().any(|column| {
            matches!(column.ty, Type::Date | Type::Time | Type::Naked) || dated(column.ty)
        }),
        Type::List(item) => dated(*item),
        _ => false,
    }
}

/// Most columns a key may have.
pub(super) const KEYS_MAX: usize = 4;
/// Most columns a resource may have: one bit each while a row is read.
const COLUMNS_MAX: usize = 64;

impl Layout {
    /// Returns the layout of the rows of this listing.
    pub fn of(resource: &'static Resource, listing: &Listing) -> Self {
        let position = |name: &str| {
            resource.columns.iter().take(COLUMNS_MAX).position(|column| column.name == name)
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
            keys: Keys::new(columns().map(|(_, column)| column.name)),
            custom: resource.custom,
            paging: listing.paging,
            limit: listing.limit as usize,
            silent: listing.silent,
            wrapped: listing.wrapped,
            key: resource
                .key
                .iter()
                .filter(|k| sent(k))
                .filter_map(|k| position(k))
                .take(KEYS_MAX)
                .collect(),
            cursor: resource.cursor.and_then(position),
            deleted: position("is_deleted"),
            partial: added != [None, None],
            required: bits(&|column| !column.optional && sent(column.name)),
            dated: bits(&|column| dated(column.ty)),
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

impl Page {
    /// Splits a body into its records, without copying them.
    ///
    /// `data: null` is an empty page. A body that is not a successful list is a [`Kind::Shape`] error, so
    /// that a walk does not end on an invalid page.
    pub fn split(body: &Bytes, layout: &Layout) -> Result<Self> {
        let text = simdutf8::compat::from_utf8(body)
            .map_err(|e| Error::new(Kind::Shape, "answer is not UTF-8").because(e))?;
        let mut scan = Scan::of(body, text, layout);
        let page = scan.page();
        match scan.halves().then(|| whole_characters(text)).flatten() {
            Some(mended) => Self::mended(&mended, layout),
            None => page,
        }
    }

    /// Splits a body whose texts were cut inside a character (an emoji at a length limit). Half of a
    /// surrogate pair is not valid text, and is replaced by U+FFFD.
    fn mended(text: &str, layout: &Layout) -> Result<Self> {
        let body = Bytes::copy_from_slice(text.as_bytes());
        let mut page = Scan::of(&body, text, layout).page()?;
        // The first position keeps it from being counted under the others.
        page.surprises.insert(0, SchemaDeviation::HalfCharacter);
        Ok(page)
    }
}

pub(super) fn next(paging: Paging, additional: Option<&str>) -> Result<Next> {
    let additional: Additional<'_> = match additional {
        Some(raw) => serde_json::from_str::<Option<Additional<'_>>>(raw).map_err(shape)?,
        None => None,
    }
    .unwrap_or_default();
    Ok(match paging {
        Paging::One => Next::End,
        Paging::Plain | Paging::Goals => {
            let further = matches!(additional.next_cursor, Cursor::To(_));
            let (more, start) = match &additional.pagination {
                Some(page) => (page.more_items_in_collection, page.next_start),
                None => (additional.more_items_in_collection, additional.next_start),
            };
            match (more, start) {
                // The list has pages after all.
                (Some(true), Some(start)) => Next::Start(start),
                _ if further || more == Some(true) => {
                    let message = "list should come whole and says there is more";
                    return Err(Error::new(Kind::Shape, message));
                }
                (None, _) => Next::Unsaid,
                (Some(_), _) => Next::End,
            }
        }
        Paging::Cursor => match additional.next_cursor {
            Cursor::To(cursor) if !cursor.is_empty() => Next::Cursor(cursor.into_owned()),
            // Only a literal null is the end.
            Cursor::Null => Next::End,
            Cursor::To(_) | Cursor::Missing => Next::Unsaid,
        },
        Paging::Offset => {
            let (more, start) = match additional.pagination {
                Some(page) => (page.more_items_in_collection, page.next_start),
                None => (additional.more_items_in_collection, additional.next_start),
            };
            match (more, start) {
                (Some(false), _) => Next::End,
                (_, Some(start)) => Next::Start(start),
                (Some(true), None) => {
                    return Err(Error::new(
                        Kind::Shape,
                        "list says that there is more and not where (no next_start)",
                    ));
                }
                (None, None) => Next::Unsaid,
            }
        }
    })
}

#[derive(Deserialize, Default)]
struct Additional<'a> {
    #[serde(borrow, default)]
    next_cursor: Cursor<'a>,
    #[serde(default)]
    pagination: Option<Pagination>,
    // The official specification shows the pagination one level higher (pipedrive-api.md 3.2).
    #[serde(default)]
    more_items_in_collection: Option<bool>,
    #[serde(default)]
    next_start: Option<u64>,
}

/// The value of `next_cursor`.
#[derive(Default)]
enum Cursor<'a> {
    #[default]
    Missing,
    Null,
    To(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Cursor<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let cursor = Option::<Cow<'a, str>>::deserialize(deserializer)?;
        Ok(cursor.map_or(Self::Null, Self::To))
    }
}

#[derive(Deserialize)]
struct Pagination {
    #[serde(default)]
    more_items_in_collection: Option<bool>,
    #[serde(default)]
    next_start: Option<u64>,
}

/// Returns whether a top-level key is a custom field or a part of one: 40 hexadecimal digits, then nothing or
/// a suffix like `_currency` or `_until` (pipedrive-api.md 5.4).
pub(crate) fn is_custom(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= 40
        && bytes[..40].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && matches!(bytes.get(40), None | Some(b'_'))
}

pub(super) fn shape(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Shape, "answer is not a page of JSON records").because(error)
}

/// Returns the text with every lone half of a surrogate pair (`\ud83d` without its `\ude00`) replaced by
/// U+FFFD. `None` if there is none.
fn whole_characters(text: &str) -> Option<String> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = text.as_bytes().get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                out.push_str(&text[kept..at]);
                out.push_str("\\ufffd");
                at += 6;
                kept = at;
            }
            // Another escape. Its second byte may be a backslash.
            _ => at += 2,
        }
    }
    (kept > 0).then(|| out + &text[kept..])
}

#[cfg(test)]
mod tests {
    use super::super::json::DEPTH_MAX;
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        check_of("deals", body, expected);
    }

    #[track_caller]
    fn check_of(stream: &str, body: &str, expected: &str) {
        let resource = Resource::named(stream).expect("the stream exists");
        let layout = Layout::of(resource, &resource.listings[0]);
        let shown = match Page::split(&Bytes::from(body.to_owned()), &layout) {
            Ok(page) => {
                let rows =
                    page.records.iter().map(|r| String::from_utf8_lossy(&r.json).into_owned());
                format!("{} | {:?}", rows.collect::<Vec<_>>().join(" "), page.next)
            }
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        check("null", "Shape: answer is not a page of JSON records");
        check("<html>", "Shape: answer is not a page of JSON records");
        check(
            r#"{"success":false,"data":null}"#,
            "Shape: answer says success: false with status 200",
        );
        check(r#"{"success":true}"#, "Shape: answer has no data");
        check(r#"{"success":true,"data":{"id":1}}"#, "Shape: answer is not a page of JSON records");
        check(r#"{"success":true,"data":null}"#, " | Unsaid");
        check(r#"{"success":true,"data":[],"additional_data":{"next_cursor":null}}"#, " | End");
    }

    #[test]
    fn half_characters_are_replaced_and_whole_ones_kept() {
        let half = r#"{"success":true,"data":[{"id":1,"title":"x \ud83d"},{"id":2,"custom_fields":{"a":"\"\uDE00 \\ud83d"}}],"additional_data":null}"#;
        check(
            half,
            r#"{"id":1,"title":"x \ufffd"} {"id":2,"custom_fields":{"a":"\"\ufffd \\ud83d"}} | Unsaid"#,
        );
        let whole = r#"{"success":true,"data":[{"id":1,"title":"\ud83d\ude00","custom_fields":{"a":"\ud83d\ude00"}}],"additional_data":{"next_cursor":null}}"#;
        check(
            whole,
            r#"{"id":1,"title":"\ud83d\ude00","custom_fields":{"a":"\ud83d\ude00"}} | End"#,
        );
    }

    #[test]
    fn escaped_first_keys_and_empty_rows_are_found_too() {
        check(
            r#"{"success":true,"data":[{"\u0069d":1,"x":"}"},{},{"id":2}]}"#,
            r#"{"\u0069d":1,"x":"}"} {} {"id":2} | Unsaid"#,
        );
    }

    #[test]
    fn goals_stand_one_level_deeper() {
        let no_page = "Shape: answer is not a page of JSON records";
        let page = r#"{"success":true,"data":{"x":[1],"goals":[{"id":"a","title":"\ud83d"},{}]}}"#;
        check_of("goals", page, r#"{"id":"a","title":"\ufffd"} {} | Unsaid"#);
        for none in [r#"{"goals":[]}"#, r#"{"goals":null}"#, "null"] {
            let page = format!("{{\"success\":true,\"data\":{none}}}");
            check_of("goals", &page, " | Unsaid");
        }
        check_of("goals", r#"{"success":true,"data":{}}"#, no_page);
        check_of("goals", r#"{"success":true,"data":{"goals":[],"goals":[]}}"#, no_page);
        check_of("goals", r#"{"success":true,"data":[]}"#, no_page);
    }

    #[test]
    fn what_comes_twice_is_not_lost() {
        check(
            r#"{"data":null,"success":null,"data":[{"id":1}],"x":{},"data":[{"id":2}],"success":true}"#,
            r#"{"id":1} {"id":2} | Unsaid"#,
        );
        check(
            r#"{"success":true,"success":false,"data":[]}"#,
            "Shape: answer says success: false with status 200",
        );
        check(
            r#"{"success":true,"data":[{"id":1}]}]"#,
            "Shape: answer is not a page of JSON records",
        );
        check(r#"{"success":1,"data":[]}"#, "Shape: answer is not a page of JSON records");
    }

    #[test]
    fn numbers_of_any_size_are_passed_on() {
        let digits = "9".repeat(5_000);
        for number in ["1e999", "-1e999", digits.as_str()] {
            let row = format!(r#"{{"id":1,"value":{number},"x":[{number}]}}"#);
            let body = format!(
                r#"{{"success":true,"data":[{row}],"additional_data":{{"next_cursor":null}}}}"#
            );
            check(&body, &format!("{row} | End"));
        }
        let row = format!(r#"{{"id":{digits}}}"#);
        check(&format!(r#"{{"success":true,"data":[{row}]}}"#), &format!("{row} | Unsaid"));
    }

    #[test]
    fn nesting_ends_at_the_limit_and_says_so() {
        let body = |depth: usize| {
            let value = "[".repeat(depth) + &"]".repeat(depth);
            format!(r#"{{"success":true,"data":[{{"id":1,"x":{value}}}],"additional_data":{{}}}}"#)
        };
        let limit = DEPTH_MAX as usize;
        let deals = Resource::named("deals").expect("there are deals");
        let layout = Layout::of(deals, &deals.listings[0]);
        let split = |depth| Page::split(&Bytes::from(body(depth)), &layout);
        assert_eq!(split(limit).expect("a page").records.len(), 1);
        let error = split(limit + 1).expect_err("it is too deep");
        assert_eq!(error.to_string(), "answer holds a value that is nested deeper than 512 levels");
    }
}
