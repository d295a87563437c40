//! Decides how often a state is written.

use crate::model::{StreamState, Time};

/// Records after which a checkpoint is due however large it is.
const CHECKPOINT_RECORDS: u64 = 10_000;
/// Seconds after which one is due.
const CHECKPOINT_SECONDS: i64 = 30;
/// A checkpoint may come earlier when it is at most this fraction of the records it covers.
const CHECKPOINT_SHARE: usize = 8;
/// About how many bytes one remembered row takes in a checkpoint, and how many the rest.
const REMEMBERED_BYTES: usize = 32;
const CHECKPOINT_BYTES: usize = 400;

/// What was written since the last checkpoint, and when that was.
#[derive(Debug, Clone)]
pub(super) struct CheckpointPolicy {
    pub(super) records: u64,
    bytes: usize,
    checked: Time,
}

impl CheckpointPolicy {
    /// Nothing was written yet.
    pub(super) fn new(now: Time) -> Self {
        Self { records: 0, bytes: 0, checked: now }
    }

    /// So much more was written.
    pub(super) fn count(&mut self, records: usize, bytes: usize) {
        self.records += records as u64;
        self.bytes += bytes;
    }

    /// Whether a checkpoint of about this many bytes is due.
    pub(super) fn due(&self, size: usize, now: Time) -> bool {
        self.records >= CHECKPOINT_RECORDS
            || self.checked.plus_seconds(CHECKPOINT_SECONDS) <= now
            || self.bytes >= size.saturating_mul(CHECKPOINT_SHARE)
    }
}

/// About how many bytes a stream takes in a checkpoint.
pub(super) fn size(state: &StreamState) -> usize {
    CHECKPOINT_BYTES + REMEMBERED_BYTES * state.remembered()
}
