//! `backup verify`.

use super::args::Verify as Flags;
use crate::model::{Error, Kind, Result};
use std::process::ExitCode;

pub(super) fn verify(flags: &Flags) -> Result<ExitCode> {
    Err(Error::new(Kind::Bug, format!("not built yet: {flags:?}")))
}
