//! Incremental walks: read what changed since the watermark, oldest change first.

use super::fetch::limited;
use super::guard::Guard;
use super::offset::{Offset, PagePosition};
use super::task::{ListRequest, Task, UPDATED_SINCE, refused};
use crate::api::is_of_parameter;
use crate::model::{Asked, Changes, Next, Record, Result, Sorting, Time, Walk};
use std::collections::HashSet;

/// The number of seconds for which Pipedrive lists a deleted deal (pipedrive-api.md 2.5).
const PURGED_AFTER_SECONDS: i64 = 30 * 86_400;

impl Task {
    /// Warns if the last run is so long ago that rows deleted since are purged.
    pub(super) async fn tell_purges(&mut self, ask: &ListRequest) {
        let progress = self.state.listings.get(&ask.name);
        let resumed = progress.is_some_and(|progress| self.state.was_read(progress));
        let purged = self.run.bound.plus_seconds(-PURGED_AFTER_SECONDS);
        let known = self.run.bound < Time::END;
        let listed = ask.listing.split.is_some() && !self.state.full;
        // If nothing changed, the watermark is older than the last run.
        let last = self.state.until.unwrap_or(self.since(ask));
        if listed && resumed && known && last < purged {
            self.warn(format!(
                "the last run was more than 30 days ago: rows deleted before {purged} are purged and not reported"
            ))
            .await;
        }
    }

    /// Walks by cursor from the watermark to the upper bound.
    pub(super) async fn read_incremental(&mut self, ask: &ListRequest) -> Result<()> {
        if self.state.refuses(&ask.name, UPDATED_SINCE) {
            return self.unfiltered(ask).await;
        }
        let mut since = self.since(ask);
        let begun = self.progress(ask).since;
        let mut order = Sorting::rising(begun, self.run.overlap);
        let mut cursor: Option<String> = None;
        let mut guard = Guard::default();
        let mut restarted = false;
        loop {
            let mut request = limited(Self::request(ask), ask.listing)
                .with("updated_since", since.to_string())
                .with("sort_by", "update_time")
                .with("sort_direction", "asc");
            request = self.in_common(request);
            // If the server's clock is behind the watermark, there is no row between the two.
            if ask.listing.changes == Changes::SinceUntil
                && since < self.bound
                && self.bound < Time::END
            {
                request = request.with("updated_until", self.bound.whole_second().to_string());
            }
            if let Some(cursor) = &cursor {
                request = request.with("cursor", cursor.clone());
            }
            let asked = Asked { followed: cursor.is_some(), told: false, whole: true };
            let page = match self.page(ask, request, asked).await {
                Err(error)
                    if cursor.is_none()
                        && ask.listing.changes == Changes::Since
                        && is_of_parameter(&error) =>
                {
                    return self.unfiltered(ask).await;
                }
                Err(error) if cursor.is_some() && !restarted && refused(&error) => {
                    // The delivered rows are known, so the walk continues from its watermark.
                    (since, cursor, restarted) = (self.since(ask), None, true);
                    order = Sorting::rising(self.progress(ask).since, self.run.overlap);
                    guard = Guard::default();
                    continue;
                }
                outcome => outcome?,
            };
            guard.check(&page.records, &page.next, ask.layout.has_keys())?;
            let beyond = self.beyond(&page.records);
            if !self.deliver_sorted(ask, page.records, &mut order).await? {
                return self.unsorted(ask, begun).await;
            }
            match page.next {
                Next::Cursor(next) if !beyond => cursor = Some(next),
                _ => return Ok(()),
            }
        }
    }

