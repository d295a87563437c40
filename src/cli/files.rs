//! JSON files that are handed in.

use crate::model::{Error, Kind, Result};
use serde_json::Value;
use std::path::Path;

/// Largest file that is read: a state or catalog is a few hundred kilobytes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Reads a JSON file. `what` names it in errors: "config", "catalog", "state".
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
