//! The entry of one file in the manifest of a backup.

use crate::model::{Kind, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// The keys that the rows of a file reference and that do not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dangling {
    /// The number of keys.
    pub keys: u64,
    /// The SHA-256 of their numbers, in hexadecimal.
    pub sha256: String,
}

/// A complete file of a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// The size in bytes.
    pub bytes: u64,
    /// The number of rows of its array.
    pub rows: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The requested API paths.
    pub endpoint: Vec<String>,
    /// The start of the read, by Pipedrive's clock.
    pub read_from: Time,
    /// The end of the read, by Pipedrive's clock.
    pub read_until: Time,
    /// The temporary path of the file, if the process ended before the rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<String>,
    /// Whether the file belongs to an earlier backup, because the last one did not or could not read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Whether pdcli wrote the file. It does not read all rows: see [`super::SEED_LACKS`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The rows that were carried over from the previous backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carry>,
    /// The parents whose lists Pipedrive refused, so that the file has no rows of them. At most
    /// [`REFUSED_KEYS_MAX`] are stored.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<String>,
    /// The number of attachments in its rows that Pipedrive no longer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<u64>,
}

/// Most parents that are named whose lists Pipedrive refused.
pub const REFUSED_KEYS_MAX: usize = 1_000;

/// The rows that were carried over from the previous backup, because their parents have not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// The number of parents that were not requested.
    pub parents: u64,
    /// The number of their rows.
    pub rows: u64,
    /// The limit: parents that last changed before this time, by Pipedrive's clock, and were in the
    /// previous backup.
    pub unchanged_since: Time,
}

/// A file that is being written, and its durable part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The path of the growing file, or in a bucket the prefix of its pieces.
    pub path: String,
    /// The number of pieces in a bucket. `None` in a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u64>,
    /// The number of durable bytes. Later bytes are not part of the file.
    pub bytes: u64,
    /// The number of rows in these bytes.
    pub rows: u64,
    /// The SHA-256 of these bytes, in hexadecimal.
    pub sha256: String,
    /// The start of the read, by Pipedrive's clock.
    pub read_from: Time,
    /// The rows that were carried over from the previous backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carry>,
    /// The parents whose lists Pipedrive refused.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<String>,
    /// The state to continue from, as [`crate::model::StreamState`] writes it.
    pub state: Value,
}

/// The reason why a resource could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of error, such as `permission` or `upstream`.
    pub error: String,
    /// The message.
    pub message: String,
    /// The number of consecutive runs that failed.
    #[serde(default)]
    pub runs: u64,
}

/// The number of runs after which a resource that always fails is given up, so that the others are read
/// again.
const RUNS_MAX: u64 = 2;

impl Failure {
    /// Returns whether this backup no longer requests the resource: the token has no permission, the
    /// plan does not include it, Pipedrive does not know it, or several runs failed.
    pub fn for_good(&self) -> bool {
        [Kind::Permission, Kind::Unavailable, Kind::Refused]
            .iter()
            .any(|kind| self.error == kind.name())
            || self.runs >= RUNS_MAX
    }
}
