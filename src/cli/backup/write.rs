//! `backup`: writes the reader's events to files with checksums.

use super::args::{Include, Write as Flags};
use super::attachments;
use super::summary::Summary;
use crate::api::Account;
use crate::cli::files;
use crate::cli::interrupt::interrupted;
use crate::cli::report::Report;
use crate::cli::run::{Run, Stop, final_error, holder, run_name};
use crate::cli::selection::{resources, without};
use crate::cli::setup::{ServerClock, now, runtime};
use crate::cli::thrift::Foreseen;
use crate::dataset::backup::{BackupWriter, Options};
use crate::dataset::snapshot::{BackupReader, Carry};
use crate::dataset::{Location, Owner};
use crate::extract::{Backpressure, Mode, Reader, Selected, plan};
use crate::model::{Carried, Error, Event, Kind, Resource, Result};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn write(flags: &Flags) -> Result<ExitCode> {
    let place = Location::parse(&flags.dir)?;
    let histories = flags.include.contains(&Include::Histories);
    let usual = Resource::all().filter(|resource| histories || !resource.is_history());
    let options = Options {
        resources: named(flags, histories)?,
        usual: without(usual.collect(), flags.exclude.as_deref())?,
        contents: flags.include.contains(&Include::FileContents),
        secrets: flags.include.contains(&Include::Secrets),
        restart: flags.restart,
        force: flags.force,
        break_lock: flags.break_lock,
        crash_at_step: None,
    };
    let mut run = Run::new(&flags.standalone, Vec::new())?;
    if flags.sequential {
        run.setup.settings.concurrency = 1;
    }
    let options = Options { crash_at_step: run.setup.settings.crash_at_step, ..options };
    run.unmasked = true;
    if !flags.standalone.json() {
        run.progress.before_a_summary();
    }
    files::private();
    runtime()?.block_on(run.back_up(flags, &place, &options))
}

/// Returns the resources that were requested by name, including the histories if they are enabled.
fn named(flags: &Flags, histories: bool) -> Result<Option<Vec<&'static Resource>>> {
    let Some(list) = flags.resources.as_deref() else {
        return Ok(None);
    };
    let mut named = resources(Some(list), None)?;
    for resource in Resource::all().filter(|resource| histories && resource.is_history()) {
        if named.iter().all(|known| known.name != resource.name) {
            named.push(resource);
        }
    }
    without(named, flags.exclude.as_deref()).map(Some)
}

impl Run {
    async fn back_up(
        mut self,
        flags: &Flags,
        place: &Location,
        options: &Options,
    ) -> Result<ExitCode> {
        let mut stop = std::pin::pin!(interrupted());
        let account = self.account(stop.as_mut()).await?;
        let clock = ServerClock::at(account.date.unwrap_or_else(now));
        self.log_account(&account);
        let owner = Owner::new(run_name(now()), now());
        let (mut archive, notes) =
            BackupWriter::open(place, holder(&account)?, options, owner).await?;
        for note in notes {
            self.progress.note(&note);
        }
        self.resources = archive.pending();
        self.report = Report::of(self.resources.iter().copied());
        self.progress.expect_resources(self.resources.len());
        let outcome = self.read_missing(&mut archive, flags, &account, clock, stop).await;
        self.report.close(outcome.as_ref().err());
        self.progress.done();
        let stopped = match outcome {
            Err(error) if matches!(error.kind(), Kind::Data | Kind::Bug) => {
                // The first error is more useful than an error from releasing the lock.
                let _ = archive.release().await;
                return Err(error);
            }
            Err(error) => Some(error),
            Ok(()) => None,
        };
        let closed = match archive.close(now()).await {
            Ok(closed) => closed,
            // After a storage error a second one when closing adds no information.
            Err(error) => {
                let first = stopped.filter(|first| first.kind() == Kind::Storage);
                if first.is_some() {
                    let _ = archive.release().await;
                }
                return Err(first.unwrap_or(error));
            }
        };
        let summary = Summary::of(&closed, &self.report, &flags.dir, self.client.spending());
        let printed = summary.print(flags.standalone.json());
        match stopped {
            // A hang-up of the terminal also makes printing fail, so the interrupt is reported first.
            Some(error) if error.kind() == Kind::Interrupted => Err(Error::new(
                Kind::Interrupted,
                "interrupted: what was taken is safe, the same command continues from there (--restart starts over)",
            )),
            Some(error) => Err(error),
            None if printed.is_err() => printed.map(|()| ExitCode::SUCCESS),
            None => match self.report.failure(self.client.spending()) {
                None if closed.complete => Ok(ExitCode::SUCCESS),
                // Data of this backup that an earlier run read is present.
                Some(error) => Err(final_error(error, closed.exported + closed.skipped == 0)),
                None => Err(summary.incomplete()),
            },
        }
    }

