//! `bundle`: the account as a portable file, and that file in another CRM.

mod args;
mod export;

use crate::model::Result;
pub(super) use args::Bundle;
use std::process::ExitCode;

pub(super) fn bundle(command: &Bundle) -> Result<ExitCode> {
    match command {
        Bundle::Export(flags) => export::export(flags),
        _ => Err(crate::model::Error::new(crate::model::Kind::Bug, "not yet")),
    }
}
