//! Commands, files and exit codes: everything a person or an orchestrator touches.

mod airbyte;
mod args;
mod files;
mod read;
mod report;
mod sandbox;

use crate::model::{Error, Kind, Result};
use args::{Args, Command};
use clap::Parser as _;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

/// Runs the program and turns its outcome into an exit code.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let airbyte = arguments.get(1).is_some_and(|command| {
        ["spec", "check", "discover", "read"].iter().any(|name| command == name)
    });
    let outcome = match Args::try_parse_from(&arguments) {
        Ok(args) => run(args),
        Err(error) if !error.use_stderr() => {
            return code(error.print().is_err(), 0);
        }
        Err(error) if !airbyte => {
            return code(error.print().is_err(), Kind::Usage.exit_code());
        }
        Err(error) => {
            let text = error.to_string();
            let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
            let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
            Err(Error::new(Kind::Usage, words.join(" ").trim_start_matches("error: ")))
        }
    };
    match outcome {
        Ok(exit) => exit,
        Err(error) if error.kind() == Kind::Pipe => ExitCode::SUCCESS,
        Err(error) if airbyte => airbyte::fail(&error),
        Err(error) => {
            complain(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn code(failed: bool, code: u8) -> ExitCode {
    ExitCode::from(if failed { Kind::Storage.exit_code() } else { code })
}

fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Spec { debug: _ } => airbyte::spec(),
        Command::Check(source) => airbyte::check(&source),
        Command::Discover(source) => airbyte::discover(&source),
        Command::Read(read) => read::read(&read),
        Command::Sandbox(options) => sandbox::serve(&options),
    }
}

/// An error for people, on stderr: the sentence, then its causes.
fn complain(error: &Error) {
    let mut text = format!("error: {error}\n");
    for cause in error.causes().lines() {
        text.push_str("  because ");
        text.push_str(cause);
        text.push('\n');
    }
    // Nobody is left to tell if stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
