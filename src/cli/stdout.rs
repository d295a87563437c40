//! Writes to standard output. Only protocol lines are written there elsewhere.

use super::text::Text;
use crate::model::{Error, Kind, Result, plain_json, plain_lines};
use std::io::{IsTerminal as _, Stdout, Write as _};

/// Prints text for users.
pub(super) fn people(text: &Text) -> Result<()> {
    print(&text.render(width()))
}

/// Prints one or several JSON values. Characters that control a terminal are escaped, which does not change
/// the parsed value.
pub(super) fn programs(json: &str) -> Result<()> {
    print(&plain_json(json))
}

/// Prints text of this program. It contains no text from outside, or only text that was escaped before.
pub(super) fn own(text: &str) -> Result<()> {
    print(&plain_lines(text))
}

/// Prints clap's output for `--help` and `--version`, in colours if the terminal supports them.
pub(super) fn help(answer: &clap::Error) -> Result<()> {
    answer.print().map_err(|error| failed(&error))
}

/// Returns whether stdout is a terminal.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns the number of columns if stdout is a terminal.
fn width() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// Returns stdout for the lines of a protocol. Records are written unchanged, all other messages escaped.
pub(super) fn protocol() -> Stdout {
    std::io::stdout()
}

/// Prints text and flushes it. A closed pipe is an error of kind [`Kind::Pipe`], which ends the program
/// quietly.
fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|e| failed(&e))
}

fn failed(error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::BrokenPipe => Kind::Pipe,
        _ => Kind::Storage,
    };
    Error::new(kind, format!("cannot write to standard output ({error})"))
}
