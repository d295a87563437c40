//! `bundle export`: writes an account, or a backup of it, as a bundle.

use super::args::Export as Flags;
use crate::api::Account;
use crate::bundle::map::{AccountSetup, FIELDS, NO_ID, Pins, RESOURCES, SETUP};
use crate::bundle::{Entity, Export, Sidecar, Source, Written};
use crate::cli::files;
use crate::cli::format::{grouped, left_today};
use crate::cli::interrupt::interrupted;
use crate::cli::progress::{Progress, ProgressMode};
use crate::cli::run::{Run, Stop};
use crate::cli::setup::{now, runtime};
use crate::cli::stdout;
use crate::cli::text::{Grid, Text};
use crate::dataset::Location;
use crate::dataset::snapshot::BackupReader;
use crate::extract::{Backpressure, Mode, Reader, Selected, plan};
use crate::model::{Error, Event, Kind, Mask, Resource, Result, Time};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn export(flags: &Flags) -> Result<ExitCode> {
    files::private();
    runtime()?.block_on(async {
        let (written, context, spent) = if flags.from == "account" {
            let mut run = Run::new(&flags.standalone, Vec::new())?;
            let mut stop = std::pin::pin!(interrupted());
            let account = run.account(stop.as_mut()).await?;
            run.log_account(&account);
            let pins = known(flags, account.company()?);
            let setup = run.set_up(&account, pins, stop.as_mut()).await.map_err(in_one_run)?;
            for sentence in unrecognized(&setup) {
                run.progress.warn(&sentence);
            }
            let place = (flags.out.as_path(), "partial");
            let exported = run.export_found(place, setup, &account, stop.as_mut()).await;
            run.progress.done();
            let exported = exported.map(|(export, _)| export).map_err(in_one_run);
            let (written, context) = exported?.finish()?;
            (written, context, Some(run.client.spending()))
        } else {
            let (written, context) = of_backup(flags).await?;
            (written, context, None)
        };
        let spent = spent.map(|spent| (spent.tokens, left_today(spent)));
        print(flags, &written, &context, spent)?;
        left_out(&context).map_or(Ok(ExitCode::SUCCESS), Err)
    })
}

/// Extends the error of an export that ran out of tokens, because the next export does not resume it.
fn in_one_run(error: Error) -> Error {
    if error.kind() != Kind::Quota {
        return error;
    }
    let message = "a bundle is exported in one run, and nothing of it is kept: max_tokens, or what is left of \
                   the day, has to cover all of it";
    Error::new(Kind::Quota, format!("{error}; {message}"))
}

/// Returns the error of a bundle that lacks rows because they have no usable id.
fn left_out(context: &Sidecar) -> Option<Error> {
    let rows = context.unmapped.iter().filter(|lost| lost.reason == NO_ID);
    let rows = rows.map(|lost| format!("{} rows of {}", grouped(lost.rows), lost.resource));
    let rows: Vec<_> = rows.collect();
    let message = format!("incomplete: without a usable id, left out: {}", rows.join(", "));
    (!rows.is_empty()).then(|| Error::new(Kind::Incomplete, message))
}

fn resource(name: &str) -> Result<&'static Resource> {
    Resource::named(name).ok_or_else(|| Error::new(Kind::Bug, format!("{name} is no resource")))
}

/// Returns the field keys of the company that an existing side-car contains.
fn known(flags: &Flags, company: i64) -> Pins {
    let mut pins = Pins::default();
    // An unreadable side-car is replaced.
    if let Some(context) = Sidecar::read(&flags.out).ok().flatten() {
        for entity in Entity::ALL {
            if let Some(key) = context.id_field(company, entity) {
                pins.marker(entity, key);
            }
        }
    }
    pins
}

/// Returns a sentence for each field that stored public ids and no longer does.
fn unrecognized(setup: &AccountSetup) -> impl Iterator<Item = String> {
    let owners = [Entity::Accounts, Entity::Contacts, Entity::Opportunities];
    owners.into_iter().filter_map(|entity| {
        let (key, why) = setup.lost_marker(entity)?;
        Some(format!(
            "the custom field {key}, which kept the public ids of {}, {why}: rows that a push created \
             get public ids of their own",
            entity.name()
        ))
    })
}

