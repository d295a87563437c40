//! The one error type. Its kind answers who must act and whether a retry is useful.

use super::redact::Mask;
use std::error::Error as StdError;
use std::fmt;

/// The kind of an error, by who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// The configuration is wrong: a key, a company, an account that is closed.
    Config,
    /// Pipedrive does not know the token (401).
    Auth,
    /// The token is valid, but has no access to this resource: a permission or an OAuth scope is missing.
    Permission,
    /// The company lacks the requested feature: its plan, an add-on or a setting does not include it.
    Unavailable,
    /// The daily budget, or the limit of the configuration, is spent.
    Quota,
    /// Pipedrive responds with 5xx, or keeps limiting the rate, after all retries.
    Upstream,
    /// Pipedrive cannot be reached.
    Network,
    /// Pipedrive refused the request itself (400, 404, 405, 410).
    Refused,
    /// A response does not have the documented form.
    Shape,
    /// A state cannot be read, or was written by a newer version.
    State,
    /// A file of this program is damaged, incomplete, of a newer version, or written by another program.
    Data,
    /// A file, folder or object store cannot be read or written.
    Storage,
    /// The reader of the output closed it.
    Pipe,
    /// The run finished, and something is missing that the report names.
    Incomplete,
    /// The user ended the run. What was received is committed.
    Interrupted,
    /// A mistake in this program.
    Bug,
}

impl Kind {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::Usage,
        Self::Config,
        Self::Auth,
        Self::Permission,
        Self::Unavailable,
        Self::Quota,
        Self::Upstream,
        Self::Network,
        Self::Refused,
        Self::Shape,
        Self::State,
        Self::Data,
        Self::Storage,
        Self::Pipe,
        Self::Incomplete,
        Self::Interrupted,
        Self::Bug,
    ];

    /// Describes when the error occurs, for the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Usage => "The command line is wrong.",
            Self::Config => "The configuration is wrong, or a company is not the one it says.",
            Self::Auth => "Pipedrive, or the CRM of a bundle, does not accept the token (401).",
            Self::Permission => {
                "Nothing that was asked for is open to the token (403: permission or OAuth scope)."
            }
            Self::Unavailable => {
                "What was asked for by name is not available to this company: its plan, an add-on or a setting lacks it (402, 403, 404, 410, 415)."
            }
            Self::Quota => {
                "Rate limited for good, or the daily budget or `max_tokens` is spent: run again later, nothing is lost."
            }
            Self::Upstream => "Pipedrive, or the CRM, fails after all retries (5xx).",
            Self::Network => "Pipedrive, or the CRM, cannot be reached.",
            Self::Refused => "Pipedrive, or the CRM, refused a request (400, 404, 405, 410).",
            Self::Shape => "An answer is not of the documented form.",
            Self::State => "A state cannot be used, or is of a newer version.",
            Self::Data => {
                "A manifest, or a file of a warehouse, backup or bundle, cannot be used; `backup verify` found damage, or `bundle validate` something."
            }
            Self::Storage => {
                "Reading or writing files or object storage failed, or another run holds the lock."
            }
            Self::Pipe => "The reader of the output went away.",
            Self::Incomplete => "Done, but incomplete: the summary says what is missing and why.",
            Self::Interrupted => {
                "Interrupted (Ctrl-C, SIGTERM or SIGHUP); what was received is committed."
            }
            Self::Bug => "A bug.",
        }
    }

    /// Returns the exit code of the standalone commands.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pipe => 0,
            Self::Incomplete => 3,
            Self::Usage => 64,
            Self::State | Self::Data => 65,
            Self::Upstream | Self::Network | Self::Refused | Self::Shape => 69,
            Self::Bug => 70,
            Self::Storage => 74,
            Self::Quota => 75,
            Self::Auth | Self::Permission | Self::Unavailable => 77,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }

    /// Returns whether the whole run ends, because no other resource could succeed either.
    pub const fn stops_the_run(self) -> bool {
        match self {
            Self::Usage
            | Self::Config
            | Self::Auth
            | Self::Quota
            | Self::State
            | Self::Data
            | Self::Storage
            | Self::Interrupted
            | Self::Pipe
            | Self::Bug => true,
            Self::Permission
            | Self::Unavailable
            | Self::Upstream
            | Self::Network
            | Self::Refused
            | Self::Shape
            | Self::Incomplete => false,
        }
    }

    /// Returns one lower-case word for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::Unavailable => "unavailable",
            Self::Quota => "quota",
            Self::Upstream => "upstream",
            Self::Network => "network",
            Self::Refused => "refused",
            Self::Shape => "shape",
            Self::State => "state",
            Self::Data => "data",
            Self::Storage => "storage",
            Self::Pipe => "pipe",
            Self::Incomplete => "incomplete",
            Self::Interrupted => "interrupted",
            Self::Bug => "bug",
        }
    }
}

