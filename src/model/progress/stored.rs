//! The stored form of a progress inside a state.

use super::{Digest, Mark, Progress, Time, Walk};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update_time: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered: Option<BTreeMap<String, String>>,
    /// The times of delivered rows that lie after `update_time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ahead: Option<BTreeMap<String, Time>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    untimed: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    walk: Option<Walk>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<bool>,
}

/// Returns the assumed time of a delivered row whose time is not stored. The real time is not later, so the
/// row may be remembered longer than needed. Rows of a full walk at or after the bound are later than
/// `update_time`; their time is stored.
fn usual(update_time: Option<Time>, since: Option<Time>) -> Time {
    update_time.max(since).unwrap_or(Time::EPOCH)
}

impl Serialize for Progress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |digest: &Digest| digest.to_string();
        let usual = usual(self.update_time, self.since);
        let ahead = self.delivered.iter().filter(|(_, mark)| mark.time > usual);
        let ahead: BTreeMap<_, _> = ahead.map(|(key, mark)| (key.clone(), mark.time)).collect();
        Stored {
            update_time: self.update_time,
            since: self.since,
            delivered: (!self.delivered.is_empty()).then(|| {
                self.delivered.iter().map(|(k, m)| (k.clone(), text(&m.digest))).collect()
            }),
            ahead: (!ahead.is_empty()).then_some(ahead),
            untimed: (!self.untimed.is_empty())
                .then(|| self.untimed.iter().map(|(k, d)| (k.clone(), text(d))).collect()),
            walk: self.walk.clone(),
            done: self.done.then_some(true),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Progress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let digest = |text: &str| {
            Digest::parse(text).ok_or_else(|| serde::de::Error::custom("not a digest of 16 digits"))
        };
        let usual = usual(stored.update_time, stored.since);
        let ahead = stored.ahead.unwrap_or_default();
        let mut progress = Self {
            since: stored.since,
            update_time: stored.update_time,
            walk: stored.walk,
            done: stored.done.unwrap_or(false),
            ..Self::default()
        };
        for (key, text) in stored.delivered.unwrap_or_default() {
            let time = ahead.get(&key).copied().unwrap_or(usual);
            progress.delivered.insert(key, Mark { digest: digest(&text)?, time });
        }
        for (key, text) in stored.untimed.unwrap_or_default() {
            progress.untimed.insert(key, digest(&text)?);
        }
        Ok(progress)
    }
}
