//! `bundle diff`: prints what changed between two bundles.

use super::args::Diff as Flags;
use crate::bundle::Diff;
use crate::cli::differences::{Differ, object, table};
use crate::cli::setup::runtime;
use crate::dataset::diff::Ignore;
use crate::model::{Error, Kind, Result};
use std::process::ExitCode;

pub(super) fn diff(flags: &Flags) -> Result<ExitCode> {
    for file in [&flags.old, &flags.new] {
        if !file.is_file() {
            let message = "there is no such bundle";
            return Err(Error::new(Kind::Usage, message).at(file.display().to_string()));
        }
    }
    runtime()?.block_on(async {
        let diff = Diff::open(&flags.old, &flags.new, Ignore::parse(&flags.ignore)?).await?;
        let mut diff = Differ::Bundles(Box::new(diff));
        if flags.json() {
            object(&mut diff).await?;
        } else {
            table(&mut diff).await?;
        }
        Ok(diff.exit(flags.exit_code))
    })
}
