//! Files of a folder: growing files, and locks.

use super::objects::{Backing, Store};
use crate::dataset::folder::Folder;
use crate::model::{Error, Kind, Result};
use std::fs::File;
use std::io::{ErrorKind, Seek as _, SeekFrom, Write as _};

impl Store {
    fn folder(&self) -> Result<&Folder> {
        match &self.backing {
            Backing::Folder(folder) => Ok(folder),
            Backing::Bucket(_) => {
                let message = "a bucket holds no files that grow";
                Err(Error::new(Kind::Bug, message).at(self.place.to_string()))
            }
        }
    }

    pub(super) fn broken(&self, what: &str, path: &str, error: std::io::Error) -> Error {
        // An entry that is not a file of this program is a data error, not a storage error.
        let (kind, message) = match error.kind() {
            ErrorKind::InvalidData => (Kind::Data, error.to_string()),
            _ => (Kind::Storage, format!("cannot {what} ({error})")),
        };
        Error::new(kind, message).at(self.place.name_of(path)).because(error)
    }

    /// Creates a folder for growing files if it does not exist.
    pub(in crate::dataset) fn make_folder(&self, path: &str) -> Result<()> {
        match &self.backing {
            Backing::Bucket(_) => Ok(()),
            Backing::Folder(folder) => {
                folder.make_folder(path).map_err(|error| self.broken("make", path, error))
            }
        }
    }

    /// Removes a folder if it exists and is empty.
    pub(in crate::dataset) fn remove_folder(&self, path: &str) {
        if let Backing::Folder(folder) = &self.backing {
            // A folder that is not empty, or cannot be removed, is harmless.
            let _ = folder.remove_folder(path);
        }
    }

    /// Opens a file for reading.
    pub(in crate::dataset) fn reading(&self, path: &str) -> Result<File> {
        self.folder()?.read(path).map_err(|error| self.broken("read", path, error))
    }

    /// Opens a file for reading and writing. Creates it if it does not exist.
    pub(in crate::dataset) fn writing(&self, path: &str) -> Result<File> {
        self.folder()?.write(path, true).map_err(|error| self.broken("write", path, error))
    }

    /// Returns whether files can grow in this location.
    pub(in crate::dataset) fn supports_append(&self) -> bool {
        matches!(self.backing, Backing::Folder(_))
    }

    /// Writes bytes at an offset, which is the end of the committed part. It overwrites uncommitted
    /// bytes. The bytes are durable after [`Self::sync`].
    pub(in crate::dataset) fn append(&self, path: &str, at: u64, bytes: &[u8]) -> Result<()> {
        let folder = self.folder()?;
        self.step();
        let written = folder.write(path, true).and_then(|mut file| {
            file.seek(SeekFrom::Start(at))?;
            // The write has two halves with a step between them, so that tests can produce a torn write.
            let (first, second) = bytes.split_at(bytes.len() / 2);
            file.write_all(first)?;
            self.step();
            file.write_all(second)
        });
        self.step();
        written.map_err(|error| self.broken("append", path, error))
    }

    /// Makes a file and its name durable.
    pub(in crate::dataset) fn sync(&self, path: &str) -> Result<()> {
        let folder = self.folder()?;
        self.step();
        let synced = folder.read(path).and_then(|file| file.sync_data());
        synced.map_err(|error| self.broken("sync", path, error))?;
        self.sync_names(path)?;
        self.step();
        Ok(())
    }

    /// Cuts a file to its committed length.
    pub(in crate::dataset) fn cut(&self, path: &str, length: u64) -> Result<()> {
        let folder = self.folder()?;
        self.step();
        let cut = folder.write(path, false).and_then(|file| {
            file.set_len(length)?;
            file.sync_data()
        });
        self.step();
        cut.map_err(|error| self.broken("cut back", path, error))
    }

    /// Renames a file. An existing file of the new name is replaced.
    pub(in crate::dataset) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let folder = self.folder()?;
        self.step();
        folder.rename(from, to).map_err(|error| self.broken("rename", from, error))?;
        self.sync_names(to)?;
        self.step();
        Ok(())
    }

    fn sync_names(&self, path: &str) -> Result<()> {
        let synced = self.folder()?.sync_names(path);
        synced.map_err(|error| self.broken("sync the folder of", path, error))
    }
}
