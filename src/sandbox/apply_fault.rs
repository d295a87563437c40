//! Applies injected faults to correct responses.

use super::endpoints::{Answer, Content};
use super::faults::FaultKind;
use super::json;
use super::lists::{Next, Page};
use super::odd;
use bytes::Bytes;
use std::time::Duration;

/// The length of an oversized cursor.
const LONG_CURSOR_BYTES: usize = 100_000;

/// The way in which a response is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    /// Half of the body is sent, then the connection closes.
    Cut,
    /// This number of bytes is sent, then the connection closes.
    CutAfter(usize),
    /// The body is sent in pieces, with a pause of this length before each.
    Drip(Duration),
    /// Half of the body is sent, then the rest after this pause.
    Slow(Duration),
    /// The connection closes without a response.
    Reset,
    /// No response is sent.
    Hang,
}

/// A response with a fault.
#[derive(Debug)]
pub(super) struct FaultedResponse {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) html: bool,
    pub(super) delivery: Delivery,
    /// The limit headers that are wrong, if any.
    pub(super) limits: Limits,
}

/// The content of the limit headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limits {
    True,
    BurstEmpty,
    BudgetEmpty,
    Absent,
}

/// The page of Cloudflare.
pub(super) const CLOUDFLARE: &str = "<!DOCTYPE html>\n<html><head><title>Attention Required! | Cloudflare</title></head><body><h1>Sorry, you have been blocked</h1></body></html>\n";

/// The body of every 429.
pub(super) const OVER_LIMIT: &str = r#"{"success":false,"error":"request over limit","errorCode":429,"error_info":"Please check developers.pipedrive.com"}"#;

/// The body of a 401 for an expired OAuth token.
pub(super) const EXPIRED: &str = r#"{"success":false,"error":"Invalid token: access_token is invalid","errorCode":401,"error_info":"Please check developers.pipedrive.com"}"#;

/// Exchanges the first and the last row.
fn unsort(page: &mut Page) {
    let last = page.rows.len().saturating_sub(1);
    if last > 0 {
        page.rows.swap(0, last);
    }
}

/// Returns a response with this body only.
fn no(status: u16, body: &'static str) -> FaultedResponse {
    FaultedResponse {
        status,
        body: Bytes::from_static(body.as_bytes()),
        html: body.starts_with('<'),
        delivery: Delivery::Whole,
        limits: Limits::True,
    }
}

