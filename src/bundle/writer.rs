//! Writes a bundle row by row. The file becomes visible when it is complete.

use super::format::{BUNDLE_VERSION, Entity};
use crate::dataset::{TempFile, hex};
use crate::model::{Error, Kind, Result, Time, quoted};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The size of the write buffer in bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// A bundle that is being written to a temporary file. If the writer is dropped before [`Writer::finish`],
/// the file is deleted.
pub struct Writer {
    path: PathBuf,
    scrap: TempFile,
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    /// The index of the open array.
    entity: Option<usize>,
    rows: [u64; 5],
}

/// A finished bundle.
#[derive(Debug, Clone)]
pub struct Written {
    /// The SHA-256, in hexadecimal.
    pub sha256: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The number of rows in each array, in the order of [`Entity::ALL`].
    pub rows: [u64; 5],
}

pub(super) fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Storage, format!("cannot be written ({error})")).at(path.display().to_string())
}

impl Writer {
    /// Creates a bundle of this organization in a temporary file next to `path`, with `what` in its name:
    /// see [`TempFile`].
    pub fn create(path: &Path, what: &str, exported_at: Time, organization: &str) -> Result<Self> {
        let scrap = TempFile::beside(path, what)?;
        let file = scrap.file().try_clone().map_err(|error| failed(path, &error))?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let (path, hash) = (path.to_owned(), Sha256::new());
        let mut writer = Self { path, scrap, file, hash, bytes: 0, entity: None, rows: [0; 5] };
        let head = format!(
            "{{\"version\":{},\"exported_at\":\"{exported_at}\",\"organization_id\":{}",
            quoted(BUNDLE_VERSION),
            quoted(organization)
        );
        writer.write(&head)?;
        Ok(writer)
    }

    /// Adds a row. Arrays come in import order; a row of an earlier array is a [`Kind::Bug`] error.
    pub fn row(&mut self, entity: Entity, json: &str) -> Result<()> {
        self.reach(entity as usize)?;
        let place = entity as usize;
        self.write(if self.rows[place] == 0 { "\n" } else { ",\n" })?;
        self.rows[place] += 1;
        self.write(json)
    }

    /// Returns the number of rows written so far.
    pub const fn rows(&self) -> [u64; 5] {
        self.rows
    }

    /// Finishes the bundle in the temporary file. [`TempFile::persist`] makes it visible.
    pub fn finish(mut self) -> Result<(Written, TempFile)> {
        self.reach(Entity::ALL.len() - 1)?;
        self.write("\n]}\n")?;
        self.file.flush().map_err(|error| failed(&self.path, &error))?;
        let sha256 = hex(&self.hash.finalize());
        Ok((Written { sha256, bytes: self.bytes, rows: self.rows }, self.scrap))
    }

    fn reach(&mut self, place: usize) -> Result<()> {
        while self.entity.is_none_or(|at| at < place) {
            let next = self.entity.map_or(0, |at| at + 1);
            let end = if self.entity.is_some() { "\n]" } else { "" };
            self.write(&format!("{end},\n\"{}\":[", Entity::ALL[next].name()))?;
            self.entity = Some(next);
        }
        if self.entity == Some(place) {
            return Ok(());
        }
        Err(Error::new(Kind::Bug, "an array of the bundle was closed before its last row"))
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.hash.update(text.as_bytes());
        self.bytes += text.len() as u64;
        self.file.write_all(text.as_bytes()).map_err(|error| failed(&self.path, &error))
    }
}
