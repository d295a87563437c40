//! The HTTP client of the CRM that bundles are pushed to: a large export, and an import that can be
//! refused.

use super::client::{http_date, is_html, lost};
use super::crm_verdict::{Heard, RetryDecision, refused, verdict};
use super::http::Http;
use super::retry::{ATTEMPTS_MAX, Backoff, FIRST_ATTEMPTS_MAX, said};
use crate::model::{Error, Kind, Mask, Result, Time, is_token, safe_origin};
use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::IgnoredAny;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// The name of the address of a CRM in error messages.
pub const ADDRESS: &str = "address of the CRM";
/// The path of the API below the origin.
const API: &str = "/api/v1";
/// The largest response that is held in memory: the result of an import.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The longest time without a byte: the server builds an export before it sends the first byte.
const SILENCE_MAX: Duration = Duration::from_mins(10);

/// A connection to one organization of the CRM. Its key belongs to exactly one.
#[derive(Debug)]
pub struct Crm {
    http: Http,
    origin: String,
    key: HeaderValue,
    /// The key, which is masked in messages of the CRM.
    mask: Mask,
    /// The pause before the first retry.
    base: Duration,
}

/// A response that was accepted, or a final refusal.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status: 2xx, 400, 404, 409, 413 or 422.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
    /// The server's clock.
    pub date: Option<Time>,
    /// The message of a refusal, with the key masked.
    said: Option<String>,
}

impl Crm {
    /// Returns a client for the CRM at this address, with or without `/api/v1`. `base` is the pause
    /// before the first retry.
    pub fn new(address: &str, key: &SecretString, base: Duration) -> Result<Self> {
        let config = |message: &str, at: &str| Error::new(Kind::Config, message).at(at);
        let address = address.trim().trim_end_matches('/');
        let origin =
            safe_origin(address.strip_suffix(API).unwrap_or(address)).ok_or_else(|| {
                config("must be an https:// address, or http:// on loopback", ADDRESS)
            })?;
        let mask = Mask::new(&[key.expose_secret().trim()]);
        let odd = || config("holds characters that no key has", "DRIPPULSE_API_KEY");
        let token = Some(key.expose_secret().trim()).filter(|token| is_token(token));
        let mut key = HeaderValue::from_str(&format!("Bearer {}", token.ok_or_else(odd)?))
            .map_err(|_| odd())?;
        key.set_sensitive(true);
        let program = concat!("source-pipedrive/", env!("CARGO_PKG_VERSION"));
        let http = Http::new(&origin, program.to_owned(), SILENCE_MAX)?;
        Ok(Self { http, origin, key, mask, base })
    }

    /// Returns a message of the CRM with the key masked.
    pub fn masked(&self, text: &str) -> String {
        self.mask.apply(text)
    }