    /// Reads the missing data. An interrupt is an error; the data read so far is kept.
    async fn read_missing(
        &mut self,
        archive: &mut BackupWriter,
        flags: &Flags,
        account: &Account,
        clock: ServerClock,
        mut stop: Stop<'_>,
    ) -> Result<()> {
        let (mut selected, mut rows) = (Vec::new(), BTreeMap::new());
        let named = flags.resources.as_deref().map(|list| resources(Some(list), None));
        let named = named.transpose()?;
        let named = named.unwrap_or_default();
        for resource in self.resources.clone() {
            let here = archive.safe_rows(resource);
            let before = archive.earlier_rows(resource);
            self.progress.expect(resource, before, here);
            rows.extend(before.map(|rows| (resource.name, rows)));
            let state = archive.state(resource)?;
            let named = named.iter().any(|name| name.name == resource.name);
            selected.push(Selected { named, ..Selected::new(resource, Mode::Full, state) });
        }
        let earlier = self.earlier(flags, account).await?;
        let (client, settings) = (Arc::clone(&self.client), self.setup.settings.clone());
        let mut jobs = plan(&settings, selected);
        for job in &mut jobs {
            if let Some(carried) = earlier.get(job.resource().name) {
                job.carry(Arc::clone(carried));
            }
        }
        if flags.sequential {
            let place = |name: &str| self.resources.iter().position(|r| r.name == name);
            jobs.sort_by_key(|job| place(job.resource().name));
        }
        let foreseen = Foreseen {
            client: &client,
            settings: &settings,
            usual: Resource::all().filter(|resource| !resource.is_history()).collect(),
            earlier: rows,
            carried: earlier.keys().copied().collect(),
            way_out: |names| format!("--exclude {names} leaves them out of a new backup"),
        };
        self.weigh(&jobs, foreseen, stop.as_mut()).await?;
        let reader = Reader::start(&client, &settings, jobs, account.date, Backpressure::Lockstep);
        let mut told: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let keep = async |run: &mut Self, event| {
            if let Event::Batch(batch) = &event
                && let Some(carried) = earlier.get(batch.resource.name)
            {
                archive.carry(
                    batch.resource,
                    since_last(carried, told.entry(batch.resource.name).or_default()),
                    clock.now(),
                );
            }
            run.keep(archive, event, clock).await
        };
        self.follow(reader, stop.as_mut(), keep).await?;
        if archive.wants_contents() {
            tokio::select! {
                biased;
                error = stop => return Err(error),
                outcome = attachments::fetch(self, archive, clock) => outcome?,
            }
        }
        Ok(())
    }

    /// Returns the data that the previous backup contains and that is not requested again, by resource.
    async fn earlier(
        &mut self,
        flags: &Flags,
        account: &Account,
    ) -> Result<BTreeMap<&'static str, Arc<Carried>>> {
        let mut earlier = BTreeMap::new();
        let wanted: Vec<_> = self.resources.iter().copied().filter(|r| r.carried).collect();
        if flags.fresh || wanted.is_empty() {
            return Ok(earlier);
        }
        let dir = flags.since_backup.as_deref().unwrap_or(&flags.dir);
        let snapshot = BackupReader::open(&Location::parse(dir)?).await;
        let snapshot = match snapshot {
            // A first backup has no previous one.
            Err(error) if flags.since_backup.is_none() && error.kind() == Kind::Usage => {
                return Ok(earlier);
            }
            outcome => outcome?,
        };
        let holder = snapshot.backup().account.as_ref().and_then(|holder| holder.company_id);
        if flags.since_backup.is_some() && (holder.is_none() || holder != account.company_id) {
            let message = "this backup is not known to be of the token's company";
            return Err(Error::new(Kind::Usage, message).at(format!("--since-backup {dir}")));
        }
        for resource in wanted {
            match snapshot.carried(resource).await {
                Ok(Some(carried)) => {
                    earlier.insert(resource.name, Arc::new(carried));
                }
                Ok(None) if flags.since_backup.is_some() => self.progress.note(&format!(
                    "{}: {dir} does not hold it whole: everything is asked for",
                    resource.name
                )),
                Ok(None) => {}
                Err(error) => self.progress.note(&format!(
                    "{}: nothing is taken from the backup before: {error}",
                    resource.name
                )),
            }
        }
        Ok(earlier)
    }

    async fn keep(
        &mut self,
        archive: &mut BackupWriter,
        event: Event,
        clock: ServerClock,
    ) -> Result<()> {
        self.progress.observe(&event);
        self.report.observe(&event);
        match event {
            Event::Started { resource } => archive.start(resource, clock.now()),
            Event::Answered { .. } => self.progress.spent(self.client.spending()),
            Event::Batch(batch) => {
                let resource = batch.resource;
                let taken = archive.write_batch(batch, now()).await;
                taken.inspect_err(|error| self.report.fail(resource, error))?;
            }
            Event::Finished { resource, until, .. } => {
                self.tell_lack(resource);
                let until = until.unwrap_or_else(|| clock.now());
                let finished = archive.finish(resource, until, now()).await;
                let repeats = finished.inspect_err(|error| self.report.fail(resource, error))?;
                if repeats > 0 {
                    self.progress.note(&format!(
                        "{}: {repeats} rows came twice, the later ones are kept: they moved while \
                         they were read",
                        resource.name
                    ));
                }
            }
            Event::Failed { resource, error } => archive.fail(resource, &error, now()).await?,
            Event::Unavailable { resource, listing: None, error } => {
                archive.lacks(resource, &error, now()).await?;
            }
            Event::Defined { .. }
            | Event::Waiting { .. }
            | Event::Resumed { .. }
            | Event::Warning { .. }
            | Event::Unavailable { .. }
            | Event::Lacking { .. } => {}
        }
        Ok(())
    }
}

/// Returns what was copied from the previous backup since the last report.
fn since_last(carried: &Carried, told: &mut (u64, u64)) -> Carry {
    let (parents, rows) = carried.taken();
    let before = std::mem::replace(told, (parents, rows));
    Carry { parents: parents - before.0, rows: rows - before.1, unchanged_since: carried.before() }
}
