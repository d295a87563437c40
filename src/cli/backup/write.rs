//! `backup write`.

use super::args::Write as Flags;
use crate::model::{Error, Kind, Result};
use std::process::ExitCode;

pub(super) fn write(flags: &Flags) -> Result<ExitCode> {
    Err(Error::new(Kind::Bug, format!("not built yet: {flags:?}")))
}