    /// Walks an offset-paged list by its key: after each page it requests rows from the last time on. A
    /// row that is edited during the walk leaves its position, and would shift the rest past an offset.
    /// The offset grows only inside one second that fills a page.
    pub(super) async fn ascend_by_key(&mut self, ask: &ListRequest) -> Result<()> {
        let mut from = self.since(ask);
        let begun = self.progress(ask).since;
        let mut order = Sorting::rising(begun, self.run.overlap);
        let mut offset = Offset::new(0, Vec::new(), ask.listing.limit);
        let mut seen: HashSet<String> = HashSet::new();
        let (mut followed, mut told) = (false, false);
        loop {
            let request = limited(Self::request(ask), ask.listing)
                .with("updated_since", from.to_string())
                .with("sort", "update_time ASC")
                .with("start", offset.start.to_string());
            let asked = Asked { followed, told, whole: true };
            let page = self.page(ask, self.in_common(request), asked).await?;
            followed = true;
            let PagePosition::From(at) = offset.place(&page.records)? else {
                continue;
            };
            let more = offset.advance(page.records.len(), &page.records[at..], &page.next)?;
            told |= offset.told;
            let newest = page.records.iter().filter_map(|record| record.time).max();
            let beyond = self.beyond(&page.records);
            let second = newest.map_or(from, Time::whole_second).max(from);
            let keys = page.records.iter().filter(|r| r.time.is_some_and(|t| t >= second));
            let keys: Vec<String> = keys.filter_map(|record| record.key.clone()).collect();
            let known = |record: &Record| record.key.as_ref().is_some_and(|key| seen.contains(key));
            let fresh: Vec<_> = page.records.into_iter().filter(|row| !known(row)).collect();
            if !self.deliver_sorted(ask, fresh, &mut order).await? {
                return self.unsorted(ask, begun).await;
            }
            if !more || beyond {
                return Ok(());
            }
            if second > from {
                from = second;
                offset = Offset::new(0, Vec::new(), ask.listing.limit);
                seen.clear();
            }
            seen.extend(keys);
        }
    }

    /// Reads a list that refuses the filter: every row is read, and rows below the watermark are dropped.
    async fn unfiltered(&mut self, ask: &ListRequest) -> Result<()> {
        let refused = self.state.refused.entry(ask.name.clone()).or_default();
        if refused.insert(UPDATED_SINCE.to_owned()) {
            self.warn(format!(
                "Pipedrive refuses updated_since on {}: reading it in full",
                ask.listing.path
            ))
            .await;
        }
        self.everything(ask).await
    }

    /// Reads a list that is not sorted as it claims: its watermark is set back to its value at the start
    /// (`begun`), and every row is read. Rows that are below it, or known by their digest, are dropped.
    pub(super) async fn unsorted(&mut self, ask: &ListRequest, begun: Option<Time>) -> Result<()> {
        if self.disordered.insert(ask.name.clone()) {
            self.warn(format!(
                "Pipedrive does not sort {} by update_time as it was asked to: reading it in full, some \
                 rows may come again",
                ask.listing.path
            ))
            .await;
        }
        self.progress(ask).take_back(begun);
        self.everything(ask).await
    }

    async fn everything(&mut self, ask: &ListRequest) -> Result<()> {
        let since = self.next_watermark(ask).await?;
        self.progress(ask).walk = Some(Walk { since: Some(since), ..Walk::default() });
        self.begins = true;
        self.walk(ask).await
    }

    /// Delivers a page of an ascending walk. Returns `false` if it is out of order.
    async fn deliver_sorted(
        &mut self,
        ask: &ListRequest,
        records: Vec<Record>,
        order: &mut Sorting,
    ) -> Result<bool> {
        let (bound, overlap, portion) = (self.bound, self.run.overlap, self.checkpoint_chunk());
        let mut rest = records;
        loop {
            let later = rest.split_off(portion.min(rest.len()));
            let Some(delivery) = self.progress(ask).deliver_sorted(rest, order, bound, overlap)
            else {
                return Ok(false);
            };
            self.deliver(ask, delivery).await?;
            if later.is_empty() {
                return Ok(true);
            }
            rest = later;
        }
    }

    fn since(&mut self, ask: &ListRequest) -> Time {
        self.progress(ask).since.unwrap_or(Time::EPOCH).whole_second()
    }

    /// Returns whether a sorted page reaches the upper bound, so that no later row belongs to this run.
    fn beyond(&self, records: &[Record]) -> bool {
        records.iter().any(|record| self.is_beyond(record))
    }

    /// Returns whether a row changed at or after the upper bound.
    pub(super) fn is_beyond(&self, record: &Record) -> bool {
        record.time.is_some_and(|time| time >= self.bound)
    }
}
