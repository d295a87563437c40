//! `bundle changes`: prints the change events of a CRM as NDJSON.

use super::args::Changes as Flags;
use super::target::target;
use crate::api::Crm;
use crate::bundle::crm::changes as fetch;
use crate::bundle::{Entity, Listing, number};
use crate::cli::files;
use crate::cli::interrupt::interrupted;
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::dataset::TempFile;
use crate::model::{Error, Kind, Result};
use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The number of bytes that are buffered before they are printed.
const BUFFER_BYTES: usize = 64 << 10;

pub(super) fn changes(flags: &Flags) -> Result<ExitCode> {
    if let Some(wanted) = &flags.record_type
        && Entity::ALL.iter().all(|entity| entity.record_type() != wanted)
    {
        let message =
            format!("\"{wanted}\" is none of account, contact, opportunity, lead, activity");
        return Err(Error::new(Kind::Usage, message).at("--record-type"));
    }
    files::private();
    let target = target("--from", flags.from.as_deref(), &flags.standalone)?;
    let scrap =
        TempFile::beside(&std::env::temp_dir().join("source-pipedrive-changes"), "partial")?;
    let pause = flags.every_millis.map_or(Duration::from_secs(flags.every), Duration::from_millis);
    runtime()?.block_on(async {
        tokio::select! {
            biased;
            error = interrupted() => Err(error),
            outcome = follow(&target.crm, flags, scrap.path(), pause) => outcome,
        }
    })
}

/// Prints each event once. The list has no order, no paging and no time filter, so hashes of the printed
/// events are kept (8 bytes each).
async fn follow(crm: &Crm, flags: &Flags, path: &Path, pause: Duration) -> Result<ExitCode> {
    let mut printed = HashSet::new();
    loop {
        let (ty, id) = (flags.record_type.as_deref(), flags.record_id.as_deref());
        fetch(crm, ty, id, path, flags.max_bytes).await?;
        let mut listing = Listing::open(path)?;
        let mut out = String::new();
        while let Some(event) = listing.next().await? {
            if flags.follow && !printed.insert(number(event)) {
                continue;
            }
            out.extend(event.chars().filter(|c| !matches!(c, '\n' | '\r')));
            out.push('\n');
            if out.len() > BUFFER_BYTES {
                stdout::programs(&std::mem::take(&mut out))?;
            }
        }
        stdout::programs(&out)?;
        if !flags.follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(pause).await;
    }
}
