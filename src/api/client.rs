//! The HTTP client of the Pipedrive API: admits a request, sends it, and judges the response.

use super::account::ME;
use super::auth::{Auth, Reread};
use super::budget::{Admit, Budget, Limits, Spending};
use super::http::Http;
use super::refusal::TokenRights;
use super::request::{Request, Write};
use super::retry::{
    ATTEMPTS_MAX, Backoff, FIRST_ATTEMPTS_MAX, ResponseInfo, RetryDecision, verdict,
};
use super::reused::Reused;
use crate::model::{Error, Kind, Mask, Result, Settings, Time};
use bytes::{Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER,
};
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The largest accepted response after decompression: 500 rows of 128 KiB.
const BODY_BYTES_MAX: usize = 64 << 20;
/// Largest window of a gzip stream (RFC 1952).
const GZIP_WINDOW_BITS: u8 = 15;
/// The longest wait that counts as normal pacing by the burst window.
const BURST_WAIT_MAX: Duration = Duration::from_millis(2_100);

/// A connection to one account. All streams share it and its budget.
#[derive(Debug)]
pub struct Client {
    pub(super) http: Http,
    pub(super) auth: Auth,
    /// Every secret that was sent. Errors mask them, because a server may echo one.
    mask: Mutex<Mask>,
    budget: Mutex<Budget>,
    shared_host: bool,
    base: Duration,
    gzip: bool,
    /// Whether the host has ever responded.
    answered: AtomicBool,
    /// The server's clock at its last good response, in seconds since 1970. 0 if it is unknown.
    clock: AtomicI64,
    /// The owner of the token, once it is known.
    pub(super) standing: OnceLock<TokenRights>,
    /// Responses that several streams share.
    pub(super) reused: Reused,
    /// Reduced page sizes by path, for paths whose responses were too large.
    pub(super) limits: Mutex<HashMap<String, u32>>,
}

/// The outcome of one attempt.
#[derive(Debug)]
pub enum Step<T> {
    /// It succeeded.
    Done(T),
    /// It is retried after this pause.
    Wait {
        /// The duration of the pause.
        pause: Duration,
        /// Whether Pipedrive limits the rate. Otherwise a temporary failure is the reason.
        limited: bool,
    },
}

/// A successful response.
#[derive(Debug)]
pub struct Answer {
    /// The decompressed body.
    pub body: Bytes,
    /// The server's clock. `None` if the `Date` header is missing or unreadable.
    pub date: Option<Time>,
}

/// Returns the `User-Agent` of requests.
fn introduction(settings: &Settings) -> String {
    let program = concat!("source-pipedrive/", env!("CARGO_PKG_VERSION"));
    match &settings.user_agent {
        Some(agent) => format!("{program} {agent}"),
        None => program.to_owned(),
    }
}

impl Client {
    /// Returns a client for these settings, and the channel that receives rotated refresh tokens.
    pub fn new(settings: &Settings) -> Result<(Self, UnboundedReceiver<SecretString>)> {
        let silence = Duration::from_millis(settings.timeout_millis);
        let http = Http::new(&settings.origin, introduction(settings), silence)?;
        let (rotated, rotations): (UnboundedSender<SecretString>, _) = unbounded_channel();
        let auth = Auth::new(settings, rotated);
        let budget = Budget::new(auth.is_oauth(), settings.max_tokens, settings.reserve_percent);
        let client = Self {
            http,
            auth,
            mask: Mutex::new(Mask::new(&settings.secrets())),
            budget: Mutex::new(budget),
            shared_host: settings.shared_host,
            base: Duration::from_millis(settings.backoff_millis),
            gzip: settings.gzip,
            answered: AtomicBool::new(false),
            clock: AtomicI64::new(0),
            standing: OnceLock::new(),
            reused: Reused::default(),
            limits: Mutex::default(),
        };
        Ok((client, rotations))
    }

    /// Returns the same client with a function that looks for a newer refresh token before a refusal is
    /// final.
    #[must_use]
    pub fn rereading(mut self, reread: Reread) -> Self {
        self.auth = self.auth.rereading(reread);
        self
    }

