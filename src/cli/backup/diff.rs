//! `backup diff`: prints what changed between two backups, as text or JSON.

use super::args::{Diff as Flags, Form};
use super::page::Page;
use crate::cli::differences::{Differ, by_resource, lines, object, rows, summary, table};
use crate::cli::files;
use crate::cli::selection::{resources, without};
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::dataset::Location;
use crate::dataset::diff::{Diff, Ignore, Options};
use crate::dataset::snapshot::BackupReader;
use crate::model::{Error, Kind, Resource, Result, plain_lines};
use serde_json::json;
use std::process::ExitCode;

pub(super) fn diff(flags: &Flags) -> Result<ExitCode> {
    let (old, new) = (Location::named("OLD", &flags.old)?, Location::named("NEW", &flags.new)?);
    let listed = match (&flags.resources, &flags.exclude) {
        (None, None) => None,
        (None, Some(_)) => Some(without(Resource::all().collect(), flags.exclude.as_deref())?),
        (list, exclude) => Some(resources(list.as_deref(), exclude.as_deref())?),
    };
    match (flags.form(), &flags.out) {
        (Form::Html, None) if stdout::is_terminal() => {
            let message = "a page is no good on a terminal; --out FILE writes it to a file";
            return Err(Error::new(Kind::Usage, message).at("-o html"));
        }
        (Form::Html, _) | (_, None) => {}
        (_, Some(_)) => return Err(Error::new(Kind::Usage, "is for -o html").at("--out")),
    }
    let options = Options {
        resources: listed,
        raw: flags.raw,
        all_fields: flags.all_fields,
        ignore: Ignore::parse(&flags.ignore)?,
    };
    runtime()?.block_on(async {
        let (old, new) = (BackupReader::open(&old).await?, BackupReader::open(&new).await?);
        let mut diff = Differ::Backups(Box::new(Diff::open(&old, &new, options).await?));
        match flags.form() {
            Form::Table => table(&mut diff).await?,
            Form::Json => object(&mut diff).await?,
            Form::Ndjson => lines(&mut diff).await?,
            Form::Html => page(&mut diff, flags, &old, &new).await?,
        }
        Ok(diff.exit(flags.exit_code))
    })
}

async fn page(
    diff: &mut Differ<'_>,
    flags: &Flags,
    old: &BackupReader,
    new: &BackupReader,
) -> Result<()> {
    let mut page = Page::new();
    while let Some(change) = diff.next().await? {
        for row in rows(&change, false) {
            page.change(&row);
        }
    }
    let side = |dir: &str, snapshot: &BackupReader| {
        let backup = snapshot.backup();
        json!({"dir": dir, "started_at": backup.started_at, "account": backup.account})
    };
    let head = json!({
        "old": side(&flags.old, old),
        "new": side(&flags.new, new),
        "summary": summary(diff),
        "skipped": diff.skipped(),
        "oneSided": diff.one_sided(),
        "ignoredNothing": diff.unmet(),
        "schema": diff.schema(),
        "resources": by_resource(diff),
    });
    let page = page.finish(&head);
    match &flags.out {
        Some(path) => files::write(path, plain_lines(&page).as_bytes()),
        None => stdout::own(&page),
    }
}
