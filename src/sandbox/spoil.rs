//! Carries faults out on answers that were fine.

use super::answers::{Answer, Content};
use super::faults::Trouble;
use super::json;
use super::lists::{Next, Page};
use super::odd;
use bytes::Bytes;
use std::time::Duration;

/// Length of a cursor that is too long.
const LONG_CURSOR_BYTES: usize = 100_000;

/// How an answer reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Whole,
    /// Half of it, then the connection closes.
    Cut,
    /// So many bytes of it, then the connection closes.
    CutAfter(usize),
    /// Piece by piece, with a pause of this length before each.
    Drip(Duration),
    /// Half of it, a pause, the rest.
    Slow(Duration),
    /// The connection closes without an answer.
    Reset,
    /// Never.
    Hang,
}

/// An answer with a fault in it.
#[derive(Debug)]
pub(super) struct Spoilt {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) html: bool,
    pub(super) manner: Manner,
    /// Which limit headers lie, if any.
    pub(super) limits: Limits,
}

/// What the limit headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limits {
    True,
    BurstEmpty,
    BudgetEmpty,
    Absent,
}

/// Cloudflare's page.
pub(super) const CLOUDFLARE: &str = "<!DOCTYPE html>\n<html><head><title>Attention Required! | Cloudflare</title></head><body><h1>Sorry, you have been blocked</h1></body></html>\n";

/// The body of every 429.
pub(super) const OVER_LIMIT: &str = r#"{"success":false,"error":"request over limit","errorCode":429,"error_info":"Please check developers.pipedrive.com"}"#;

/// The body of a 401 for an OAuth token that is over.
pub(super) const EXPIRED: &str = r#"{"success":false,"error":"Invalid token: access_token is invalid","errorCode":401,"error_info":"Please check developers.pipedrive.com"}"#;

/// Puts the last row first.
fn unsort(page: &mut Page) {
    let last = page.rows.len().saturating_sub(1);
    if last > 0 {
        page.rows.swap(0, last);
    }
}

/// Spoils the answer to the request of this number. `before` is the page of the same path that was
/// sent before.
pub(super) fn spoil(
    answer: &Answer,
    before: Option<&Page>,
    trouble: Trouble,
    number: u64,
) -> Spoilt {
    let fine = |body: Bytes| Spoilt {
        status: answer.status,
        body,
        html: false,
        manner: Manner::Whole,
        limits: Limits::True,
    };
    let page = |change: &dyn Fn(&mut Page)| match &answer.content {
        Content::Page(page) => {
            let mut page = page.clone();
            change(&mut page);
            fine(page.body())
        }
        Content::Json(_) | Content::File(_) | Content::Moved(_) => fine(answer.body()),
    };
    let first = |change: &dyn Fn(&[u8]) -> Vec<u8>| {
        page(&|page| {
            if let Some(row) = page.rows.first_mut() {
                *row = Bytes::from(change(row));
            }
        })
    };
    let no = |status: u16, body: &'static str| Spoilt {
        status,
        body: Bytes::from_static(body.as_bytes()),
        html: body.starts_with('<'),
        manner: Manner::Whole,
        limits: Limits::True,
    };
    match trouble {
        Trouble::Status(status) if status >= 520 => no(status, CLOUDFLARE),
        Trouble::Status(status) => no(status, SERVER_ERROR),
        // The CRM has seen to it; nothing else has halves.
        Trouble::Half => no(500, SERVER_ERROR),
        Trouble::Burst => Spoilt { limits: Limits::BurstEmpty, ..no(429, OVER_LIMIT) },
        Trouble::BareLimit => Spoilt { limits: Limits::Absent, ..no(429, OVER_LIMIT) },
        Trouble::Daily => Spoilt { limits: Limits::BudgetEmpty, ..no(429, OVER_LIMIT) },
        Trouble::Left => no(429, OVER_LIMIT),
        Trouble::Cloudflare => no(403, CLOUDFLARE),
        Trouble::Html => no(200, CLOUDFLARE),
        Trouble::Failure => no(200, "{\"success\":false,\"data\":null}"),
        Trouble::Null => no(200, "null"),
        Trouble::Expired => no(401, EXPIRED),
        Trouble::BadCursor => no(400, BAD_CURSOR),
        // The desk knows what is to be repeated.
        Trouble::Echo => no(400, SERVER_ERROR),
        Trouble::NewFile => match &answer.content {
            Content::File(body) => fine(body.iter().map(|byte| !byte).collect()),
            _ => fine(answer.body()),
        },
        Trouble::LongCursor => page(&|page| {
            if let Next::Cursor(next) = &mut page.next {
                *next = Some("c".repeat(LONG_CURSOR_BYTES));
            }
        }),
        Trouble::CutAfter(bytes) => {
            Spoilt { manner: Manner::CutAfter(bytes), ..fine(answer.body()) }
        }
        Trouble::Drip(pause) => Spoilt { manner: Manner::Drip(pause), ..fine(answer.body()) },
        Trouble::Truncate => Spoilt { manner: Manner::Cut, ..fine(answer.body()) },
        Trouble::Slow(pause) => Spoilt { manner: Manner::Slow(pause), ..fine(answer.body()) },
        Trouble::Reset => Spoilt { manner: Manner::Reset, status: 0, ..no(0, "") },
        Trouble::Hang => Spoilt { manner: Manner::Hang, status: 0, ..no(0, "") },
        Trouble::CutJson => {
            let body = answer.body();
            fine(body.slice(..body.len() * 2 / 3))
        }
        Trouble::Utf8 => {
            let mut body = answer.body().to_vec();
            let text = body.windows(2).rposition(|pair| pair == b":\"").unwrap_or(0);
            body.insert(text + 2, 0xff);
            fine(Bytes::from(body))
        }
        Trouble::Odd(wrong) => match &answer.content {
            Content::Page(_) => page(&|page| wrong.apply(page, number)),
            _ => fine(odd::body(wrong).unwrap_or_else(|| answer.body())),
        },
        // The header is wrong, not the answer.
        Trouble::Date(_) => fine(answer.body()),
        Trouble::NoPaging => page(&|page| page.next = Next::Unsaid),
        Trouble::Repeat => match before {
            Some(before) => fine(before.body()),
            None => fine(answer.body()),
        },
        Trouble::Loop => page(&lead_here),
        Trouble::Unsorted => page(&unsort),
        Trouble::Seconds => page(&|page| {
            for row in &mut page.rows {
                *row = Bytes::from(finer(row));
            }
        }),
        Trouble::Empty => page(&|page| {
            page.rows.clear();
            lead_here(page);
        }),
        Trouble::OddRows(oddity, size) => page(&|page| oddity.befall(size, page)),
        Trouble::NewKey | Trouble::NewEnum | Trouble::NewType | Trouble::LostReason => {
            first(&|row| unexpected(row, trouble))
        }
    }
}

