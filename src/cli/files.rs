//! Reads JSON files that a user passes, and updates the one that stores a replaced token.

use crate::dataset::TempFile;
use crate::model::{Error, Kind, Result};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;

/// Largest file that is read: a state or catalog is a few hundred kilobytes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Reads a JSON file. `what` names it in errors: "config", "catalog" or "state".
pub(super) fn json(what: &str, path: &Path) -> Result<Value> {
    let place = || format!("--{what} {}", path.display());
    let unreadable = |error: std::io::Error| {
        Error::new(Kind::Storage, format!("file cannot be read ({error})")).at(place())
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > FILE_BYTES_MAX {
        let message = format!("file is larger than {} MiB", FILE_BYTES_MAX >> 20);
        return Err(Error::new(Kind::Config, message).at(place()));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    if what == "state" && bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        // The parser's message names a position and never quotes the file.
        Error::new(Kind::Config, format!("file is not JSON ({error})")).at(place())
    })
}

/// Replaces a file atomically: readers see the old or the new content. Permissions are kept, and a symbolic
/// link remains one.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(Kind::Storage, format!("file cannot be replaced ({error})"))
            .at(path.display().to_string())
    };
    let path = std::fs::canonicalize(path).map_err(failed)?;
    let permissions = std::fs::metadata(&path).map_err(failed)?.permissions();
    let new = TempFile::beside(&path, "new")?;
    let written =
        new.file().set_permissions(permissions).and_then(|()| new.file().write_all(content));
    written.map_err(failed)?;
    new.persist(&path)
}

/// Writes a file atomically, readable by the owner only. An existing file is replaced.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let new = TempFile::beside(path, "new")?;
    new.file().write_all(content).map_err(|error| {
        Error::new(Kind::Storage, format!("file cannot be written ({error})"))
            .at(path.display().to_string())
    })?;
    new.persist(path)
}

/// Returns whether users other than the owner may access a file.
pub(super) fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Restricts everything that this process writes to its owner: files 0600, folders 0700.
pub(super) fn private() {
    #[cfg(unix)]
    {
        use nix::sys::stat::{Mode, umask};
        umask(Mode::S_IRWXG | Mode::S_IRWXO);
    }
}
