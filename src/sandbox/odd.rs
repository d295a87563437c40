//! Responses that are well-formed, have status 200, and are wrong about the end of a list or about the
//! time.

use super::json;
use super::lists::{Envelope, Next, Page};
use crate::model::Time;
use bytes::Bytes;
use std::time::{Duration, UNIX_EPOCH};

/// What is wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddPage {
    /// `data: null`, and no word about a next page.
    NullData,
    /// `data: []`, and no word about a next page.
    EmptyData,
    /// The rows, with `additional_data: {}`.
    EmptyAdditional,
    /// No rows, and the end of the list.
    EmptyEnd,
    /// The rows, and more to come, but no cursor or offset to ask for it.
    MoreNowhere,
    /// The next cursor leads back to the first page, and is spelled in a new way each time.
    Revolve,
}

/// What is wrong with the `Date` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddDate {
    /// So many seconds ahead of the account's clock, or behind it.
    Off(i64),
    /// There is none.
    Absent,
    /// It names a zone that HTTP does not know.
    Zone,
    /// It shows the time at which the account began, whatever happens.
    Still,
}

impl OddPage {
    /// The fault of this name in a specification.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "nulldata" => Self::NullData,
            "emptydata" => Self::EmptyData,
            "emptyadditional" => Self::EmptyAdditional,
            "emptyend" => Self::EmptyEnd,
            "morenowhere" => Self::MoreNowhere,
            "revolve" => Self::Revolve,
            _ => return None,
        })
    }

    /// Changes a page. `count` is the number of the request.
    pub(super) fn apply(self, page: &mut Page, count: u64) {
        match self {
            Self::NullData => {
                page.rows.clear();
                if page.envelope != Envelope::Goals {
                    page.envelope = Envelope::NullWhenEmpty;
                }
                page.next = Next::Unsaid;
            }
            Self::EmptyData => {
                page.rows.clear();
                page.envelope = Envelope::Plain;
                page.next = Next::Unsaid;
            }
            Self::EmptyAdditional => page.next = Next::Empty,
            Self::EmptyEnd => {
                page.rows.clear();
                match &mut page.next {
                    Next::Cursor(next) => *next = None,
                    Next::Offset { more, .. } => *more = false,
                    Next::Unsaid | Next::Null | Next::Empty | Next::Nowhere(_) => {}
                }
            }
            Self::MoreNowhere => {
                let cursor = matches!(page.next, Next::Cursor(_));
                page.next = Next::Nowhere(if cursor {
                    r#"{"next_cursor":""}"#
                } else {
                    r#"{"pagination":{"start":0,"limit":500,"more_items_in_collection":true}}"#
                });
            }
            Self::Revolve => {
                if let Some(first) = page.first.as_deref().and_then(json::from_base64)
                    && let Some(open) = first.strip_suffix(b"}")
                {
                    let marker = [open, format!(",\"turn\":{count}}}").as_bytes()].concat();
                    page.next = Next::Cursor(Some(json::base64(&marker)));
                }
            }
        }
    }
}

impl OddDate {
    /// The fault of this name in a specification.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "nodate" => Self::Absent,
            "datezone" => Self::Zone,
            "datestill" => Self::Still,
            _ => Self::Off(name.strip_prefix("date:")?.parse().ok()?),
        })
    }

    /// The header when the account's clock shows this.
    pub(super) fn header(self, now: Time) -> Option<String> {
        match self {
            Self::Off(seconds) => Some(date(now.plus_seconds(seconds))),
            Self::Absent => None,
            Self::Zone => Some(date(now).replace("GMT", "+0200")),
            Self::Still => Some(date(super::account::START)),
        }
    }
}

/// A time as HTTP writes it.
pub(super) fn date(time: Time) -> String {
    let seconds = u64::try_from(time.seconds()).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The fault of a page as bytes, for bodies that are no lists.
pub(super) fn body(odd: OddPage) -> Option<Bytes> {
    let text = match odd {
        OddPage::NullData => r#"{"success":true,"data":null}"#,
        OddPage::EmptyData => r#"{"success":true,"data":[]}"#,
        OddPage::EmptyEnd => r#"{"success":true,"data":[],"additional_data":{"next_cursor":null}}"#,
        OddPage::EmptyAdditional | OddPage::MoreNowhere | OddPage::Revolve => return None,
    };
    Some(Bytes::from_static(text.as_bytes()))
}
