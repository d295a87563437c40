//! The events of a reader: one linear sequence from which every output is written.

use super::definitions::Definitions;
use super::error::{Error, Result};
use super::record::Record;
use super::resource::Resource;
use super::state::StreamState;
use super::time::Time;
use std::time::Duration;

/// An event while resources are read.
#[derive(Debug)]
pub enum Event {
    /// A resource is being read.
    Started {
        /// The resource.
        resource: &'static Resource,
    },
    /// The field definitions of a resource, before its first rows, if the job asked for them.
    Defined {
        /// The resource.
        resource: &'static Resource,
        /// Its definitions, or why they cannot be read.
        outcome: Result<Definitions>,
    },
    /// Rows, with the progress they prove.
    Batch(Batch),
    /// The cost of a page that was received or has failed. It comes before the rows.
    Answered {
        /// The resource of the page.
        resource: &'static Resource,
        /// The cost of all attempts.
        cost: Cost,
    },
    /// Pipedrive limits the rate: the resource waits.
    Waiting {
        /// The waiting resource.
        resource: &'static Resource,
        /// The duration of the wait.
        pause: Duration,
    },
    /// The resource continues after a wait.
    Resumed {
        /// The resource that continues.
        resource: &'static Resource,
    },
    /// A warning for the user. No data is lost.
    Warning {
        /// The resource of the warning.
        resource: &'static Resource,
        /// A sentence without record contents.
        text: String,
    },
    /// A part of a resource cannot be read. The rest is read, and the resource is incomplete.
    Lacking {
        /// The resource.
        resource: &'static Resource,
        /// The missing part, and the reason.
        error: Error,
    },
    /// The company lacks this resource, or one list of it, and the user did not name it. This is no
    /// failure. Without a `listing` nothing of it is read, and this is its last event.
    Unavailable {
        /// The resource.
        resource: &'static Resource,
        /// The one unavailable list; the others are read. `None`: all of them.
        listing: Option<&'static str>,
        /// Pipedrive's message, of [`Kind::Unavailable`](super::error::Kind::Unavailable).
        error: Error,
    },
    /// A resource was read to the end.
    Finished {
        /// The resource.
        resource: &'static Resource,
        /// Its final state.
        reached: StreamState,
        /// All rows that changed before this time, by the server's clock, have been read. `None` for a
        /// resource without times.
        until: Option<Time>,
        /// The number of rows that changed later. They are left to the next run.
        postponed: usize,
    },
    /// A resource could not be read to the end.
    Failed {
        /// The resource.
        resource: &'static Resource,
        /// The reason.
        error: Error,
    },
}

impl Event {
    /// Returns the resource of the event.
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

/// Requests that were sent, and their cost by the documented prices. Failed attempts cost as much.
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

/// Rows of one resource, with the state that they prove.
#[derive(Debug)]
pub struct Batch {
    /// The resource.
    pub resource: &'static Resource,
    /// The rows. Empty if a page held only known ones.
    pub records: Vec<Record>,
    /// The state that is valid once these rows are safely written, and not before.
    pub reached: StreamState,
    /// Keys of parents whose lists Pipedrive refused. Their rows are missing.
    pub refused: Vec<String>,
}
