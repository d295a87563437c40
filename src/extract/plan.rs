//! Plans the jobs of a run from the selection and the saved state. The module is pure.

use super::thrift;
use crate::model::{Carried, Listing, PerParent, Progress, Resource, Settings, StreamState, Time};
use std::sync::Arc;

/// A resource that the user selected.
#[derive(Debug, Clone)]
pub struct Selected {
    /// Which.
    pub resource: &'static Resource,
    /// How.
    pub mode: Mode,
    /// What an earlier run left.
    pub state: Option<StreamState>,
    /// Whether the user named the resource. It is then an error if the company lacks it.
    pub named: bool,
    /// When an earlier run read it to its end; [`Time::EPOCH`] where that is not known. `None` while
    /// there is something of it that no run has read.
    pub finished: Option<Time>,
    /// Whether the company did not have it when it was last asked for.
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

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What changed since the state.
    Incremental,
    /// Everything, and where rows have times, what changed while it was read.
    Full,
    /// All rows in one walk, for inspection. No later read continues from it.
    Scan,
}

/// A resource to read, and from where. Only [`plan`] makes one.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of the resource")]
pub struct Job {
    pub(super) resource: &'static Resource,
    pub(super) mode: Mode,
    pub(super) state: StreamState,
    pub(super) listings: Vec<&'static Listing>,
    pub(super) named: bool,
    /// Whether another job watches the same lists.
    pub(super) in_common: bool,
    /// Whether to tell how its custom fields are defined, before its first rows.
    pub(super) defines: bool,
    /// Rows of parents that need not be asked for.
    pub(super) carried: Option<Arc<Carried>>,
    /// When an earlier run read it to its end, as [`Selected::finished`] says.
    pub(super) finished: Option<Time>,
    /// Whether the company did not have it when it was last asked for.
    pub(super) lacking: bool,
}

impl Job {
    /// What it reads.
    pub fn resource(&self) -> &'static Resource {
        self.resource
    }

    /// Takes these rows instead of asking for them, where their parents have not changed.
    pub fn carry(&mut self, carried: Arc<Carried>) {
        self.carried = Some(carried);
    }

    /// Asks for the definitions of its custom fields before its first rows, if there are any.
    pub fn define(&mut self) {
        self.defines = true;
    }

    /// Whose lists it walks.
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
        // Asked for a full refresh that the state says is complete: there is nothing to do. Asked
        // for an incremental read that can only be a full one: it is done again (protocols.md 3).
        (Mode::Full, Some(state)) if state.full && (!state.complete || asked == Mode::Full) => {
            state
        }
        // Read in full every time: what Pipedrive refuses is not tried every time.
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

/// The state with every listing it does not know yet at the start date, if there is one.
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

/// How long a resource takes, roughly: lists per parent are a request per row.
fn weight(resource: &Resource) -> u8 {
    match &resource.parent {
        Some(parent) if matches!(parent.ask, PerParent::Path | PerParent::Query(_)) => 3,
        Some(_) => 2,
        None => u8::from(resource.incremental()),
    }
}
