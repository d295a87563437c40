//! Reads one resource from start to end.

use super::children::Refused;
use super::plan::{Job, Mode};
use super::reader::{Backpressure, Envelope};
use crate::api::{Client, Request, definitions, is_of_parameter, leaving_out};
use crate::model::{
    Batch, Carried, Changes, Delivery, Digest, Error, Event, Kind, Layout, Listing, Progress,
    Record, Resource, Result, SURPRISES_MAX, SchemaDeviation, StreamState, Time,
};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

/// The parameters that all tasks of a run share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Rows changed at or after this time are left to the next run. It is [`Time::END`] if the server's
    /// clock is unknown.
    pub(super) bound: Time,
    /// The configured start time of rows.
    pub(super) start: Option<Time>,
    /// The overlap of an incremental read, in seconds.
    pub(super) overlap: i64,
    pub(super) backpressure: Backpressure,
    /// Whether mail is read with its text.
    pub(super) bodies: bool,
    /// Whether the run has a token limit, and is repeated until everything is read.
    pub(super) capped: bool,
}

/// A task that reads one resource and reports events.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the walk")]
pub(super) struct Task {
    pub(super) client: Arc<Client>,
    pub(super) run: Run,
    pub(super) resource: &'static Resource,
    /// The resource whose listings are walked: the parent, for a list per parent.
    pub(super) watched: &'static Resource,
    mode: Mode,
    listings: Vec<&'static Listing>,
    /// Whether the user named the resource.
    named: bool,
    pub(super) state: StreamState,
    out: Sender<Envelope>,
    surprises: HashSet<SchemaDeviation>,
    /// Whether the current listing has responded in this run. A later refusal does not concern the
    /// parameters that are always sent.
    pub(super) answered: bool,
    /// Whether any part of the current list responded in this run.
    pub(super) met: bool,
    /// Whether a list per parent responded in this run or before, so that it exists.
    pub(super) known: bool,
    /// The same in this run only.
    pub(super) heard: bool,
    /// Parents whose lists were refused.
    pub(super) refused: Refused,
    /// The notice to send as soon as a page is received.
    pub(super) telling: Option<String>,
    /// Listings whose memory of keys is full, to report each once.
    overflowed: HashSet<String>,
    /// Listings that are not sorted as they claim, to report each once.
    pub(super) disordered: HashSet<String>,
    /// Whether to report the definitions of its custom fields before its first rows.
    defines: bool,
    /// Rows of parents that are not requested again.
    pub(super) carried: Option<Arc<Carried>>,
    /// Whether other streams of the run read changes of the same lists.
    in_common: bool,
    /// Whether the walk of the current listing began in this run.
    pub(super) begins: bool,
    /// Digests of the keys of rows that several parents list.
    pub(super) shared: HashSet<Digest>,
    /// Rows of the current listing that changed at or after this time are left to the next run.
    pub(super) bound: Time,
    /// The number of rows that the walk of the current listing has met in this run.
    pub(super) walked: u64,
    /// The time up to which all listings so far are read. `None` before the first.
    until: Option<Time>,
    /// Digests of the keys of rows that are left to the next run.
    postponed: HashSet<Digest>,
}

/// A listing as this run requests it: that of the table, or a part of it if the whole was refused.
#[derive(Clone)]
pub(super) struct ListRequest {
    pub(super) listing: &'static Listing,
    pub(super) layout: Arc<Layout>,
    /// The name in the state.
    pub(super) name: String,
    /// The value that replaces the one of a split parameter.
    pub(super) part: Option<&'static str>,
    /// Omitted parameters that the API refuses.
    pub(super) without: Vec<&'static str>,
}

/// The parameter of an incremental read that a list may not support.
pub(super) const UPDATED_SINCE: &str = "updated_since";

/// Returns the name of a part of a listing in the state.
fn part(listing: &Listing, value: &str) -> String {
    format!("{}:{value}", listing.name)
}

/// Returns the message about parameters that the API refuses.
fn refusal(listing: &Listing, without: &[&str]) -> String {
    let split = listing.split.as_ref().filter(|split| without.contains(&split.param));
    let left_out: Vec<_> =
        without.iter().filter(|name| split.is_none_or(|split| split.param != **name)).collect();
    let left_out = left_out.into_iter().map(|name| format!("{name}: reading without it"));
    let split = split
        .map(|split| format!("{} with all values at once: reading them one by one", split.param));
    let said: Vec<_> = left_out.chain(split).collect();
    format!("Pipedrive refuses {}", said.join(", and "))
}

