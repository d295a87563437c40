//! The position of a walk by offset. The module is pure: callers pass the pages.
//!
//! Every page overlaps the page before by one row, unless pages hold one row only. Rows that are removed
//! before the position shift later rows to the left, so that the walk would skip them. No row of the page
//! is then known, and the walk steps back until it finds a known row. A row without a key is known by its
//! bytes, and is no sign of progress.

use crate::model::{Digest, Error, Kind, Next, Record, Result};

/// The number of consecutive pages without a new row with a key after which a walk fails.
const IDLE_PAGES_MAX: usize = 3;
/// The number of pages that a walk steps back to find its position.
const STEPS_BACK_MAX: usize = 20;
/// The maximum number of restarts of a walk that cannot find its position.
const RESTARTS_MAX: usize = 3;
/// The number of keys kept to find the position again.
const LAST_KEYS: usize = 20;

/// A walk by offset.
#[derive(Debug)]
pub(super) struct Offset {
    /// The offset of the next page.
    pub(super) start: u64,
    /// The newest keys before the next page.
    pub(super) last: Vec<String>,
    /// Whether a page stated what comes next.
    pub(super) told: bool,
    step: u64,
    /// Whether the next page does not overlap the page before: pages of one row would have no new row.
    bare: bool,
    /// The highest offset requested. A walk that stepped back skips known rows until it reaches it again.
    furthest: u64,
    idle: usize,
    back: usize,
    restarts: usize,
}

/// The position of a page in the walk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PagePosition {
    /// Rows from this one on are new.
    From(usize),
    /// The position was lost: request the page at the new, lower offset.
    Back,
    /// The position cannot be found: request the list from the beginning.
    Restart,
}

impl Offset {
    /// Returns a walk that continues from this position, with pages of at most `limit` rows.
    pub(super) fn new(start: u64, last: Vec<String>, limit: u32) -> Self {
        let step = u64::from(limit).max(1);
        Self {
            start,
            last,
            told: false,
            step,
            bare: false,
            furthest: start,
            idle: 0,
            back: 0,
            restarts: 0,
        }
    }

    /// Finds the position of a page that was requested from `start`.
    pub(super) fn place(&mut self, records: &[Record]) -> Result<PagePosition> {
        if let Some(at) = after(records, &self.last) {
            return Ok(PagePosition::From(at));
        }
        if self.bare {
            return Ok(PagePosition::From(0));
        }
        if self.start > 0 && self.back < STEPS_BACK_MAX {
            self.back += 1;
            self.start = self.start.saturating_sub(self.step);
            return Ok(PagePosition::Back);
        }
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            return Err(Error::new(Kind::Shape, "list changes faster than it can be read"));
        }
        (self.start, self.back, self.furthest) = (0, 0, 0);
        self.last.clear();
        Ok(PagePosition::Restart)
    }

    /// Moves past a page of `size` rows, of which these were new. Returns `false` at the end of the list.
    ///
    /// An empty or repeated page that claims there is more is no end; a few consecutive ones are an
    /// error. A list that never states what comes next ends with a page that contains the overlapping row
    /// only. An empty response was requested twice already; a longer page of known rows is repeated here.
    pub(super) fn advance(&mut self, size: usize, fresh: &[Record], next: &Next) -> Result<bool> {
        self.told |= matches!(next, Next::End | Next::Start(_));
        let beyond = match next {
            Next::End | Next::Cursor(_) => return Ok(false),
            Next::Unsaid if fresh.is_empty() && (size <= 1 || self.idle > 0) => return Ok(false),
            Next::Unsaid if fresh.is_empty() => self.start,
            Next::Unsaid => self.start + size as u64,
            Next::Start(next) => self.start.max(*next),
        };
        if !fresh.is_empty() {
            self.back = 0;
            self.step = (size as u64).max(1);
        }
        remember(&mut self.last, fresh);
        self.bare = size == 1 && matches!(next, Next::Start(_));
        let overlap = u64::from(!self.last.is_empty() && !self.bare);
        let before = self.start;
        self.start = beyond.saturating_sub(overlap).max(before);
        let returning = before < self.furthest && self.start > before;
        self.furthest = self.furthest.max(self.start);
        if fresh.iter().any(|record| record.key.is_some()) {
            self.idle = 0;
        } else if !returning {
            self.idle += 1;
            if self.idle >= IDLE_PAGES_MAX {
                return Err(Error::new(Kind::Shape, "list claims more rows and brings none"));
            }
        }
        Ok(true)
    }
}

/// Returns the index of the first row after the last known key. `None` if the page contains no known key.
pub(super) fn after(records: &[Record], last: &[String]) -> Option<usize> {
    if last.is_empty() {
        return Some(0);
    }
    let known = |record: &Record| match &record.key {
        Some(key) => last.contains(key),
        None => last.contains(&identity(record)),
    };
    records.iter().rposition(known).map(|at| at + 1)
}

/// Returns the key of a row, or an identity derived from its bytes.
fn identity(record: &Record) -> String {
    record.key.clone().unwrap_or_else(|| format!("bytes {}", Digest::of(&record.json)))
}

