//! Full walks: the first read of a resource, and resources that are read in full by every run.
//!
//! A walk goes by id, so a row that is edited behind the position of the walk was read as it was before.
//! Where rows have times, the same run therefore reads afterwards what changed since the walk began.

use super::fetch::limited;
use super::guard::Guard;
use super::offset::{Offset, PagePosition, after, tail};
use super::task::{ListRequest, Task, UPDATED_SINCE, refused};
use crate::api::{Request, is_of_parameter};
use crate::model::{
    Asked, Changes, Delivery, Error, Kind, Next, Paging, Progress, Record, Result, Time, Walk,
};

impl Task {
    /// Reads a listing in full, from the position of an interrupted walk.
    pub(super) async fn full(&mut self, ask: &ListRequest) -> Result<()> {
        self.progress(ask).walk.get_or_insert_default();
        self.walk(ask).await
    }

    /// Reads the whole of a listing with times: first all rows, then the changes since the start.
    ///
    /// The first walk has no filter, because a filter may exclude a row without `update_time`.
    pub(super) async fn first(&mut self, ask: &ListRequest) -> Result<()> {
        // A walk without `since` was stored by an older version.
        let begins = self.progress(ask).walk.as_ref().is_none_or(|walk| walk.since.is_none());
        if begins {
            let since = self.next_watermark(ask).await?;
            self.progress(ask).walk = Some(Walk { since: Some(since), ..Walk::default() });
        }
        self.begins = begins;
        self.walk(ask).await?;
        if self.progress(ask).since.is_none_or(|since| since <= Time::EPOCH) {
            // No row had a time before the bound, so there is no time to continue from. The next run walks
            // again, and recognizes delivered rows by their digests.
            return Ok(());
        }
        self.bound = self.client.clock().unwrap_or(Time::END);
        self.changed(ask).await
    }

    /// Returns the low watermark after a full walk that starts now: the newest time before the bound, minus
    /// the overlap. Any later edit has at least that time. Without such a row it is the beginning of time,
    /// because the clock alone guarantees nothing.
    pub(super) async fn next_watermark(&mut self, ask: &ListRequest) -> Result<Time> {
        let sorted = |request: Request, limit: u32| match ask.listing.paging {
            Paging::Cursor => request
                .with("sort_by", "update_time")
                .with("sort_direction", "desc")
                .with("limit", limit.to_string()),
            _ => request
                .with("sort", "update_time DESC")
                .with("start", "0")
                .with("limit", limit.to_string()),
        };
        // Rows without a time might come first, so they are filtered out where possible.
        let filtered = match ask.listing.changes {
            Changes::Since if self.state.refuses(&ask.name, UPDATED_SINCE) => None,
            Changes::SinceUntil | Changes::Since | Changes::SinceByKey => {
                let mut request = Self::request(ask).with("updated_since", Time::EPOCH.to_string());
                if ask.listing.changes == Changes::SinceUntil && self.bound < Time::END {
                    request = request.with("updated_until", self.bound.to_string());
                }
                match self.page(ask, sorted(request.clone(), 1), Asked::default()).await {
                    // If the newest row lies in the future, the newest row before the bound is further down.
                    Ok(page) if page.records.iter().any(|row| self.is_beyond(row)) => {
                        let request = sorted(request, ask.listing.limit);
                        Some(self.page(ask, request, Asked::default()).await?)
                    }
                    Ok(page) => Some(page),
                    Err(error)
                        if is_of_parameter(&error) && ask.listing.changes == Changes::Since =>
                    {
                        None
                    }
                    Err(error) => return Err(error),
                }
            }
            Changes::NewestFirst | Changes::FullRead => None,
        };
        let page = if let Some(page) = filtered {
            page
        } else {
            let request = sorted(Self::request(ask), ask.listing.limit);
            self.page(ask, request, Asked::default()).await?
        };
        let times = page.records.iter().filter_map(|record| record.time);
        let newest = times.filter(|time| *time < self.bound).max();
        Ok(newest.map_or(Time::EPOCH, |newest| {
            newest.plus_seconds(-self.run.overlap).whole_second().max(Time::EPOCH)
        }))
    }

    /// Walks a listing from its stored position to its end.
    pub(super) async fn walk(&mut self, ask: &ListRequest) -> Result<()> {
        self.walked = 0;
        match ask.listing.paging {
            Paging::Cursor => self.walk_by_cursor(ask).await,
            // A list that is documented as unpaged may have pages.
            Paging::Offset | Paging::Plain | Paging::Goals | Paging::One => {
                self.walk_by_offset(ask).await
            }
        }
    }