    /// Returns the cost of the run so far.
    pub fn spending(&self) -> Spending {
        self.budget().spending()
    }

    /// Returns the server's clock at its last good response. `None` if that had no time.
    pub fn clock(&self) -> Option<Time> {
        match self.clock.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(Time::from_seconds(seconds)),
        }
    }

    /// Locks the shared budget. The lock is held for arithmetic only, never during a wait.
    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the secrets to mask in messages. The lock is held while a text is formatted, never during a
    /// wait.
    pub(super) fn mask(&self) -> MutexGuard<'_, Mask> {
        self.mask.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error with all secrets masked.
    pub(super) fn told(&self, error: Error) -> Error {
        error.without(&self.mask())
    }

    /// Makes one attempt and returns the unread response. The caller sleeps.
    pub(super) async fn step(&self, request: &mut Request) -> Result<Step<Answer>> {
        let outcome = match self.open(request).await {
            Ok(Step::Done(response)) => self.judge(request, response).await,
            Ok(Step::Wait { pause, limited }) => Ok(Step::Wait { pause, limited }),
            Err(error) => Err(error),
        };
        outcome.map_err(|error| self.told(error))
    }

    /// Sends a request when the budget allows it. Returns when the response has begun, whatever its
    /// status.
    pub(super) async fn open(&self, request: &mut Request) -> Result<Step<reqwest::Response>> {
        if let Some(pause) = self.admitted(request).await? {
            return Ok(Step::Wait { pause, limited: true });
        }
        request.sent += 1;
        let path = request.path.clone();
        let place = |error: Error| error.at(path.clone());
        let response = match self.send(request).await {
            Ok(response) => response,
            Err(sent) => {
                self.budget().release_unused(request.cost);
                return match sent {
                    Sent::Failed(error) => Err(place(error)),
                    Sent::Lost(error) => self.lost(request, error),
                };
            }
        };
        self.answered.store(true, Ordering::Relaxed);
        let mut budget = self.budget();
        budget.release_unused(request.cost);
        budget.observe(Instant::now(), &limits(response.headers()));
        Ok(Step::Done(response))
    }

    /// Reads a response and decides what it means.
    pub(super) async fn judge(
        &self,
        request: &mut Request,
        response: reqwest::Response,
    ) -> Result<Step<Answer>> {
        let path = request.path.clone();
        let place = |error: Error| error.at(path.clone());
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let limits = limits(&headers);
        let html = is_html(&headers);
        let body = match self.body(response).await {
            Ok(body) => body,
            Err(error) if error.kind() == Kind::Network => return self.lost(request, error),
            Err(error) => return Err(place(error)),
        };
        let retry_after = header(&headers, RETRY_AFTER.as_str());
        let decided = verdict(
            &ResponseInfo {
                status,
                html,
                limits,
                retry_after: retry_after
                    .and_then(|text| text.parse().ok())
                    .map(Duration::from_secs),
                body: &body,
                attempt: request.attempt,
                limited: request.limited,
                refreshable: self.auth.is_oauth() && !request.refreshed,
                writes: request.write.is_some(),
                account: request.path == ME,
                cost: request.cost,
            },
            &self.mask(),
            self.pace(),
        );
        match decided {
            // The server may have executed it all the same.
            RetryDecision::Retry { limited: false, .. } if request.is_once() => {
                let message = format!("Pipedrive is in trouble (HTTP {status})");
                Err(place(Error::new(Kind::Upstream, message).status(status)))
            }
            RetryDecision::Accept => {
                let date = header(&headers, DATE.as_str()).and_then(http_date);
                self.clock.store(date.map_or(0, Time::seconds), Ordering::Relaxed);
                Ok(Step::Done(Answer { body, date }))
            }
            RetryDecision::Refresh => {
                self.auth.renew(self, request.serial).await?;
                request.refreshed = true;
                Ok(Step::Wait { pause: Duration::ZERO, limited: false })
            }
            RetryDecision::Retry { pause, limited } => {
                request.attempt += 1;
                request.limited += u32::from(status == 429);
                if limited {
                    self.budget().block(Instant::now() + pause);
                }
                Ok(Step::Wait { pause, limited })
            }
            RetryDecision::Fail(error) => Err(place(error)),
        }
    }

    /// Handles an attempt without a usable response: a retry after a pause, or the final error.
    pub(super) fn lost<T>(&self, request: &mut Request, error: Error) -> Result<Step<T>> {
        let most =
            if self.answered.load(Ordering::Relaxed) { ATTEMPTS_MAX } else { FIRST_ATTEMPTS_MAX };
        if request.attempt >= most || request.is_once() {
            let placed = if error.place().is_some() { error } else { error.at(&request.path) };
            return Err(self.told(placed));
        }
        let pause = self.pace().pause(request.attempt);
        request.attempt += 1;
        Ok(Step::Wait { pause, limited: false })
    }

    pub(super) fn pace(&self) -> Backoff {
        Backoff { base: self.base, dice: fastrand::f64() }
    }

    /// Waits until the budget allows a request. The caller handles a longer wait, and can report it.
    async fn admitted(&self, request: &Request) -> Result<Option<Duration>> {
        loop {
            let admit = self.budget().admit(Instant::now(), request.cost);
            match admit {
                Admit::Go => return Ok(None),
                Admit::Wait(pause) if pause > BURST_WAIT_MAX => return Ok(Some(pause)),
                Admit::Wait(pause) => tokio::time::sleep(pause).await,
                Admit::Spent(why) => return Err(Error::new(Kind::Quota, why)),
            }
        }
    }

    async fn send(&self, request: &mut Request) -> std::result::Result<reqwest::Response, Sent> {
        request.check().map_err(Sent::Failed)?;
        let pass = self.auth.pass(self).await.map_err(Sent::Failed)?;
        request.serial = pass.serial;
        let origin = pass.origin;
        let path = match request.path.strip_prefix("/api/v1/") {
            // The shared host knows v1 without `/api` only (pipedrive-api.md 1.1).
            Some(rest) if self.shared_host && origin.contains("//api.") => format!("/v1/{rest}"),
            _ => request.path.clone(),
        };
        let mut url = reqwest::Url::parse(&format!("{origin}{path}")).map_err(|error| {
            Sent::Failed(Error::new(Kind::Config, "host is not a valid URL").because(error))
        })?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let accept = if request.file { "*/*" } else { "application/json" };
        let http = self.http.to(&url).map_err(Sent::Failed)?;
        if request.write.is_some() {
            self.reused.forget();
        }
        let call = match &request.write {
            None => request.resumed(http.get(url)),
            Some(Write { method, body }) => http
                .request(method.clone(), url)
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()),
        };
        let mut call = call.header(pass.name, pass.value).header(ACCEPT, accept);
        if self.gzip && !request.file {
            call = call.header(ACCEPT_ENCODING, "gzip");
        }
        let place = format!("{origin}{path}");
        call.send().await.map_err(|error| Sent::Lost(unreachable(error).at(place)))
    }

    pub(super) async fn body(&self, mut response: reqwest::Response) -> Result<Bytes> {
        let packed = header(response.headers(), CONTENT_ENCODING.as_str()).map(str::to_owned);
        let expected = response.content_length().and_then(|n| usize::try_from(n).ok());
        let mut body = BytesMut::with_capacity(expected.unwrap_or(0).min(BODY_BYTES_MAX));
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        // Names of encodings are case-insensitive, and `x-gzip` is an alias (RFC 9110, 8.4.1).
        match packed.as_deref().map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Ok(body.freeze()),
            Some("gzip" | "x-gzip") => unpack(&body),
            Some(_) => {
                Err(Error::new(Kind::Shape, "response has an encoding that was not requested"))
            }
        }
    }
}

