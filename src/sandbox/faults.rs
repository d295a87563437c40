//! The injected faults, and when each applies.

use super::odd::{OddDate, OddPage};
use super::oddity::Oddity;
use std::str::FromStr;
use std::time::Duration;

/// A fault that is applied to certain requests.
///
/// It is written as `KIND@WHERE`: see [`GRAMMAR`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of the fault.
    pub trouble: FaultKind,
    /// The first affected request.
    pub at: At,
    /// The number of consecutive affected requests.
    pub times: u32,
}

/// The notation of a fault on a command line.
pub const GRAMMAR: &str = "KIND@WHERE: KIND is a status (500, 502, 503, 504, 520, 524, …), 429, \
429bare, 429daily, 429left (no limit is used up), cloudflare, truncate, cutjson, html, failure, null, utf8, slow:MILLIS, reset, \
hang, cut:BYTES, drip:MILLIS, newfile (of a file's bytes), echo, longcursor, nopaging, repeat, loop, unsorted, seconds (rows of one second by no order of their milliseconds), \
empty, newkey, newenum, newtype, lostreason, expired, badcursor, half (of the CRM's import), nulldata, \
emptydata, emptyadditional, emptyend, morenowhere, revolve, date:SECONDS, nodate, datezone, datestill, or \
rows that are odd and N in size: keys:N, keyeach:N, keyagain:N, deep:N, deepobject:N, digits:N, huge:N, \
text:N, texteach:N (in every row), key:N, nul:N, emptyrows:N, definitions:N, options:N; WHERE is a request number (3), a part of a path (deals), or the n-th request with it \
(deals#2); xN at the end strikes N times (429@5x2), x* without end";

/// The number of pieces of a slowly sent body.
pub const DRIPS: usize = 16;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// This status. A status of 520 and above has Cloudflare's HTML.
    Status(u16),
    /// 429 with the headers of a full burst window.
    Burst,
    /// 429 without any header.
    BareLimit,
    /// 429 with an empty daily budget.
    Daily,
    /// 429 with headers that show remaining tokens and room in the burst window.
    Left,
    /// Cloudflare's 403 page.
    Cloudflare,
    /// The connection closes before the announced length is sent.
    Truncate,
    /// A complete body whose JSON is truncated.
    CutJson,
    /// 200 with an HTML page.
    Html,
    /// 200 with `{"success":false,"data":null}`.
    Failure,
    /// 200 with `null`.
    Null,
    /// A byte that is not UTF-8 inside the body.
    Utf8,
    /// The body pauses in the middle for this duration.
    Slow(Duration),
    /// The body is cut after this number of bytes.
    CutAfter(usize),
    /// The body is sent in [`DRIPS`] pieces, with a pause of this length before each.
    Drip(Duration),
    /// A file with other bytes and another `ETag`.
    NewFile,
    /// 400 with a message that repeats the token.
    Echo,
    /// The next cursor is 100 KB long.
    LongCursor,
    /// The connection closes before any response.
    Reset,
    /// No response until the sandbox is dropped.
    Hang,
    /// The page contains no information about the next one.
    NoPaging,
    /// The previous page of the same path, with the same next cursor.
    Repeat,
    /// The next cursor leads back to this page.
    Loop,
    /// The first and the last row of the page are exchanged.
    Unsorted,
    /// Times with milliseconds get other milliseconds, so that rows of one second are not sorted.
    Seconds,
    /// A page without rows, with a cursor of the page that contains them.
    Empty,
    /// An undocumented key in the first row.
    NewKey,
    /// An undocumented status, type or colour in the first row.
    NewEnum,
    /// A number as text in the first row.
    NewType,
    /// `lost_reason` as an object in the first row.
    LostReason,
    /// 401: the access token has expired.
    Expired,
    /// 400: the cursor is not accepted.
    BadCursor,
    /// Rows of a form that Pipedrive should not send, with this size.
    OddRows(Oddity, usize),
    /// 500 after the first half of the rows of an import into the CRM was stored.
    Half,
    /// A well-formed page with wrong content.
    Odd(OddPage),
    /// A correct response with a wrong `Date` header.
    Date(OddDate),
}

impl FaultKind {
    /// Returns whether a request is refused before it is handled, so that a write is not done.
    pub(super) const fn at_the_gate(self) -> bool {
        matches!(
            self,
            Self::Status(400..=499)
                | Self::Burst
                | Self::BareLimit
                | Self::Daily
                | Self::Left
                | Self::Cloudflare
                | Self::Expired
                | Self::BadCursor
                | Self::Echo
        )
    }
}

