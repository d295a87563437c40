//! Lists without a filter by time, read newest first down to the watermark.

use super::task::{Ask, Task};
use super::walk::{after, tail};
use crate::model::{Delivery, Digest, Error, Kind, Next, Result, Walk};
use std::collections::HashSet;

/// How often a walk starts anew because its overlap row had moved.
const RESTARTS_MAX: usize = 10;

impl Task {
    /// Walks down to the watermark. The watermark moves only when the walk has reached it: what is
    /// below the place reached is not read yet.
    pub(super) async fn newest_first(&mut self, ask: &Ask) -> Result<()> {
        let mut pending = self.progress(ask).clone();
        let floor = pending.since;
        let mut seen: HashSet<Digest> = HashSet::new();
        let (mut start, mut last): (u64, Vec<String>) = (0, Vec::new());
        let mut restarts = 0;
        loop {
            let page = self.page(ask, Self::newest_request(ask, start)).await?;
            let size = page.records.len() as u64;
            let times = || page.records.iter().filter_map(|record| record.time);
            if !times().is_sorted_by(|a, b| a >= b) {
                return Err(Error::new(Kind::Shape, "list claims to be sorted by time and is not"));
            }
            if pending.walk.is_none() {
                let newest = times().find(|time| *time < self.run.bound);
                let coming = newest.map(|t| t.plus_seconds(-self.run.overlap).whole_second());
                pending.walk = Some(Walk { since: coming.max(floor), ..Walk::default() });
            }
            let reached = times().any(|time| floor.is_some_and(|floor| time < floor));
            let Some(at) = after(&page.records, &last) else {
                restarts += 1;
                if restarts > RESTARTS_MAX {
                    return Err(Error::new(Kind::Shape, "list changes faster than it can be read"));
                }
                (start, last) = (0, Vec::new());
                continue;
            };
            let fresh: Vec<_> = page.records.into_iter().skip(at).collect();
            if !fresh.is_empty() {
                last = tail(&fresh);
            }
            let stuck = fresh.is_empty();
            // After a restart the rows delivered before come again.
            let fresh = fresh.into_iter().filter(|record| !seen.contains(&record.digest())).collect();
            let delivery = pending.walk(fresh, self.run.bound);
            seen.extend(delivery.records.iter().map(crate::model::Record::digest));
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
        pending.finish_walk();
        *self.progress(ask) = pending;
        self.deliver(ask, Delivery::default()).await
    }
}
