//! Downloads a file as a stream, and resumes a download that was interrupted.

use super::client::{Client, Step, unreachable};
use super::http::was_forbidden;
use super::request::{Request, Rest};
use super::retry::PIECE_BYTES_MIN;
use crate::model::{Error, Kind, Result};
use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode, Url};

/// The maximum number of redirects that are followed. Whether Pipedrive redirects downloads at all is
/// UNVERIFIED (pipedrive-api.md 2.3).
const REDIRECTS_MAX: usize = 3;

/// A download of a file, or of the rest of one.
#[derive(Debug)]
pub struct Download {
    response: Response,
    from: u64,
    /// The strong `ETag` of the file, if the server sends one.
    tag: Option<HeaderValue>,
}

impl Download {
    /// Returns the offset of the first byte: 0, or the number of bytes that were here when the rest was
    /// requested.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Returns the next bytes, or `None` at the end. A connection that is interrupted, or is silent for
    /// longer than `timeout_millis`, is a [`Kind::Network`] error: see [`Client::broken_off`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.response.chunk().await.map_err(unreachable)
    }
}

impl Client {
    /// Makes one attempt at a download. The caller sleeps.
    ///
    /// A redirect to a storage host is followed without the token: only the request to Pipedrive itself
    /// carries it.
    pub async fn download(&self, request: &mut Request) -> Result<Step<Download>> {
        let outcome = self.follow(request).await;
        outcome.map_err(|error| self.told(error))
    }

    async fn follow(&self, request: &mut Request) -> Result<Step<Download>> {
        let mut response = match self.open(request).await? {
            Step::Done(response) => response,
            Step::Wait { pause, limited } => return Ok(Step::Wait { pause, limited }),
        };
        for _ in 0..REDIRECTS_MAX {
            let target = match target(&response) {
                Ok(Some(target)) => target,
                Ok(None) => break,
                Err(error) => return self.lost(request, error),
            };
            let placed = |error: Error| error.at(request.path());
            let http = self.http.led_to(&target).map_err(placed)?;
            response = match request.resumed(http.get(target)).send().await {
                Ok(response) => response,
                Err(error) => match was_forbidden(&error) {
                    Some(forbidden) => return Err(placed(forbidden)),
                    None => return self.lost(request, unreachable(error)),
                },
            };
        }
        let from = match begins_at(request.rest.as_ref(), &response) {
            Ok(from) => from,
            Err(error) => return self.spoilt(request, error),
        };
        if response.status().is_success() {
            let tag = strong_tag(response.headers());
            return Ok(Step::Done(Download { response, from, tag }));
        }
        match self.judge(request, response).await? {
            Step::Wait { pause, limited } => Ok(Step::Wait { pause, limited }),
            Step::Done(_) => Err(Error::new(Kind::Bug, "answer is a failure and a success")),
        }
    }

    /// Handles a download with unusable content: a retry from the beginning after a pause, or the final
    /// error.
    pub fn spoilt(&self, request: &mut Request, error: Error) -> Result<Step<Download>> {
        request.rest = None;
        self.lost(request, error)
    }

    /// Handles a download that ended after this many bytes: a request for the rest after a pause (for all
    /// of it, if the server sends no version), or the final error.
    pub fn broken_off(
        &self,
        request: &mut Request,
        coming: &Download,
        here: u64,
        error: Error,
    ) -> Result<Step<Download>> {
        let tag = coming.tag.clone().filter(|_| here > 0);
        request.rest = tag.map(|tag| Rest { from: here, tag });
        if here >= request.furthest.saturating_add(PIECE_BYTES_MIN) {
            request.furthest = here;
            request.attempt = 0;
        }
        self.lost(request, error)
    }
}

/// Returns the offset of the first byte of a response. A part that was not requested is an error.
fn begins_at(rest: Option<&Rest>, response: &Response) -> Result<u64> {
    let headers = response.headers();
    match (rest, response.status()) {
        (Some(rest), StatusCode::PARTIAL_CONTENT) => {
            let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
            let tag = headers.get(ETAG);
            let same = tag.is_none_or(|tag| *tag == rest.tag);
            if same && range.is_some_and(|range| is_rest(range, rest.from)) {
                return Ok(rest.from);
            }
            Err(Error::new(Kind::Shape, "another part of the file comes than was asked for"))
        }
        (None, StatusCode::PARTIAL_CONTENT) => Err(Error::new(
            Kind::Shape,
            "the response is a part of the file, but the whole file was requested",
        )),
        (Some(_), StatusCode::RANGE_NOT_SATISFIABLE) => {
            Err(Error::new(Kind::Shape, "the file is shorter than what came of it before"))
        }
        _ => Ok(0),
    }
}

/// Returns whether a `Content-Range` contains all bytes from this one on: `bytes 5-9/10`.
fn is_rest(range: &str, from: u64) -> bool {
    let numbers = || {
        let (unit, range) = range.trim().split_once(' ')?;
        let (range, total) = range.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse::<u64>().ok()?) };
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        let whole = total.is_none_or(|total| last.checked_add(1) == Some(total));
        Some(unit.eq_ignore_ascii_case("bytes") && first == from && last >= first && whole)
    };
    numbers().unwrap_or(false)
}

/// Returns the `ETag` of a response if it is strong, so that an equal tag means equal bytes.
fn strong_tag(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")).cloned()
}

/// Returns the target of a redirect, if the response is one.
fn target(response: &Response) -> Result<Option<Url>> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| response.url().join(location).ok());
    target.map(Some).ok_or_else(|| Error::new(Kind::Shape, "redirect leads nowhere"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rest_that_was_asked_for_is_taken() {
        for rest in ["bytes 5-9/10", "Bytes 5-9/*", " bytes  5-5/6 "] {
            assert!(is_rest(rest, 5), "{rest}");
        }
        for other in [
            "bytes 0-9/10",
            "bytes 4-9/10",
            "bytes 5-8/10",
            "bytes 5-4/5",
            "bytes 6-9/10",
            "bytes */10",
            "items 5-9/10",
            "bytes 5-18446744073709551615/0",
            "5-9/10",
            "",
        ] {
            assert!(!is_rest(other, 5), "{other}");
        }
    }

    #[test]
    fn a_weak_tag_proves_nothing() {
        let tag = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            strong_tag(&HeaderMap::from_iter([(ETAG, value)])).is_some()
        };
        assert!(tag("\"a\""));
        assert!(!tag("W/\"a\""));
        assert!(!tag("a"));
    }
}