impl Run {
    /// Reads the setup of the account.
    pub(super) async fn set_up(
        &mut self,
        account: &Account,
        pins: Pins,
        mut stop: Stop<'_>,
    ) -> Result<AccountSetup> {
        let mut setup = AccountSetup::of(account.company()?, pins);
        for name in SETUP {
            let take = |resource: &'static Resource, json: &str| {
                setup.add_row(resource, json);
                Ok(())
            };
            self.pass(resource(name)?, stop.as_mut(), take).await?;
        }
        for odd in setup.odd() {
            self.progress.warn(&odd);
        }
        Ok(setup.ready())
    }

    /// Reads the fields of the account again, after fields were created.
    pub(super) async fn set_up_again(
        &mut self,
        mut setup: AccountSetup,
        mut stop: Stop<'_>,
    ) -> Result<AccountSetup> {
        setup.forget_fields();
        for name in FIELDS {
            let take = |resource: &'static Resource, json: &str| {
                setup.add_row(resource, json);
                Ok(())
            };
            self.pass(resource(name)?, stop.as_mut(), take).await?;
        }
        Ok(setup.ready())
    }

    /// Exports the account into a temporary file next to `out`, with `what` in its name. If any row cannot
    /// be read, there is no bundle, because an incomplete one would look like an account that lost rows.
    pub(super) async fn export(
        &mut self,
        (out, what): (&Path, &str),
        setup: AccountSetup,
        account: &Account,
        mut stop: Stop<'_>,
    ) -> Result<Export> {
        let source = Source {
            system: "pipedrive".to_owned(),
            from: "account".to_owned(),
            company_id: account.company_id,
            company_domain: Some(account.company_domain.clone()),
            organization_id: None,
        };
        let date = account.date.unwrap_or_else(now);
        let mut export = Export::start(out, what, setup, source, date)?;
        for name in export.known_ids() {
            let learn = |resource: &'static Resource, json: &str| {
                export.learn(resource, json);
                Ok(())
            };
            self.pass(resource(name)?, stop.as_mut(), learn).await?;
        }
        for (name, _) in RESOURCES {
            let take = |resource: &'static Resource, json: &str| export.add_row(resource, json);
            self.pass(resource(name)?, stop.as_mut(), take).await?;
        }
        if export.repeats() > 0 {
            let repeats = grouped(export.repeats());
            self.progress
                .note(&format!("{repeats} rows came twice and were left out the second time"));
        }
        Ok(export)
    }

    /// Exports the account, and exports it again if the rows show which field stores their public ids. The
    /// returned setup then contains the field.
    pub(super) async fn export_found(
        &mut self,
        place: (&Path, &str),
        setup: AccountSetup,
        account: &Account,
        mut stop: Stop<'_>,
    ) -> Result<(Export, AccountSetup)> {
        let export = self.export(place, setup.clone(), account, stop.as_mut()).await?;
        let found = export.likely_markers();
        if found.is_empty() {
            return Ok((export, setup));
        }
        drop(export);
        let setup = adopted(setup, &found, |sentence| self.progress.note(sentence));
        let export = self.export(place, setup.clone(), account, stop).await?;
        Ok((export, setup))
    }

    /// Reads all rows of a resource and passes each to `take`.
    async fn pass(
        &mut self,
        resource: &'static Resource,
        stop: Stop<'_>,
        mut take: impl FnMut(&'static Resource, &str) -> Result<()>,
    ) -> Result<()> {
        let settings = &self.setup.settings;
        let selected = Selected::new(resource, Mode::Scan, None);
        let jobs = plan(settings, vec![selected]);
        let reader = Reader::start(&self.client, settings, jobs, None, Backpressure::Buffered);
        self.follow(reader, stop, async |run: &mut Self, event| {
            run.progress.observe(&event);
            match event {
                Event::Batch(batch) => {
                    for record in batch.records {
                        let json = std::str::from_utf8(&record.json).map_err(|error| {
                            Error::new(Kind::Shape, "a record is not UTF-8").because(error)
                        })?;
                        take(resource, json)?;
                    }
                }
                Event::Answered { .. } => run.progress.spent(run.client.spending()),
                // Without the resource there is no bundle.
                Event::Failed { error, .. } | Event::Unavailable { error, .. } => {
                    // The user did not choose the resources of a bundle, so a missing list counts as a
                    // refusal. A list that the token may not read keeps its usual exit code.
                    let lacking =
                        error.kind() == Kind::Unavailable && error.http_status() != Some(403);
                    let error = if lacking { error.of_kind(Kind::Refused) } else { error };
                    return Err(if error.place().is_some() {
                        error
                    } else {
                        error.at(resource.name)
                    });
                }
                _ => {}
            }
            Ok(())
        })
        .await
    }
}

/// Returns the setup in which these fields store public ids, and reports the fields.
fn adopted(
    setup: AccountSetup,
    found: &[(Entity, String)],
    mut tell: impl FnMut(&str),
) -> AccountSetup {
    let setup = setup.pinned(|pins| {
        for (entity, key) in found {
            pins.marker(*entity, key);
        }
    });
    for (entity, key) in found {
        let name = setup.marker_name(*entity).unwrap_or(key);
        tell(&format!(
            "the public ids of {} are in the custom field \"{name}\" ({key}), as its content shows",
            entity.name()
        ));
    }
    setup
}