/// The first request that a fault affects. Requests are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The request of this number.
    Request(u64),
    /// The n-th request whose path contains this text.
    Path(String, u64),
}

impl Fault {
    /// Returns a fault of one request, the one of this number.
    pub const fn at(trouble: FaultKind, request: u64) -> Self {
        Self { trouble, at: At::Request(request), times: 1 }
    }

    /// Returns a fault that starts at the n-th request whose path contains a text.
    pub fn on(trouble: FaultKind, path: &str, nth: u64, times: u32) -> Self {
        Self { trouble, at: At::Path(path.to_owned(), nth), times }
    }

    /// Returns whether the request of this number is affected. `seen` is the number of requests with a
    /// matching path.
    pub(super) fn strikes(&self, request: u64, seen: u64) -> bool {
        let (count, first) = match &self.at {
            At::Request(first) => (request, *first),
            At::Path(_, first) => (seen, *first),
        };
        count >= first && (self.times == u32::MAX || count - first < u64::from(self.times))
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(spec: &str) -> Result<Self, String> {
        let wrong = || format!("\"{spec}\" is no fault; accepted is {GRAMMAR}");
        let (kind, place) = spec.split_once('@').ok_or_else(wrong)?;
        let trouble = trouble(kind).ok_or_else(wrong)?;
        let counted = place.rsplit_once('x').and_then(|(place, times)| match times {
            "*" => Some((place, u32::MAX)),
            _ => times.parse().ok().map(|times| (place, times)),
        });
        let (place, times) = counted.unwrap_or((place, 1));
        if place.is_empty() || times == 0 {
            return Err(wrong());
        }
        let at = match (place.parse(), place.split_once('#')) {
            (Ok(0), _) => return Err(wrong()),
            (Ok(number), _) => At::Request(number),
            (Err(_), Some((path, nth))) => {
                At::Path(path.to_owned(), nth.parse().map_err(|_| wrong())?)
            }
            (Err(_), None) => At::Path(place.to_owned(), 1),
        };
        Ok(Self { trouble, at, times })
    }
}

fn trouble(kind: &str) -> Option<FaultKind> {
    Some(match kind {
        "429" => FaultKind::Burst,
        "429bare" => FaultKind::BareLimit,
        "429daily" => FaultKind::Daily,
        "429left" => FaultKind::Left,
        "cloudflare" => FaultKind::Cloudflare,
        "truncate" => FaultKind::Truncate,
        "cutjson" => FaultKind::CutJson,
        "html" => FaultKind::Html,
        "failure" => FaultKind::Failure,
        "null" => FaultKind::Null,
        "utf8" => FaultKind::Utf8,
        "reset" => FaultKind::Reset,
        "hang" => FaultKind::Hang,
        "newfile" => FaultKind::NewFile,
        "echo" => FaultKind::Echo,
        "longcursor" => FaultKind::LongCursor,
        "nopaging" => FaultKind::NoPaging,
        "repeat" => FaultKind::Repeat,
        "loop" => FaultKind::Loop,
        "unsorted" => FaultKind::Unsorted,
        "seconds" => FaultKind::Seconds,
        "empty" => FaultKind::Empty,
        "newkey" => FaultKind::NewKey,
        "newenum" => FaultKind::NewEnum,
        "newtype" => FaultKind::NewType,
        "lostreason" => FaultKind::LostReason,
        "expired" => FaultKind::Expired,
        "badcursor" => FaultKind::BadCursor,
        "half" => FaultKind::Half,
        other => match other.split_once(':') {
            Some(("cut", bytes)) => FaultKind::CutAfter(bytes.parse().ok()?),
            Some(("drip", millis)) => FaultKind::Drip(Duration::from_millis(millis.parse().ok()?)),
            Some((name, size)) if Oddity::named(name).is_some() => {
                FaultKind::OddRows(Oddity::named(name)?, size.parse().ok()?)
            }
            Some(("slow", millis)) => FaultKind::Slow(Duration::from_millis(millis.parse().ok()?)),
            _ => match (OddPage::named(other), OddDate::named(other)) {
                (Some(page), _) => FaultKind::Odd(page),
                (_, Some(date)) => FaultKind::Date(date),
                _ => FaultKind::Status(other.parse().ok().filter(|s| (400..=599).contains(s))?),
            },
        },
    })
}