enum Sent {
    /// A retry is useless.
    Failed(Error),
    /// A retry may succeed.
    Lost(Error),
}

/// Decompresses a gzip body in one piece, directly into the output buffer. A damaged body is a
/// [`Kind::Network`] error: it is requested again.
fn unpack(packed: &[u8]) -> Result<Bytes> {
    let damaged = || Error::new(Kind::Network, "answer is damaged");
    // The last four bytes of a gzip member contain its size modulo 4 GiB: a hint that is never trusted.
    let hint = packed.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut body = Vec::with_capacity(hint.min(BODY_BYTES_MAX) + 1);
    let mut rest = packed;
    let mut gzip = Decompress::new_gzip(GZIP_WINDOW_BITS);
    loop {
        let (read, held) = (gzip.total_in(), body.len());
        let status = gzip
            .decompress_vec(rest, &mut body, FlushDecompress::Finish)
            .map_err(|error| damaged().because(error))?;
        let read = usize::try_from(gzip.total_in() - read).unwrap_or(0);
        rest = rest.get(read..).unwrap_or_default();
        match status {
            _ if body.len() > BODY_BYTES_MAX => return Err(too_large()),
            Status::StreamEnd if rest.is_empty() => return Ok(body.into()),
            // A body may be several gzip members, one after the other.
            Status::StreamEnd => gzip = Decompress::new_gzip(GZIP_WINDOW_BITS),
            _ if body.len() == body.capacity() => body.reserve(body.len()),
            _ if read == 0 && body.len() == held => return Err(damaged()),
            _ => {}
        }
    }
}

