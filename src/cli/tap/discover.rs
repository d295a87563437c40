//! `--discover`: prints the catalog of an account.

use super::Args;
use super::sync::{dictionaries, open, spelling};
use crate::cli::airbyte::sentence;
use crate::cli::interrupt::interrupted;
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::extract::survey;
use crate::model::{Error, Resource, Result};
use crate::protocol::singer::catalog;
use std::process::ExitCode;

/// Prints the catalog. It sends one request for the account and one for each feature that a company may lack,
/// and then reads the field dictionaries concurrently.
pub(super) fn discover(args: &Args) -> Result<ExitCode> {
    let mut run = open(args)?;
    let (found, lacking) = runtime()?.block_on(async {
        let mut stop = std::pin::pin!(interrupted());
        run.account(stop.as_mut()).await?;
        let resources: Vec<_> = Resource::all().collect();
        let lacking = tokio::select! {
            biased;
            error = stop.as_mut() => Err(error),
            lacking = survey(&run.client, &resources) => lacking,
        }?;
        let there = resources.into_iter().filter(|resource| !lacking.contains_key(resource.name));
        Ok::<_, Error>((dictionaries(&mut run, there, stop).await?, lacking))
    })?;
    if let Some(sentence) = sentence(&lacking) {
        run.progress.note(&sentence);
    }
    let spelling = spelling(&run.setup.settings);
    stdout::programs(&format!("{:#}\n", catalog(&found.fields, spelling, &lacking)))?;
    Ok(ExitCode::SUCCESS)
}
