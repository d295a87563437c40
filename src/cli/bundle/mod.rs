//! `bundle`: writes an account as a portable file and pushes that file into another CRM.

mod args;
mod changes;
mod diff;
mod export;
mod findings;
mod pull;
mod push;
mod target;

use crate::model::Result;
pub(super) use args::Bundle;
use std::process::ExitCode;

pub(super) fn bundle(command: &Bundle) -> Result<ExitCode> {
    match command {
        Bundle::Export(flags) => export::export(flags),
        Bundle::Validate(flags) => findings::validate(flags),
        Bundle::Push(flags) => push::push(flags),
        Bundle::Pull(flags) => pull::pull(flags),
        Bundle::Changes(flags) => changes::changes(flags),
        Bundle::Diff(flags) => diff::diff(flags),
    }
}
