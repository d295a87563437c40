//! The keys of all rows of a file, 8 bytes each, and the keys that rows refer to.

use crate::dataset::backup::number;

/// The keys of the rows of a file.
#[derive(Debug, Default)]
pub(super) struct Keyset {
    numbers: Vec<u64>,
}

/// The distinct keys that are referenced. Each takes 8 bytes, and as many again before they are sorted.
#[derive(Debug, Default)]
pub(super) struct Named {
    numbers: Vec<u64>,
    /// The number of keys at the beginning that are sorted and distinct.
    settled: usize,
}

/// Keys that are gathered before they are sorted for the first time.
const UNSORTED_MIN: usize = 1_024;

impl Keyset {
    pub(super) fn add(&mut self, key: &str) {
        self.numbers.push(number(key));
    }

    /// Sorts the keys, which is required before a search. Returns whether a key occurs twice.
    pub(super) fn seal(&mut self) -> bool {
        self.numbers.sort_unstable();
        self.numbers.windows(2).any(|two| two[0] == two[1])
    }

    /// Returns whether the number of this key occurs twice.
    pub(super) fn twice(&self, key: &str) -> bool {
        let number = number(key);
        let from = self.numbers.partition_point(|known| *known < number);
        self.numbers.get(from..from + 2).is_some_and(|two| two == [number, number])
    }

    fn contains(&self, number: u64) -> bool {
        self.numbers.binary_search(&number).is_ok()
    }
}

impl Named {
    /// Records that a row references a key.
    pub(super) fn add(&mut self, key: &str) {
        self.numbers.push(number(key));
        if self.numbers.len() > 2 * self.settled + UNSORTED_MIN {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.numbers.sort_unstable();
        self.numbers.dedup();
        self.settled = self.numbers.len();
    }

    /// Returns the keys that do not exist, sorted.
    pub(super) fn missing(mut self, keys: &Keyset) -> Vec<u64> {
        self.sort();
        self.numbers.retain(|number| !keys.contains(*number));
        self.numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_named_often_are_held_once() {
        let mut named = Named::default();
        for turn in 0..100_000_u64 {
            named.add(&(turn % 500).to_string());
            assert!(named.numbers.len() <= 2 * 500 + UNSORTED_MIN + 1);
        }
        let mut keys = Keyset::default();
        (0..500).filter(|key| key % 100 != 7).for_each(|key| keys.add(&key.to_string()));
        assert!(!keys.seal());
        assert_eq!(named.missing(&keys), [7, 107, 207, 307, 407]);
    }
}
