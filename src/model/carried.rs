//! Rows that an earlier read found under parents that have not changed since. They are not requested again.

use super::record::Record;
use super::time::Time;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most bytes of rows, and of their parents' keys, that are held; where there are more, all is asked for.
pub const CARRIED_BYTES_MAX: usize = 64 << 20;
/// Seconds by which a change of a parent may come to light late.
const MARGIN_SECONDS: i64 = 60;

/// Rows of a list per parent as an earlier read found them, and the parents there were.
#[derive(Debug)]
pub struct Carried {
    before: Time,
    rows: HashMap<Box<str>, Vec<Bytes>>,
    bytes: usize,
    parents_taken: AtomicU64,
    rows_taken: AtomicU64,
}

impl Carried {
    /// Of a read that began then, by Pipedrive's clock: a parent that changed later is asked for.
    pub fn new(read_from: Time) -> Self {
        Self {
            before: read_from.plus_seconds(-MARGIN_SECONDS),
            rows: HashMap::new(),
            bytes: 0,
            parents_taken: AtomicU64::new(0),
            rows_taken: AtomicU64::new(0),
        }
    }

    /// A parent that there was; `false` when no more can be held.
    #[must_use]
    pub fn parent(&mut self, key: &str) -> bool {
        self.bytes += key.len() + size_of::<(Box<str>, Vec<Bytes>)>();
        self.rows.entry(key.into()).or_default();
        self.bytes <= CARRIED_BYTES_MAX
    }

    /// A row of a parent, if that is known; `false` when no more can be held.
    #[must_use]
    pub fn row(&mut self, parent: &str, json: &str) -> bool {
        if let Some(rows) = self.rows.get_mut(parent) {
            self.bytes += json.len() + size_of::<Bytes>();
            rows.push(Bytes::copy_from_slice(json.as_bytes()));
        }
        self.bytes <= CARRIED_BYTES_MAX
    }

    /// The rows of a parent that was there and has not changed; `None` where they are to be asked for.
    pub fn of(&self, parent: &Record) -> Option<&[Bytes]> {
        let unchanged = parent.time.is_some_and(|time| time < self.before);
        let rows = self.rows.get(parent.key.as_deref()?).filter(|_| unchanged)?;
        self.parents_taken.fetch_add(1, Ordering::Relaxed);
        self.rows_taken.fetch_add(rows.len() as u64, Ordering::Relaxed);
        Some(rows)
    }

    /// Parents that last changed before this were not asked for.
    pub fn before(&self) -> Time {
        self.before
    }

    /// How many parents, and rows of them, were taken so far.
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
