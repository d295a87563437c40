//! Keys of all rows of a file, 8 bytes each, and which of them others name.

use crate::dataset::backup::number;
use std::collections::HashMap;

/// The keys of a file's rows.
#[derive(Debug, Default)]
pub(super) struct Keyset {
    numbers: Vec<u64>,
}

/// Keys that are named, and the first row that names each.
#[derive(Debug, Default)]
pub(super) struct Named {
    by: HashMap<u64, Naming>,
}

/// Who names a key.
#[derive(Debug, Clone)]
pub(super) struct Naming {
    /// The key.
    pub(super) key: String,
    /// The file of the first row that names it.
    pub(super) file: &'static str,
    /// The column.
    pub(super) column: &'static str,
    /// That row's key.
    pub(super) row: String,
    /// How many rows do.
    pub(super) times: u64,
}

impl Keyset {
    pub(super) fn add(&mut self, key: &str) {
        self.numbers.push(number(key));
    }

    /// Sorts the keys: they may be looked for now. Whether some are there twice.
    pub(super) fn seal(&mut self) -> bool {
        self.numbers.sort_unstable();
        self.numbers.windows(2).any(|two| two[0] == two[1])
    }

    /// Whether this key's number is there twice.
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
    /// Notes that a row names a key.
    pub(super) fn add(&mut self, key: String, file: &'static str, column: &'static str, row: &str) {
        self.by
            .entry(number(&key))
            .and_modify(|naming| naming.times += 1)
            .or_insert_with(|| Naming { key, file, column, row: row.to_owned(), times: 1 });
    }

    /// Those that are not there.
    pub(super) fn missing(self, keys: &Keyset) -> Vec<Naming> {
        let missing = self.by.into_iter().filter(|(number, _)| !keys.contains(*number));
        let mut missing: Vec<Naming> = missing.map(|(_, naming)| naming).collect();
        missing.sort_by(|a, b| (a.file, &a.row, &a.key).cmp(&(b.file, &b.row, &b.key)));
        missing
    }
}
