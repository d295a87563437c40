//! The state of a stream: the same object in an Airbyte STATE, a Singer STATE and a manifest.

use super::error::{Error, Kind, Result};
use super::progress::Progress;
use super::record::{Digest, Record};
use super::resource::Resource;
use super::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the layout of a stream's state. 1: the first version.
///
/// Older versions are read. A newer version is refused, because continuing from an unknown layout could lose
/// rows.
pub const STATE_VERSION: u64 = 1;

/// The name of the only listing of a resource.
const ALL: &str = "all";

/// The key of the checksum of a state that may be merged with an older one.
const SEAL: &str = "seal";

/// The progress of reading a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamState {
    /// The progress by listing.
    pub listings: BTreeMap<String, Progress>,
    /// The number of rows delivered since this state began. It makes every checkpoint different.
    pub records: u64,
    /// Whether the state belongs to a full refresh, which restarts when it is complete.
    pub full: bool,
    /// Whether a full refresh reached its end.
    pub complete: bool,
    /// The parameters that Pipedrive refused, by listing. They are left out, and a new full refresh sends
    /// them again.
    pub refused: BTreeMap<String, BTreeSet<String>>,
    /// The time up to which the last finished run has read, by the server's clock.
    pub until: Option<Time>,
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
    until: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full_refresh: Option<bool>,
    // The key of the Airbyte platform for a finished resumable full refresh.
    #[serde(
        default,
        rename = "__ab_full_refresh_sync_complete",
        skip_serializing_if = "Option::is_none"
    )]
    complete: Option<bool>,
    // Programs that do not know this key send the parameters again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    refused: BTreeMap<String, BTreeSet<String>>,
    #[serde(default, skip_serializing)]
    replication_key_value: Option<Time>,
    #[serde(default, skip_serializing)]
    seal: Option<String>,
}

impl StreamState {
    /// Returns the state as JSON. A single listing is stored at the top level, several under `listings`.
    pub fn to_json(&self) -> Value {
        let newest = self.listings.values().filter_map(|progress| progress.update_time).max();
        let alone = self.listings.get(ALL).filter(|_| self.listings.len() == 1);
        let stored = Stored {
            version: Some(STATE_VERSION),
            update_time: newest,
            records: Some(self.records),
            listings: alone.is_none().then(|| self.listings.clone()),
            until: self.until,
            full_refresh: self.full.then_some(true),
            complete: self.complete.then_some(true),
            refused: self.refused.clone(),
            replication_key_value: None,
            seal: None,
        };
        let mut json = serde_json::to_value(stored).unwrap_or_default();
        if let (Some(progress), Some(object)) = (alone, json.as_object_mut())
            && let Ok(Value::Object(fields)) = serde_json::to_value(progress)
        {
            object.extend(fields);
        }
        json
    }

    /// Returns the state as JSON with a checksum. The checksum shows that a program merged the state with an
    /// older one. Meltano does that with `--full-refresh`, key by key, also inside objects.
    pub fn to_sealed_json(&self) -> Value {
        let mut json = self.to_json();
        json[SEAL] = self.seal().into();
        json
    }

    fn seal(&self) -> String {
        // Older programs compute the checksum without keys that they do not know.
        let known = Self { refused: BTreeMap::new(), ..self.clone() };
        Digest::of(known.to_json().to_string().as_bytes()).to_string()
    }

    /// Returns what is certain of a state whose checksum does not match. Every key it holds is the
    /// newest, or was absent from the newest. A walk, and whether it belongs to a full refresh, may be of
    /// either state, so everything is read again. Otherwise `since` is the newest, and what was delivered
    /// after it is repeated.
    fn unsealed(self) -> Option<Self> {
        let certain = |progress: &Progress| progress.walk.is_none() && progress.since.is_some();
        if self.full || !self.listings.values().all(certain) {
            return None;
        }
        let starts = self.listings.into_iter();
        let starts = starts.filter_map(|(name, p)| Some((name, Progress::starting_at(p.since?))));
        Some(Self { listings: starts.collect(), ..Self::default() })
    }

