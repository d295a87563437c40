//! Writes to standard error. Only live progress writes there elsewhere.
//!
//! A line that cannot be written is dropped, because no channel is left to report the failure.

use super::text::Text;
use crate::model::plain_json;
use std::io::{IsTerminal as _, Stderr, Write as _};

/// Says something to people.
pub(super) fn people(text: &Text) {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    let text = text.render(size.map(|(width, _)| width.0));
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Says something to programs: one JSON value.
pub(super) fn programs(json: &str) {
    let _ = std::io::stderr().write_all(format!("{}\n", plain_json(json)).as_bytes());
}

/// Whether people look at it.
pub(super) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// For lines that are made plain where they are made: progress, and the log of the tap.
pub(super) fn log() -> Stderr {
    std::io::stderr()
}