    async fn walk_by_cursor(&mut self, ask: &ListRequest) -> Result<()> {
        let resumed = self.place(ask);
        let (mut cursor, mut last) = (resumed.cursor, resumed.last);
        let mut guard = Guard::default();
        // A position from an earlier run may be invalid. Servers report that in different ways.
        let (mut stored, mut restarted) = (cursor.is_some(), false);
        loop {
            let mut request = limited(Self::request(ask), ask.listing);
            for (name, value) in ask.listing.by_id {
                request = request.with(name, *value);
            }
            if let Some(cursor) = &cursor {
                request = request.with("cursor", cursor.clone());
            }
            if self.resource.is_dictionary() {
                // The definitions of custom fields were requested with the same request, or will be.
                request = request.in_common(String::new());
            }
            let asked = Asked { followed: cursor.is_some(), told: false, whole: true };
            let keyed = ask.layout.has_keys();
            let page = self.page(ask, request, asked).await;
            let page =
                page.and_then(|page| guard.check(&page.records, &page.next, keyed).map(|()| page));
            let page = match page {
                Err(error)
                    if cursor.is_some()
                        && !restarted
                        && (refused(&error) || stored && is_lost(&error)) =>
                {
                    self.warn(format!(
                        "Pipedrive no longer accepts its cursor ({error}): reading {} again from the start",
                        ask.name
                    ))
                    .await;
                    (cursor, last, stored, restarted) = (None, Vec::new(), false, true);
                    guard = Guard::default();
                    continue;
                }
                outcome => outcome?,
            };
            stored = false;
            let next = match page.next {
                Next::Cursor(next) => Some(next),
                _ => None,
            };
            let mut records = page.records;
            if let Some(at) = after(&records, &last) {
                records.drain(..at);
            }
            last.clear();
            let onward = next.clone().map(|next| Walk { cursor: Some(next), ..Walk::default() });
            let here = Walk { cursor: cursor.clone(), ..Walk::default() };
            self.deliver_page(ask, records, here, onward).await?;
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn walk_by_offset(&mut self, ask: &ListRequest) -> Result<()> {
        let mut resumed = self.place(ask);
        let paged = ask.listing.paging == Paging::Offset;
        if !paged && resumed.start.is_none() {
            resumed.last.clear();
        }
        let mut offset = Offset::new(resumed.start.unwrap_or(0), resumed.last, ask.listing.limit);
        let mut stored = offset.start > 0;
        loop {
            let mut here = Walk::default();
            let mut request = limited(Self::request(ask), ask.listing);
            if paged || offset.start > 0 {
                here.start = Some(offset.start);
                request = request.with("start", offset.start.to_string());
            }
            for (name, value) in ask.listing.by_id {
                request = request.with(name, *value);
            }
            let asked = Asked { followed: offset.start > 0, told: offset.told, whole: true };
            let page = match self.page(ask, request, asked).await {
                Err(error) if stored && is_lost(&error) => {
                    self.warn(format!(
                        "Pipedrive no longer accepts the place where the last run was ({error}): reading {} \
                         again from the start",
                        ask.name
                    ))
                    .await;
                    offset = Offset::new(0, Vec::new(), ask.listing.limit);
                    stored = false;
                    continue;
                }
                outcome => outcome?,
            };
            stored = false;
            let at = match offset.place(&page.records)? {
                PagePosition::From(at) => at,
                PagePosition::Back => continue,
                PagePosition::Restart => {
                    self.warn(format!(
                        "{} changed under the walk: reading it again from the start, some rows come again",
                        ask.name
                    ))
                    .await;
                    continue;
                }
            };
            let size = page.records.len();
            let fresh: Vec<_> = page.records.into_iter().skip(at).collect();
            let next = if paged || page.next != Next::Unsaid { page.next } else { Next::End };
            let more = offset.advance(size, &fresh, &next)?;
            let onward = more.then(|| Walk {
                start: Some(offset.start),
                last: offset.last.clone(),
                ..Walk::default()
            });
            self.deliver_page(ask, fresh, here, onward).await?;
            if !more {
                return Ok(());
            }
        }
    }

    fn place(&mut self, ask: &ListRequest) -> Walk {
        self.progress(ask).walk.clone().unwrap_or_default()
    }

    /// Delivers the rows of a page. Between portions, the position is `here` and the last keys. After the
    /// page it is `onward`, or the end of the walk.
    async fn deliver_page(
        &mut self,
        ask: &ListRequest,
        records: Vec<Record>,
        here: Walk,
        onward: Option<Walk>,
    ) -> Result<()> {
        let portion = self.checkpoint_chunk();
        self.walked += records.len() as u64;
        if onward.is_none() && self.walked == 0 && self.begins && self.promises(ask) {
            // This check comes before the end of the walk. Otherwise the next run would continue from a time
            // up to which nothing was read.
            let message =
                "list had rows when its newest one was asked for, and none when it was read";
            return Err(Error::new(Kind::Shape, message).at(ask.listing.path));
        }
        let mut rest = records;
        loop {
            let later = rest.split_off(portion.min(rest.len()));
            let last = tail(&rest);
            let delivery = self.filter(ask, rest);
            let (full, watermark) = (self.state.full, self.keeps_watermark(ask));
            let progress = self.progress(ask);
            let since = progress.walk.as_ref().and_then(|walk| walk.since);
            match &onward {
                _ if !later.is_empty() => {
                    progress.walk = Some(Walk { since, last, ..here.clone() });
                }
                Some(onward) => progress.walk = Some(Walk { since, ..onward.clone() }),
                // The state is sent with the last rows, so that no row is read again after a kill.
                None if full && !watermark => (progress.walk, progress.done) = (None, true),
                None => progress.finish_walk(),
            }
            self.deliver(ask, delivery).await?;
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    /// Returns whether the watermark of a walk shows that there was a row.
    fn promises(&mut self, ask: &ListRequest) -> bool {
        let walk = self.progress(ask).walk.as_ref();
        walk.and_then(|walk| walk.since).is_some_and(|since| since > Time::EPOCH)
    }

    fn filter(&mut self, ask: &ListRequest, records: Vec<Record>) -> Delivery {
        if self.keeps_watermark(ask) {
            let bound = self.bound;
            return self.progress(ask).walk(records, bound);
        }
        if self.watched.overlapping() {
            // The stream has one set of remembered keys, stored in its first listing.
            let first = self.watched.listings[0].name.to_owned();
            let progress: &mut Progress = self.state.listings.entry(first).or_default();
            return progress.once(records);
        }
        Delivery { records, ..Delivery::default() }
    }
}

/// Returns whether an error may mean that the position of an earlier run is invalid.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), Kind::Refused | Kind::Shape | Kind::Upstream)
}