/// The maximum number of postponed rows that are counted, per resource.
const POSTPONED_MAX: usize = 100_000;

impl Task {
    pub(super) fn new(client: Arc<Client>, run: Run, job: Job, out: Sender<Envelope>) -> Self {
        let watched = job.resource.parent_resource().unwrap_or(job.resource);
        Self {
            client,
            run,
            resource: job.resource,
            watched,
            mode: job.mode,
            listings: job.listings,
            named: job.named,
            known: job.state.records > 0,
            state: job.state,
            out,
            surprises: HashSet::new(),
            answered: false,
            met: false,
            heard: false,
            refused: Refused::default(),
            telling: None,
            overflowed: HashSet::new(),
            disordered: HashSet::new(),
            begins: false,
            in_common: job.in_common,
            defines: job.defines,
            carried: job.carried,
            shared: HashSet::new(),
            bound: run.bound,
            walked: 0,
            until: None,
            postponed: HashSet::new(),
        }
    }

    /// Reads to the end, and reports the result. Returns `true` if it ends the whole run.
    pub(super) async fn run(mut self) -> bool {
        let resource = self.resource;
        self.tell(Event::Started { resource }).await;
        match self.read().await {
            Ok(()) => {
                let (until, postponed) = (self.until, self.postponed.len());
                // A list without times has the content of the start of the run.
                let whole = self.state.complete.then_some(self.run.bound);
                self.state.until = until.or(whole.filter(|bound| *bound < Time::END));
                let reached = self.state.clone();
                self.tell(Event::Finished { resource, reached, until, postponed }).await;
                false
            }
            Err(error) if error.kind() == Kind::Unavailable && !self.named => {
                self.tell(Event::Unavailable { resource, listing: None, error }).await;
                false
            }
            Err(error) => {
                // If no row of the list was received, the refused list is that of the parents.
                let list = if self.met { resource } else { self.watched };
                let error = self.client.explained(error, list);
                let stops = error.kind().stops_the_run();
                self.tell(Event::Failed { resource, error }).await;
                stops
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        if self.state.full && self.state.complete {
            let message = "its state says that an earlier run has finished this full refresh: nothing is \
                           read; leave the state out to read all of it again";
            self.warn(message.to_owned()).await;
            return Ok(());
        }
        let mut read = false;
        for listing in self.listings.clone() {
            self.met = false;
            let Err(error) = self.listing(listing).await else {
                read = true;
                continue;
            };
            let error = if self.met { error } else { self.client.whole_list(error, self.watched) };
            if error.kind() != Kind::Unavailable || !read {
                return Err(error);
            }
            // The other listings are available.
            let (resource, name) = (self.resource, listing.name);
            let event = if self.named {
                let error = Error::new(error.kind(), format!("list \"{name}\": {error}"));
                Event::Lacking { resource, error }
            } else {
                Event::Unavailable { resource, listing: Some(name), error }
            };
            self.tell(event).await;
        }
        if let Some(text) = self.refused.text(self.watched) {
            self.warn(text).await;
        }
        if self.state.full {
            self.state.finish_full();
        }
        Ok(())
    }

    /// Reads one listing, without parameters that the API refuses, and in parts if it refuses the
    /// combined value of one. A refusal is reported once and remembered.
    async fn listing(&mut self, listing: &'static Listing) -> Result<()> {
        let known = self.left_out(listing);
        let rest: Vec<_> =
            listing.refusable.iter().copied().filter(|name| !known.contains(name)).collect();
        let Err(first) = self.listing_without(listing, known.clone()).await else {
            return Ok(());
        };
        if self.met {
            return Err(first);
        }
        for without in leaving_out(&first, &rest) {
            let before = self.state.refused.get(listing.name).cloned();
            let refused = self.state.refused.entry(listing.name.to_owned()).or_default();
            refused.extend(without.iter().map(|name| (*name).to_owned()));
            self.telling = Some(refusal(listing, &without));
            let outcome = self.listing_without(listing, [&known[..], &without].concat()).await;
            match outcome {
                Err(error) if !self.met && is_of_parameter(&error) => {
                    self.telling = None;
                    match before {
                        Some(before) => self.state.refused.insert(listing.name.to_owned(), before),
                        None => self.state.refused.remove(listing.name),
                    };
                }
                outcome => return outcome,
            }
        }
        Err(first)
    }

    /// Returns the parameters that are omitted from the start: those that were refused before, and those
    /// that only add columns to rows that are used as parents.
    fn left_out(&self, listing: &Listing) -> Vec<&'static str> {
        let split = listing.split.as_ref();
        let parts = |param: &str| {
            let values = split.filter(|split| split.param == param).map(|split| split.values);
            let mut values = values.into_iter().flatten();
            values.any(|value| self.state.listings.contains_key(&part(listing, value)))
        };
        let left_out = |param: &str| {
            let extra = split.is_none_or(|split| split.param != param);
            self.state.refuses(listing.name, param)
                || parts(param)
                // Streams that share a list send the same request.
                || extra && self.resource.parent.is_some() && !self.in_common
        };
        listing.refusable.iter().copied().filter(|param| left_out(param)).collect()
    }

    async fn listing_without(
        &mut self,
        listing: &'static Listing,
        without: Vec<&'static str>,
    ) -> Result<()> {
        let layout = Arc::new(Layout::of(self.watched, listing));
        let split = listing.split.as_ref().filter(|split| without.contains(&split.param));
        let whole =
            ListRequest { listing, layout, name: listing.name.to_owned(), part: None, without };
        let Some(split) = split else {
            return self.ask(&whole).await;
        };
        let begun = self.state.listings.remove(listing.name).unwrap_or_default();
        for value in split.values {
            self.state.listings.entry(part(listing, value)).or_insert_with(|| begun.clone());
        }
        for value in split.values {
            self.ask(&ListRequest {
                name: part(listing, value),
                part: Some(value),
                ..whole.clone()
            })
            .await?;
        }
        Ok(())
    }

    async fn ask(&mut self, ask: &ListRequest) -> Result<()> {
        (self.answered, self.bound) = (false, self.run.bound);
        // A listing with times that an interrupted run read to its end is continued from there: the time up
        // to which this run has read applies to all listings.
        if self.state.full && self.progress(ask).done && !self.keeps_watermark(ask) {
            return Ok(());
        }
        if !self.keeps_watermark(ask) {
            return self.full(ask).await;
        }
        self.draw_back(ask).await;
        let progress = self.progress(ask);
        // The beginning of time marks a list that had no rows. Only a walk without a filter shows whether a
        // row without a time was added since.
        if progress.walk.is_some() || progress.since.is_none_or(|since| since <= Time::EPOCH) {
            self.first(ask).await?;
        } else {
            self.tell_purges(ask).await;
            self.changed(ask).await?;
        }
        let full = self.state.full;
        let progress = self.progress(ask);
        progress.done = full;
        // Without the server's clock, only the watermark is known.
        let reached = progress.since.unwrap_or(Time::EPOCH);
        let reached = if self.bound == Time::END { reached } else { reached.max(self.bound) };
        self.until = Some(self.until.map_or(reached, |until| until.min(reached)));
        Ok(())
    }

    /// Returns whether a listing is read by its times, so that a later run can continue from it.
    pub(super) fn keeps_watermark(&self, ask: &ListRequest) -> bool {
        ask.listing.changes != Changes::FullRead && self.mode != Mode::Scan
    }

    /// Reads the changes since the watermark, up to the bound.
    pub(super) async fn changed(&mut self, ask: &ListRequest) -> Result<()> {
        match ask.listing.changes {
            Changes::SinceUntil | Changes::Since => self.read_incremental(ask).await,
            Changes::SinceByKey => self.ascend_by_key(ask).await,
            Changes::NewestFirst => self.newest_first(ask).await,
            Changes::FullRead => {
                Err(Error::new(Kind::Bug, "a list without times was planned as incremental"))
            }
        }
    }

    /// Sets back a watermark that lies after every delivered row and the server's clock, with a warning.
    async fn draw_back(&mut self, ask: &ListRequest) {
        let (bound, start, overlap) = (self.run.bound, self.run.start, self.run.overlap);
        let progress = self.progress(ask);
        if let Some(promised) = progress.draw_back(bound, start, overlap) {
            let since = progress.since.unwrap_or(Time::EPOCH);
            self.warn(format!(
                "according to the state, list \"{}\" was read up to {promised}, which is later than Pipedrive's \
                 clock ({bound}): it is read from {since} on",
                ask.name
            ))
            .await;
        }
    }

    /// Returns a request whose response all streams of the run share if they send the same request. The
    /// response is valid for each of them that reads up to the same bound.
    pub(super) fn in_common(&self, request: Request) -> Request {
        if self.in_common { request.in_common(self.bound.to_string()) } else { request }
    }

    /// Returns the progress of a listing.
    pub(super) fn progress(&mut self, ask: &ListRequest) -> &mut Progress {
        self.state.listings.entry(ask.name.clone()).or_default()
    }

    /// Sends the rows of a page to deliver, with the progress that they prove.
    ///
    /// For a list per parent, the rows are parents: their lists are read, and the rows of these lists are
    /// sent.
    pub(super) async fn deliver(&mut self, ask: &ListRequest, delivery: Delivery) -> Result<()> {
        if delivery.overflow && self.overflowed.insert(ask.name.clone()) {
            self.warn(format!(
                "more rows of list \"{}\" have to be remembered than {}: some may come again",
                ask.name,
                crate::model::DELIVERED_MAX
            ))
            .await;
        }
        let room = POSTPONED_MAX.saturating_sub(self.postponed.len());
        self.postponed.extend(delivery.postponed.into_iter().take(room));
        let records = match &self.resource.parent {
            None => delivery.records,
            Some(_) => self.children(&delivery.records).await?,
        };
        if !records.is_empty() && std::mem::take(&mut self.defines) {
            self.define().await?;
        }
        self.send(records).await;
        Ok(())
    }

    async fn define(&mut self) -> Result<()> {
        let resource = self.resource;
        let Some(dictionary) = resource.fields.and_then(Resource::named) else {
            return Ok(());
        };
        match definitions(&self.client, dictionary).await {
            Err(error) if error.kind().stops_the_run() => Err(error),
            outcome => {
                self.tell(Event::Defined { resource, outcome }).await;
                Ok(())
            }
        }
    }

    async fn send(&mut self, records: Vec<Record>) {
        self.state.records += records.len() as u64;
        let refused = self.refused.take_keys();
        let batch =
            Batch { resource: self.resource, records, reached: self.state.clone(), refused };
        let event = Event::Batch(batch);
        match self.run.backpressure {
            Backpressure::Buffered => self.tell(event).await,
            Backpressure::Lockstep => {
                let (taken, done) = oneshot::channel();
                // A closed channel means that the reader was dropped, together with the acknowledgement.
                let _ = self.out.send(Envelope { event, taken: Some(taken) }).await;
                let _ = done.await;
            }
        }
    }

    /// Returns the number of rows between two checkpoints: a page, or a number of parents that limits the
    /// requests repeated after a kill.
    pub(super) fn checkpoint_chunk(&self) -> usize {
        match self.resource.parent.as_ref().map(|parent| parent.ask) {
            None => usize::MAX,
            Some(crate::model::PerParent::Batch(_)) => crate::model::BATCH_PARENTS_MAX,
            Some(_) => match self.run.backpressure {
                Backpressure::Buffered if !self.run.capped => {
                    super::children::PARENTS_PER_CHECKPOINT
                }
                Backpressure::Buffered | Backpressure::Lockstep => {
                    super::children::REQUESTS_IN_FLIGHT_MAX
                }
            },
        }
    }

    pub(super) async fn surprised(&mut self, surprises: Vec<SchemaDeviation>) {
        for surprise in surprises {
            if self.surprises.len() < SURPRISES_MAX && self.surprises.insert(surprise.clone()) {
                self.warn(surprise.to_string()).await;
            }
        }
    }

    pub(super) async fn warn(&self, text: String) {
        self.tell(Event::Warning { resource: self.resource, text }).await;
    }

    pub(super) async fn tell(&self, event: Event) {
        // A closed channel means that the reader was dropped. This task is then aborted.
        let _ = self.out.send(Envelope { event, taken: None }).await;
    }
}

/// Returns whether the API refused a parameter.
pub(super) fn refused(error: &Error) -> bool {
    error.kind() == Kind::Refused && error.http_status() == Some(400)
}
