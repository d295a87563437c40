//! Buffers lines for an output and writes each as a whole.

use crate::model::{Error, Kind, Result, plain_json};
use serde::Serialize;
use std::io::{self, Write};

/// The size of the output buffer, in bytes.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// Adds a message of ours as a line. Records are not added here, because they keep their own bytes.
pub(super) fn push(buffer: &mut Vec<u8>, message: &impl Serialize) {
    let message = serde_json::to_string(message).expect("messages have texts for keys");
    buffer.extend_from_slice(plain_json(&message).as_bytes());
    buffer.push(b'\n');
}

/// Writes and flushes the buffer. A closed output is an error of its own kind.
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
