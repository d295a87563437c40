//! The progress of a listing: a low watermark, and what was delivered at or above it.
//!
//! `docs/concepts/incremental.md` describes the rule. In short: every row below `since` has been
//! delivered. Rows at or above it that were delivered are remembered by key and digest. A row that is served
//! again is therefore dropped, and a second write in the same second is not.

use super::record::{Digest, Record};
use super::sorting::Sorting;
use super::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod stored;
#[cfg(test)]
mod tests;

/// Most keys a listing's progress remembers.
pub const DELIVERED_MAX: usize = 10_000;

/// The progress of reading one listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The watermark: every row that changed before it has been delivered.
    pub since: Option<Time>,
    /// The newest time of a delivered row. It causes no row to be left out. `draw_back` uses it for a `since`
    /// that lies after the server's clock. [`super::StreamState::was_read`] uses it if no run has reached its
    /// end.
    pub update_time: Option<Time>,
    /// An unfinished full walk.
    pub walk: Option<Walk>,
    /// Whether a full walk has ended, for lists that are read in full every time.
    pub done: bool,
    delivered: BTreeMap<String, Mark>,
    /// The delivered rows without a readable time.
    untimed: BTreeMap<String, Digest>,
}

/// The position of a full walk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The value of `since` after the walk: an edit after the start of the walk has at least this time.
    /// `None` for a listing without times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The offset of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// The last keys before the next page. An offset walk finds its position again by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    digest: Digest,
    /// The time of the row, or a later one.
    time: Time,
}

/// The records of a page that are delivered, and the notices about them.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The rows to deliver, in order.
    pub records: Vec<Record>,
    /// Digests of the keys of rows that lie at or after the run's bound and are left to the next run.
    pub postponed: Vec<Digest>,
    /// Whether more rows share one second than can be remembered. Such rows may be repeated in the next run.
    pub overflow: bool,
}

impl Progress {
    /// Returns the progress of a listing of which only rows from this time on are requested.
    pub fn starting_at(start: Time) -> Self {
        Self { since: Some(start.whole_second()), ..Self::default() }
    }

    /// Filters a page of an ascending walk and moves the watermark.
    ///
    /// `since` follows the newest time at a distance of `overlap` seconds, and never moves back. `order` is
    /// the order of the pages before. Returns `None`, and changes nothing, if this page violates the order:
    /// the watermark would skip rows.
    pub fn deliver_sorted(
        &mut self,
        records: Vec<Record>,
        order: &mut Sorting,
        bound: Time,
        overlap: i64,
    ) -> Option<Delivery> {
        if !order.holds(records.iter().filter_map(|record| record.time), self.since) {
            return None;
        }
        let newest = records.iter().filter_map(|r| r.time).filter(|time| *time < bound).max();
        let reached = newest.map(|newest| newest.plus_seconds(-overlap).whole_second());
        let since = self.since.max(reached);
        let mut delivery = self.decide(records, bound, since);
        self.reach(since, newest);
        // The newest time is that of this page. Rows delivered earlier may lie far ahead of an ascending
        // walk.
        delivery.overflow |= self.shrink(newest);
        Some(delivery)
    }

    /// Sets the watermark back to the start of the walk, for a list that is not sorted. Delivered rows are
    /// still remembered.
    pub fn take_back(&mut self, since: Option<Time>) {
        self.since = self.since.min(since);
    }

    /// Sets `since` back if it lies after the server's clock (`bound`) and after every delivered row. Returns
    /// the previous value in that case.
    ///
    /// The new value is the newest delivered time. Without one it is the server's clock if `since` is the
    /// configured start, and else the beginning of time. `overlap` seconds are subtracted from a time.
    pub fn draw_back(&mut self, bound: Time, start: Option<Time>, overlap: i64) -> Option<Time> {
        let since = self.since.filter(|since| *since > bound)?;
        let reached = match self.update_time {
            Some(seen) if since <= seen => return None,
            Some(seen) => seen.min(bound).plus_seconds(-overlap).whole_second(),
            None if start.map(Time::whole_second) == Some(since) => {
                bound.plus_seconds(-overlap).whole_second()
            }
            None => Time::EPOCH,
        };
        self.since = Some(reached);
        Some(since)
    }

    /// Filters a page of a full walk, in any order. Every row that was not delivered before is delivered,
    /// also rows at or after the bound. The watermark moves when the walk ends.
    pub fn walk(&mut self, records: Vec<Record>, bound: Time) -> Delivery {
        let coming = self.walk.as_ref().and_then(|walk| walk.since);
        let newest = records.iter().filter_map(|r| r.time).filter(|time| *time < bound).max();
        let mut delivery = self.decide(records, Time::END, coming);
        self.update_time = self.update_time.max(newest);
        if self.delivered.len() + self.untimed.len() > DELIVERED_MAX {
            // The watermark does not move to make room, because a row on an earlier page may have been edited
            // since the start of the walk.
            delivery.overflow = self.shrink(None);
        }
        delivery
    }

    /// Filters a page of a walk that reads the newest rows first. Rows below the position are not read
    /// yet, so the watermark does not move. Delivered rows are remembered, so that an interrupted run
    /// repeats none of them. `coming` is the watermark that [`Self::promote`] sets at the end.
    pub fn descend(&mut self, records: Vec<Record>, bound: Time, coming: Option<Time>) -> Delivery {
        let newest = records.iter().filter_map(|r| r.time).filter(|time| *time < bound).max();
        let mut delivery = self.decide(records, bound, Some(self.since.unwrap_or(Time::EPOCH)));
        self.update_time = self.update_time.max(newest);
        if self.remembered() > DELIVERED_MAX
            && let Some(coming) = coming
        {
            self.delivered.retain(|_, mark| mark.time >= coming);
            delivery.overflow = self.shrink(None);
        }
        delivery
    }

