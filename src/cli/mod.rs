//! Commands, files, and exit codes: the interface for people and orchestrators.

mod airbyte;
mod args;
mod backup;
mod bundle;
mod check;
mod differences;
mod doctor;
mod environment;
mod error_output;
mod export;
mod field_definitions;
mod files;
mod format;
mod help;
mod interrupt;
mod plan;
mod previous_run;
mod progress;
mod read;
mod reference;
mod report;
mod resources;
mod run;
mod sandbox;
mod selection;
mod setup;
mod status;
mod stderr;
mod stdout;
mod stores;
mod summary;
mod sweep;
mod sync;
mod tap;
mod text;
mod thrift;

use crate::model::{Kind, Result};
use args::{Args, Command, Sync};
use clap::Parser as _;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// The program name that selects the Singer tap.
const TAP: &str = "tap-pipedrive";

/// Runs the program and converts its result to an exit code. The first argument is the program name. The
/// names `tap-pipedrive` and `source-pipedrive tap` select the Singer tap.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    if let Some(arguments) = for_tap(&arguments) {
        return tap::main(arguments.into_iter());
    }
    let airbyte = arguments.get(1).is_some_and(|command| {
        // The command `check` is also used interactively: on a terminal, or with an output format.
        command == "check" && error_output::names_no_form(&arguments)
            || ["spec", "discover", "read"].iter().any(|name| command == name)
    });
    let as_json = error_output::wants_json(&arguments);
    let outcome = match Args::try_parse_from(&arguments) {
        Ok(args) => run(args, airbyte),
        Err(answer) if !answer.use_stderr() => stdout::help(&answer).map(|()| ExitCode::SUCCESS),
        Err(_) if !airbyte && !as_json => {
            stderr::people(&error_output::advice::<Args>(&arguments));
            return ExitCode::from(Kind::Usage.exit_code());
        }
        Err(error) => Err(error_output::usage(&error, &arguments)),
    };
    match outcome {
        Ok(exit) => exit,
        Err(error) if error.kind() == Kind::Pipe => ExitCode::SUCCESS,
        Err(error) if airbyte => airbyte::fail(&error),
        Err(error) => {
            error_output::print_error(&error, as_json, error_output::wants_words(&arguments));
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Returns the arguments of the tap if the command line selects it.
fn for_tap(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let (name, rest) = arguments.split_first()?;
    if Path::new(name).file_stem().is_some_and(|stem| stem == TAP) {
        return Some(arguments.to_vec());
    }
    let (_, rest) = rest.split_first().filter(|(command, _)| *command == "tap")?;
    // The help of the tap shows this name.
    let name = OsString::from("source-pipedrive tap");
    Some([name].into_iter().chain(rest.iter().cloned()).collect())
}

fn run(args: Args, airbyte: bool) -> Result<ExitCode> {
    match args.command {
        Command::Tap(flags) => tap::run(&flags),
        Command::Spec { debug: _ } => airbyte::spec(),
        Command::Check(flags) => check::check(&flags, airbyte),
        Command::Discover(source) => airbyte::discover(&source),
        Command::Read(read) => read::read(&read),
        Command::Backup(flags) => backup::backup(&flags),
        Command::Bundle(command) => bundle::bundle(&command),
        Command::Export(flags) => export::export(&flags),
        Command::Plan(plan) => plan::show(&plan),
        Command::Status(flags) => status::status(&flags),
        Command::Resources(flags) => resources::list(&flags),
        Command::Doctor(flags) => doctor::examine(&flags),
        Command::Sandbox(options) => sandbox::serve(&options),
        Command::Completions(flags) => reference::completions(&flags),
        Command::Reference(flags) => reference::write(&flags),
        Command::Sync(Sync::Warehouse(flags)) => sync::warehouse(&flags),
    }
}
