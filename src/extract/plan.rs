//! Plans the jobs of a run from the selection and the saved state. The module is pure.

use super::thrift;
use crate::model::{Carried, Listing, PerParent, Progress, Resource, Settings, StreamState, Time};
use std::sync::Arc;

/// A resource that the user selected.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The resource.
    pub resource: &'static Resource,
    /// The mode.
    pub mode: Mode,
    /// The state of an earlier run.
    pub state: Option<StreamState>,
    /// Whether the user named the resource. It is then an error if the company lacks it.
    pub named: bool,
    /// The time of the last complete read; [`Time::EPOCH`] if it is unknown. `None` while a part was
    /// never read.
    pub finished: Option<Time>,
    /// Whether the company lacked the resource at the last request.
    pub lacking: bool,
}

impl Selected {
    /// Returns a resource that continues from this state. It was not named by the user, and is assumed to
    /// be available.
    pub fn new(resource: &'static Resource, mode: Mode, state: Option<StreamState>) -> Self {
        let finished = state.as_ref().and_then(StreamState::finished);
        Self { resource, mode, state, named: false, finished, lacking: false }
    }
}

/// The mode of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Changes since the state.
    Incremental,
    /// Everything, and if rows have times, the changes during the read.
    Full,
    /// All rows in one walk, for inspection. No later read continues from it.
    Scan,
}

/// A resource to read, and its start state. Only [`plan`] creates one.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of the resource")]
pub struct Job {
    pub(super) resource: &'static Resource,
    pub(super) mode: Mode,
    pub(super) state: StreamState,
    pub(super) listings: Vec<&'static Listing>,
    pub(super) named: bool,
    /// Whether another job reads the same lists.
    pub(super) in_common: bool,
    /// Whether to report the definitions of its custom fields before its first rows.
    pub(super) defines: bool,
    /// Rows of parents that are not requested again.
    pub(super) carried: Option<Arc<Carried>>,
    /// The time of the last complete read, see [`Selected::finished`].
    pub(super) finished: Option<Time>,
    /// Whether the company lacked the resource at the last request.
    pub(super) lacking: bool,
}

impl Job {
    /// Returns the resource.
    pub fn resource(&self) -> &'static Resource {
        self.resource
    }

    /// Uses these rows instead of requests for parents that have not changed.
    pub fn carry(&mut self, carried: Arc<Carried>) {
        self.carried = Some(carried);
    }

    /// Requests the definitions of its custom fields before its first rows, if there are any.
    pub fn define(&mut self) {
        self.defines = true;
    }

    /// Returns the resource whose lists are walked.
    pub(super) fn driving_resource(&self) -> &'static Resource {
        self.resource.parent_resource().unwrap_or(self.resource)
    }
}

/// Returns the jobs of a run: the longest first; with a token limit, the most important first.
///
/// A resource that cannot be read incrementally is read in full, whatever was requested. A full read
/// continues from the state of an interrupted full read, and from no other.
pub fn plan(settings: &Settings, selected: Vec<Selected>) -> Vec<Job> {
    let mut jobs: Vec<_> = selected.into_iter().map(|selected| job(settings, selected)).collect();
    let watched: Vec<_> = jobs.iter().map(|job| job.driving_resource().name).collect();
    for job in &mut jobs {
        let name = job.driving_resource().name;
        job.in_common = watched.iter().filter(|other| **other == name).count() > 1;
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(weight(job.resource)));
    thrift::order(settings, &mut jobs);
    jobs
}

fn job(settings: &Settings, selected: Selected) -> Job {
    let Selected { resource, mode: asked, state, named, finished, lacking } = selected;
    let watched = resource.parent_resource().unwrap_or(resource);
    let mode = if resource.incremental() || asked == Mode::Scan { asked } else { Mode::Full };
    let listings: Vec<&'static Listing> = watched
        .listings
        .iter()
        .filter(|l| settings.archived || l.name != "archived" || !watched.incremental())
        .collect();
    let state = match (mode, state) {
        (Mode::Incremental, state) => {
            let state = state.and_then(StreamState::going_on).unwrap_or_default();
            begun(settings, &listings, state)
        }
        // A requested full refresh that is complete in the state has nothing to do. An incremental read
        // that can only be a full one is repeated (protocols.md 3).
        (Mode::Full, Some(state)) if state.full && (!state.complete || asked == Mode::Full) => {
            state
        }
        // The resource is read in full by every run: refused parameters are not tried every time.
        (Mode::Full, Some(state)) if asked == Mode::Incremental => {
            StreamState { full: true, refused: state.refused, ..StreamState::default() }
        }
        (Mode::Full | Mode::Scan, _) => StreamState { full: true, ..StreamState::default() },
    };
    Job {
        resource,
        mode,
        state,
        listings,
        named,
        in_common: false,
        defines: false,
        carried: None,
        finished,
        lacking,
    }
}

/// Returns the state, with the start date for every listing that it does not know yet, if there is one.
fn begun(settings: &Settings, listings: &[&Listing], mut state: StreamState) -> StreamState {
    let part =
        |name: &str, known: &str| known.strip_prefix(name).is_some_and(|p| p.starts_with(':'));
    for listing in listings {
        let split = state.listings.keys().any(|known| part(listing.name, known));
        if let Some(start) = settings.start
            && !split
        {
            state
                .listings
                .entry(listing.name.to_owned())
                .or_insert_with(|| Progress::starting_at(start));
        }
    }
    state
}

/// Returns the approximate duration of a resource: lists per parent take one request per row.
fn weight(resource: &Resource) -> u8 {
    match &resource.parent {
        Some(parent) if matches!(parent.ask, PerParent::Path | PerParent::Query(_)) => 3,
        Some(_) => 2,
        None => u8::from(resource.incremental()),
    }
}
