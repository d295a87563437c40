//! Rows that an earlier read found under parents that have not changed since. They are not requested again.

use super::record::Record;
use super::time::Time;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The maximum size of carried rows and of their parents' keys in memory, in bytes. With more, all rows
/// are requested.
pub const CARRIED_BYTES_MAX: usize = 64 << 20;
/// Seconds by which a change of a parent may appear late.
const MARGIN_SECONDS: i64 = 60;

/// Rows of a list per parent as an earlier read found them, and the parents of that read.
#[derive(Debug)]
pub struct Carried {
    before: Time,
    rows: HashMap<Box<str>, Vec<Bytes>>,
    bytes: usize,
    parents_taken: AtomicU64,
    rows_taken: AtomicU64,
}

impl Carried {
    /// Returns an empty set for a read that began at this time, by Pipedrive's clock. A parent that
    /// changed later is requested.
    pub fn new(read_from: Time) -> Self {
        Self {
            before: read_from.plus_seconds(-MARGIN_SECONDS),
            rows: HashMap::new(),
            bytes: 0,
            parents_taken: AtomicU64::new(0),
            rows_taken: AtomicU64::new(0),
        }
    }

    /// Adds a parent. Returns `false` if the memory limit is reached.
    #[must_use]
    pub fn parent(&mut self, key: &str) -> bool {
        self.bytes += key.len() + size_of::<(Box<str>, Vec<Bytes>)>();
        self.rows.entry(key.into()).or_default();
        self.bytes <= CARRIED_BYTES_MAX
    }

    /// Adds a row of a known parent. Returns `false` if the memory limit is reached.
    #[must_use]
    pub fn row(&mut self, parent: &str, json: &str) -> bool {
        if let Some(rows) = self.rows.get_mut(parent) {
            self.bytes += json.len() + size_of::<Bytes>();
            rows.push(Bytes::copy_from_slice(json.as_bytes()));
        }
        self.bytes <= CARRIED_BYTES_MAX
    }

    /// Returns the rows of a known parent that has not changed. `None` if they must be requested.
    pub fn of(&self, parent: &Record) -> Option<&[Bytes]> {
        let unchanged = parent.time.is_some_and(|time| time < self.before);
        let rows = self.rows.get(parent.key.as_deref()?).filter(|_| unchanged)?;
        self.parents_taken.fetch_add(1, Ordering::Relaxed);
        self.rows_taken.fetch_add(rows.len() as u64, Ordering::Relaxed);
        Some(rows)
    }

    /// Returns the time before which parents must have changed last to be carried.
    pub fn before(&self) -> Time {
        self.before
    }

    /// Returns the number of parents and rows that were carried so far.
    pub fn taken(&self) -> (u64, u64) {
        let taken = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (taken(&self.parents_taken), taken(&self.rows_taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_of_known_parents_that_did_not_change_are_taken() {
        let mut carried = Carried::new(Time::from_seconds(1_000));
        assert!(carried.parent("1") && carried.parent("2"));
        assert!(carried.row("1", "{}") && carried.row("7", "{}"));
        let of = |key: &str, time: Option<i64>| {
            let time = time.map(Time::from_seconds);
            let parent = Record { key: Some(key.into()), time, ..Record::bare(Bytes::new()) };
            carried.of(&parent).map(<[Bytes]>::len)
        };
        assert_eq!(of("1", Some(939)), Some(1));
        assert_eq!(of("2", Some(939)), Some(0));
        // Changed, or late; without a time; not there before.
        assert_eq!((of("1", Some(940)), of("1", None), of("7", Some(1))), (None, None, None));
        assert_eq!(carried.taken(), (2, 1));
    }
}
