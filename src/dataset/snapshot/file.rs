//! The entry of one file in the manifest of a backup.

use crate::model::{Kind, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Keys that rows of a file name and that are not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dangling {
    /// How many.
    pub keys: u64,
    /// SHA-256 of their numbers, in hexadecimal.
    pub sha256: String,
}

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Its size.
    pub bytes: u64,
    /// Rows of its array.
    pub rows: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The paths that were asked.
    pub endpoint: Vec<String>,
    /// When reading it began, by Pipedrive's clock.
    pub read_from: Time,
    /// When reading it ended.
    pub read_until: Time,
    /// Where it still lies if the process ended while the backup took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<String>,
    /// Whether it is of an earlier backup: the last one did not read it, or could not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Whether pdcli wrote it, which does not read all of its rows: see [`super::SEED_LACKS`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// What of it was not asked for, but taken from the backup before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carry>,
    /// Parents whose lists Pipedrive refused, so that it holds no rows of them: at most
    /// [`REFUSED_KEYS_MAX`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<String>,
    /// How many of what its rows tell of are gone for good: attachments that Pipedrive no longer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<u64>,
}

/// Most parents that are named whose lists Pipedrive refused.
pub const REFUSED_KEYS_MAX: usize = 1_000;

/// Rows that were taken from the backup before, because their parents have not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// How many parents were not asked for.
    pub parents: u64,
    /// How many rows they have.
    pub rows: u64,
    /// Which ones: those that last changed before this, by Pipedrive's clock, and were in the backup before.
    pub unchanged_since: Time,
}

/// A file that is being written, and what of it is safe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Where it grows: a file, or in a bucket the prefix of its pieces.
    pub path: String,
    /// In a bucket, the number of pieces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u64>,
    /// Bytes that count; what lies beyond was never proven.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
    /// When reading it began.
    pub read_from: Time,
    /// What of it was taken from the backup before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carry>,
    /// Parents whose lists Pipedrive refused.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<String>,
    /// The state to continue from, as [`crate::model::StreamState`] writes it.
    pub state: Value,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of error: `permission`, `upstream`, …
    pub error: String,
    /// A sentence.
    pub message: String,
    /// How many runs in a row it failed.
    #[serde(default)]
    pub runs: u64,
}

/// The number of runs after which a resource that always fails is given up, so that the others are read
/// again.
const RUNS_MAX: u64 = 2;

impl Failure {
    /// Whether it is not to be asked for again in this backup: the token may not see it, the plan
    /// lacks it, Pipedrive does not know it, or it failed in several runs.
    pub fn for_good(&self) -> bool {
        [Kind::Permission, Kind::Unavailable, Kind::Refused]
            .iter()
            .any(|kind| self.error == kind.name())
            || self.runs >= RUNS_MAX
    }
}
