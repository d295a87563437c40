//! An index of the rows of the older file: position and content digest, some bytes a row.

use crate::dataset::backup::number;
use crate::dataset::snapshot::{BackupReader, Row, Rows};
use crate::model::{Digest, Resource, Result, key_of};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

/// A row of the older file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The key of the row, as a number.
    key: u64,
    content: u64,
    pub(super) offset: u64,
    pub(super) length: u32,
    seen: bool,
}

/// The rows of the older file by key. The first row of a repeated key counts.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// The likely position of the next row, because both files mostly have the same order.
    next: usize,
    /// The keys of rows that only the newer file has, to report each of them once.
    added: HashSet<u64>,
}

/// The result of looking up a row of the newer file in the older one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// The older file has no such row.
    Added,
    /// The older file has a row with the same bytes.
    Unchanged,
    /// The older file has a row with other bytes at this position.
    Other(Entry),
    /// The newer file repeats the key. Only the first row counts.
    Again,
}

/// Returns the key of a row. A row without a key is identified by a digest of its content.
pub(super) fn key(resource: &Resource, row: &str) -> String {
    key_of(resource, row).unwrap_or_else(|| Digest::of(row.as_bytes()).to_string())
}

impl Index {
    pub(super) async fn of(snapshot: &BackupReader, resource: &Resource) -> Result<Self> {
        let mut rows: Rows = snapshot.rows(resource.file, false).await?;
        let mut entries = Vec::new();
        while let Some(Row { json, offset }) = rows.next().await? {
            entries.push(Entry {
                key: number(&key(resource, json)),
                content: content(json),
                offset,
                // A row is at most as long as one response of the API.
                length: u32::try_from(json.len()).unwrap_or(u32::MAX),
                seen: false,
            });
        }
        // The sort is stable, so the first row of a key stays first. The rows are mostly sorted already.
        entries.sort_by_key(|entry| entry.key);
        entries.dedup_by_key(|entry| entry.key);
        Ok(Self { entries, ..Self::default() })
    }

    /// Looks up a row of the newer file by its key.
    pub(super) fn find(&mut self, key: &str, row: &str) -> Found {
        let key = number(key);
        let likely = self.entries.get(self.next).is_some_and(|entry| entry.key == key);
        let place = if likely {
            Ok(self.next)
        } else {
            self.entries.binary_search_by_key(&key, |entry| entry.key)
        };
        let Ok(place) = place else {
            return if self.added.insert(key) { Found::Added } else { Found::Again };
        };
        self.next = place + 1;
        let entry = &mut self.entries[place];
        if std::mem::replace(&mut entry.seen, true) {
            Found::Again
        } else if entry.content == content(row) {
            Found::Unchanged
        } else {
            Found::Other(*entry)
        }
    }

    /// Returns the rows that the newer file does not have, in the order of the older file.
    pub(super) fn unseen(self) -> Vec<Entry> {
        let mut unseen: Vec<Entry> = self.entries.into_iter().filter(|entry| !entry.seen).collect();
        unseen.sort_by_key(|entry| entry.offset);
        unseen
    }
}

/// Returns a hash of a row. Rows with equal hashes are treated as equal; the probability of a collision
/// is 1 in 10^19.
fn content(row: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(row.as_bytes());
    hasher.finish()
}
