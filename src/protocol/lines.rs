//! Buffers lines for an output and writes each as a whole.

use crate::model::{Error, Kind, Result, plain_json};
use serde::Serialize;
use std::io::{self, Write};

/// Bytes gathered before they are written.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// Adds a message of ours as a line: anything but a record, which goes out as it came.
pub(super) fn push(buffer: &mut Vec<u8>, message: &impl Serialize) {
    let message = serde_json::to_string(message).expect("messages have texts for keys");
    buffer.extend_from_slice(plain_json(&message).as_bytes());
    buffer.push(b'\n');
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
        Error::new(kind, format!("cannot write to standard output ({error})"))
    })
}
