//! `source-pipedrive`: the Airbyte commands and the standalone ones, and under the name `tap-pipedrive`
//! the Singer tap.

use std::process::ExitCode;

fn main() -> ExitCode {
    source_pipedrive::cli::main(std::env::args_os())
}