/// An error: a kind, a sentence of facts, a place, and a cause.
///
/// The sentence is lower case. It names things and counts, never record contents or secrets.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    message: String,
    at: Option<String>,
    status: Option<u16>,
    said: Option<String>,
    too_large: bool,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns an error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                at: None,
                status: None,
                said: None,
                too_large: false,
                cause: None,
            }),
        }
    }

    /// Returns the same error with a kind that another party must act on.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// Adds the place: a path, an endpoint, a configuration key.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.inner.at = Some(place.into());
        self
    }

    /// Adds the HTTP status of the response.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.inner.status = Some(status);
        self
    }

    /// Adds the server's own message.
    #[must_use]
    pub fn saying(mut self, said: Option<String>) -> Self {
        self.inner.said = said;
        self
    }

    /// Returns the same error with another sentence.
    #[must_use]
    pub fn reworded(mut self, message: impl Into<String>) -> Self {
        self.inner.message = message.into();
        self
    }

    /// Adds a remark to the sentence, in brackets.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        self.inner.message = format!("{} ({note})", self.inner.message);
        self
    }

    /// Marks the error of a response that was too large. A page of half as many rows may not be.
    #[must_use]
    pub fn too_large(mut self) -> Self {
        self.inner.too_large = true;
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.cause = Some(cause.into());
        self
    }

    /// Returns the same error with these secrets masked in every message from outside.
    #[must_use]
    pub fn without(mut self, secrets: &Mask) -> Self {
        self.inner.message = secrets.apply(&self.inner.message);
        self.inner.at = self.inner.at.map(|at| secrets.apply(&at));
        self.inner.said = self.inner.said.map(|said| secrets.apply(&said));
        let causes = self.causes();
        let masked: Vec<String> = causes.iter().map(|cause| secrets.apply(cause)).collect();
        if masked != causes {
            let chain = |next, text| Some(Box::new(Masked { text, next }));
            let chain = masked.into_iter().rev().fold(None, chain);
            self.inner.cause = chain.map(|cause| cause as Box<dyn StdError + Send + Sync>);
        }
        self
    }

    /// Returns who must act.
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// Returns the HTTP status, if a response was the cause.
    pub fn http_status(&self) -> Option<u16> {
        self.inner.status
    }

    /// Returns the server's own message, if there is one.
    pub fn said(&self) -> Option<&str> {
        self.inner.said.as_deref()
    }

    /// Returns status and message of the server, as `402 Required suites missing`. Without a response it
    /// returns the whole sentence.
    pub fn in_short(&self) -> String {
        match (self.inner.status, &self.inner.said) {
            (Some(status), Some(said)) => format!("{status} {said}"),
            (Some(status), None) => format!("HTTP {status}"),
            (None, _) => self.summary(),
        }
    }

    /// Returns whether a response was too large.
    pub fn is_too_large(&self) -> bool {
        self.inner.too_large
    }

    /// Returns the place of the error, if there is one.
    pub fn place(&self) -> Option<&str> {
        self.inner.at.as_deref()
    }

    /// Returns the place and the sentence, without causes.
    pub fn summary(&self) -> String {
        match &self.inner.at {
            Some(at) => format!("{at}: {}", self.inner.message),
            None => self.inner.message.clone(),
        }
    }

    /// Returns the chain of causes below the summary, the nearest first. It is empty if there is none.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }
}

/// A cause with masked secrets, and its own cause.
#[derive(Debug)]
struct Masked {
    text: String,
    next: Option<Box<Self>>,
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Masked {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.next.as_ref().map(|next| next as &(dyn StdError + 'static))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.inner.kind, self.summary())?;
        match &self.inner.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}
