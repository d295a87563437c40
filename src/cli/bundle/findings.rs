//! `bundle validate`: prints its findings as text or JSON.

use super::args::Validate as Flags;
use crate::bundle::{FINDINGS_MAX, Sidecar, Validation, validate as check};
use crate::cli::format::grouped;
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::cli::text::{Grid, Text};
use crate::model::{Error, Kind, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn validate(flags: &Flags) -> Result<ExitCode> {
    let (validation, foreign) = runtime()?.block_on(async {
        let context = Sidecar::read(&flags.file)?;
        let validation = check(&flags.file, context.as_ref(), |_, _| false).await?;
        let foreign = context.filter(|context| context.bundle.sha256 != validation.survey.sha256);
        Ok::<_, Error>((validation, foreign.is_some()))
    })?;
    if flags.json() {
        let mut object = object(&flags.file, &validation);
        object["side_car_is_of_another_version"] = foreign.into();
        stdout::programs(&format!("{object}\n"))?;
    } else {
        let mut text = table(&validation);
        if foreign {
            text.line("the side-car belongs to another version of this bundle");
        }
        let rows: u64 = validation.survey.spans.iter().map(|span| span.rows).sum();
        text.line(format!(
            "{}: {}: {} rows, {} bytes",
            flags.file.display(),
            if validation.total == 0 { "valid".to_owned() } else { counted(validation.total) },
            grouped(rows),
            grouped(validation.survey.bytes)
        ));
        stdout::people(&text)?;
    }
    match validation.total {
        0 => Ok(ExitCode::SUCCESS),
        total => Err(found(&flags.file, total)),
    }
}

/// Returns the error of a bundle with findings.
pub(super) fn found(file: &Path, total: u64) -> Error {
    Error::new(Kind::Data, counted(total)).at(file.display().to_string())
}

fn counted(total: u64) -> String {
    match total {
        1 => "1 finding".to_owned(),
        total => format!("{} findings", grouped(total)),
    }
}

/// Returns the findings as a table. The table is empty if there are none.
pub(super) fn table(validation: &Validation) -> Text {
    let mut text = Text::new();
    if validation.findings.is_empty() {
        return text;
    }
    let mut table = Grid::new(["finding", "where", "what"], &[]);
    for finding in &validation.findings {
        let rule = serde_json::to_value(finding.rule).unwrap_or_default();
        table.row([rule.as_str().unwrap_or_default(), &finding.pointer, &finding.message]);
    }
    let more = validation.total.saturating_sub(FINDINGS_MAX as u64);
    text.grid(table);
    if more > 0 {
        text.line(format!("… {} more", grouped(more)));
    }
    text
}

/// Returns the findings as a JSON object.
pub(super) fn object(file: &Path, validation: &Validation) -> Value {
    let rows = validation
        .survey
        .spans
        .iter()
        .map(|span| (span.entity.name().to_owned(), span.rows.into()));
    json!({
        "bundle": file.display().to_string(),
        "valid": validation.total == 0,
        "sha256": validation.survey.sha256,
        "bytes": validation.survey.bytes,
        "organization_id": validation.survey.head.organization(),
        "rows": rows.collect::<serde_json::Map<_, Value>>(),
        "findings": validation.findings,
        "total": validation.total,
    })
}