    /// Ends a walk that read the newest rows first. Every row that changed before `coming` has been
    /// delivered.
    pub fn promote(&mut self, coming: Option<Time>) {
        self.reach(self.since.max(coming), None);
    }

    /// Remembers rows by key alone and drops known ones, for listings that can contain one row several
    /// times.
    pub fn once(&mut self, records: Vec<Record>) -> Delivery {
        let mut delivery = Delivery::default();
        for record in records {
            let Some(key) = &record.key else {
                delivery.records.push(record);
                continue;
            };
            if self.untimed.contains_key(key) {
                continue;
            }
            if self.untimed.len() < DELIVERED_MAX {
                self.untimed.insert(key.clone(), Digest::of(&[]));
            } else {
                delivery.overflow = true;
            }
            delivery.records.push(record);
        }
        delivery
    }

    /// Adds the rows that another walk of the same list delivered to the remembered ones.
    pub(super) fn remember_those_of(&mut self, other: &Self) {
        let since = self.since;
        let marks =
            other.delivered.iter().filter(|(_, mark)| since.is_some_and(|t| mark.time >= t));
        self.delivered.extend(marks.map(|(key, mark)| (key.clone(), *mark)));
        self.untimed.extend(other.untimed.iter().map(|(key, digest)| (key.clone(), *digest)));
        self.shrink(None);
    }

    /// Remembers a row that was delivered outside the walk.
    pub(super) fn remember_delivered(&mut self, record: &Record) {
        let above = |time| self.since.is_some_and(|since| time >= since);
        if record.time.is_none_or(above) && self.remembered() < DELIVERED_MAX {
            self.remember(record, self.since);
        }
    }

    /// Ends a full walk and moves the watermark to the walk's `since`.
    pub fn finish_walk(&mut self) {
        if let Some(walk) = self.walk.take() {
            self.reach(self.since.max(walk.since), None);
        }
    }

    /// Forgets the delivered rows at the end of a full refresh. A list with times keeps its watermark, so
    /// that an incremental read can continue from it.
    pub(super) fn forget(&mut self) {
        if self.since.is_some() {
            return;
        }
        *self = Self { walk: self.walk.take(), done: self.done, ..Self::default() };
    }

    /// Returns the number of remembered rows.
    pub fn remembered(&self) -> usize {
        self.delivered.len() + self.untimed.len()
    }

    /// Filters rows: known rows are dropped, and rows at or after `bound` are postponed. Delivered rows with
    /// a time at or after `keep` are remembered.
    fn decide(&mut self, records: Vec<Record>, bound: Time, keep: Option<Time>) -> Delivery {
        let mut delivery =
            Delivery { records: Vec::with_capacity(records.len()), ..Delivery::default() };
        for record in records {
            if self.knows(&record) {
                continue;
            }
            if record.time.is_some_and(|time| time >= bound) {
                let key = record.key.as_ref().map_or(&*record.json, |key| key.as_bytes());
                delivery.postponed.push(Digest::of(key));
            } else {
                self.remember(&record, keep);
                delivery.records.push(record);
            }
        }
        delivery
    }

    fn knows(&self, record: &Record) -> bool {
        if let (Some(time), Some(since)) = (record.time, self.since)
            && time < since
        {
            return true;
        }
        let Some(key) = &record.key else {
            return false;
        };
        let digest = match self.delivered.get(key) {
            Some(mark) => mark.digest,
            None => match self.untimed.get(key) {
                Some(digest) => *digest,
                None => return false,
            },
        };
        digest == record.digest()
    }

    fn remember(&mut self, record: &Record, keep: Option<Time>) {
        let Some(key) = &record.key else {
            return;
        };
        match record.time {
            Some(time) if keep.is_some_and(|keep| time >= keep) => {
                let mark = Mark { digest: record.digest(), time };
                self.delivered.insert(key.clone(), mark);
                self.untimed.remove(key);
            }
            Some(_) => {}
            None => {
                self.untimed.insert(key.clone(), record.digest());
            }
        }
    }

    fn reach(&mut self, since: Option<Time>, newest: Option<Time>) {
        self.update_time = self.update_time.max(newest);
        if since > self.since {
            self.since = since;
        }
        if let Some(since) = self.since {
            self.delivered.retain(|_, mark| mark.time >= since);
        }
    }

    /// Reduces the remembered rows to [`DELIVERED_MAX`]. It first gives up the overlap, down to the second of
    /// `boundary`, and then forgets rows. Returns `true` if rows were forgotten that the next run may receive
    /// again.
    fn shrink(&mut self, boundary: Option<Time>) -> bool {
        if self.remembered() <= DELIVERED_MAX {
            return false;
        }
        if let Some(boundary) = boundary {
            self.reach(Some(boundary.whole_second()), None);
        }
        while self.delivered.len() > DELIVERED_MAX {
            self.delivered.pop_first();
        }
        let room = DELIVERED_MAX - self.delivered.len();
        let forgot = self.untimed.len() > room || self.delivered.len() == DELIVERED_MAX;
        while self.untimed.len() > room {
            self.untimed.pop_last();
        }
        forgot
    }
}