/// Applies a fault to the response to the request of this number. `before` is the page that was sent before
/// for the same path.
pub(super) fn apply_fault(
    answer: &Answer,
    before: Option<&Page>,
    trouble: FaultKind,
    number: u64,
) -> FaultedResponse {
    let fine = |body: Bytes| FaultedResponse {
        status: answer.status,
        body,
        html: false,
        delivery: Delivery::Whole,
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
    match trouble {
        FaultKind::Status(status) if status >= 520 => no(status, CLOUDFLARE),
        FaultKind::Status(status) => no(status, SERVER_ERROR),
        // The CRM has handled this fault. Other responses cannot be split.
        FaultKind::Half => no(500, SERVER_ERROR),
        FaultKind::Burst => FaultedResponse { limits: Limits::BurstEmpty, ..no(429, OVER_LIMIT) },
        FaultKind::BareLimit => FaultedResponse { limits: Limits::Absent, ..no(429, OVER_LIMIT) },
        FaultKind::Daily => FaultedResponse { limits: Limits::BudgetEmpty, ..no(429, OVER_LIMIT) },
        FaultKind::Left => no(429, OVER_LIMIT),
        FaultKind::Cloudflare => no(403, CLOUDFLARE),
        FaultKind::Html => no(200, CLOUDFLARE),
        FaultKind::Failure => no(200, "{\"success\":false,\"data\":null}"),
        FaultKind::Null => no(200, "null"),
        FaultKind::Expired => no(401, EXPIRED),
        FaultKind::BadCursor => no(400, BAD_CURSOR),
        // The service knows the text to repeat.
        FaultKind::Echo => no(400, SERVER_ERROR),
        FaultKind::NewFile => match &answer.content {
            Content::File(body) => fine(body.iter().map(|byte| !byte).collect()),
            _ => fine(answer.body()),
        },
        FaultKind::LongCursor => page(&|page| {
            if let Next::Cursor(next) = &mut page.next {
                *next = Some("c".repeat(LONG_CURSOR_BYTES));
            }
        }),
        FaultKind::CutAfter(bytes) => {
            FaultedResponse { delivery: Delivery::CutAfter(bytes), ..fine(answer.body()) }
        }
        FaultKind::Drip(pause) => {
            FaultedResponse { delivery: Delivery::Drip(pause), ..fine(answer.body()) }
        }
        FaultKind::Truncate => FaultedResponse { delivery: Delivery::Cut, ..fine(answer.body()) },
        FaultKind::Slow(pause) => {
            FaultedResponse { delivery: Delivery::Slow(pause), ..fine(answer.body()) }
        }
        FaultKind::Reset => FaultedResponse { delivery: Delivery::Reset, status: 0, ..no(0, "") },
        FaultKind::Hang => FaultedResponse { delivery: Delivery::Hang, status: 0, ..no(0, "") },
        FaultKind::CutJson => {
            let body = answer.body();
            fine(body.slice(..body.len() * 2 / 3))
        }
        FaultKind::Utf8 => {
            let mut body = answer.body().to_vec();
            let text = body.windows(2).rposition(|pair| pair == b":\"").unwrap_or(0);
            body.insert(text + 2, 0xff);
            fine(Bytes::from(body))
        }
        FaultKind::Odd(wrong) => match &answer.content {
            Content::Page(_) => page(&|page| wrong.apply(page, number)),
            _ => fine(odd::body(wrong).unwrap_or_else(|| answer.body())),
        },
        // Only the header is wrong.
        FaultKind::Date(_) => fine(answer.body()),
        FaultKind::NoPaging => page(&|page| page.next = Next::Unsaid),
        FaultKind::Repeat => match before {
            Some(before) => fine(before.body()),
            None => fine(answer.body()),
        },
        FaultKind::Loop => page(&lead_here),
        FaultKind::Unsorted => page(&unsort),
        FaultKind::Seconds => page(&|page| {
            for row in &mut page.rows {
                *row = Bytes::from(finer(row));
            }
        }),
        FaultKind::Empty => page(&|page| {
            page.rows.clear();
            lead_here(page);
        }),
        FaultKind::OddRows(oddity, size) => page(&|page| oddity.befall(size, page)),
        FaultKind::NewKey | FaultKind::NewEnum | FaultKind::NewType | FaultKind::LostReason => {
            first(&|row| unexpected(row, trouble))
        }
    }
}

/// Returns a row whose `update_time` has milliseconds that depend on the bytes of the row. A time without a
/// fraction stays unchanged.
fn finer(row: &[u8]) -> Vec<u8> {
    let time = json::find(row, "update_time");
    let Some((second, _)) = time.and_then(|time| time.split_once('.')) else {
        return row.to_vec();
    };
    let sum: u32 = row.iter().map(|byte| u32::from(*byte)).sum();
    with(row, "update_time", &format!("{second}.{:03}Z\"", sum * 7 % 1_000))
}

/// Returns a row with an undocumented member or value.
fn unexpected(row: &[u8], trouble: FaultKind) -> Vec<u8> {
    let there = |names: &[&'static str], usual| {
        names.iter().copied().find(|name| json::find(row, name).is_some()).unwrap_or(usual)
    };
    match trouble {
        FaultKind::NewEnum => {
            let names = ["status", "type", "color", "field_type", "event_object"];
            with(row, there(&names, "status"), "\"snoozed\"")
        }
        FaultKind::NewType => {
            let names = ["probability", "tax", "owner_id", "user_id", "order_nr"];
            with(row, there(&names, "probability"), "\"12 %\"")
        }
        FaultKind::LostReason => with(row, "lost_reason", "{\"id\":7,\"label\":\"Too late\"}"),
        _ => with(row, "surprise", "{\"a\":1}"),
    }
}

const SERVER_ERROR: &str = r#"{"success":false,"error":"Something went wrong","error_info":"","data":null,"additional_data":null}"#;
const BAD_CURSOR: &str = r#"{"success":false,"error":"Validation failed: cursor: Provided cursor is not valid","code":"ERR_SCHEMA_VALIDATION_FAILED"}"#;

/// Makes the next page of a page the page itself.
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
