//! Lines on an output: gathered, and written whole.

use crate::model::{Error, Kind, Result};
use serde_json::Value;
use std::io::{self, Write};

/// Bytes gathered before they are written.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// Adds a message as a line.
pub(super) fn push(buffer: &mut Vec<u8>, message: &Value) -> Result<()> {
    serde_json::to_writer(&mut *buffer, message)
        .map_err(|error| Error::new(Kind::Bug, "a message is not JSON").because(error))?;
    buffer.push(b'\n');
    Ok(())
}

/// Writes what was gathered, and sees it out. A reader that went away is an error of its own kind.
pub(super) fn flush(out: &mut impl Write, buffer: &mut Vec<u8>) -> Result<()> {
    let written = out.write_all(buffer).and_then(|()| out.flush());
    buffer.clear();
    buffer.shrink_to(BUFFER_BYTES);
    written.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => Kind::Pipe,
            _ => Kind::Storage,
        };
        Error::new(kind, "cannot write to standard output").because(error)
    })
}
