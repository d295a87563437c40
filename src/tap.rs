//! `tap-pipedrive`: the Singer tap.

use std::process::ExitCode;

fn main() -> ExitCode {
    source_pipedrive::cli::tap(std::env::args_os())
}
