//! The known keys of an object, found by the order they came in last time.

use crate::model::{Json, Result, quoted};
use std::borrow::Cow;
use std::collections::HashMap;

/// Keys by place.
///
/// The API writes the keys of all records in one order and leaves some out, so the keys that
/// followed last time are compared first, as they are spelled; hashing is left to surprises.
#[derive(Debug)]
pub(super) struct Keys {
    /// With quotes and colon.
    spelled: Vec<Box<str>>,
    places: HashMap<Box<str>, usize>,
    /// By place of the key before (the last entry: at the start), the place that followed it.
    following: Vec<usize>,
    before: usize,
}

/// How many keys in a row may be missing before the next one is looked up.
const SKIPPED_MAX: usize = 12;

/// A key that was read.
pub(super) enum Key<'a> {
    Known(usize),
    Unknown(Cow<'a, str>),
}

impl Keys {
    /// These keys; of two equal ones the first counts.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut spelled = Vec::new();
        let mut places = HashMap::new();
        for name in names {
            places.entry(name.into()).or_insert(spelled.len());
            spelled.push(format!("{}:", quoted(name)).into());
        }
        let mut following: Vec<usize> = (1..=spelled.len()).collect();
        following.push(0);
        Self { before: spelled.len(), spelled, places, following }
    }

    /// Begins an object.
    pub(super) fn begin(&mut self) {
        self.before = self.spelled.len();
    }

    /// Reads the object's next key.
    #[inline]
    pub(super) fn next<'a>(&mut self, json: &mut Json<'a>) -> Result<Key<'a>> {
        let mut guess = self.before;
        for _ in 0..SKIPPED_MAX {
            guess = self.following[guess];
            match self.spelled.get(guess) {
                Some(key) if json.take(key) => {
                    self.before = guess;
                    return Ok(Key::Known(guess));
                }
                Some(_) => {}
                None => break,
            }
        }
        let key = json.key()?;
        let Some(found) = self.place(&key) else { return Ok(Key::Unknown(key)) };
        self.following[self.before] = found;
        self.before = found;
        Ok(Key::Known(found))
    }

    /// The place of a key.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }
}
