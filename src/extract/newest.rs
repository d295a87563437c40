//! Lists without a filter by time, read newest first down to the watermark.

use super::fetch::limited;
use super::task::{Ask, Task};
use super::walk::{after, remember};
use crate::model::{Delivery, Error, Kind, Next, Result, Time};

/// How often a walk starts anew because its overlap row had moved.
const RESTARTS_MAX: usize = 10;

impl Task {
    /// Walks down to the watermark, which moves only when the walk has reached it: what is below
    /// the place reached is not read yet.
    pub(super) async fn newest_first(&mut self, ask: &Ask) -> Result<()> {
        let floor = self.progress(ask).since;
        let mut coming: Option<Time> = None;
        let (mut start, mut last): (u64, Vec<String>) = (0, Vec::new());
        let mut restarts = 0;
        loop {
            let request = limited(Self::request(ask), ask.listing)
                .with("sort", "update_time DESC")
                .with("start", start.to_string());
            let page = self.page(ask, request).await?;
            let size = page.records.len() as u64;
            let times = || page.records.iter().filter_map(|record| record.time);
            if !times().is_sorted_by(|a, b| a >= b) {
                return Err(Error::new(Kind::Shape, "list claims to be sorted by time and is not"));
            }
            let newest = times().find(|time| *time < self.run.bound);
            coming = coming.or(newest.map(|t| t.plus_seconds(-self.run.overlap).whole_second()));
            let reached = times().any(|time| floor.is_some_and(|floor| time < floor));
            let Some(at) = after(&page.records, &last) else {
                restarts += 1;
                if restarts > RESTARTS_MAX {
                    return Err(Error::new(Kind::Shape, "list changes faster than it can be read"));
                }
                // Rows delivered before come again, and are known by their digests.
                (start, last) = (0, Vec::new());
                continue;
            };
            let fresh: Vec<_> = page.records.into_iter().skip(at).collect();
            remember(&mut last, &fresh);
            let stuck = fresh.is_empty();
            let bound = self.run.bound;
            let delivery = self.progress(ask).descend(fresh, bound, coming);
            self.deliver(ask, delivery).await?;
            let more = match page.next {
                Next::Start(_) | Next::Unsaid => !stuck,
                Next::End | Next::Cursor(_) => false,
            };
            if reached || !more {
                break;
            }
            start += size.saturating_sub(1).max(1);
        }
        self.progress(ask).promote(coming);
        self.deliver(ask, Delivery::default()).await
    }
}
