//! The retry decision for a response: a table that is tested without a network.
//!
//! The loop that sleeps is in `send.rs`.

use super::budget::Limits;
use crate::model::{Error, Kind, Mask};
use std::time::Duration;

/// The number of attempts of one request before a temporary failure is final.
pub(super) const ATTEMPTS_MAX: u32 = 8;
/// Fewer attempts for a host that never responded: its name is probably misspelled.
pub(super) const FIRST_ATTEMPTS_MAX: u32 = 3;
/// The number of repeated requests after a doubtful response.
pub(super) const DOUBTS_MAX: u32 = 2;
/// The bytes that an attempt at a file must add for the count of attempts to restart. A large file over a
/// poor connection arrives in pieces, and a server cannot make the download endless.
pub(super) const PIECE_BYTES_MIN: u64 = 1 << 20;
/// Answers of 429 to one request before it is not the burst window any more.
pub(super) const LIMITED_MAX: u32 = 5;
/// The same limit for a company that is known to have tokens left: another client fills the window, and
/// pauses grow to a minute.
const LIMITED_WITH_TOKENS_MAX: u32 = 12;
/// Attempts while Pipedrive's firewall answers in its place.
const BLOCKED_MAX: u32 = 4;
/// Longest pause of the exponential backoff.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// Longest `Retry-After` that is worth waiting for inside a run.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);
/// Most of the API's own words that a message quotes.
const QUOTE_MAX: usize = 200;
/// Longest word of them.
const WORD_MAX: usize = 32;

/// The facts about a response.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the attempt")]
pub(super) struct ResponseInfo<'a> {
    pub(super) status: u16,
    /// Whether the body is an HTML page. It is then from the firewall, and not from the API.
    pub(super) html: bool,
    pub(super) limits: Limits,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: &'a [u8],
    /// The number of earlier attempts of this request.
    pub(super) attempt: u32,
    /// The number of earlier 429 responses to it.
    pub(super) limited: u32,
    /// Whether a new access token can still be requested.
    pub(super) refreshable: bool,
    /// Whether the request is a write.
    pub(super) writes: bool,
    /// Whether the request is for the owner of the token.
    pub(super) account: bool,
    /// The cost of the request in tokens.
    pub(super) cost: u32,
}

/// The growth of pauses, and the random number that spreads them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// The first pause.
    pub(super) base: Duration,
    /// A random number between 0 and 1.
    pub(super) dice: f64,
}

/// The action after a response.
#[derive(Debug)]
pub(super) enum RetryDecision {
    Accept,
    /// Requests a new access token and repeats the request.
    Refresh,
    /// Repeats the request after a pause.
    Retry {
        pause: Duration,
        limited: bool,
    },
    Fail(Error),
}

impl Backoff {
    /// Returns the pause before the next attempt: exponential, capped, and spread over its upper half.
    pub(super) fn pause(self, attempt: u32) -> Duration {
        let whole = self.base.saturating_mul(1 << attempt.min(16)).min(PAUSE_MAX);
        whole.mul_f64(0.5 + self.dice / 2.0)
    }
}

