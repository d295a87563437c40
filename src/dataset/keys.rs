//! The known keys of an object, found by the order they came in last time.

use std::collections::HashMap;

/// Keys by place.
///
/// The API writes the keys of all records in one order, so the key that followed last time is
/// compared first and hashing is left to surprises.
#[derive(Debug)]
pub(super) struct Keys {
    names: Vec<Box<str>>,
    places: HashMap<Box<str>, usize>,
    /// By place of the key before (the last entry: at the start), the place that followed it.
    following: Vec<usize>,
    before: usize,
}

impl Keys {
    /// These keys; of two equal ones the first counts.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<Box<str>> = names.into_iter().map(Box::from).collect();
        let mut places = HashMap::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            places.entry(name.clone()).or_insert(place);
        }
        let mut following: Vec<usize> = (1..=names.len()).collect();
        following.push(0);
        Self { before: names.len(), names, places, following }
    }

    /// Begins an object.
    pub(super) fn begin(&mut self) {
        self.before = self.names.len();
    }

    /// The place of the object's next key.
    pub(super) fn next(&mut self, key: &str) -> Option<usize> {
        let guess = self.following[self.before];
        let found = match self.names.get(guess) {
            Some(name) if **name == *key => guess,
            _ => {
                let found = self.place(key)?;
                self.following[self.before] = found;
                found
            }
        };
        self.before = found;
        Some(found)
    }

    /// The place of a key.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }
}
