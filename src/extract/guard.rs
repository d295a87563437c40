//! Detects a walk by cursor that makes no progress.

use crate::model::{Digest, Error, Kind, Next, Record, Result};
use std::collections::HashSet;

/// The number of consecutive pages that contain no row with a key and claim that there is more. The API
/// may omit rows that the token's user cannot see, so a few such pages are normal.
const IDLE_PAGES_MAX: usize = 100;

/// The pages that a walk by cursor has seen: 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct Guard {
    cursors: HashSet<Digest>,
    /// The digest of the first row of each page; of all its rows, if they have no keys.
    pages: HashSet<Digest>,
    idle: usize,
}

impl Guard {
    /// Refuses a cursor that was returned before, a page that begins with the first row of another page,
    /// and too many consecutive pages without rows. `keyed`: whether rows of this list have keys.
    pub(super) fn check(&mut self, records: &[Record], next: &Next, keyed: bool) -> Result<()> {
        let fail = |message: &str| Err(Error::new(Kind::Shape, message));
        let progress = if keyed {
            records.iter().any(|record| record.key.is_some())
        } else {
            !records.is_empty()
        };
        self.idle = if progress { 0 } else { self.idle + 1 };
        if self.idle > IDLE_PAGES_MAX {
            return fail("list claims more rows and sends pages without any");
        }
        // An empty page may repeat the cursor of its request: there was no row yet.
        let (Next::Cursor(cursor), Some(first)) = (next, records.first()) else {
            return Ok(());
        };
        if !self.cursors.insert(Digest::of(cursor.as_bytes())) {
            return fail("list comes back to a cursor it gave before");
        }
        let page = if keyed {
            first.digest()
        } else {
            Digest::of_parts(&records.iter().map(|record| &*record.json).collect::<Vec<_>>())
        };
        if !self.pages.insert(page) {
            return fail("list comes back to a page it sent before");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn row(key: Option<u64>, text: &str) -> Record {
        let key = key.map(|key| key.to_string());
        Record { key, ..Record::bare(Bytes::copy_from_slice(text.as_bytes())) }
    }

    /// Walks pages in a circle, each with a cursor of its own, and returns the number of requests.
    fn turns(pages: &[Vec<Record>], keyed: bool) -> usize {
        let mut guard = Guard::default();
        let mut turns = 0;
        for page in pages.iter().cycle().take(1_000) {
            turns += 1;
            let next = Next::Cursor(turns.to_string());
            if guard.check(page, &next, keyed).is_err() {
                break;
            }
        }
        turns
    }

    #[test]
    fn pages_that_come_in_a_circle_are_noticed_at_the_first_one_that_comes_again() {
        for size in 1..9 {
            let page = |n: u64| vec![row(Some(n), &format!("row {n}")), row(Some(99), "same")];
            let circle: Vec<_> = (0..size).map(page).collect();
            assert_eq!(turns(&circle, true), circle.len() + 1);
        }
    }

    #[test]
    fn pages_that_bring_nothing_come_to_an_end() {
        assert_eq!(turns(&[Vec::new()], true), IDLE_PAGES_MAX + 1);
        let mut guard = Guard::default();
        let refused = (0..1_000).find(|n| {
            let rows = [row(None, &format!("no key {n}"))];
            guard.check(&rows, &Next::Cursor(n.to_string()), true).is_err()
        });
        assert_eq!(refused, Some(IDLE_PAGES_MAX));
    }
}
