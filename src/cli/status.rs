//! `status`: prints the state of a warehouse or a backup, and what the next run does.

use super::args::Status as Flags;
use super::format::grouped;
use super::setup::runtime;
use super::stdout;
use super::text::{Grid, Text};
use crate::dataset::{Account, Location, RunStatus};
use crate::model::Result;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Most unfinished resources that are named in a sentence.
const NAMED_MAX: usize = 8;

pub(super) fn status(flags: &Flags) -> Result<ExitCode> {
    let place = Location::named("DIR|URL", &flags.dir)?;
    let standing = runtime()?.block_on(RunStatus::of(&place))?;
    if flags.json() {
        stdout::programs(&format!("{}\n", object(flags, &standing)))?;
    } else {
        stdout::people(&text(flags, &standing))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the next command to run and its effect.
fn next(flags: &Flags, standing: &RunStatus) -> String {
    let dir = &flags.dir;
    let left = standing.unfinished.len();
    match (standing.backup, standing.complete, left) {
        (true, _, 1..) => {
            format!("source-pipedrive backup --dir {dir} continues it; --restart starts over")
        }
        (true, ..) => {
            format!(
                "source-pipedrive backup verify {dir} proves it; source-pipedrive backup --dir {dir} begins a new one"
            )
        }
        (false, true, 0) => {
            format!("source-pipedrive sync warehouse --dir {dir} takes what has changed since")
        }
        (false, ..) => {
            format!(
                "source-pipedrive sync warehouse --dir {dir} continues where the last run stopped"
            )
        }
    }
}

fn outcome(standing: &RunStatus) -> String {
    let left = match standing.unfinished.as_slice() {
        [] => String::new(),
        names if names.len() <= NAMED_MAX => {
            format!(": not read to their end are {}", names.join(", "))
        }
        names => format!(
            ": not read to their end are {} and {} more",
            names[..NAMED_MAX].join(", "),
            names.len() - NAMED_MAX
        ),
    };
    match (&standing.next, standing.complete) {
        (Some(begun), complete) => {
            let begun = begun.map_or(String::new(), |time| format!(", begun {time},"));
            let stands = if complete { "complete" } else { "incomplete" };
            format!("the backup that stands is {stands}; a newer one{begun} is unfinished{left}")
        }
        (None, true) if left.is_empty() => "complete".to_owned(),
        (None, _) => format!("incomplete{left}"),
    }
}

fn text(flags: &Flags, standing: &RunStatus) -> Text {
    let what = if standing.backup { "backup" } else { "warehouse" };
    let of =
        standing.account.as_ref().map_or(String::new(), |of| format!(" of company {}", of.name()));
    let mut text = Text::of(format!("{}: {what}{of}", flags.dir));
    let mut table = Grid::new(["resource", "rows", "bytes", "read until"], &[1, 2]);
    for part in &standing.resources {
        let until = part.until.map_or(String::new(), |time| time.to_string());
        table.row([part.name.clone(), grouped(part.rows), grouped(part.bytes), until]);
    }
    text.grid(table);
    text.line(format!(
        "{} resources, {} rows, {} bytes",
        standing.resources.len(),
        grouped(standing.rows),
        grouped(standing.bytes)
    ));
    let last = standing.last_run.map_or("unknown".to_owned(), |time| time.to_string());
    text.line(format!("last run: {last}, {}", outcome(standing)));
    text.line(format!("next: {}", next(flags, standing)));
    text
}

fn object(flags: &Flags, standing: &RunStatus) -> Value {
    let resources = standing.resources.iter().map(|part| {
        json!({"resource": part.name, "rows": part.rows, "bytes": part.bytes, "until": part.until})
    });
    let account = standing.account.as_ref();
    json!({
        "dir": flags.dir,
        "kind": if standing.backup { "backup" } else { "warehouse" },
        "company_id": account.and_then(|account: &Account| account.company_id),
        "company_domain": account.map(|account| account.company_domain.as_str()),
        "last_run": standing.last_run,
        "complete": standing.complete,
        "rows": standing.rows,
        "bytes": standing.bytes,
        "unfinished": standing.unfinished,
        "newer_backup_begun": standing.next.flatten(),
        "resources": resources.collect::<Vec<_>>(),
        "next": next(flags, standing),
    })
}
