//! `backup diff`.

use super::args::Diff as Flags;
use crate::model::{Error, Kind, Result};
use std::process::ExitCode;

pub(super) fn diff(flags: &Flags) -> Result<ExitCode> {
    Err(Error::new(Kind::Bug, format!("not built yet: {flags:?}")))
}