    /// Returns the address without a path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Requests a path below `/api/v1` until `parse` accepts the response. A response that it refuses is
    /// a failed attempt.
    pub async fn get<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        parse: impl FnMut(&Reply) -> Result<T>,
    ) -> Result<T> {
        self.ask(path, query, None, parse).await
    }

    /// Sends a JSON body. The request must be idempotent: if the response is lost or is not JSON, the
    /// request is repeated.
    pub async fn post(&self, path: &str, body: Bytes) -> Result<Reply> {
        self.ask(path, &[], Some(body), |reply| {
            let read = serde_json::from_slice::<IgnoredAny>(&reply.body);
            match read {
                Err(error) if reply.is_success() && !reply.body.is_empty() => {
                    Err(Error::new(Kind::Shape, "answer is not JSON").because(error))
                }
                _ => Ok(reply.clone()),
            }
        })
        .await
    }

    async fn ask<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Bytes>,
        mut parse: impl FnMut(&Reply) -> Result<T>,
    ) -> Result<T> {
        let mut tries = Tries::default();
        loop {
            let attempt = async {
                let response = self.request(path, query, body.clone())?.send().await?;
                let heard = (response.status().as_u16(), response.headers().clone());
                Ok::<_, Broken>((heard, whole(response).await?))
            };
            match attempt.await {
                Ok(((status, headers), body)) => {
                    if self.judge(&mut tries, path, status, &headers, &body).await? {
                        let date = date(&headers);
                        let good = (200..300).contains(&status);
                        let said = if good { None } else { said(&body, &self.mask) };
                        let reply = Reply { status, body, date, said };
                        match parse(&reply) {
                            Ok(done) => return Ok(done),
                            Err(error) if reply.is_success() => {
                                self.again(&mut tries, path, Broken::Odd(error)).await?;
                            }
                            Err(error) => return Err(error.at(path)),
                        }
                    }
                }
                Err(broken) => self.again(&mut tries, path, broken).await?,
            }
        }
    }

    /// Downloads a response into an existing file, whose content is replaced. A response that was
    /// interrupted or is not complete JSON is requested again. Returns the server's clock.
    ///
    /// A response of more than `most` bytes is a [`Kind::Data`] error, because a response may be endless.
    pub async fn download(
        &self,
        path: &str,
        query: &[(&str, &str)],
        to: &Path,
        most: u64,
    ) -> Result<Option<Time>> {
        let mut tries = Tries::default();
        loop {
            let attempt = async {
                let response = self.request(path, query, None)?.send().await?;
                let heard = (response.status().as_u16(), response.headers().clone());
                let good = response.status().is_success() && !is_html(response.headers());
                let body = if good {
                    kept(response, to, most).await.map_err(|error| error.at(path))?;
                    Bytes::new()
                } else {
                    whole(response).await?
                };
                Ok::<_, Broken>((heard, body))
            };
            match attempt.await {
                Ok(((status, headers), body)) => {
                    if self.judge(&mut tries, path, status, &headers, &body).await? {
                        if (200..300).contains(&status) {
                            return Ok(date(&headers));
                        }
                        return Err(refused(status, said(&body, &self.mask)).at(path));
                    }
                }
                Err(broken) => self.again(&mut tries, path, broken).await?,
            }
        }
    }

    fn request(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<RequestBuilder> {
        let mut url = reqwest::Url::parse(&format!("{}{API}{path}", self.origin))
            .map_err(|e| Error::new(Kind::Config, "is no valid address").because(e))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let http = self.http.to(&url)?;
        let request = match body {
            None => http.get(url),
            Some(body) => http.post(url).header(CONTENT_TYPE, "application/json").body(body),
        };
        Ok(request.header(AUTHORIZATION, self.key.clone()).header(ACCEPT, "application/json"))
    }

    /// Returns whether a response is accepted. Otherwise the pause before the retry is over.
    async fn judge(
        &self,
        tries: &mut Tries,
        path: &str,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<bool> {
        tries.answered = true;
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok());
        let heard = Heard {
            status,
            html: is_html(headers),
            retry_after: retry_after.map(Duration::from_secs),
            body,
            attempt: tries.attempt,
        };
        match verdict(&heard, &self.mask, Backoff { base: self.base, dice: fastrand::f64() }) {
            RetryDecision::Take => Ok(true),
            RetryDecision::Fail(error) => Err(error.at(path)),
            RetryDecision::Retry(pause) => {
                tries.attempt += 1;
                tokio::time::sleep(pause).await;
                Ok(false)
            }
        }
    }

    /// Waits before a retry, or returns the final error.
    async fn again(&self, tries: &mut Tries, path: &str, broken: Broken) -> Result<()> {
        let error = match broken {
            Broken::Failed(error) => return Err(error),
            Broken::Odd(error) => error,
            Broken::Lost(error) => lost("the CRM", error),
        };
        let most = if tries.answered { ATTEMPTS_MAX } else { FIRST_ATTEMPTS_MAX };
        if tries.attempt >= most {
            return Err(error.at(format!("{}{API}{path}", self.origin)));
        }
        let pause = Backoff { base: self.base, dice: fastrand::f64() }.pause(tries.attempt);
        tries.attempt += 1;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// The number of attempts of a request, and whether any got a response.
#[derive(Debug, Default)]
struct Tries {
    attempt: u32,
    answered: bool,
}

/// The reason for an attempt without a usable response.
enum Broken {
    /// The connection failed; a retry may succeed.
    Lost(reqwest::Error),
    /// The response cannot be read; a retry may succeed.
    Odd(Error),
    Failed(Error),
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        Self::Lost(error)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Broken {
    /// Adds the path to errors without a place.
    fn at(self, path: &str) -> Self {
        match self {
            Self::Failed(error) if error.place().is_none() => Self::Failed(error.at(path)),
            other => other,
        }
    }
}

/// Reads a body into memory.
async fn whole(mut response: Response) -> Result<Bytes, Broken> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let message = format!("answer is larger than {} MiB", ANSWER_BYTES_MAX >> 20);
            return Err(Error::new(Kind::Shape, message).into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Writes a body to a file while it is received.
async fn kept(mut response: Response, to: &Path, most: u64) -> Result<(), Broken> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot be written ({error})");
        Error::new(Kind::Storage, message).at(to.display().to_string())
    };
    // The file was created before, under a unique name.
    let mut file = OpenOptions::new().write(true).truncate(true).open(to).map_err(failed)?;
    let (mut first, mut last) = (None, None);
    let mut held = 0_u64;
    while let Some(chunk) = response.chunk().await? {
        held += chunk.len() as u64;
        if held > most {
            let message = format!(
                "the CRM's answer is larger than {most} bytes: --max-bytes takes more, if that is meant"
            );
            return Err(Error::new(Kind::Data, message).into());
        }
        file.write_all(&chunk).map_err(failed)?;
        let mut said = chunk.iter().filter(|byte| !byte.is_ascii_whitespace());
        first = first.or_else(|| said.clone().next().copied());
        last = said.next_back().copied().or(last);
    }
    // A reader of the file detects invalid JSON inside; this check detects a truncated file.
    match (first, last) {
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => Ok(()),
        _ => Err(Broken::Odd(Error::new(Kind::Shape, "answer is no whole JSON"))),
    }
}

fn date(headers: &HeaderMap) -> Option<Time> {
    headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(http_date)
}

impl Reply {
    /// Returns whether the status is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the body of a success. Any other response is a [`Kind::Refused`] error.
    pub fn success(&self) -> Result<&Bytes> {
        if self.is_success() {
            return Ok(&self.body);
        }
        Err(refused(self.status, self.said.clone()))
    }

    /// Returns the CRM's message of a refusal, with the key masked.
    pub fn said(&self) -> String {
        self.said.clone().unwrap_or_else(|| format!("HTTP {}", self.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_safe_places_only() {
        let open = |address: &str| {
            Crm::new(address, &"adcrm_test_x".into(), Duration::ZERO).map(|crm| crm.origin)
        };
        for address in ["https://crm.example.test", "https://crm.example.test/api/v1/"] {
            assert_eq!(open(address).expect("an address"), "https://crm.example.test");
        }
        for address in ["http://crm.example.test", "https://crm.example.test/x", "crm", ""] {
            assert!(open(address).is_err(), "{address}");
        }
    }
}
