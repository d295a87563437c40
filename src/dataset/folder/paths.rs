//! The handle of a folder on systems that open files by path only. Each name on the way is checked first.
//!
//! This is weaker than a real handle, because a name can change between the check and its use.

use super::{Access, Found, Other, is_link, names, refused};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Handle(PathBuf);

#[cfg_attr(
    unix,
    expect(dead_code, reason = "only opening is tried out where nothing else uses it")
)]
impl Handle {
    pub(super) fn open(path: &Path, make: bool) -> Result<Self> {
        if make {
            fs::create_dir_all(path)?;
        }
        fs::read_dir(path)?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn file(&self, path: &str, access: Access) -> Result<File> {
        let file = self.looked_at(path)?;
        match fs::symlink_metadata(&file) {
            Ok(found) if !found.is_file() && access != Access::Create => {
                return Err(refused("is no regular file"));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(access != Access::Read);
        options.create(access == Access::WriteOrCreate).create_new(access == Access::Create);
        options.open(file)
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.regular(from)?, self.looked_at(to)?)
    }

    pub(super) fn remove(&self, path: &str) -> Result<()> {
        fs::remove_file(self.regular(path)?)
    }

    pub(super) fn make_folder(&self, path: &str) -> Result<()> {
        let folder = self.looked_at(path)?;
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            made => made,
        }
    }

    pub(super) fn remove_folder(&self, path: &str) -> Result<()> {
        fs::remove_dir(self.looked_at(path)?)
    }

    /// Checks the path only, because folders cannot be synced on this platform.
    pub(super) fn sync_names(&self, path: &str) -> Result<()> {
        self.looked_at(path).map(drop)
    }

    pub(super) fn entries(&self, path: &str) -> Result<Vec<(OsString, Found)>> {
        let folder = if path.is_empty() { self.0.clone() } else { self.looked_at(path)? };
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let found = entry.metadata()?;
            let ty = found.file_type();
            let found = if ty.is_file() {
                Found::File(found.len())
            } else if ty.is_dir() {
                Found::Other(Other::Folder)
            } else if ty.is_symlink() {
                Found::Other(Other::Link)
            } else {
                Found::Other(Other::Special)
            };
            entries.push((entry.file_name(), found));
        }
        Ok(entries)
    }

    fn regular(&self, path: &str) -> Result<PathBuf> {
        let file = self.looked_at(path)?;
        if fs::symlink_metadata(&file)?.is_file() {
            return Ok(file);
        }
        Err(refused("is no regular file"))
    }

    /// Returns the full path. Fails if one of its names is a link.
    fn looked_at(&self, path: &str) -> Result<PathBuf> {
        let (folders, name) = names(path)?;
        let mut at = self.0.clone();
        for name in folders.into_iter().chain([name]) {
            at.push(name);
            if fs::symlink_metadata(&at).is_ok_and(|found| found.file_type().is_symlink()) {
                return Err(is_link(name, path));
            }
        }
        Ok(at)
    }
}
