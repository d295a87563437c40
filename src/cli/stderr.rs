//! Writes to standard error. Only live progress writes there elsewhere.
//!
//! A line that cannot be written is dropped, because no channel is left to report the failure.

use super::text::Text;
use crate::model::plain_json;
use std::io::{IsTerminal as _, Stderr, Write as _};

/// Prints text for users.
pub(super) fn people(text: &Text) {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    let text = text.render(size.map(|(width, _)| width.0));
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints one JSON value for programs.
pub(super) fn programs(json: &str) {
    let _ = std::io::stderr().write_all(format!("{}\n", plain_json(json)).as_bytes());
}

/// Returns whether stderr is a terminal.
pub(super) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Returns stderr for lines that the caller makes printable: progress, and the log of the tap.
pub(super) fn log() -> Stderr {
    std::io::stderr()
}
