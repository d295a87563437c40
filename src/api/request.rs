//! A request to Pipedrive, and the number of its attempts.

use super::reused::Held;
use crate::model::{Cost, Error, Kind, Result};
use bytes::Bytes;
use reqwest::header::{HeaderValue, IF_RANGE, RANGE};
use reqwest::{Method, RequestBuilder};

/// The longest cursor that is sent. Pipedrive's cursors have some hundred bytes. Addresses of more than
/// 64 KB cannot be sent at all, and servers refuse far shorter ones.
const CURSOR_BYTES_MAX: usize = 16 << 10;

/// The parameter for the page size in rows.
const LIMIT: &str = "limit";

/// A request with one or more attempts.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) cost: u32,
    pub(super) write: Option<Write>,
    /// Whether the response is a file and not JSON.
    pub(super) file: bool,
    /// The part of the file that is here already.
    pub(super) rest: Option<Rest>,
    /// The largest number of bytes of the file that an attempt whose failure was not counted has reached.
    pub(super) furthest: u64,
    pub(super) attempt: u32,
    pub(super) limited: u32,
    pub(super) refreshed: bool,
    pub(super) serial: u64,
    /// The number of responses that were not believed.
    pub(super) doubts: u32,
    /// The number of complete responses that could not be read.
    pub(super) shapes: u32,
    /// The number of attempts that were sent.
    pub(super) sent: u32,
    /// The key under which readers share the response, beside the request itself.
    common: Option<String>,
    /// The turn of this request, while other readers wait for its response.
    pub(super) turn: Held,
}

/// The position from which an interrupted download of a file continues.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// The number of bytes that are here.
    pub(super) from: u64,
    /// The version of the file: a strong `ETag`.
    pub(super) tag: HeaderValue,
}

/// The effect of a request that writes.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) method: Method,
    pub(super) body: Bytes,
}

impl Request {
    /// Returns a request for this path (below the host, `/api/v1/…` or `/api/v2/…`) at this cost in
    /// tokens.
    pub fn new(path: impl Into<String>, cost: u32) -> Self {
        Self {
            path: path.into(),
            query: Vec::new(),
            cost,
            write: None,
            file: false,
            rest: None,
            furthest: 0,
            attempt: 0,
            limited: 0,
            refreshed: false,
            serial: 0,
            doubts: 0,
            shapes: 0,
            sent: 0,
            common: None,
            turn: Held::default(),
        }
    }

    /// Marks the response as valid for all readers of the run that use the same key.
    #[must_use]
    pub fn in_common(mut self, word: String) -> Self {
        self.common = Some(word);
        self
    }

    /// Returns the key under which the response is shared. `None` for a request that only one reader
    /// sends.
    pub(super) fn common_key(&self) -> Option<String> {
        let word = self.common.as_ref()?;
        Some(format!("{word} {} {:?}", self.path, self.query))
    }

    /// Returns the page size in rows, if the request has one.
    pub(super) fn limit(&self) -> Option<u32> {
        let (_, limit) = self.query.iter().find(|(name, _)| name == LIMIT)?;
        limit.parse().ok()
    }

    /// Reduces the page size to this number of rows.
    pub(super) fn limit_to(&mut self, most: u32) {
        if self.limit().is_some_and(|limit| limit > most)
            && let Some((_, limit)) = self.query.iter_mut().find(|(name, _)| name == LIMIT)
        {
            *limit = most.to_string();
        }
    }

    /// Returns a request for a file at this path, at this cost in tokens.
    pub fn for_file(path: impl Into<String>, cost: u32) -> Self {
        Self { file: true, ..Self::new(path, cost) }
    }

    /// Returns a request that creates something from this JSON body. It is repeated only if it certainly
    /// had no effect (429, an expired access token). If the response is lost, the error is of
    /// [`Kind::Network`](crate::model::Kind::Network) or
    /// [`Kind::Upstream`](crate::model::Kind::Upstream), and the object may or may not exist.
    pub fn create(path: impl Into<String>, cost: u32, body: impl Into<Bytes>) -> Self {
        let write = Some(Write { method: Method::POST, body: body.into() });
        Self { write, ..Self::new(path, cost) }
    }

    /// Returns an idempotent request that changes something to this JSON body.
    pub fn change(path: impl Into<String>, cost: u32, body: impl Into<Bytes>) -> Self {
        let write = Some(Write { method: Method::PATCH, body: body.into() });
        Self { write, ..Self::new(path, cost) }
    }

    /// Returns whether the request must not arrive twice.
    pub(super) fn is_once(&self) -> bool {
        self.write.as_ref().is_some_and(|write| write.method == Method::POST)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Returns the same request without these query parameters, and without attempts.
    #[must_use]
    pub fn without(&self, parameters: &[&str]) -> Self {
        let query = self.query.iter().filter(|(name, _)| !parameters.contains(&name.as_str()));
        Self {
            query: query.cloned().collect(),
            common: self.common.clone(),
            ..Self::new(self.path.clone(), self.cost)
        }
    }

    /// Returns a request for the last row of the same list. `None` if the list is not sorted upwards.
    pub(super) fn turned_round(&self) -> Option<Self> {
        let mut turned = Self::new(self.path.clone(), self.cost);
        let mut sorted = false;
        for (name, value) in &self.query {
            turned = match (name.as_str(), value.as_str()) {
                ("limit", _) => turned.with("limit", "1"),
                ("sort_direction", "asc") => {
                    sorted = true;
                    turned.with("sort_direction", "desc")
                }
                _ => turned.with(name, value.as_str()),
            };
        }
        sorted.then_some(turned)
    }

    /// Returns an error if the request contains a value that cannot be sent.
    pub(super) fn check(&self) -> Result<()> {
        match self.query.iter().find(|(name, _)| name == "cursor") {
            Some((_, cursor)) if cursor.len() > CURSOR_BYTES_MAX => {
                let message = format!(
                    "the cursor of the next page is too long: {} bytes, at most {CURSOR_BYTES_MAX} are sent",
                    cursor.len()
                );
                Err(Error::new(Kind::Shape, message))
            }
            _ => Ok(()),
        }
    }

    /// Adds headers that request the missing rest of the file. A server without this feature, or with
    /// another version, sends the whole file.
    pub(super) fn resumed(&self, call: RequestBuilder) -> RequestBuilder {
        match &self.rest {
            Some(Rest { from, tag }) => {
                call.header(RANGE, format!("bytes={from}-")).header(IF_RANGE, tag.clone())
            }
            None => call,
        }
    }

    /// Returns the cost of the attempts so far.
    pub fn cost(&self) -> Cost {
        let requests = u64::from(self.sent);
        Cost { requests, tokens: requests * u64::from(self.cost) }
    }

    /// Returns the path, which contains no secrets.
    pub fn path(&self) -> &str {
        &self.path
    }
}
