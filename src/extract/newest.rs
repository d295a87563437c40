//! Lists without a filter by time, read newest first down to the watermark.

use super::fetch::limited;
use super::offset::{Offset, Place};
use super::task::{Ask, Task};
use crate::model::{Asked, Delivery, Error, Kind, Result, Time};

impl Task {
    /// Walks down to the watermark, which moves only when the walk has reached it, or the end of
    /// the list: what is below the place reached is not read yet.
    pub(super) async fn newest_first(&mut self, ask: &Ask) -> Result<()> {
        let floor = self.progress(ask).since;
        let mut coming: Option<Time> = None;
        let mut offset = Offset::new(0, Vec::new(), ask.listing.limit);
        loop {
            let request = limited(Self::request(ask), ask.listing)
                .with("sort", "update_time DESC")
                .with("start", offset.start.to_string());
            let asked = Asked { followed: offset.start > 0, told: offset.told, whole: true };
            let page = self.page(ask, request, asked).await?;
            let times = || page.records.iter().filter_map(|record| record.time);
            if !times().is_sorted_by(|a, b| a >= b) {
                return Err(Error::new(Kind::Shape, "list claims to be sorted by time and is not"));
            }
            let newest = times().find(|time| *time < self.bound);
            coming = coming.or(newest.map(|t| t.plus_seconds(-self.run.overlap).whole_second()));
            let reached = times().any(|time| floor.is_some_and(|floor| time < floor));
            // Rows delivered before a restart come again, and are known by their digests.
            let Place::From(at) = offset.place(&page.records)? else {
                continue;
            };
            let size = page.records.len();
            let fresh: Vec<_> = page.records.into_iter().skip(at).collect();
            let more = offset.advance(size, &fresh, &page.next)?;
            let bound = self.bound;
            let delivery = self.progress(ask).descend(fresh, bound, coming);
            self.deliver(ask, delivery).await?;
            if reached || !more {
                break;
            }
        }
        self.progress(ask).promote(coming);
        self.deliver(ask, Delivery::default()).await
    }
}
