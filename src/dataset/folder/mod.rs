//! A local folder with an open handle. Everything below it is reached from this handle, and never through
//! a link.
//!
//! The folder that the user names may be a link itself. Its content may have been written by another
//! program: a link would redirect reads, writes and deletes to a place outside. A name below the folder
//! that is a link, is not a regular file, or is a file with a second name (when it is to be written) is
//! refused with [`ErrorKind::InvalidData`]. Paths are relative, with `/` between names.

#[cfg(any(test, not(unix)))]
mod paths;
#[cfg(unix)]
mod unix;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write as _};
use std::path::Path;
use std::sync::Arc;

#[cfg(not(unix))]
use paths::Handle;
#[cfg(unix)]
use unix::Handle;

/// Throws of dice for a name that is free; one is nearly always enough.
const NAMES_MAX: u32 = 16;

/// An open folder. All file operations are relative to it.
#[derive(Debug, Clone)]
pub(super) struct Folder(Arc<Handle>);

/// The contents of a folder, by path.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    /// The regular files, with their sizes in bytes.
    pub(super) files: BTreeMap<String, u64>,
    /// The entries that are not regular files, and files whose name is not UTF-8. Invalid bytes of a
    /// name are replaced.
    pub(super) others: BTreeMap<String, Other>,
}

/// An entry that cannot be a file of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// A symbolic link, which is not followed.
    Link,
    /// A folder. Its contents are listed, too.
    Folder,
    /// A folder without read permission, such as the `lost+found` of a file system.
    Closed,
    /// A pipe, a socket or a device.
    Special,
    /// An entry whose name is not UTF-8. The contents of such a folder are not listed.
    Unnamed,
}

impl Other {
    /// Returns a description for messages.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Link => "is a link",
            Self::Folder => "is a folder",
            Self::Closed => "is a folder that may not be read",
            Self::Special => "is no regular file",
            Self::Unnamed => "has a name that is not UTF-8",
        }
    }
}

/// The way in which a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    /// Opens an existing file for reading and writing.
    Write,
    /// Opens a file for reading and writing, and creates it if it does not exist.
    WriteOrCreate,
    /// Creates a file that does not exist yet.
    Create,
}

impl Folder {
    /// Opens a folder. With `make` it creates the folder and its parents if they do not exist.
    pub(super) fn open(path: &Path, make: bool) -> Result<Self> {
        Handle::open(path, make).map(|handle| Self(Arc::new(handle)))
    }

    /// Opens a file for reading.
    pub(super) fn read(&self, path: &str) -> Result<File> {
        self.0.file(path, Access::Read)
    }

    /// Opens a file for reading and writing. With `create` it creates a file that does not exist.
    pub(super) fn write(&self, path: &str, create: bool) -> Result<File> {
        self.0.file(path, if create { Access::WriteOrCreate } else { Access::Write })
    }

    /// Creates a file under a temporary name. [`PendingFile::persist`] gives it the final name.
    pub(super) fn create_pending(&self, path: &str) -> Result<PendingFile> {
        for _ in 0..NAMES_MAX {
            let stub = format!("{path}#{}", fastrand::u64(..));
            match self.0.file(&stub, Access::Create) {
                Ok(file) => {
                    let path = path.to_owned();
                    return Ok(PendingFile {
                        folder: self.clone(),
                        path,
                        stub,
                        file,
                        settled: false,
                    });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::AlreadyExists, "no free name was found beside it"))
    }

    /// Renames a file. An existing file of the new name is replaced.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.0.rename(from, to)
    }

    /// Removes a file. Fails with [`ErrorKind::NotFound`] if it does not exist.
    pub(super) fn remove(&self, path: &str) -> Result<()> {
        self.0.remove(path)
    }

    /// Creates a folder if it does not exist.
    pub(super) fn make_folder(&self, path: &str) -> Result<()> {
        self.0.make_folder(path)
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&self, path: &str) -> Result<()> {
        self.0.remove_folder(path)
    }

    /// Makes new and changed names in the folder of this file durable, where folders can be synced.
    pub(super) fn sync_names(&self, path: &str) -> Result<()> {
        self.0.sync_names(path)
    }

    /// Lists the contents of the folder, or of one of its subfolders. A missing subfolder is empty. A
    /// deeper folder without read permission is listed as [`Other::Closed`].
    pub(super) fn list(&self, below: Option<&str>) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut folders = vec![below.unwrap_or_default().to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match self.0.entries(&folder) {
                // The folder does not exist, or was removed in the meantime.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error)
                    if error.kind() == ErrorKind::PermissionDenied
                        && folder != below.unwrap_or_default() =>
                {
                    listed.others.insert(folder, Other::Closed);
                    continue;
                }
                entries => entries?,
            };
            for (name, found) in entries {
                let lies = |name: &str| match &*folder {
                    "" => name.to_owned(),
                    folder => format!("{folder}/{name}"),
                };
                let Some(text) = name.to_str() else {
                    listed.others.insert(lies(&name.to_string_lossy()), Other::Unnamed);
                    continue;
                };
                let path = lies(text);
                match found {
                    Found::File(size) => {
                        listed.files.insert(path, size);
                    }
                    Found::Other(other) => {
                        if other == Other::Folder {
                            folders.push(path.clone());
                        }
                        listed.others.insert(path, other);
                    }
                }
            }
        }
        Ok(listed)
    }
}

/// An entry of a folder.
enum Found {
    File(u64),
    Other(Other),
}

/// A file with a temporary name until it is complete. It is removed if it is dropped before.
#[derive(Debug)]
pub(super) struct PendingFile {
    folder: Folder,
    path: String,
    stub: String,
    file: File,
    settled: bool,
}

impl PendingFile {
    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes the file durable and renames it to its final name, in place of an existing file.
    pub(super) fn persist(mut self) -> Result<()> {
        self.file.sync_all()?;
        self.folder.rename(&self.stub, &self.path)?;
        self.settled = true;
        self.folder.sync_names(&self.path)
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.settled {
            // An incomplete file has no use. If it cannot be removed, the next run removes it.
            let _ = self.folder.remove(&self.stub);
        }
    }
}

/// Splits a path into the names of its folders and the name of the file.
fn names(path: &str) -> Result<(Vec<&str>, &str)> {
    let apart = if cfg!(unix) { &['\0'][..] } else { &['\0', '\\', ':'] };
    let bad = |name: &&str| matches!(*name, "" | "." | "..") || name.contains(apart);
    let mut names: Vec<&str> = path.split('/').collect();
    match (!names.iter().any(bad)).then(|| names.pop()).flatten() {
        Some(last) => Ok((names, last)),
        None => Err(refused("is no name below this folder")),
    }
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}

fn is_link(name: &str, path: &str) -> Error {
    let on_the_way = if path == name { String::new() } else { format!(": {name}") };
    refused(&format!(
        "is not opened through a link{on_the_way}: put the file or folder itself there"
    ))
}

#[cfg(test)]
mod tests;
