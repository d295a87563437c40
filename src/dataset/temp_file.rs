//! Temporary files beside a target file.
//!
//! Each has a unique name, so that two commands never write into one file. Each is removed when its command
//! ends.

use crate::model::{Error, Kind, Result};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Throws of dice for a name that is free; one is nearly always enough.
const NAMES_MAX: u32 = 16;
/// The number of random hexadecimal digits in the name of a temporary file.
const DICE_DIGITS: usize = 16;
/// How often, and how long apart, a folder is tried that another command holds for a moment.
const TURN_TRIES_MAX: u32 = 500;
const TURN_PAUSE: Duration = Duration::from_millis(10);

/// A temporary file `FILE.<16 hex digits>.<what>` beside another file, with access for the owner only.
/// It is locked until it is dropped. Dropping it removes the file unless it was
/// [persisted](Self::persist).
#[derive(Debug)]
pub struct TempFile {
    path: PathBuf,
    file: File,
    settled: bool,
}

impl TempFile {
    /// Creates a temporary file. Removes files that ended commands left for the same target and purpose.
    pub fn beside(target: &Path, what: &str) -> Result<Self> {
        sweep(target, what);
        let failed = |error: &io::Error| failed(target, error);
        for _ in 0..NAMES_MAX {
            let mut name = target.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{:0DICE_DIGITS$x}.{what}", fastrand::u64(..)));
            let path = target.with_file_name(name);
            let mut options = options();
            let file = match options.create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened.map_err(|error| failed(&error))?,
            };
            let scrap = Self { path, file, settled: false };
            // Another command may have removed the file between its creation and the lock.
            if !matches!(scrap.file.try_lock(), Err(TryLockError::WouldBlock)) && scrap.is_there() {
                return Ok(scrap);
            }
        }
        Err(failed(&io::Error::new(ErrorKind::AlreadyExists, "no free name was found beside it")))
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file, which is open for writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Makes the file durable and renames it to `target`, in place of an existing file.
    pub fn persist(mut self, target: &Path) -> Result<()> {
        let settled = self.file.sync_all().and_then(|()| fs::rename(&self.path, target));
        settled.map_err(|error| failed(target, &error))?;
        self.settled = true;
        if cfg!(unix) {
            // A failure is ignored, because some file systems cannot sync folders.
            let _ = File::open(folder(target)).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    #[cfg(unix)]
    fn is_there(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        self.file.metadata().is_ok_and(|found| found.nlink() > 0)
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "a file that is open cannot be removed")]
    fn is_there(&self) -> bool {
        true
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.settled {
            // An incomplete file has no use. A failure to remove it is ignored.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The right to rename files in a folder. It ensures that files that belong together, such as a bundle
/// and its side file, come from one command. It is held until it is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held for its lock")] Option<File>);

impl Turn {
    /// Waits until no other command holds the right.
    pub fn beside(target: &Path) -> Result<Self> {
        // If the folder cannot be opened or locked, the last command determines the result.
        let Ok(folder) = File::open(folder(target)) else { return Ok(Self(None)) };
        for _ in 0..TURN_TRIES_MAX {
            match folder.try_lock() {
                Ok(()) => return Ok(Self(Some(folder))),
                Err(TryLockError::WouldBlock) => std::thread::sleep(TURN_PAUSE),
                Err(TryLockError::Error(_)) => return Ok(Self(None)),
            }
        }
        let message = "another command holds the folder for too long: run again";
        Err(Error::new(Kind::Storage, message).at(target.display().to_string()))
    }
}

/// Removes files that ended commands left beside this file.
fn sweep(target: &Path, what: &str) {
    let Ok(entries) = fs::read_dir(folder(target)) else { return };
    for entry in entries.filter_map(io::Result::ok) {
        let own = target.file_name().is_some_and(|file| is_scrap(&entry.file_name(), file, what));
        if !own || !entry.file_type().is_ok_and(|ty| ty.is_file()) {
            continue;
        }
        let Ok(file) = options().open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            // A file that cannot be removed is harmless.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns whether a name is that of a temporary file for this file.
fn is_scrap(name: &OsStr, file: &OsStr, what: &str) -> bool {
    let rest = name.as_encoded_bytes().strip_prefix(file.as_encoded_bytes());
    rest.and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(what.as_bytes()))
        .and_then(|rest| rest.strip_suffix(b"."))
        .is_some_and(|dice| {
            dice.len() == DICE_DIGITS
                && dice.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use nix::fcntl::OFlag;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    }
    options
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Storage, format!("cannot be written ({error})")).at(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn two_never_share_a_file_and_what_is_left_behind_goes() {
        let folder = std::env::temp_dir().join(format!("scrap-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("it is made");
        let target = folder.join("a.json");
        let foreign = ["a.json.partial", "a.json.7.partial", "a.json.00000000000000000.partial"];
        let stale = "a.json.0123456789abcdef.partial";
        for name in foreign.into_iter().chain([stale]) {
            fs::write(folder.join(name), "old").expect("it is written");
        }
        let first = TempFile::beside(&target, "partial").expect("there is a name");
        let second = TempFile::beside(&target, "partial").expect("there is another");
        assert!(!folder.join(stale).exists(), "its command is gone");
        assert!(first.path().exists() && second.path().exists() && first.path() != second.path());
        first.file().write_all(b"first").expect("it is written");
        second.file().write_all(b"second").expect("it is written");
        first.persist(&target).expect("it is settled");
        assert_eq!(fs::read(&target).expect("it is there"), b"first");
        drop(second);
        let mut left: Vec<_> = fs::read_dir(&folder).expect("it is there").collect();
        assert_eq!(left.len(), 1 + foreign.len());
        left.clear();
        drop(Turn::beside(&target).expect("nobody holds it"));
        fs::remove_dir_all(&folder).expect("it is removed");
    }
}