    /// Parses a stored state. Returns `None` if it holds nothing to continue from.
    ///
    /// A state of another connector that has just an `update_time` (or, as Singer taps write it, a
    /// `replication_key_value`) is used as a watermark: rows of that second are repeated, and none is
    /// lost.
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
                let Some(time) = stored.update_time.or(stored.replication_key_value) else {
                    return Err(fail("state has no version;"));
                };
                let names = driving_resource(resource).listings.iter().map(|listing| listing.name);
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
        let state = Self {
            listings,
            records: stored.records.unwrap_or(0),
            full: stored.full_refresh.unwrap_or(false),
            complete: stored.complete.unwrap_or(false),
            refused: stored.refused,
            until: stored.until,
        };
        match stored.seal {
            Some(seal) if seal != state.seal() => Ok(state.unsealed()),
            _ => Ok(Some(state)),
        }
    }

    /// Returns whether Pipedrive refused a parameter of a listing.
    pub fn refuses(&self, listing: &str, parameter: &str) -> bool {
        self.refused.get(listing).is_some_and(|refused| refused.contains(parameter))
    }

    /// Returns whether every started listing was read to its end once, so that changes since then can be
    /// requested.
    pub fn settled(&self) -> bool {
        let ended = |progress: &Progress| progress.since.is_some() && progress.walk.is_none();
        !self.full && !self.listings.is_empty() && self.listings.values().all(ended)
    }

    /// Returns whether rows of a listing were delivered, or a run read the stream to its end. Otherwise the
    /// watermark of the listing is the configured start.
    pub fn was_read(&self, progress: &Progress) -> bool {
        self.until.is_some() || progress.update_time.is_some()
    }

    /// Returns the time up to which a run last read the stream to its end, by the server's clock.
    /// [`Time::EPOCH`] if it is unknown. `None` if no run did, or if a walk was started since.
    pub fn finished(&self) -> Option<Time> {
        let walks = self.listings.values().any(|progress| progress.walk.is_some());
        let finished = if self.full { self.complete } else { self.until.is_some() };
        (finished && !walks).then(|| self.until.unwrap_or(Time::EPOCH))
    }

    /// Returns the earliest time from which a listing is continued. `None` if a listing is read in full. A
    /// listing without rows is ignored.
    pub fn since(&self) -> Option<Time> {
        let known = self.listings.values().map(|progress| progress.since);
        known.filter(|since| *since != Some(Time::EPOCH)).min().flatten()
    }

    /// Returns a state that reads a resource from this time on, and nothing before.
    pub fn starting_at(resource: &Resource, from: Time) -> Self {
        let names =
            driving_resource(resource).listings.iter().map(|listing| listing.name.to_owned());
        let listings = names.map(|name| (name, Progress::starting_at(from))).collect();
        Self { listings, ..Self::default() }
    }

    /// Returns the same listings with this start time. A listing that was read less far keeps its
    /// position, because rows in between would be lost.
    #[must_use]
    pub fn rewound_to(&self, from: Time) -> Self {
        let rewound = |progress: &Progress| {
            let further = progress.since.is_some_and(|since| from < since);
            if further { Progress::starting_at(from) } else { progress.clone() }
        };
        let listings = self.listings.iter().map(|(name, p)| (name.clone(), rewound(p))).collect();
        Self { listings, ..self.clone() }
    }

    /// Returns this state, with no listing behind its position in `floor`. It is for a run that began before
    /// the position at which the last run ended.
    #[must_use]
    pub fn not_behind(&self, floor: &Self) -> Self {
        let mut state = self.clone();
        for (name, before) in &floor.listings {
            let reached = state.listings.get(name);
            if reached.is_none_or(|reached| reached.since <= before.since) {
                let mut before = before.clone();
                if let Some(reached) = reached {
                    before.remember_those_of(reached);
                }
                state.listings.insert(name.clone(), before);
            }
        }
        state
    }

    /// Remembers a row that was delivered outside the walk of its listing.
    pub fn remember(&mut self, record: &Record) {
        for progress in self.listings.values_mut() {
            progress.remember_delivered(record);
        }
    }

    /// Returns the state that an incremental read continues from: this state, or, after a complete full
    /// refresh, the time up to which that refresh read. `None` if it is unknown.
    pub fn going_on(self) -> Option<Self> {
        if !self.full {
            return Some(self);
        }
        let known = |progress: &Progress| progress.since.is_some() && progress.walk.is_none();
        if !self.complete || self.listings.is_empty() || !self.listings.values().all(known) {
            return None;
        }
        let mut listings = self.listings;
        for progress in listings.values_mut() {
            progress.done = false;
        }
        let (until, refused) = (self.until, self.refused);
        Some(Self { listings, refused, until, ..Self::default() })
    }

    /// Ends a full refresh. For rows without times, the remembered rows are no longer needed.
    pub fn finish_full(&mut self) {
        for progress in self.listings.values_mut() {
            progress.forget();
        }
        self.complete = true;
    }

    /// Returns the number of rows that all listings remember. It determines the size of a checkpoint.
    pub fn remembered(&self) -> usize {
        self.listings.values().map(Progress::remembered).sum()
    }
}

