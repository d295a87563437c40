//! Finds the known keys of an object by the order of the object before.

use super::error::Result;
use super::json::Json;
use super::object::quoted;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// The known keys by position.
///
/// The API writes the keys of all records in one order and leaves some out. The key that followed last time
/// is therefore compared first, as bytes. Only an unexpected key is hashed.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    known: Vec<Known>,
    /// All keys, concatenated, with quotes and colon.
    spelled: Arc<str>,
    places: Arc<HashMap<Box<str>, usize>>,
    /// The position of the key that comes first.
    first: usize,
    before: Option<usize>,
}

#[derive(Debug, Clone)]
struct Known {
    /// The first bytes of the spelled key, and the mask of the bytes that belong to it.
    head: u64,
    mask: u64,
    /// The start and end of the key in `spelled`.
    start: usize,
    end: usize,
    /// The position of the key that followed it.
    following: usize,
}

/// How many keys in a row may be missing before the next one is looked up.
const SKIPPED_MAX: usize = 12;

/// The next key of an object.
pub(crate) enum Key<'a> {
    Known(usize),
    Unknown(Cow<'a, str>),
}

impl Keys {
    /// Returns a set of these keys. Of two equal keys, the first has the position.
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

    /// Starts an object.
    pub(crate) fn begin(&mut self) {
        self.before = None;
    }

    /// Reads the next key of the object.
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

    /// Returns a key as it is written, with its quotes and colon.
    pub(crate) fn spelled(&self, place: usize) -> &str {
        &self.spelled[self.known[place].start..self.known[place].end]
    }

    /// Returns the key at a position.
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

    /// Returns the position of a key.
    pub(crate) fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }
}
