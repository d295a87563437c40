//! The index of known rows, for resources that are read in full by every run.
//!
//! A list without a time filter is read as a whole by every run. A feed of changes needs only rows that are
//! new or changed, so the digest of each row is stored beside the data. The manifest names the file of the
//! digests, which is committed together with the rows that it describes.

use crate::model::{Digest, Error, Kind, Record, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most rows an index holds; rows beyond it are delivered with every run.
const ROWS_MAX: usize = 1_000_000;
/// The prefix of the index key of a row without a usable key. The digest of the row follows.
const KEYLESS: &str = "\u{0}keyless ";

/// The index of the known rows of one resource.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The number of the current or last walk.
    walk: u64,
    /// The digest that was delivered last and the walk that saw the row last, by key.
    rows: BTreeMap<String, (Digest, u64)>,
    /// Whether the index changed since it was written.
    pub(super) changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    walk: u64,
    rows: BTreeMap<String, (String, u64)>,
}

impl Index {
    pub(super) fn from_json(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let rows = stored
            .rows
            .into_iter()
            .map(|(key, (digest, walk))| Some((key, (Digest::parse(&digest)?, walk))));
        Some(Self { walk: stored.walk, rows: rows.collect::<Option<_>>()?, changed: false })
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let rows = self
            .rows
            .iter()
            .map(|(key, (digest, walk))| (key.clone(), (digest.to_string(), *walk)));
        serde_json::to_vec(&Stored { walk: self.walk, rows: rows.collect() })
            .map_err(|error| Error::new(Kind::Bug, "an index is not JSON").because(error))
    }

    /// Starts a new walk. A walk that continues after a kill is not new.
    pub(super) fn begin_walk(&mut self) {
        self.walk += 1;
    }

    /// Returns the rows that are new or changed.
    pub(super) fn sift(&mut self, records: Vec<Record>) -> Vec<Record> {
        records.into_iter().filter(|record| self.is_news(record)).collect()
    }

    fn is_news(&mut self, record: &Record) -> bool {
        let digest = record.digest();
        let key = record.key.clone().unwrap_or_else(|| format!("{KEYLESS}{digest}"));
        let walk = self.walk;
        if let Some(known) = self.rows.get_mut(&key) {
            let news = known.0 != digest;
            self.changed |= news || known.1 != walk;
            *known = (digest, walk);
            return news;
        }
        if self.rows.len() < ROWS_MAX {
            self.rows.insert(key, (digest, walk));
            self.changed = true;
        }
        true
    }

    /// Removes rows from the index. If they reappear, they count as new.
    pub(super) fn forget(&mut self, keys: &[String]) {
        for key in keys {
            self.changed |= self.rows.remove(key).is_some();
        }
    }

    /// Returns all keys, and whether the walk that has just ended saw each. Rows without a key are left
    /// out, because their deletion cannot be recorded.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, bool)> {
        let keyed = self.rows.iter().filter(|(key, _)| !key.starts_with(KEYLESS));
        keyed.map(|(key, (_, walk))| (key.as_str(), *walk == self.walk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn rows(texts: &[(&str, &str)]) -> Vec<Record> {
        let row = |(key, json): &(&str, &str)| Record {
            key: Some((*key).to_owned()),
            ..Record::bare(Bytes::copy_from_slice(json.as_bytes()))
        };
        texts.iter().map(row).collect()
    }

    fn keys(records: &[Record]) -> Vec<&str> {
        records.iter().filter_map(|record| record.key.as_deref()).collect()
    }

    #[test]
    fn only_news_pass_and_what_vanished_is_known() {
        let mut index = Index::default();
        index.begin_walk();
        assert_eq!(
            keys(&index.sift(rows(&[("1", "a"), ("2", "a"), ("3", "a"), ("1", "a")]))),
            ["1", "2", "3"]
        );
        let mut index = Index::from_json(&index.to_json().expect("JSON")).expect("it is read back");
        assert!(index.rows().all(|(_, seen)| seen));
        index.begin_walk();
        assert_eq!(keys(&index.sift(rows(&[("1", "a"), ("2", "b")]))), ["2"]);
        let vanished: Vec<_> = index.rows().filter(|(_, seen)| !seen).map(|(key, _)| key).collect();
        assert_eq!(vanished, ["3"]);
        index.forget(&["3".to_owned()]);
        assert!(index.rows().all(|(_, seen)| seen));
        assert_eq!(keys(&index.sift(rows(&[("3", "a")]))), ["3"]);
    }
}
