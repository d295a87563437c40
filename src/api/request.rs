//! A request to Pipedrive, and the number of its attempts.

use super::reused::Held;
use crate::model::{Cost, Error, Kind, Result};
use bytes::Bytes;
use reqwest::header::{HeaderValue, IF_RANGE, RANGE};
use reqwest::{Method, RequestBuilder};

/// Longest cursor that is sent. Pipedrive's have some hundred bytes; addresses of more than 64 KB
/// cannot be sent at all, and servers refuse far shorter ones.
const CURSOR_BYTES_MAX: usize = 16 << 10;

/// The parameter that says how many rows a page may hold.
const LIMIT: &str = "limit";

/// A request that may take several attempts.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) cost: u32,
    pub(super) write: Option<Write>,
    /// Whether bytes are wanted, and no JSON.
    pub(super) file: bool,
    /// What is here of them already.
    pub(super) rest: Option<Rest>,
    /// How many bytes of them an attempt brought at most, when its failure was not counted.
    pub(super) furthest: u64,
    pub(super) attempt: u32,
    pub(super) limited: u32,
    pub(super) refreshed: bool,
    pub(super) serial: u64,
    /// How often an answer was not believed.
    pub(super) doubts: u32,
    /// How often an answer came whole and could not be read.
    pub(super) shapes: u32,
    /// Attempts that were let out.
    pub(super) sent: u32,
    /// By what an answer is known to others who ask alike, beside what is asked for.
    common: Option<String>,
    /// Its turn to ask, while others who ask alike wait.
    pub(super) turn: Held,
}

/// The position from which an interrupted download of a file continues.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// How many bytes are here.
    pub(super) from: u64,
    /// Which version of it they are of: a strong `ETag`.
    pub(super) tag: HeaderValue,
}

/// What a request writes.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) method: Method,
    pub(super) body: Bytes,
}

impl Request {
    /// A request for this path (below the host, `/api/v1/…` or `/api/v2/…`) at this price.
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

    /// Says that the answer is good for all who ask alike under this word, in the same run.
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

    /// How many rows a page may hold, where it says so.
    pub(super) fn limit(&self) -> Option<u32> {
        let (_, limit) = self.query.iter().find(|(name, _)| name == LIMIT)?;
        limit.parse().ok()
    }

    /// Asks for no more rows a page than this.
    pub(super) fn limit_to(&mut self, most: u32) {
        if self.limit().is_some_and(|limit| limit > most)
            && let Some((_, limit)) = self.query.iter_mut().find(|(name, _)| name == LIMIT)
        {
            *limit = most.to_string();
        }
    }

    /// A request for the bytes of a file at this path and price.
    pub fn for_file(path: impl Into<String>, cost: u32) -> Self {
        Self { file: true, ..Self::new(path, cost) }
    }

    /// A request that creates something from this JSON body. It is sent again only when it is certain
    /// that nothing came of it (429, an access token that is over). When the answer is lost, the error
    /// is of [`Kind::Network`](crate::model::Kind::Network) or
    /// [`Kind::Upstream`](crate::model::Kind::Upstream), and whether the thing exists is open.
    pub fn create(path: impl Into<String>, cost: u32, body: impl Into<Bytes>) -> Self {
        let write = Some(Write { method: Method::POST, body: body.into() });
        Self { write, ..Self::new(path, cost) }
    }

    /// A request that changes something to what this JSON body says; it does no harm twice.
    pub fn change(path: impl Into<String>, cost: u32, body: impl Into<Bytes>) -> Self {
        let write = Some(Write { method: Method::PATCH, body: body.into() });
        Self { write, ..Self::new(path, cost) }
    }

    /// Whether it must not arrive twice.
    pub(super) fn is_once(&self) -> bool {
        self.write.as_ref().is_some_and(|write| write.method == Method::POST)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// The same without these query parameters, not asked yet.
    #[must_use]
    pub fn without(&self, parameters: &[&str]) -> Self {
        let query = self.query.iter().filter(|(name, _)| !parameters.contains(&name.as_str()));
        Self {
            query: query.cloned().collect(),
            common: self.common.clone(),
            ..Self::new(self.path.clone(), self.cost)
        }
    }

    /// The same list from its other end, one row of it; `None` where it is not sorted upwards.
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

    /// An error when it holds what cannot be sent.
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

    /// A call for what is not here yet of the file. A server that cannot, or has another version of
    /// it, sends it whole.
    pub(super) fn resumed(&self, call: RequestBuilder) -> RequestBuilder {
        match &self.rest {
            Some(Rest { from, tag }) => {
                call.header(RANGE, format!("bytes={from}-")).header(IF_RANGE, tag.clone())
            }
            None => call,
        }
    }

    /// What its attempts have cost so far.
    pub fn cost(&self) -> Cost {
        let requests = u64::from(self.sent);
        Cost { requests, tokens: requests * u64::from(self.cost) }
    }

    /// The path asked for; free of secrets.
    pub fn path(&self) -> &str {
        &self.path
    }
}
