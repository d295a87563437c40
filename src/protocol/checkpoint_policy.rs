//! Decides how often a state is written.

use crate::model::{StreamState, Time};

/// The number of records after which a checkpoint is due, whatever its size.
const CHECKPOINT_RECORDS: u64 = 10_000;
/// The number of seconds after which a checkpoint is due.
const CHECKPOINT_SECONDS: i64 = 30;
/// A checkpoint may be written earlier if its size is at most this fraction of the records that it
/// covers.
const CHECKPOINT_SHARE: usize = 8;
/// The approximate size of one remembered row in a checkpoint, in bytes.
const REMEMBERED_BYTES: usize = 32;
const CHECKPOINT_BYTES: usize = 400;

/// The amount written since the last checkpoint, and its time.
#[derive(Debug, Clone)]
pub(super) struct CheckpointPolicy {
    pub(super) records: u64,
    bytes: usize,
    checked: Time,
}

impl CheckpointPolicy {
    /// Returns a policy without any output.
    pub(super) fn new(now: Time) -> Self {
        Self { records: 0, bytes: 0, checked: now }
    }

    /// Counts written records and bytes.
    pub(super) fn count(&mut self, records: usize, bytes: usize) {
        self.records += records as u64;
        self.bytes += bytes;
    }

    /// Returns whether a checkpoint of about this many bytes is due.
    pub(super) fn due(&self, size: usize, now: Time) -> bool {
        self.records >= CHECKPOINT_RECORDS
            || self.checked.plus_seconds(CHECKPOINT_SECONDS) <= now
            || self.bytes >= size.saturating_mul(CHECKPOINT_SHARE)
    }
}

/// Returns the approximate size of a stream in a checkpoint, in bytes.
pub(super) fn size(state: &StreamState) -> usize {
    CHECKPOINT_BYTES + REMEMBERED_BYTES * state.remembered()
}