pub(super) fn verdict(seen: &ResponseInfo<'_>, mask: &Mask, pace: Backoff) -> RetryDecision {
    let fail = |kind, message: &str| {
        let said = if seen.html { None } else { said(seen.body, mask) };
        let error = Error::new(kind, "").status(seen.status).saying(said);
        RetryDecision::Fail(answered(error, message))
    };
    let retry_after = seen.retry_after.unwrap_or_default();
    let again =
        |pause: Duration, limited| RetryDecision::Retry { pause: pause.max(retry_after), limited };
    let later = retry_after > RETRY_AFTER_MAX;
    match seen.status {
        429 | 500..=599 if later => {
            let kind = if seen.status == 429 { Kind::Quota } else { Kind::Upstream };
            fail(kind, &format!("Pipedrive asks to come back in {} s", retry_after.as_secs()))
        }
        200..=299 if seen.html && seen.attempt < ATTEMPTS_MAX => {
            again(pace.pause(seen.attempt), false)
        }
        200..=299 if seen.html => fail(Kind::Upstream, "Pipedrive answers with a web page"),
        200..=299 => RetryDecision::Accept,
        300..=399 => {
            fail(Kind::Refused, "Pipedrive redirects, which could leak the token: refused")
        }
        401 if seen.refreshable => RetryDecision::Refresh,
        401 => fail(
            Kind::Auth,
            "Pipedrive does not accept the token; create a new one (Personal preferences, API) or authorize the app again",
        ),
        402 if seen.account => {
            fail(Kind::Config, "the company's account is not open, see its billing settings")
        }
        402 => fail(Kind::Permission, "the company's plan or add-ons do not include this"),
        // Cloudflare's page after too many 429 responses (pipedrive-api.md 4.5). The block lasts minutes, not
        // seconds.
        403 if seen.html && seen.attempt < BLOCKED_MAX => again(pace.pause(seen.attempt + 6), true),
        403 if seen.html => {
            fail(Kind::Quota, "Pipedrive's firewall blocks this token after too many requests")
        }
        403 if seen.writes => fail(Kind::Permission, "Pipedrive refuses the write"),
        403 => fail(Kind::Permission, "Pipedrive does not let this token read this"),
        415 => fail(Kind::Permission, "the company's plan or settings do not include this"),
        429 if daily(seen) => fail(Kind::Quota, "the company's daily token budget is spent"),
        429 if seen.limited >= patience(seen) => {
            fail(Kind::Quota, "Pipedrive keeps limiting the rate; run again later")
        }
        429 => again(window(seen).max(pace.pause(seen.limited)), true),
        500 | 502..=504 | 520..=530 if seen.attempt < ATTEMPTS_MAX => {
            again(pace.pause(seen.attempt), false)
        }
        500..=599 => fail(Kind::Upstream, "Pipedrive is in trouble"),
        _ => fail(Kind::Refused, "Pipedrive refused the request"),
    }
}

/// Returns an error with this message, followed by the status and the message of the server.
pub(super) fn answered(error: Error, message: &str) -> Error {
    let message = match (error.http_status(), error.said()) {
        (Some(status), Some(said)) => format!("{message} (HTTP {status}: {said})"),
        (Some(status), None) => format!("{message} (HTTP {status})"),
        (None, _) => message.to_owned(),
    };
    error.reworded(message)
}

/// Returns whether a 429 means the daily budget and not the burst window (pipedrive-api.md 4.5): the rest
/// of the day does not pay for the request, or the rest is unknown and the window has room.
fn daily(seen: &ResponseInfo<'_>) -> bool {
    match seen.limits.daily_remaining {
        Some(left) => left < u64::from(seen.cost.max(1)),
        None => seen.limits.remaining.is_some_and(|left| left > 0),
    }
}

/// Returns the number of 429 responses that are waited for.
fn patience(seen: &ResponseInfo<'_>) -> u32 {
    if seen.limits.daily_remaining.is_some() { LIMITED_WITH_TOKENS_MAX } else { LIMITED_MAX }
}

fn window(seen: &ResponseInfo<'_>) -> Duration {
    Duration::from_secs(seen.limits.reset.unwrap_or(0).min(10))
}

