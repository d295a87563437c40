//! Commands, files and exit codes: everything a person or an orchestrator touches.

mod airbyte;
mod args;
mod backup;
mod bundle;
mod complaint;
mod dictionaries;
mod differences;
mod earlier;
mod environment;
mod figures;
mod files;
mod interrupt;
mod plan;
mod progress;
mod read;
mod reference;
mod report;
mod run;
mod sandbox;
mod selection;
mod setup;
mod status;
mod stderr;
mod stdout;
mod summary;
mod sweep;
mod sync;
mod tap;
mod text;
mod thrift;

pub use tap::main as tap;

use crate::model::{Kind, Result};
use args::{Args, Command, Sync};
use clap::Parser as _;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program and turns its outcome into an exit code.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let airbyte = arguments.get(1).is_some_and(|command| {
        ["spec", "check", "discover", "read"].iter().any(|name| command == name)
    });
    let as_json = complaint::wants_json(&arguments);
    let outcome = match Args::try_parse_from(&arguments) {
        Ok(args) => run(args),
        Err(answer) if !answer.use_stderr() => stdout::help(&answer).map(|()| ExitCode::SUCCESS),
        Err(_) if !airbyte && !as_json => {
            stderr::people(&complaint::advice::<Args>(&arguments));
            return ExitCode::from(Kind::Usage.exit_code());
        }
        Err(error) => Err(complaint::usage(&error)),
    };
    match outcome {
        Ok(exit) => exit,
        Err(error) if error.kind() == Kind::Pipe => ExitCode::SUCCESS,
        Err(error) if airbyte => airbyte::fail(&error),
        Err(error) => {
            complaint::complain(&error, as_json);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Spec { debug: _ } => airbyte::spec(),
        Command::Check(source) => airbyte::check(&source),
        Command::Discover(source) => airbyte::discover(&source),
        Command::Read(read) => read::read(&read),
        Command::Backup(flags) => backup::backup(&flags),
        Command::Bundle(command) => bundle::bundle(&command),
        Command::Plan(plan) => plan::show(&plan),
        Command::Status(flags) => status::status(&flags),
        Command::Sandbox(options) => sandbox::serve(&options),
        Command::Completions(flags) => reference::completions(&flags),
        Command::Reference(flags) => reference::write(&flags),
        Command::Sync(Sync::Warehouse(flags)) => sync::warehouse(&flags),
    }
}
