//! `export`: writes the current rows of a warehouse or backup as CSV, `SQLite`, or Excel.

use super::args::{Export as Flags, To};
use super::format::grouped;
use super::selection::{resources, without};
use super::setup::runtime;
use super::text::{Grid, Text};
use super::{files, stderr, stdout};
use crate::dataset::Location;
use crate::dataset::current::Holding;
use crate::dataset::export::{Form, Target, Written, export as write};
use crate::model::{Error, Kind, Resource, Result};
use serde_json::{Value, json};
use std::process::ExitCode;

pub(super) fn export(flags: &Flags) -> Result<ExitCode> {
    let place = Location::named("DIR|URL", &flags.dir)?;
    let target = Target {
        form: match flags.to {
            To::Csv => Form::Csv,
            To::Sqlite => Form::Sqlite,
            To::Xlsx => Form::Xlsx,
        },
        out: flags.out.clone(),
        overwrite: flags.overwrite,
        raw: flags.raw,
    };
    // Exported data is readable by the owner only.
    files::private();
    runtime()?.block_on(async {
        let holding = Holding::open(&place).await?;
        let selected = selected(flags, &holding)?;
        let caveat = holding.caveat();
        if let Some(caveat) = &caveat {
            stderr::people(&Text::of(format!("warning: {caveat}")));
        }
        let all = write(&holding, &selected, &target).await?;
        if flags.json() {
            let object = object(flags, &holding, caveat.as_deref(), &all);
            stdout::programs(&format!("{object}\n"))?;
        } else {
            stdout::people(&text(flags, &all))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Returns the selected tables. A table that is not stored is an error.
fn selected(flags: &Flags, holding: &Holding) -> Result<Vec<&'static Resource>> {
    let held = holding.resources();
    let wanted = match &flags.resources {
        None => without(held.clone(), flags.exclude.as_deref())?,
        Some(list) => resources(Some(list), flags.exclude.as_deref())?,
    };
    let lacks = |resource: &&&Resource| held.iter().all(|other| other.name != resource.name);
    let what = holding.what();
    if let Some(lacking) = wanted.iter().find(lacks) {
        let held: Vec<_> = held.iter().map(|resource| resource.name).collect();
        let message =
            format!("the {what} has no rows of {}, but of {}", lacking.name, held.join(", "));
        return Err(Error::new(Kind::Usage, message).at("--resources"));
    }
    if wanted.is_empty() {
        return Err(Error::new(Kind::Data, format!("the {what} has no rows")).at(&flags.dir));
    }
    Ok(wanted)
}

fn text(flags: &Flags, all: &[Written]) -> Text {
    let mut text = Text::new();
    let mut table = Grid::new(["table", "rows", "deleted, left out"], &[1, 2]);
    for written in all {
        let gone = if written.gone == 0 { String::new() } else { grouped(written.gone) };
        table.row([written.resource.name, &grouped(written.rows), &gone]);
    }
    text.grid(table);
    for written in all {
        for note in &written.notes {
            text.line(format!("{}: {note}", written.resource.name));
        }
    }
    let rows = all.iter().map(|written| written.rows).sum();
    let tables =
        if all.len() == 1 { "1 table".to_owned() } else { format!("{} tables", all.len()) };
    text.line(format!("{}: {tables}, {} rows", flags.out.display(), grouped(rows)));
    text
}

fn object(flags: &Flags, holding: &Holding, caveat: Option<&str>, all: &[Written]) -> Value {
    let tables = all.iter().map(|written| {
        json!({
            "table": written.resource.name,
            "rows": written.rows,
            "deleted": written.gone,
            "notes": written.notes,
        })
    });
    json!({
        "dir": flags.dir,
        "of": holding.what(),
        "complete": caveat.is_none(),
        "out": flags.out,
        "tables": tables.collect::<Vec<_>>(),
        "rows": all.iter().map(|written| written.rows).sum::<u64>(),
    })
}
