//! `tap-pipedrive`: the Singer tap.

mod args;
mod config;
mod discover;
mod sync;

pub(super) use args::Args;

use super::text::Text;
use super::{error_output, stderr, stdout};
use crate::model::{Error, Kind, Result};
use crate::protocol::singer::{about, markdown};
use args::Form;
use clap::Parser as _;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the tap. A failure ends with one CRITICAL line on stderr and exit code 1. An interrupt writes the
/// state of the data read so far and ends with exit code 130.
pub(super) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let outcome = match Args::try_parse_from(arguments) {
        Ok(args) => run(&args),
        Err(answer) if !answer.use_stderr() => stdout::help(&answer).map(|()| ExitCode::SUCCESS),
        Err(error) => {
            let error = error_output::usage(&error, &[]);
            Err(Error::new(error.kind(), format!("{error}; --help tells how")))
        }
    };
    match outcome {
        Ok(exit) => exit,
        Err(error) if error.kind() == Kind::Pipe => ExitCode::SUCCESS,
        Err(error) => {
            let mut sentence = vec![format!("CRITICAL {error}")];
            sentence.extend(error.causes());
            stderr::people(&Text::of(sentence.join(", because ")));
            let interrupted = error.kind() == Kind::Interrupted;
            ExitCode::from(if interrupted { error.kind().exit_code() } else { 1 })
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if args.about {
        return stdout::own(&match args.format {
            Form::Json => format!("{:#}\n", about()),
            Form::Markdown => markdown(),
            Form::Text => args::summary(),
        })
        .map(|()| ExitCode::SUCCESS);
    }
    if args.discover { discover::discover(args) } else { sync::sync(args) }
}
