//! Finds the known keys of an object by the order of the object before.

use super::error::Result;
use super::json::Json;
use super::object::quoted;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Keys by place.
///
/// The API writes the keys of all records in one order and leaves some out, so the keys that
/// followed last time are compared first, as they are spelled; hashing is left to surprises.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    known: Vec<Known>,
    /// All of them, one after the other, with quotes and colon.
    spelled: Arc<str>,
    places: Arc<HashMap<Box<str>, usize>>,
    /// The key that comes first.
    first: usize,
    before: Option<usize>,
}

#[derive(Debug, Clone)]
struct Known {
    /// The first bytes of what is spelled, and which of its bits count.
    head: u64,
    mask: u64,
    /// Where it is spelled.
    start: usize,
    end: usize,
    /// The place of the key that followed it.
    following: usize,
}

/// How many keys in a row may be missing before the next one is looked up.
const SKIPPED_MAX: usize = 12;

/// A key that was read.
pub(crate) enum Key<'a> {
    Known(usize),
    Unknown(Cow<'a, str>),
}

impl Keys {
    /// These keys; of two equal ones the first counts.
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let (mut known, mut all) = (Vec::new(), String::new());
        let mut places = HashMap::new();
        for name in names {
            places.entry(name.into()).or_insert(known.len());
            let spelled = format!("{}:", quoted(name));
            let mask = u64::MAX >> (64 - 8 * spelled.len().min(8));
            let head = Json::new(&spelled).head();
            let start = all.len();
            all.push_str(&spelled);
            known.push(Known { head, mask, start, end: all.len(), following: known.len() + 1 });
        }
        Self { known, spelled: all.into(), places: Arc::new(places), first: 0, before: None }
    }

    /// Begins an object.
    pub(crate) fn begin(&mut self) {
        self.before = None;
    }

    /// Reads the object's next key.
    #[inline]
    pub(crate) fn next<'a>(&mut self, json: &mut Json<'a>) -> Result<Key<'a>> {
        let head = json.head();
        let mut guess = self.before.map_or(self.first, |before| self.known[before].following);
        for _ in 0..SKIPPED_MAX {
            let Some(key) = self.known.get(guess) else { break };
            if (head ^ key.head) & key.mask == 0
                && json.skip_literal(&self.spelled[key.start..key.end])
            {
                self.before = Some(guess);
                return Ok(Key::Known(guess));
            }
            guess = key.following;
        }
        self.look_up(json)
    }

    /// A key as it is spelled, with its quotes and colon.
    pub(crate) fn spelled(&self, place: usize) -> &str {
        &self.spelled[self.known[place].start..self.known[place].end]
    }

    /// The key of a place.
    pub(crate) fn name(&self, place: usize) -> String {
        let spelled = self.spelled(place).trim_end_matches(':');
        serde_json::from_str(spelled).unwrap_or_default()
    }

    fn look_up<'a>(&mut self, json: &mut Json<'a>) -> Result<Key<'a>> {
        let key = json.key()?;
        let Some(found) = self.place(&key) else { return Ok(Key::Unknown(key)) };
        match self.before {
            Some(before) => self.known[before].following = found,
            None => self.first = found,
        }
        self.before = Some(found);
        Ok(Key::Known(found))
    }

    /// The place of a key.
    pub(crate) fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }
}
