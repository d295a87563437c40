//! Results on standard output.

use crate::model::{Error, Kind, Result};
use std::io::Write as _;

/// Prints text, and sees it out. A reader that went away is a quiet end.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::Pipe,
            _ => Kind::Storage,
        };
        Error::new(kind, "cannot write to standard output").because(error)
    })
}
