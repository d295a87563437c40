//! An index of the rows of a bundle by public id. It takes 24 bytes a row.

use super::format::{Entity, public_id_of};
use super::reader::{Reader, Survey};
use crate::model::{Error, Kind, Result};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::Path;

/// The position of a row in the file.
#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u64,
    offset: u64,
    length: u32,
    seen: bool,
}

/// The rows of a bundle, indexed by public id. If an id occurs twice, the first row wins.
#[derive(Debug)]
pub struct Index {
    rows: [Vec<Entry>; 5],
    file: File,
    path: std::path::PathBuf,
}

/// Returns a 64-bit hash of a public id. Two ids collide with a probability of about 10^-19.
pub fn number(public_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(public_id.as_bytes());
    hasher.finish()
}

impl Index {
    /// Reads a whole bundle and records the positions of its rows.
    pub async fn of(path: &Path) -> Result<(Self, Survey)> {
        let mut reader = Reader::open(path)?;
        let mut rows: [Vec<Entry>; 5] = Default::default();
        while let Some(row) = reader.next().await? {
            if let Some(id) = public_id_of(row.json) {
                let length = u32::try_from(row.json.len()).unwrap_or(u32::MAX);
                let entry = Entry { id: number(&id), offset: row.offset, length, seen: false };
                rows[row.entity as usize].push(entry);
            }
        }
        for entries in &mut rows {
            // The sort is stable, so the first row of an id stays first.
            entries.sort_by_key(|entry| entry.id);
            entries.dedup_by_key(|entry| entry.id);
        }
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let index = Self { rows, file, path: path.to_owned() };
        Ok((index, reader.survey()))
    }

    /// Returns the number of rows in an array.
    pub fn rows(&self, entity: Entity) -> usize {
        self.rows[entity as usize].len()
    }

    /// Returns the hashes of all public ids.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().flatten().map(|entry| entry.id)
    }

    /// Returns whether an array has a row with this id.
    pub fn holds(&self, entity: Entity, id: u64) -> bool {
        self.rows[entity as usize].binary_search_by_key(&id, |entry| entry.id).is_ok()
    }

    /// Returns the row with this public id and marks it as seen.
    pub fn row(&mut self, entity: Entity, public_id: &str) -> Result<Option<String>> {
        let (id, entries) = (number(public_id), &mut self.rows[entity as usize]);
        let Ok(place) = entries.binary_search_by_key(&id, |entry| entry.id) else {
            return Ok(None);
        };
        entries[place].seen = true;
        let entry = entries[place];
        self.read(entry).map(Some)
    }

    /// Returns the next unseen row of an array, in the order of the file, and marks it. Call
    /// [`Index::sort`] before.
    pub fn unseen(&mut self, entity: Entity) -> Result<Option<String>> {
        let entries = &mut self.rows[entity as usize];
        while let Some(entry) = entries.pop() {
            if !entry.seen {
                return self.read(entry).map(Some);
            }
        }
        Ok(None)
    }

    /// Sorts the rows of an array for [`Index::unseen`]. The array cannot be searched afterwards.
    pub fn sort(&mut self, entity: Entity) {
        self.rows[entity as usize].sort_by_key(|entry| std::cmp::Reverse(entry.offset));
    }

    fn read(&mut self, entry: Entry) -> Result<String> {
        let mut bytes = vec![0; entry.length as usize];
        read_at(&mut self.file, &mut bytes, entry.offset)
            .map_err(|error| unreadable(&self.path, &error))?;
        String::from_utf8(bytes).map_err(|_| {
            Error::new(Kind::Data, "changed while it was read").at(self.path.display().to_string())
        })
    }
}

/// Reads from an offset of a file, with one system call on Unix.
fn read_at(file: &mut File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(not(unix))]
    {
        use std::io::{Read as _, Seek as _, SeekFrom};
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Storage, format!("cannot be read ({error})")).at(path.display().to_string())
}