/// Returns the last keys of some rows.
pub(super) fn tail(records: &[Record]) -> Vec<String> {
    let from = records.len().saturating_sub(LAST_KEYS);
    records[from..].iter().map(identity).collect()
}

/// Adds the keys of new rows to the last known ones, and keeps the newest.
fn remember(last: &mut Vec<String>, fresh: &[Record]) {
    last.extend(tail(fresh));
    last.drain(..last.len().saturating_sub(LAST_KEYS));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn row(key: u64) -> Record {
        Record { key: Some(key.to_string()), ..Record::bare(Bytes::new()) }
    }

    /// Walks a list that `change` alters before each page, and returns the keys in order.
    fn walk(mut list: Vec<u64>, page: usize, change: impl Fn(usize, &mut Vec<u64>)) -> String {
        let mut offset = Offset::new(0, Vec::new(), 3);
        let mut keys = Vec::new();
        for nth in 0..200 {
            change(nth, &mut list);
            let start = usize::try_from(offset.start).expect("a small list");
            let rows: Vec<_> = list.iter().skip(start).take(page).map(|key| row(*key)).collect();
            let end = start + rows.len();
            let next = if end < list.len() { Next::Start(end as u64) } else { Next::End };
            let at = match offset.place(&rows) {
                Ok(PagePosition::From(at)) => at,
                Ok(PagePosition::Back) => continue,
                Ok(PagePosition::Restart) => {
                    keys.push("restart".to_owned());
                    continue;
                }
                Err(error) => return format!("{} {error}", keys.join(" ")),
            };
            keys.extend(rows[at..].iter().filter_map(|row| row.key.clone()));
            match offset.advance(rows.len(), &rows[at..], &next) {
                Ok(true) => {}
                Ok(false) => return keys.join(" "),
                Err(error) => return format!("{} {error}", keys.join(" ")),
            }
        }
        "endless".to_owned()
    }

    #[test]
    fn a_quiet_list_is_read_once() {
        assert_eq!(walk((1..9).collect(), 3, |_, _| {}), "1 2 3 4 5 6 7 8");
        assert_eq!(walk((1..9).collect(), 1, |_, _| {}), "1 2 3 4 5 6 7 8");
        assert_eq!(walk(Vec::new(), 3, |_, _| {}), "");
    }

    #[test]
    fn rows_that_vanish_or_appear_before_our_place_lose_nothing() {
        let vanish = |nth: usize, list: &mut Vec<u64>| {
            if nth == 2 {
                list.retain(|key| ![1, 2, 5].contains(key));
            }
        };
        assert_eq!(walk((1..13).collect(), 3, vanish), "1 2 3 4 5 6 7 8 9 10 11 12");
        let appear = |nth: usize, list: &mut Vec<u64>| {
            if nth < 4 {
                list.insert(0, 100 + nth as u64);
            }
        };
        assert_eq!(walk((1..9).collect(), 3, appear), "100 1 2 3 4 5 6 7 8");
    }

    /// A walk that continues from the position of an earlier run, with pages far smaller than requested.
    #[test]
    fn a_place_that_was_lost_between_runs_is_found_again() {
        let list: Vec<u64> = (1..25).filter(|key| *key != 4).collect();
        let known = (1..=15).filter(|key| *key != 4).map(|key| key.to_string()).collect();
        let mut offset = Offset::new(15, known, 500);
        let mut keys = Vec::new();
        loop {
            let start = usize::try_from(offset.start).expect("a small list");
            let rows: Vec<_> = list.iter().skip(start).take(3).map(|key| row(*key)).collect();
            let end = start + rows.len();
            let next = if end < list.len() { Next::Start(end as u64) } else { Next::End };
            let PagePosition::From(at) = offset.place(&rows).expect("it is found") else {
                continue;
            };
            keys.extend(rows[at..].iter().filter_map(|row| row.key.clone()));
            if !offset.advance(rows.len(), &rows[at..], &next).expect("it makes progress") {
                break;
            }
        }
        assert_eq!(keys.join(" "), "16 17 18 19 20 21 22 23 24");
    }

    #[test]
    fn a_list_that_becomes_another_is_given_up() {
        let replace = |nth: usize, list: &mut Vec<u64>| {
            let first = 1_000 * nth as u64;
            *list = (first..first + 9).collect();
        };
        let said = walk((1..9).collect(), 3, replace);
        assert!(said.ends_with("list changes faster than it can be read"), "{said}");
    }

    #[test]
    fn pages_that_bring_nothing_are_not_the_end() {
        let mut offset = Offset::new(0, Vec::new(), 3);
        assert!(offset.advance(0, &[], &Next::Start(0)).expect("one may be empty"));
        assert!(offset.advance(0, &[], &Next::Start(0)).expect("two may be empty"));
        assert!(offset.advance(0, &[], &Next::Start(0)).is_err());
        assert!(!Offset::new(0, Vec::new(), 3).advance(0, &[], &Next::Unsaid).expect("the end"));
    }
}
