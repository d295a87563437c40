//! The events of a reader: one linear sequence from which every output is written.

use super::definitions::Definitions;
use super::error::{Error, Result};
use super::record::Record;
use super::resource::Resource;
use super::state::StreamState;
use super::time::Time;
use std::time::Duration;

/// Something that happened while resources were read.
#[derive(Debug)]
pub enum Event {
    /// A resource is being read.
    Started {
        /// Which.
        resource: &'static Resource,
    },
    /// The field definitions of a resource, before its first rows, if the job asked for them.
    Defined {
        /// Whose.
        resource: &'static Resource,
        /// Its definitions, or why they cannot be read.
        outcome: Result<Definitions>,
    },
    /// Rows, with the progress they prove.
    Batch(Batch),
    /// A page was answered, or could not be had: what asking for it cost. Comes before the rows.
    Answered {
        /// Which resource asked.
        resource: &'static Resource,
        /// All attempts together.
        cost: Cost,
    },
    /// Pipedrive limits the rate: nothing comes for this long.
    Waiting {
        /// Which resource waits.
        resource: &'static Resource,
        /// For how long.
        pause: Duration,
    },
    /// The resource continues after a wait.
    Resumed {
        /// The resource that continues.
        resource: &'static Resource,
    },
    /// Something a person should know; nothing is lost by it.
    Warning {
        /// About which resource.
        resource: &'static Resource,
        /// A sentence without record contents.
        text: String,
    },
    /// Something of a resource cannot be had. It is read on, and incomplete whatever else comes.
    Lacking {
        /// Which.
        resource: &'static Resource,
        /// What is missing, and why.
        error: Error,
    },
    /// The company lacks this resource, or one list of it, and the user did not name it. This is no
    /// failure. Without a `listing` nothing of it is read, and this is its last event.
    Unavailable {
        /// Which.
        resource: &'static Resource,
        /// The one list that is not there; the others are read on. `None`: all of it.
        listing: Option<&'static str>,
        /// Pipedrive's message, of [`Kind::Unavailable`](super::error::Kind::Unavailable).
        error: Error,
    },
    /// A resource was read to its end.
    Finished {
        /// Which.
        resource: &'static Resource,
        /// Its final state.
        reached: StreamState,
        /// Every row that changed before this, by the server's clock, has been read; `None` for a
        /// resource without times.
        until: Option<Time>,
        /// How many rows changed from then on were seen: they are left to the next run.
        postponed: usize,
    },
    /// A resource could not be read to its end.
    Failed {
        /// Which.
        resource: &'static Resource,
        /// Why.
        error: Error,
    },
}

impl Event {
    /// The resource it is about.
    pub fn resource(&self) -> &'static Resource {
        match self {
            Self::Batch(batch) => batch.resource,
            Self::Started { resource }
            | Self::Defined { resource, .. }
            | Self::Answered { resource, .. }
            | Self::Waiting { resource, .. }
            | Self::Resumed { resource }
            | Self::Warning { resource, .. }
            | Self::Lacking { resource, .. }
            | Self::Unavailable { resource, .. }
            | Self::Finished { resource, .. }
            | Self::Failed { resource, .. } => resource,
        }
    }
}

/// What was sent, and what it costs by the documented prices. Failed attempts cost as much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests that were sent.
    pub requests: u64,
    /// API tokens.
    pub tokens: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens += other.tokens;
    }
}

/// Rows of one resource and how far they reach.
#[derive(Debug)]
pub struct Batch {
    /// Whose rows.
    pub resource: &'static Resource,
    /// The rows; may be empty when a page held only known ones.
    pub records: Vec<Record>,
    /// The state once these rows are safely written, not before.
    pub reached: StreamState,
    /// Keys of parents whose lists Pipedrive refused: their rows are not among these.
    pub refused: Vec<String>,
}
