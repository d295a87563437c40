//! Responses that are well-formed, have status 200, and are wrong about the end of a list or about the
//! time.

use super::json;
use super::lists::{Envelope, Next, Page};
use crate::model::Time;
use bytes::Bytes;
use std::time::{Duration, UNIX_EPOCH};

/// The defect of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddPage {
    /// `data: null`, without information about a next page.
    NullData,
    /// `data: []`, without information about a next page.
    EmptyData,
    /// The rows, and `additional_data: {}`.
    EmptyAdditional,
    /// No rows, and the end of the list.
    EmptyEnd,
    /// The rows, and a note that there is more, without a cursor or offset.
    MoreNowhere,
    /// A next cursor that leads back to the first page, and has another text each time.
    Revolve,
}

/// The defect of the `Date` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddDate {
    /// It is ahead of the account's clock by this number of seconds, or behind it if negative.
    Off(i64),
    /// It is missing.
    Absent,
    /// It contains a zone that HTTP does not define.
    Zone,
    /// It always shows the start time of the account.
    Still,
}

impl OddPage {
    /// Returns the fault of this name in a specification.
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
    /// Returns the fault of this name in a specification.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "nodate" => Self::Absent,
            "datezone" => Self::Zone,
            "datestill" => Self::Still,
            _ => Self::Off(name.strip_prefix("date:")?.parse().ok()?),
        })
    }

    /// Returns the header for this time of the account's clock.
    pub(super) fn header(self, now: Time) -> Option<String> {
        match self {
            Self::Off(seconds) => Some(date(now.plus_seconds(seconds))),
            Self::Absent => None,
            Self::Zone => Some(date(now).replace("GMT", "+0200")),
            Self::Still => Some(date(super::account::START)),
        }
    }
}

/// Returns a time in the format of HTTP.
pub(super) fn date(time: Time) -> String {
    let seconds = u64::try_from(time.seconds()).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Returns the fault of a page as bytes, for bodies that are not lists.
pub(super) fn body(odd: OddPage) -> Option<Bytes> {
    let text = match odd {
        OddPage::NullData => r#"{"success":true,"data":null}"#,
        OddPage::EmptyData => r#"{"success":true,"data":[]}"#,
        OddPage::EmptyEnd => r#"{"success":true,"data":[],"additional_data":{"next_cursor":null}}"#,
        OddPage::EmptyAdditional | OddPage::MoreNowhere | OddPage::Revolve => return None,
    };
    Some(Bytes::from_static(text.as_bytes()))
}