/// Returns the resource whose listings the progress of a stream describes.
fn driving_resource(resource: &Resource) -> &Resource {
    resource.parent_resource().unwrap_or(resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Merges like Meltano: key by key, also inside objects.
    fn merge(new: &Value, old: &mut Value) {
        for (key, value) in new.as_object().into_iter().flatten() {
            if value.is_object() {
                let old = old.as_object_mut().expect("it was an object");
                merge(value, old.entry(key.clone()).or_insert_with(|| json!({})));
            } else {
                old[key] = value.clone();
            }
        }
    }

    #[track_caller]
    fn check(old: &Value, new: &Value, expected: Option<&str>) {
        let deals = Resource::named("persons").expect("there are persons");
        let read = |json| StreamState::from_json(deals, &json).expect("it is a state");
        let sealed =
            |json: &Value| read(json.clone()).expect("it holds something").to_sealed_json();
        let (mut merged, new) = (sealed(old), sealed(new));
        assert_eq!(read(new.clone()).map(|state| state.to_sealed_json()), Some(new.clone()));
        merge(&new, &mut merged);
        let since = read(merged).map(|state| {
            assert_eq!(state.remembered(), 0, "what was delivered may be of either");
            state.since().map(|time| time.to_string()).unwrap_or_default()
        });
        assert_eq!(since.as_deref(), expected);
    }

    #[test]
    fn a_state_that_was_merged_with_an_older_one_loses_nothing() {
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        let settled = |since: &str, key: &str| json!({"version": 1, "since": since, "delivered": {key: "0123456789abcdef"}});
        let walking = json!({"version": 1, "walk": {"since": late, "cursor": "abc"}});
        check(&settled(early, "1"), &settled(late, "2"), Some(late));
        // The newer state has not reached the watermark of the older one.
        check(&settled(early, "1"), &walking, None);
        check(&walking, &settled(late, "2"), None);
        let full = json!({"version": 1, "full_refresh": true, "since": early});
        check(&full, &settled(late, "2"), None);
    }

    #[test]
    fn a_bookmark_of_another_tap_is_a_watermark() {
        let persons = Resource::named("persons").expect("there are persons");
        let bookmark = json!({"replication_key": "update_time", "replication_key_value": "2026-02-01T00:00:00Z"});
        let state = StreamState::from_json(persons, &bookmark).expect("it is one");
        let since = state.and_then(|state| state.since());
        assert_eq!(since, Time::parse("2026-02-01T00:00:00Z"));
    }
}
