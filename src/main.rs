//! The binary `source-pipedrive`: the Airbyte commands and the standalone commands. Under the name
//! `tap-pipedrive` it is the Singer tap.

use std::process::ExitCode;

fn main() -> ExitCode {
    source_pipedrive::cli::main(std::env::args_os())
}
