//! The state of a stream: the same object in an Airbyte STATE, a Singer STATE and a manifest.

use super::error::{Error, Kind, Result};
use super::progress::Progress;
use super::resource::Resource;
use super::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Layout of a stream's state. 1: first.
///
/// Older versions are read, a newer one is refused: reading on from a state we do not understand
/// could lose rows.
pub const STATE_VERSION: u64 = 1;

/// Name of the listing of a resource that has only one.
const ALL: &str = "all";

/// How far a stream has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Progress by listing.
    pub listings: BTreeMap<String, Progress>,
    /// Rows delivered since this state began, so that two checkpoints are never equal.
    pub records: u64,
    /// Whether it is of a full refresh, which starts afresh when it is complete.
    pub full: bool,
    /// Whether a full refresh came to its end.
    pub complete: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update_time: Option<Time>,
    #[serde(default)]
    records: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listings: Option<BTreeMap<String, Progress>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full_refresh: Option<bool>,
    // The Airbyte platform's own word for a finished resumable full refresh.
    #[serde(
        default,
        rename = "__ab_full_refresh_sync_complete",
        skip_serializing_if = "Option::is_none"
    )]
    complete: Option<bool>,
}

impl StreamState {
    /// The state as JSON: one listing stands at the top level, several under `listings`.
    pub fn to_json(&self) -> Value {
        let newest = self.listings.values().filter_map(|progress| progress.update_time).max();
        let alone = self.listings.get(ALL).filter(|_| self.listings.len() == 1);
        let stored = Stored {
            version: Some(STATE_VERSION),
            update_time: newest,
            records: Some(self.records),
            listings: alone.is_none().then(|| self.listings.clone()),
            full_refresh: self.full.then_some(true),
            complete: self.complete.then_some(true),
        };
        let mut json = serde_json::to_value(stored).unwrap_or_default();
        if let (Some(progress), Some(object)) = (alone, json.as_object_mut())
            && let Ok(Value::Object(fields)) = serde_json::to_value(progress)
        {
            object.extend(fields);
        }
        json
    }

    /// Reads a stored state. `None` when it holds nothing to go on from.
    ///
    /// A state of another connector that has just an `update_time` is taken as a watermark: rows
    /// of that second come once more, none is lost.
    pub fn from_json(resource: &Resource, json: &Value) -> Result<Option<Self>> {
        let fail = |message: &str| {
            Error::new(
                Kind::State,
                format!("{message} clear the state of this stream to read it from the beginning"),
            )
            .at(format!("stream {}", resource.name))
        };
        let Value::Object(object) = json else {
            return if json.is_null() { Ok(None) } else { Err(fail("state is not an object;")) };
        };
        if object.is_empty() || object.contains_key("__ab_no_cursor_state_message") {
            return Ok(None);
        }
        let stored: Stored = serde_json::from_value(json.clone())
            .map_err(|error| fail("state is corrupt;").because(error))?;
        match stored.version {
            Some(version) if version > STATE_VERSION => {
                return Err(fail(&format!(
                    "state is of version {version}, this program reads up to {STATE_VERSION}: upgrade it, or"
                )));
            }
            Some(_) => {}
            None if stored.complete == Some(true) => {
                return Ok(Some(Self { full: true, complete: true, ..Self::default() }));
            }
            None => {
                let Some(time) = stored.update_time else {
                    return Err(fail("state has no version;"));
                };
                let names = watched(resource).listings.iter().map(|listing| listing.name);
                let listings = names.map(|n| (n.to_owned(), Progress::starting_at(time)));
                return Ok(Some(Self { listings: listings.collect(), ..Self::default() }));
            }
        }
        let listings = if let Some(listings) = stored.listings {
            listings
        } else {
            let progress = serde_json::from_value(json.clone())
                .map_err(|error| fail("state is corrupt;").because(error))?;
            BTreeMap::from([(ALL.to_owned(), progress)])
        };
        Ok(Some(Self {
            listings,
            records: stored.records.unwrap_or(0),
            full: stored.full_refresh.unwrap_or(false),
            complete: stored.complete.unwrap_or(false),
        }))
    }

    /// This state, but no listing behind where `floor` has it: for a run that was told to begin
    /// somewhere else than where the last one ended.
    ///
    /// A first read that has not ended stays where it is, for rows below this state are missing yet.
    #[must_use]
    pub fn not_behind(&self, floor: &Self) -> Self {
        let mut state = self.clone();
        for (name, before) in &floor.listings {
            let reached = state.listings.get(name);
            let further = before.walk.is_none()
                && before.since.is_some()
                && reached.is_some_and(|reached| reached.since > before.since);
            if !further {
                let mut before = before.clone();
                if let Some(reached) = reached {
                    before.remember_those_of(reached);
                }
                state.listings.insert(name.clone(), before);
            }
        }
        state
    }

    /// Ends a full refresh: what was remembered to tell rows apart is of no use any more.
    pub fn finish_full(&mut self) {
        for progress in self.listings.values_mut() {
            progress.forget();
        }
        self.complete = true;
    }

    /// How many rows all its listings remember: what a checkpoint costs in size.
    pub fn remembered(&self) -> usize {
        self.listings.values().map(Progress::remembered).sum()
    }
}

/// The resource whose listings a stream's progress is about.
fn watched(resource: &Resource) -> &Resource {
    resource.parent_resource().unwrap_or(resource)
}
