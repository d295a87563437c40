//! The retry decision for a response of the CRM: a table that is tested without a network.

use super::retry::{ATTEMPTS_MAX, Backoff, LIMITED_MAX, RETRY_AFTER_MAX, said};
use crate::model::{Error, Kind, Mask};
use std::time::Duration;

/// The properties of a response that the table uses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard<'h> {
    /// The HTTP status.
    pub(super) status: u16,
    /// Whether the body is a web page.
    pub(super) html: bool,
    /// The value of `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// The body of an error.
    pub(super) body: &'h [u8],
    /// The number of earlier attempts.
    pub(super) attempt: u32,
}

/// The decision about a response.
#[derive(Debug)]
pub(super) enum RetryDecision {
    /// The response is accepted: a success, or a refusal that the caller handles.
    Take,
    Retry(Duration),
    Fail(Error),
}

/// Returns the error of a refusal.
pub(super) fn refused(status: u16, said: Option<String>) -> Error {
    fail(Kind::Refused, "the CRM refused the request", status, said)
}

fn fail(kind: Kind, message: &str, status: u16, said: Option<String>) -> Error {
    let message = match said {
        Some(said) => format!("{message} (HTTP {status}: {said})"),
        None => format!("{message} (HTTP {status})"),
    };
    Error::new(kind, message).status(status)
}

/// Returns the decision: a table that is tested without a network. The CRM documents 400, 401, 403, 404,
/// 422, 429 with `Retry-After`, and 5xx (drippulse.md 1).
pub(super) fn verdict(heard: &Heard<'_>, mask: &Mask, pace: Backoff) -> RetryDecision {
    let no = |kind, message: &str| {
        let said = if heard.html { None } else { said(heard.body, mask) };
        RetryDecision::Fail(fail(kind, message, heard.status, said))
    };
    let pause = heard.retry_after.unwrap_or_else(|| pace.pause(heard.attempt));
    match heard.status {
        429 | 500..=599 if pause > RETRY_AFTER_MAX => {
            let kind = if heard.status == 429 { Kind::Quota } else { Kind::Upstream };
            no(kind, &format!("the CRM asks to come back in {} s", pause.as_secs()))
        }
        200..=299 | 400 | 404 | 409 | 413 | 422 if !heard.html => RetryDecision::Take,
        200..=299 | 500 | 502..=504 | 520..=530 if heard.attempt < ATTEMPTS_MAX => {
            RetryDecision::Retry(pause)
        }
        200..=299 => no(Kind::Upstream, "the CRM answers with a web page: is the address right?"),
        300..=399 => no(Kind::Refused, "the CRM redirects, which could leak the key: refused"),
        401 => no(Kind::Auth, "the CRM does not accept the key in DRIPPULSE_API_KEY"),
        403 => no(Kind::Permission, "the key in DRIPPULSE_API_KEY may not do this"),
        429 if heard.attempt < LIMITED_MAX => RetryDecision::Retry(pause),
        429 => no(Kind::Quota, "the CRM keeps limiting the rate; run again later"),
        500..=599 => no(Kind::Upstream, "the CRM is in trouble"),
        _ => no(Kind::Refused, "the CRM refused the request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(heard: &Heard<'_>, expected: &str) {
        let pace = Backoff { base: Duration::from_secs(1), dice: 1.0 };
        let shown = match verdict(heard, &Mask::default(), pace) {
            RetryDecision::Take => "take".to_owned(),
            RetryDecision::Retry(pause) => format!("retry in {} s", pause.as_secs()),
            RetryDecision::Fail(error) => format!("{:?}: {error}", error.kind()),
        };
        assert_eq!(shown, expected);
    }

    fn heard(status: u16) -> Heard<'static> {
        Heard { status, ..Heard::default() }
    }

    #[test]
    fn what_passes_is_tried_again_and_a_no_is_taken() {
        for status in [200, 201, 400, 404, 413, 422] {
            check(&heard(status), "take");
        }
        for status in [429, 500, 502, 503, 504, 524] {
            check(&heard(status), "retry in 1 s");
        }
        check(&Heard { retry_after: Some(Duration::from_secs(7)), ..heard(429) }, "retry in 7 s");
        check(&Heard { retry_after: Some(Duration::ZERO), ..heard(429) }, "retry in 0 s");
        check(
            &Heard { retry_after: Some(Duration::from_hours(1)), ..heard(503) },
            "Upstream: the CRM asks to come back in 3600 s (HTTP 503)",
        );
        check(
            &Heard { attempt: LIMITED_MAX, ..heard(429) },
            "Quota: the CRM keeps limiting the rate; run again later (HTTP 429)",
        );
        check(&Heard { attempt: 8, ..heard(503) }, "Upstream: the CRM is in trouble (HTTP 503)");
        check(&Heard { html: true, ..heard(200) }, "retry in 1 s");
        check(
            &Heard { body: br#"{"error":"unauthorized"}"#, ..heard(401) },
            "Auth: the CRM does not accept the key in DRIPPULSE_API_KEY (HTTP 401: unauthorized)",
        );
        check(
            &heard(307),
            "Refused: the CRM redirects, which could leak the key: refused (HTTP 307)",
        );
    }
}
