//! `bundle pull`: writes the export of the CRM to a file.

use super::args::Pull as Flags;
use super::target::target;
use crate::bundle::crm::pull as fetch;
use crate::cli::files;
use crate::cli::format::grouped;
use crate::cli::interrupt::interrupted;
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::cli::text::Text;
use crate::model::Result;
use serde_json::json;
use std::process::ExitCode;

pub(super) fn pull(flags: &Flags) -> Result<ExitCode> {
    files::private();
    let target = target("--from", flags.from.as_deref(), &flags.standalone)?;
    let (survey, context) = runtime()?.block_on(async {
        tokio::select! {
            biased;
            error = interrupted() => Err(error),
            pulled = fetch(&target.crm, &flags.out, flags.max_bytes) => pulled,
        }
    })?;
    let out = flags.out.display().to_string();
    let rows: u64 = survey.spans.iter().map(|span| span.rows).sum();
    if flags.standalone.json() {
        let object = json!({
            "bundle": out,
            "organization_id": survey.head.organization(),
            "sha256": survey.sha256,
            "bytes": survey.bytes,
            "rows": rows,
            "counts": context.counts,
        });
        stdout::programs(&format!("{object}\n"))?;
    } else {
        stdout::people(&Text::of(format!(
            "{out}: {} rows, {} bytes, organization {}",
            grouped(rows),
            grouped(survey.bytes),
            survey.head.organization().unwrap_or_else(|| "unnamed".to_owned())
        )))?;
    }
    Ok(ExitCode::SUCCESS)
}