fn too_large() -> Error {
    Error::new(Kind::Shape, format!("answer is larger than {} MiB", BODY_BYTES_MAX >> 20))
        .too_large()
}

pub(super) fn unreachable(error: reqwest::Error) -> Error {
    lost("Pipedrive", error)
}

/// Returns the error of a request without a response. It contains no URL, and therefore no secret.
pub(super) fn lost(who: &str, error: reqwest::Error) -> Error {
    let mut root: &dyn std::error::Error = &error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    let message = if error.is_timeout() {
        format!("{who} does not answer in time")
    } else if error.is_connect() {
        format!("{who} cannot be reached ({root})")
    } else {
        format!("connection to {who} was interrupted ({root})")
    };
    Error::new(Kind::Network, message).because(error.without_url())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Returns whether a body is a web page, from a proxy or the firewall and not from the API.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    header(headers, CONTENT_TYPE.as_str()).is_some_and(|ty| ty.contains("text/html"))
}

fn limits(headers: &HeaderMap) -> Limits {
    fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
        header(headers, name).and_then(|text| text.trim().parse().ok())
    }
    Limits {
        burst: number(headers, "x-ratelimit-limit"),
        remaining: number(headers, "x-ratelimit-remaining"),
        reset: number(headers, "x-ratelimit-reset"),
        daily_limit: number(headers, "x-daily-ratelimit-token-limit"),
        daily_remaining: number(headers, "x-daily-ratelimit-token-remaining"),
    }
}

pub(super) fn http_date(text: &str) -> Option<Time> {
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Time::from_seconds(i64::try_from(since.as_secs()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn packed(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).expect("a vector takes everything");
        encoder.finish().expect("a vector takes everything")
    }

    #[track_caller]
    fn check(packed: &[u8], expected: &str) {
        let shown = match unpack(packed) {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn packed_bodies_come_whole_or_not_at_all() {
        let whole = packed(br#"{"success":true}"#);
        check(&whole, r#"{"success":true}"#);
        check(&whole[..whole.len() - 3], "Network: answer is damaged");
        check(b"<html>", "Network: answer is damaged");
        // A size in the trailer that lies changes nothing but the first allocation.
        let mut liar = whole;
        let end = liar.len();
        liar[end - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
        check(&liar, "Network: answer is damaged");
    }

    #[test]
    fn a_small_body_that_unpacks_to_a_flood_is_refused() {
        let flood = packed(&vec![b' '; BODY_BYTES_MAX + 1]);
        assert!(flood.len() < BODY_BYTES_MAX / 100);
        check(&flood, "Shape: answer is larger than 64 MiB");
    }
}
