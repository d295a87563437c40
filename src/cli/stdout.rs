//! Writes to standard output. Only protocol lines are written there elsewhere.

use super::text::Text;
use crate::model::{Error, Kind, Result, plain_json, plain_lines};
use std::io::{IsTerminal as _, Stdout, Write as _};

/// Prints what people read.
pub(super) fn people(text: &Text) -> Result<()> {
    print(&text.render(width()))
}

/// Prints JSON, one value or several. What would steer a terminal is escaped in it, and is the same
/// value for whoever parses it.
pub(super) fn programs(json: &str) -> Result<()> {
    print(&plain_json(json))
}

/// Prints text of this program. It contains no text from outside, or only text that was escaped before.
pub(super) fn own(text: &str) -> Result<()> {
    print(&plain_lines(text))
}

/// Prints what clap answers to `--help` and `--version`, in colours where there are any.
pub(super) fn help(answer: &clap::Error) -> Result<()> {
    answer.print().map_err(|error| failed(&error))
}

/// Whether people look at it.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Columns of the terminal that shows it, if one does.
fn width() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// For the lines of a protocol: records go out as they came, all other messages escaped.
pub(super) fn protocol() -> Stdout {
    std::io::stdout()
}

/// Prints text, and sees it out. A reader that went away is a quiet end.
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