async fn of_backup(flags: &Flags) -> Result<(Written, Sidecar)> {
    let snapshot = BackupReader::open(&Location::named("--from", &flags.from)?).await?;
    let backup = snapshot.backup();
    let account = backup.account.as_ref();
    let company =
        account.and_then(|account| account.company_id).or(flags.company_id).ok_or_else(|| {
            let message =
                "the backup does not say of which company it is: name its id with --company-id";
            Error::new(Kind::Usage, message).at(&flags.from)
        })?;
    if flags.company_id.is_some_and(|asked| asked != company) {
        let message =
            format!("the backup is of company {company}, and not of the one --company-id names");
        return Err(Error::new(Kind::Usage, message).at(&flags.from));
    }
    let held = |name: &str| Resource::named(name).is_some_and(|r| snapshot.holds(r.file));
    let missing: Vec<_> =
        RESOURCES.iter().map(|(name, _)| *name).filter(|name| !held(name)).collect();
    if !missing.is_empty() {
        let message =
            format!("the backup holds no {}: a bundle would lack all of them", missing.join(", "));
        return Err(Error::new(Kind::Data, message).at(&flags.from));
    }
    let mut setup = AccountSetup::of(company, known(flags, company));
    for name in SETUP {
        let resource = resource(name)?;
        if held(name) {
            let take = |resource: &'static Resource, json: &str| {
                setup.add_row(resource, json);
                Ok(())
            };
            pass(&snapshot, resource, take).await?;
        } else {
            // Backups of pdcli have no lead labels. They stay unnamed and are counted.
            setup.lacks(resource);
        }
    }
    let mut progress = Progress::new(ProgressMode::of(&flags.standalone), Mask::new(&[]));
    for odd in setup.odd() {
        progress.warn(&odd);
    }
    let mut setup = setup.ready();
    for sentence in unrecognized(&setup) {
        progress.warn(&sentence);
    }
    let source = Source {
        system: "pipedrive".to_owned(),
        from: "backup".to_owned(),
        company_id: Some(company),
        company_domain: account.map(|account| account.company_domain.clone()),
        organization_id: None,
    };
    let date = backup.finished_at.or(backup.started_at).unwrap_or(Time::EPOCH);
    loop {
        let begun = (setup.clone(), source.clone());
        let mut export = Export::start(&flags.out, "partial", begun.0, begun.1, date)?;
        for name in export.known_ids() {
            let learn = |resource: &'static Resource, json: &str| {
                export.learn(resource, json);
                Ok(())
            };
            pass(&snapshot, resource(name)?, learn).await?;
        }
        for (name, _) in RESOURCES {
            pass(&snapshot, resource(name)?, |resource, json| export.add_row(resource, json))
                .await?;
        }
        // A field that is already known is not found again.
        let found = export.likely_markers();
        if found.is_empty() {
            return export.finish();
        }
        drop(export);
        setup = adopted(setup, &found, |sentence| progress.note(sentence));
    }
}

async fn pass(
    snapshot: &BackupReader,
    resource: &'static Resource,
    mut take: impl FnMut(&'static Resource, &str) -> Result<()>,
) -> Result<()> {
    let mut rows = snapshot.rows(resource.file, false).await?;
    while let Some(row) = rows.next().await? {
        take(resource, row.json)?;
    }
    Ok(())
}

fn print(
    flags: &Flags,
    written: &Written,
    context: &Sidecar,
    spent: Option<(u64, String)>,
) -> Result<()> {
    let out = flags.out.display().to_string();
    let rows: u64 = written.rows.iter().sum();
    if flags.standalone.json() {
        let object = json!({
            "bundle": out,
            "sha256": written.sha256,
            "bytes": written.bytes,
            "rows": rows,
            "counts": context.counts,
            "unmapped": context.unmapped,
            "tokens": spent.map(|(tokens, _)| tokens),
        });
        return stdout::programs(&format!("{object}\n"));
    }
    let mut text = Text::new();
    let mut table = Grid::new(["array", "rows", "of these deleted", "archived"], &[1, 2, 3]);
    for entity in Entity::ALL {
        let counts = context.counts.get(entity.name()).copied().unwrap_or_default();
        let figures = [counts.rows, counts.deleted, counts.archived].map(grouped);
        table.row([entity.name(), &figures[0], &figures[1], &figures[2]]);
    }
    text.grid(table.without_columns_of(&["0"]));
    let spent = spent.map(|(tokens, left)| format!("; {} tokens spent{left}", grouped(tokens)));
    text.line(format!(
        "{out}: {} rows, {} bytes; {} fields have no place in a bundle, see {out}.context.json{}",
        grouped(rows),
        grouped(written.bytes),
        grouped(context.unmapped.len() as u64),
        spent.unwrap_or_default()
    ));
    stdout::people(&text)
}