/// A row whose time of change has milliseconds that depend on its bytes, if it has any.
fn finer(row: &[u8]) -> Vec<u8> {
    let time = json::find(row, "update_time");
    let Some((second, _)) = time.and_then(|time| time.split_once('.')) else {
        return row.to_vec();
    };
    let sum: u32 = row.iter().map(|byte| u32::from(*byte)).sum();
    with(row, "update_time", &format!("{second}.{:03}Z\"", sum * 7 % 1_000))
}

/// A row with something that nobody expects.
fn unexpected(row: &[u8], trouble: Trouble) -> Vec<u8> {
    let there = |names: &[&'static str], usual| {
        names.iter().copied().find(|name| json::find(row, name).is_some()).unwrap_or(usual)
    };
    match trouble {
        Trouble::NewEnum => {
            let names = ["status", "type", "color", "field_type", "event_object"];
            with(row, there(&names, "status"), "\"snoozed\"")
        }
        Trouble::NewType => {
            let names = ["probability", "tax", "owner_id", "user_id", "order_nr"];
            with(row, there(&names, "probability"), "\"12 %\"")
        }
        Trouble::LostReason => with(row, "lost_reason", "{\"id\":7,\"label\":\"Too late\"}"),
        _ => with(row, "surprise", "{\"a\":1}"),
    }
}

const SERVER_ERROR: &str = r#"{"success":false,"error":"Something went wrong","error_info":"","data":null,"additional_data":null}"#;
const BAD_CURSOR: &str = r#"{"success":false,"error":"Validation failed: cursor: Provided cursor is not valid","code":"ERR_SCHEMA_VALIDATION_FAILED"}"#;

/// The page after this one is this one.
fn lead_here(page: &mut Page) {
    if let Some(here) = &page.here {
        page.next = Next::Cursor(Some(here.clone()));
    } else if let Next::Offset { more, .. } = &mut page.next {
        *more = true;
    }
}

fn with(row: &[u8], key: &str, value: &str) -> Vec<u8> {
    json::replaced(row, &[(key.to_owned(), value.to_owned())])
}
