//! `backup`: writes a verifiable copy of the account, and compares two copies.

mod args;
mod attachments;
mod diff;
mod page;
mod summary;
mod verify;
mod write;

use crate::model::Result;
pub(super) use args::Backup;
use args::Command;
use std::process::ExitCode;

pub(super) fn backup(backup: &Backup) -> Result<ExitCode> {
    match &backup.command {
        None => write::write(&backup.write),
        Some(Command::Verify(flags)) => verify::verify(flags),
        Some(Command::Diff(flags)) => diff::diff(flags),
    }
}
