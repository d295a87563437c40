//! `backup verify`: checks whether a backup is complete and undamaged, and prints text or JSON.

use super::args::Verify as Flags;
use crate::cli::format::grouped;
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::cli::text::{Grid, Text};
use crate::dataset::Location;
use crate::dataset::snapshot::BackupReader;
use crate::dataset::verify::{DefectKind, Options, Report, Tally, verify as check};
use crate::model::{Error, Kind, Result, folded, mistyped, near};
use serde_json::{Value, json};
use std::process::ExitCode;

pub(super) fn verify(flags: &Flags) -> Result<ExitCode> {
    let place = Location::named("DIR|URL", &flags.dir)?;
    let options = Options { sample: flags.sample, ignore: flaws(&flags.ignore)? };
    let (snapshot, report) = runtime()?.block_on(async {
        let snapshot = BackupReader::open(&place).await?;
        let report = check(&snapshot, &options).await?;
        Ok::<_, Error>((snapshot, report))
    })?;
    if flags.json() {
        stdout::programs(&format!("{}\n", object(flags, &snapshot, &report)))?;
    } else {
        stdout::people(&text(flags, &snapshot, &report))?;
    }
    if is_ok(flags, &report) {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::new(Kind::Data, findings(&report)).at(&flags.dir))
}

/// Returns whether the backup has no damage, and with `--strict` no observations either.
fn is_ok(flags: &Flags, report: &Report) -> bool {
    report.tally.damage == 0 && (!flags.strict || report.tally.observations == 0)
}

/// Returns the kinds of findings with these names, ignoring case.
fn flaws(names: &[String]) -> Result<Vec<DefectKind>> {
    let meant =
        |name: &str| DefectKind::ALL.iter().find(|flaw| folded(flaw.name()) == folded(name));
    let unknown: Vec<&String> = names.iter().filter(|name| meant(name).is_none()).collect();
    if unknown.is_empty() {
        return Ok(names.iter().filter_map(|name| meant(name)).copied().collect());
    }
    let all: Vec<&str> = DefectKind::ALL.iter().map(|flaw| flaw.name()).collect();
    let unknown = mistyped(unknown, |name| near(name, all.iter().copied()));
    let message = format!("there is no finding {unknown}; there are {}", all.join(", "));
    Err(Error::new(Kind::Usage, message).at("--ignore"))
}

/// Returns the number of findings, damage first.
fn findings(report: &Report) -> String {
    let Tally { damage, observations, .. } = report.tally;
    let many = |number: u64, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{} {one}s", grouped(number)),
    };
    match (damage, observations) {
        (damage, 0) => many(damage, "finding"),
        (0, observations) => many(observations, "observation"),
        (damage, observations) => {
            format!("{}, {}", many(damage, "finding"), many(observations, "observation"))
        }
    }
}

/// Returns the result of the check, such as `whole`, `whole, 12 observations` or `2 findings`.
fn outcome(report: &Report) -> String {
    match (report.tally.damage, report.tally.observations) {
        (0, 0) => "whole".to_owned(),
        (0, _) => format!("whole, {}", findings(report)),
        _ => findings(report),
    }
}

fn text(flags: &Flags, snapshot: &BackupReader, report: &Report) -> Text {
    let mut text = Text::new();
    if !report.findings.is_empty() {
        let mut table = Grid::new(["finding", "where", "what"], &[]);
        for finding in &report.findings {
            let row = finding.row.as_deref().unwrap_or_default();
            let what = if finding.damage { "damage: " } else { "" };
            table.row([
                finding.flaw.name(),
                format!("{} {row}", finding.file).trim_end(),
                &format!("{what}{}", finding.message),
            ]);
        }
        text.grid(table);
    }
    for sentence in &report.unchecked {
        text.line(format!("not checked: {sentence}"));
    }
    let backup = snapshot.backup();
    let made = backup.started_at.map(|time| format!("; begun {time}")).unwrap_or_default();
    let company = backup.account.as_ref().map(|account| format!(", company {}", account.name()));
    let contents = match report.contents {
        0 => String::new(),
        number => format!(", {} attachments", grouped(number)),
    };
    text.line(format!(
        "{}: {}: {} files, {} rows, {} bytes{contents}{made}{}",
        flags.dir,
        outcome(report),
        grouped(report.files),
        grouped(report.rows),
        grouped(report.bytes),
        company.unwrap_or_default(),
    ));
    text
}

fn object(flags: &Flags, snapshot: &BackupReader, report: &Report) -> Value {
    let backup = snapshot.backup();
    let findings = report.findings.iter().map(|finding| {
        json!({
            "kind": finding.flaw.name(),
            "damage": finding.damage,
            "file": finding.file,
            "row": finding.row,
            "message": finding.message,
        })
    });
    json!({
        "dir": flags.dir,
        "ok": is_ok(flags, report),
        "strict": flags.strict,
        "complete": backup.complete,
        "pdcli": backup.is_pdcli_backup(),
        // The old name of the key `pdcli`. It is kept until version 0.3.
        "seed": backup.is_pdcli_backup(),
        "started_at": backup.started_at,
        "finished_at": backup.finished_at,
        "account": backup.account,
        "files": report.files,
        "rows": report.rows,
        "bytes": report.bytes,
        "attachments": report.contents,
        "sampled_percent": flags.sample,
        "findings": findings.collect::<Vec<_>>(),
        "damage": report.tally.damage,
        "observations": report.tally.observations,
        "counts": report.tally.kinds,
        "unchecked": report.unchecked,
    })
}