/// Returns the API's own message for an error, if there is one, with known secrets masked.
pub(super) fn said(body: &[u8], mask: &Mask) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct ErrorBody {
        #[serde(alias = "message")]
        error: String,
    }
    let said: ErrorBody = serde_json::from_slice(body).ok()?;
    // Secrets are masked before the text is cut, because a part of a secret would not be recognized.
    let said = mask.apply(&said.error);
    // A very long word may be a token that is not in the mask.
    let words = said.split_whitespace();
    let words: Vec<_> = words.map(|word| if word.len() > WORD_MAX { "…" } else { word }).collect();
    Some(words.join(" ").chars().filter(|letter| !letter.is_control()).take(QUOTE_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Backoff = Backoff { base: Duration::from_secs(1), dice: 1.0 };

    #[track_caller]
    fn check(seen: &ResponseInfo<'_>, expected: &str) {
        let shown = match verdict(seen, &Mask::new(&["t0ken"]), PACE) {
            RetryDecision::Accept => "accept".to_owned(),
            RetryDecision::Refresh => "refresh".to_owned(),
            RetryDecision::Retry { pause, limited } => {
                format!("retry in {} s{}", pause.as_secs(), if limited { ", limited" } else { "" })
            }
            RetryDecision::Fail(error) => format!("{:?}: {error}", error.kind()),
        };
        assert_eq!(shown, expected);
    }

    fn seen(status: u16) -> ResponseInfo<'static> {
        ResponseInfo { status, ..ResponseInfo::default() }
    }

    #[test]
    fn what_passes_is_tried_again() {
        check(&seen(200), "accept");
        for status in [500, 502, 503, 504, 520, 524] {
            check(&seen(status), "retry in 1 s");
        }
        check(&ResponseInfo { attempt: 4, ..seen(503) }, "retry in 16 s");
        check(&ResponseInfo { attempt: 7, ..seen(503) }, "retry in 60 s");
        check(
            &ResponseInfo { attempt: 8, ..seen(503) },
            "Upstream: Pipedrive is in trouble (HTTP 503)",
        );
        check(&seen(501), "Upstream: Pipedrive is in trouble (HTTP 501)");
        check(&ResponseInfo { html: true, ..seen(200) }, "retry in 1 s");
        check(
            &ResponseInfo { retry_after: Some(Duration::from_secs(15)), ..seen(503) },
            "retry in 15 s",
        );
        let much_later = Some(Duration::from_hours(1));
        check(&ResponseInfo { retry_after: much_later, ..seen(200) }, "accept");
        check(
            &ResponseInfo { retry_after: much_later, ..seen(503) },
            "Upstream: Pipedrive asks to come back in 3600 s (HTTP 503)",
        );
        check(
            &ResponseInfo { retry_after: Some(Duration::from_mins(150)), ..seen(429) },
            "Quota: Pipedrive asks to come back in 9000 s (HTTP 429)",
        );
    }

    #[test]
    fn two_limits_share_a_status() {
        let limits = Limits { remaining: Some(0), reset: Some(2), ..Limits::default() };
        check(&ResponseInfo { limits, ..seen(429) }, "retry in 2 s, limited");
        check(&seen(429), "retry in 1 s, limited");
        let spent = "Quota: the company's daily token budget is spent (HTTP 429)";
        let daily = Limits { daily_remaining: Some(0), ..limits };
        check(&ResponseInfo { limits: daily, ..seen(429) }, spent);
        let window_open = Limits { remaining: Some(7), ..Limits::default() };
        check(&ResponseInfo { limits: window_open, ..seen(429) }, spent);
        // The state of the window does not matter: the daily budget is not spent while enough tokens are
        // left.
        for remaining in [None, Some(0), Some(7)] {
            let left = Limits { remaining, daily_remaining: Some(20), ..Limits::default() };
            check(&ResponseInfo { limits: left, cost: 20, ..seen(429) }, "retry in 1 s, limited");
            check(
                &ResponseInfo { limits: left, cost: 20, limited: 5, ..seen(429) },
                "retry in 32 s, limited",
            );
            check(&ResponseInfo { limits: left, cost: 40, ..seen(429) }, spent);
        }
        check(
            &ResponseInfo { limits, limited: 5, ..seen(429) },
            "Quota: Pipedrive keeps limiting the rate; run again later (HTTP 429)",
        );
    }

    #[test]
    fn two_refusals_share_another() {
        check(&ResponseInfo { html: true, ..seen(403) }, "retry in 60 s, limited");
        let body = br#"{"success":false,"error":"Scope and URL mismatch","errorCode":403}"#;
        check(
            &ResponseInfo { body, ..seen(403) },
            "Permission: Pipedrive does not let this token read this (HTTP 403: Scope and URL mismatch)",
        );
    }

    #[test]
    fn only_an_account_that_says_so_itself_is_closed() {
        let body = br#"{"success":false,"error":"Required suites missing","errorCode":402}"#;
        check(
            &ResponseInfo { body, ..seen(402) },
            "Permission: the company's plan or add-ons do not include this (HTTP 402: Required suites missing)",
        );
        check(
            &ResponseInfo { account: true, ..seen(402) },
            "Config: the company's account is not open, see its billing settings (HTTP 402)",
        );
    }

    #[test]
    fn what_stays_wrong_is_not_tried_again() {
        check(
            &seen(401),
            "Auth: Pipedrive does not accept the token; create a new one (Personal preferences, API) or authorize the app again (HTTP 401)",
        );
        check(&ResponseInfo { refreshable: true, ..seen(401) }, "refresh");
        check(&seen(404), "Refused: Pipedrive refused the request (HTTP 404)");
        check(
            &seen(302),
            "Refused: Pipedrive redirects, which could leak the token: refused (HTTP 302)",
        );
    }
}
