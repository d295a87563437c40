//! `--discover`: the catalog of an account.

use super::Args;
use super::sync::{dictionaries, open, spelling};
use crate::cli::interrupt::interrupted;
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::model::{Resource, Result};
use crate::protocol::singer::catalog;
use std::process::ExitCode;

/// Prints the catalog: one request for whose account it is, then one page of each field dictionary,
/// side by side.
pub(super) fn discover(args: &Args) -> Result<ExitCode> {
    let mut run = open(args)?;
    let found = runtime()?.block_on(async {
        let mut stop = std::pin::pin!(interrupted());
        run.account(stop.as_mut()).await?;
        dictionaries(&mut run, Resource::all(), stop).await
    })?;
    let spelling = spelling(&run.setup.settings);
    stdout::programs(&format!("{:#}\n", catalog(&found.fields, spelling)))?;
    Ok(ExitCode::SUCCESS)
}
