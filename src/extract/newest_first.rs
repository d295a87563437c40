//! Reads lists without a time filter, newest rows first, down to the watermark.

use super::fetch::limited;
use super::offset::{Offset, PagePosition};
use super::task::{ListRequest, Task};
use crate::model::{Asked, Delivery, Result, Sorting, Time};

impl Task {
    /// Walks down to the watermark. It moves only when the walk has reached it, or the end of the list:
    /// rows below the current position are not read yet.
    pub(super) async fn newest_first(&mut self, ask: &ListRequest) -> Result<()> {
        let floor = self.progress(ask).since;
        let mut coming: Option<Time> = None;
        let mut order = Sorting::falling(self.run.overlap);
        // A row that comes late by the overlap may still follow one below the watermark.
        let ground = floor.map(|floor| floor.plus_seconds(-self.run.overlap));
        let mut offset = Offset::new(0, Vec::new(), ask.listing.limit);
        loop {
            let request = limited(Self::request(ask), ask.listing)
                .with("sort", "update_time DESC")
                .with("start", offset.start.to_string());
            let asked = Asked { followed: offset.start > 0, told: offset.told, whole: true };
            let page = self.page(ask, request, asked).await?;
            let times = || page.records.iter().filter_map(|record| record.time);
            let newest = times().find(|time| *time < self.bound);
            coming = coming.or(newest.map(|t| t.plus_seconds(-self.run.overlap).whole_second()));
            let reached = times().any(|time| ground.is_some_and(|ground| time < ground));
            // Rows that were delivered before a restart are repeated, and are known by their digests.
            let PagePosition::From(at) = offset.place(&page.records)? else {
                if offset.start == 0 {
                    order = Sorting::falling(self.run.overlap);
                }
                continue;
            };
            let fresh = &page.records[at..];
            let whole = Sorting::falling(self.run.overlap).holds(times(), floor);
            if !whole || !order.holds(fresh.iter().filter_map(|record| record.time), floor) {
                return self.unsorted(ask, floor).await;
            }
            let more = offset.advance(page.records.len(), fresh, &page.next)?;
            let bound = self.bound;
            // All rows of the page: a delivered row is known by its digest, whatever its position.
            let rows = page.records.into_iter().enumerate();
            let rows = rows.filter(|(place, row)| *place >= at || row.key.is_some());
            let rows = rows.map(|(_, row)| row).collect();
            let delivery = self.progress(ask).descend(rows, bound, coming);
            self.deliver(ask, delivery).await?;
            if reached || !more {
                break;
            }
        }
        self.progress(ask).promote(coming);
        self.deliver(ask, Delivery::default()).await
    }
}
