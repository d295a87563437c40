//! Malformed pages of a configurable size that Pipedrive should never send.

use super::json;
use super::lists::Page;
use bytes::Bytes;

/// An unusual form of the rows of a page. A size gives the number, depth or length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// This number of unknown keys in the first row.
    Keys,
    /// This number of unknown keys in each row, all different.
    KeyEach,
    /// One unknown key this number of times in the first row.
    KeyAgain,
    /// A list with this depth of nesting in the first row.
    Deep,
    /// An object with this depth of nesting in the first row.
    DeepObject,
    /// A number with this number of digits, in a numeric column and in an unknown key of the first row.
    Digits,
    /// The number `1e999` this number of times, in a numeric column and in a list.
    Huge,
    /// A text of this number of bytes in the first row.
    Text,
    /// A text of this number of bytes in every row.
    TextEach,
    /// A key of this number of bytes in the first row.
    Key,
    /// This number of escaped NULs in a text of the first row.
    Nul,
    /// This number of additional rows without a key.
    Empty,
    /// This number of additional definitions with the same name, for field dictionaries.
    Definitions,
    /// One additional definition with this number of options, for field dictionaries.
    Options,
}

impl Oddity {
    /// All oddities, with their names in a fault.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("keys", Self::Keys),
        ("keyeach", Self::KeyEach),
        ("keyagain", Self::KeyAgain),
        ("deep", Self::Deep),
        ("deepobject", Self::DeepObject),
        ("digits", Self::Digits),
        ("huge", Self::Huge),
        ("text", Self::Text),
        ("texteach", Self::TextEach),
        ("key", Self::Key),
        ("nul", Self::Nul),
        ("emptyrows", Self::Empty),
        ("definitions", Self::Definitions),
        ("options", Self::Options),
    ];

    /// Returns the oddity of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, oddity)| *oddity)
    }

    /// Changes the rows of a page.
    pub(super) fn befall(self, size: usize, page: &mut Page) {
        if self == Self::Empty {
            page.rows.extend(std::iter::repeat_n(Bytes::from_static(b"{}"), size));
            return;
        }
        if self == Self::Definitions {
            page.rows.extend((0..size).map(|n| definition(n, "Twice", "[]")));
            return;
        }
        if self == Self::Options {
            let options: Vec<_> =
                (0..size).map(|n| format!("{{\"id\":{n},\"label\":\"Option {n}\"}}")).collect();
            page.rows.push(definition(0, "Many", &format!("[{}]", options.join(","))));
            return;
        }
        if self == Self::TextEach {
            let text = format!("\"odd\":\"{}\"", "x".repeat(size));
            page.rows.iter_mut().for_each(|row| *row = added(row, &text));
            return;
        }
        if self == Self::KeyEach {
            for (place, row) in page.rows.iter_mut().enumerate() {
                let keys = (0..size).map(|n| format!("\"odd_{place}_{n}\":{n}"));
                *row = added(row, &keys.collect::<Vec<_>>().join(","));
            }
            return;
        }
        let Some(row) = page.rows.first_mut() else { return };
        let numbered = |number: &str, again: &str| {
            let name = ["value", "price", "probability", "order_nr", "active_flag"];
            let name = name.into_iter().find(|name| json::find(row, name).is_some());
            let set = name.map(|name| (name.to_owned(), number.to_owned()));
            let set: Vec<_> = set.into_iter().collect();
            added(&json::replaced(row, &set), &format!("\"odd\":{again}"))
        };
        *row = match self {
            Self::Keys => {
                let keys = (0..size).map(|n| format!("\"odd_{n}\":{n}"));
                added(row, &keys.collect::<Vec<_>>().join(","))
            }
            Self::KeyAgain => added(row, &vec!["\"odd\":1"; size].join(",")),
            Self::Deep => added(row, &format!("\"odd\":{}{}", "[".repeat(size), "]".repeat(size))),
            Self::DeepObject => {
                let open = "{\"a\":".repeat(size.saturating_sub(1));
                let close = "}".repeat(size.saturating_sub(1));
                added(row, &format!("\"odd\":{open}{{}}{close}"))
            }
            Self::Digits => {
                let number = "7".repeat(size);
                numbered(&number, &number)
            }
            Self::Huge => numbered("1e999", &format!("[{}]", vec!["1e999"; size].join(","))),
            Self::Text => added(row, &format!("\"odd\":\"{}\"", "x".repeat(size))),
            Self::Key => added(row, &format!("\"{}\":1", "k".repeat(size))),
            Self::Nul => added(row, &format!("\"odd\":\"{}\"", "\\u0000".repeat(size))),
            Self::KeyEach | Self::TextEach | Self::Empty | Self::Definitions | Self::Options => {
                return;
            }
        };
    }
}

/// Returns a row with these pairs at its end.
fn added(row: &[u8], pairs: &str) -> Bytes {
    let end = row.iter().rposition(|byte| *byte == b'}').unwrap_or(0);
    if pairs.is_empty() {
        return Bytes::copy_from_slice(row);
    }
    let comma: &[u8] = if row[..end].trim_ascii() == b"{" { b"" } else { b"," };
    [&row[..end], comma, pairs.as_bytes(), b"}"].concat().into()
}

/// Returns an invented definition of a custom field.
fn definition(nth: usize, name: &str, options: &str) -> Bytes {
    format!(
        "{{\"field_name\":\"{name}\",\"field_code\":\"{nth:040x}\",\"field_type\":\"set\",\
         \"options\":{options},\"is_custom_field\":true}}"
    )
    .into()
}
