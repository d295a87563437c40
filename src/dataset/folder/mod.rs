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

/// A folder that is held open.
#[derive(Debug, Clone)]
pub(super) struct Folder(Arc<Handle>);

/// What lies in a folder, by path.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    /// Regular files, with their sizes.
    pub(super) files: BTreeMap<String, u64>,
    /// What is no regular file, and files whose name is not UTF-8, which is shown as far as it is.
    pub(super) others: BTreeMap<String, Other>,
}

/// What is no file of ours, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// A symbolic link; what it leads to was not looked at.
    Link,
    /// A folder. What is in it is listed, too.
    Folder,
    /// A folder that may not be read, like a file system's `lost+found`.
    Closed,
    /// A pipe, a socket or a device.
    Special,
    /// Anything with a name that is not UTF-8. What is in such a folder is not listed.
    Unnamed,
}

impl Other {
    /// What it is, for people.
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

/// How an existing file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    /// Also to be read.
    Write,
    /// The same of a file that is made if it is not there.
    WriteOrCreate,
    /// Only if it is not there.
    Create,
}

impl Folder {
    /// Opens a folder; `make` to make it, with those above it, if it is not there.
    pub(super) fn open(path: &Path, make: bool) -> Result<Self> {
        Handle::open(path, make).map(|handle| Self(Arc::new(handle)))
    }

    /// Opens a file for reading.
    pub(super) fn read(&self, path: &str) -> Result<File> {
        self.0.file(path, Access::Read)
    }

    /// Opens a file for reading and writing; `create` to make one that is not there.
    pub(super) fn write(&self, path: &str, create: bool) -> Result<File> {
        self.0.file(path, if create { Access::WriteOrCreate } else { Access::Write })
    }

    /// Begins a file that takes its name when it is whole: see [`PendingFile::settle`].
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

    /// Gives a file another name, in place of a file that has it.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.0.rename(from, to)
    }

    /// Removes a file. Fails with [`ErrorKind::NotFound`] when there is none.
    pub(super) fn remove(&self, path: &str) -> Result<()> {
        self.0.remove(path)
    }

    /// Makes a folder, if it is not there.
    pub(super) fn make_folder(&self, path: &str) -> Result<()> {
        self.0.make_folder(path)
    }

    /// Removes a folder that is empty.
    pub(super) fn remove_folder(&self, path: &str) -> Result<()> {
        self.0.remove_folder(path)
    }

    /// Makes new and changed names in the folder of this file durable, where folders can be synced.
    pub(super) fn sync_names(&self, path: &str) -> Result<()> {
        self.0.sync_names(path)
    }

    /// Everything in it, or in a folder in it; nothing if that is not there. A folder further down
    /// that may not be read is listed as [`Other::Closed`].
    pub(super) fn list(&self, below: Option<&str>) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut folders = vec![below.unwrap_or_default().to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match self.0.entries(&folder) {
                // Not there, or removed meanwhile.
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

/// A file that has a name of its own until it is whole. Dropped before, it is removed.
#[derive(Debug)]
pub(super) struct PendingFile {
    folder: Folder,
    path: String,
    stub: String,
    file: File,
    settled: bool,
}

impl PendingFile {
    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes it durable and gives it its name, in place of a file that has it.
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
            // What is half written is of no use; one that stays is removed by the next run.
            let _ = self.folder.remove(&self.stub);
        }
    }
}

/// The names on the way to a file, and its own.
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
