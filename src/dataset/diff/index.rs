//! An index of the rows of the older file: position and content digest, some bytes a row.

use crate::dataset::backup::number;
use crate::dataset::snapshot::{BackupReader, Row, Rows};
use crate::model::{Digest, Resource, Result, key_of};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

/// A row of the older file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its key, as a number.
    key: u64,
    content: u64,
    pub(super) offset: u64,
    pub(super) length: u32,
    seen: bool,
}

/// The rows of the older file by key; of two with one key the first.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// Where the next row is likely to be found: both files are mostly in one order.
    next: usize,
    /// Keys of rows that are only in the newer file, so that each comes once.
    added: HashSet<u64>,
}

/// What the older file has of a row of the newer one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// Nothing.
    Added,
    /// The same bytes.
    Unchanged,
    /// Other bytes, there.
    Other(Entry),
    /// A row of this key came before: it counts, and this one does not.
    Again,
}

/// The key of a row; a row without one is known by its content.
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
                // A row is at most as long as a whole answer of the API.
                length: u32::try_from(json.len()).unwrap_or(u32::MAX),
                seen: false,
            });
        }
        // Stable, so the first of a key stays the first; mostly they are in order.
        entries.sort_by_key(|entry| entry.key);
        entries.dedup_by_key(|entry| entry.key);
        Ok(Self { entries, ..Self::default() })
    }

    /// Looks up a row of the newer file, by its key.
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

    /// The rows that the newer file has not, in the order of the older one.
    pub(super) fn unseen(self) -> Vec<Entry> {
        let mut unseen: Vec<Entry> = self.entries.into_iter().filter(|entry| !entry.seen).collect();
        unseen.sort_by_key(|entry| entry.offset);
        unseen
    }
}

/// A number for the bytes of a row. Two rows are taken for equal when it is: by chance, one time in
/// 10^19.
fn content(row: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(row.as_bytes());
    hasher.finish()
}
