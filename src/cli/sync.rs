//! `sync warehouse`: writes the reader's events to files.

use super::args::{Compression, Deletes, Format, Keys, Warehouse as Flags};
use super::field_definitions::FieldDefinitions;
use super::files;
use super::interrupt::interrupted;
use super::previous_run::Earlier;
use super::run::{Run, Stop, holder, run_name};
use super::selection::resources;
use super::setup::{ServerClock, now, runtime};
use super::summary::Summary;
use super::sweep::Sweeping;
use super::thrift::{Foreseen, put_off_recent};
use crate::api::Account;
use crate::dataset::warehouse::{self, Dictionary, OpenedTable, Options, Wanted, Warehouse};
use crate::dataset::{Location, Owner};
use crate::extract::{Backpressure, Mode, Reader, Selected, plan};
use crate::model::{CustomFields, Error, Event, Kind, Resource, Result, StreamState, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

pub(super) fn warehouse(flags: &Flags) -> Result<ExitCode> {
    let place = Location::parse(&flags.dir)?;
    let resources = resources(flags.resources.as_deref(), flags.exclude.as_deref())?;
    let since = flags.since.as_deref().map(|text| since(text, now())).transpose()?;
    let handed = match &flags.state {
        Some(path) => Earlier::state(path, &resources)?.states,
        None => BTreeMap::new(),
    };
    let mut run = Run::new(&flags.standalone, resources)?;
    if !flags.standalone.json() {
        run.progress.before_a_table();
    }
    run.named = flags.resources.is_some();
    let options = Options { since, handed, ..run.options(flags) };
    files::private();
    runtime()?.block_on(run.sync(flags, &place, &options))
}

/// Parses a time such as `2026-01-31T00:00:00Z`, or a number of days (`30d`) or months of 30 days (`6m`)
/// before now.
fn since(text: &str, now: Time) -> Result<Time> {
    let days = |digits: &str, days: i64| {
        digits
            .parse::<u16>()
            .ok()
            .map(|number| now.plus_seconds(-86_400 * days * i64::from(number)))
    };
    let period = text.strip_suffix('d').map(|digits| days(digits, 1));
    let period = period.or_else(|| text.strip_suffix('m').map(|digits| days(digits, 30)));
    period.unwrap_or_else(|| Time::parse(text)).map(Time::whole_second).ok_or_else(|| {
        Error::new(Kind::Usage, "must be a time like 2026-01-31T00:00:00Z, or like 30d or 6m")
            .at(format!("--since {text}"))
    })
}

fn not_in_the_future(since: Option<Time>, now: Time) -> Result<()> {
    let Some(since) = since.filter(|since| *since > now) else {
        return Ok(());
    };
    let message = format!("{since} lies in the future: for Pipedrive it is {now}");
    Err(Error::new(Kind::Usage, message).at("--since"))
}

/// The state of the resources before a run reads them.
pub(super) struct Start {
    begun: BTreeMap<&'static str, OpenedTable>,
    /// The field definitions. They are read when a resource is new or has rows.
    found: FieldDefinitions,
    /// The resources whose custom fields are known.
    named: BTreeSet<&'static str>,
    /// The time of Pipedrive's first response, by its clock. Rows changed from then on belong to the next
    /// run.
    pub(super) bound: Option<Time>,
    pub(super) clock: ServerClock,
    pub(super) began: Instant,
}

impl Run {
    async fn sync(
        mut self,
        flags: &Flags,
        place: &Location,
        options: &Options,
    ) -> Result<ExitCode> {
        let began = Instant::now();
        let mut stop = std::pin::pin!(interrupted());
        let account = self.account(stop.as_mut()).await?;
        not_in_the_future(options.since, account.date.unwrap_or_else(now))?;
        self.log_account(&account);
        let owner = Owner::new(run_name(now()), now());
        let name = owner.run.clone();
        let (mut warehouse, notes) =
            Warehouse::open(place, holder(&account)?, options, owner).await?;
        if warehouse.before().is_none() && options.handed.is_empty() {
            self.progress.note(&format!("new warehouse in {place}: everything is read"));
        }
        for note in notes {
            self.progress.note(&note);
        }
        self.progress.expect_resources(self.resources.len());
        let clock = ServerClock::at(account.date.unwrap_or_else(now));
        let bound = account.date;
        let mut start = Start {
            begun: BTreeMap::new(),
            found: FieldDefinitions::default(),
            named: BTreeSet::new(),
            bound,
            clock,
            began,
        };
        let outcome = self.fill(&mut warehouse, flags, &account, &mut start, stop).await;
        self.blame(&warehouse);
        self.report.close(outcome.as_ref().err());
        self.progress.done();
        let stopped = match outcome {
            // An error of the warehouse itself prevents the commit. If only one resource could not be
            // written, all others are committed.
            Err(error)
                if warehouse.broken().next().is_none()
                    && matches!(error.kind(), Kind::Storage | Kind::Data | Kind::Bug) =>
            {
                // The first error is more useful than an error from releasing the lock.
                let _ = warehouse.release().await;
                return Err(error);
            }
            Err(error) => Some(error),
            Ok(()) => None,
        };
        let complete = self.report.complete() && stopped.is_none();
        let closed = warehouse.close(complete, now()).await;
        self.blame(&warehouse);
        let broken = warehouse.broken().next().map(|(_, error)| error);
        if let Err(error) = closed {
            if broken.is_some() {
                let _ = warehouse.release().await;
            }
            return Err(broken.unwrap_or(error));
        }
        let complete = complete && broken.is_none();
        let stopped = stopped.or(broken);
        let standalone = &flags.standalone;
        let place = (&warehouse, place);
        let company = &account.company_name;
        let printed = Summary::of(&self.report, place, &start, company, name, complete).print(
            standalone.json(),
            standalone.verbose > 0,
            self.client.spending(),
        );
        match stopped {
            // A hang-up of the terminal also makes printing fail, so the interrupt is reported first.
            Some(error) if error.kind() == Kind::Interrupted => Err(Error::new(
                Kind::Interrupted,
                "interrupted: all rows received are committed, run again to continue",
            )),
            Some(error) => Err(error),
            None => printed.and_then(|()| self.conclude()),
        }
    }

    /// Marks the resources that could not be written as incomplete.
    fn blame(&mut self, warehouse: &Warehouse) {
        for (resource, error) in warehouse.broken() {
            self.report.fail(resource, &error);
        }
    }

    /// Reads everything into the warehouse. An interrupt is an error; the data read so far is kept.
    async fn fill(
        &mut self,
        warehouse: &mut Warehouse,
        flags: &Flags,
        account: &Account,
        start: &mut Start,
        mut stop: Stop<'_>,
    ) -> Result<()> {
        for resource in self.resources.clone() {
            self.begin(warehouse, resource, start).await?;
        }
        // The field definitions of a resource that was read before are requested only when it has rows.
        let capped = self.setup.settings.max_tokens.is_some();
        // With a token limit the same holds for new resources.
        let new = |resource: &Resource| {
            let begun = start.begun.get(resource.name);
            begun.is_some_and(|begun| !capped && (begun.rebuild || begun.state.is_none()))
        };
        let new: Vec<_> = self.resources.iter().copied().filter(|r| new(r)).collect();
        start.found = tokio::select! {
            biased;
            error = stop.as_mut() => Err(error),
            found = FieldDefinitions::read(&self.client, new.iter().copied()) => found,
        }?;
        for resource in new {
            self.name(warehouse, resource, start).await?;
        }
        self.read(warehouse, start, stop.as_mut()).await?;
        if flags.deletes == Deletes::Sweep {
            let mut sweeping = Sweeping { start, admin: account.admin, force: flags.force };
            self.sweep(warehouse, &mut sweeping, stop).await?;
        }
        Ok(())
    }

    /// Prepares a resource whose custom fields are not yet known.
    async fn begin(
        &mut self,
        warehouse: &mut Warehouse,
        resource: &'static Resource,
        start: &mut Start,
    ) -> Result<()> {
        let begun = warehouse.begin_resource(resource, Dictionary::default(), now()).await?;
        for note in &begun.notes {
            self.progress.note(&format!("{}: {note}", resource.name));
        }
        if begun.rebuild {
            self.progress.expect(resource, warehouse.held(resource), 0);
        }
        start.begun.insert(resource.name, begun);
        Ok(())
    }

    /// Prepares a resource again after its field definitions were read.
    async fn name(
        &mut self,
        warehouse: &mut Warehouse,
        resource: &'static Resource,
        start: &mut Start,
    ) -> Result<()> {
        if resource.fields.is_none() || !start.named.insert(resource.name) {
            return Ok(());
        }
        for warning in start.found.warnings.drain(..) {
            self.progress.warn(&warning);
        }
        for note in start.found.notes.drain(..) {
            self.progress.aside(&note);
        }
        if let Some(error) = start.found.lack(resource) {
            self.report.lack(resource, &error);
        }
        let dictionary = Dictionary {
            definitions: start.found.of(resource),
            whole: start.found.whole(resource),
        };
        let begun = warehouse.begin_resource(resource, dictionary, now()).await?;
        let told = start.begun.get(resource.name).map_or(&[][..], |begun| &begun.notes);
        for note in begun.notes.iter().filter(|note| !told.contains(note)) {
            self.progress.note(&format!("{}: {note}", resource.name));
        }
        Ok(())
    }

    /// Reads the field definitions of a resource whose first rows have arrived, and prepares it again.
    pub(super) async fn name_late(
        &mut self,
        warehouse: &mut Warehouse,
        resource: &'static Resource,
        start: &mut Start,
        stop: Stop<'_>,
    ) -> Result<()> {
        if start.named.contains(resource.name) {
            return Ok(());
        }
        let found = tokio::select! {
            biased;
            error = stop => Err(error),
            found = FieldDefinitions::read(&self.client, std::iter::once(resource)) => found,
        }?;
        start.found.join(found);
        self.name(warehouse, resource, start).await
    }

    fn options(&self, flags: &Flags) -> Options {
        let configured = self.setup.config.get("custom_fields").is_some_and(|keys| !keys.is_null());
        let keys = flags.custom_fields.map(|keys| match keys {
            Keys::Hash => CustomFields::Hash,
            Keys::Name => CustomFields::Name,
        });
        let keys = keys.or(configured.then_some(match self.setup.settings.custom_fields {
            CustomFields::Hash => CustomFields::Hash,
            // In Parquet the names are columns; NDJSON rows have the shape of the API.
            CustomFields::Name | CustomFields::Columns => CustomFields::Name,
        }));
        Options {
            layout: Wanted {
                format: flags.format.map(|format| match format {
                    Format::Ndjson => warehouse::Format::Ndjson,
                    Format::Parquet => warehouse::Format::Parquet,
                }),
                compression: flags.compression.map(|compression| match compression {
                    Compression::None => warehouse::Compression::None,
                    Compression::Zstd => warehouse::Compression::Zstd,
                    Compression::Gzip => warehouse::Compression::Gzip,
                }),
                keys,
            },
            rebuild: if flags.full { self.resources.clone() } else { Vec::new() },
            break_lock: flags.break_lock,
            force: flags.force,
            start: self.setup.settings.start,
            since: None,
            capped: self.setup.settings.max_tokens.is_some(),
            handed: BTreeMap::new(),
            commit_seconds: self.setup.settings.commit_seconds,
            crash_at_step: self.setup.settings.crash_at_step,
        }
    }

    /// Reads every resource from its saved state.
    async fn read(
        &mut self,
        warehouse: &mut Warehouse,
        start: &mut Start,
        mut stop: Stop<'_>,
    ) -> Result<()> {
        let selected = self.resources.iter().map(|resource| {
            let begun = start.begun.get(resource.name);
            let state = begun.and_then(|begun| begun.state.clone());
            let lacking = begun.is_some_and(|begun| begun.lacking);
            let selected = Selected::new(resource, Mode::Incremental, state);
            Selected { named: self.named, lacking, ..selected }
        });
        let mut jobs = plan(&self.setup.settings, selected.collect());
        let (off, said) = put_off_recent(&self.setup.settings, &mut jobs, start.bound);
        if let Some(sentence) = said {
            self.progress.note(&sentence);
        }
        self.resources.retain(|resource| off.iter().all(|other| other.name != resource.name));
        self.report.without(&off);
        for job in &mut jobs {
            let resource = job.resource();
            if resource.fields.is_some() && !start.named.contains(resource.name) {
                job.define();
            }
        }
        let (client, settings) = (Arc::clone(&self.client), self.setup.settings.clone());
        let foreseen =
            Foreseen::of(&client, &settings, |names| format!("--exclude {names} leaves them out"));
        self.weigh(&jobs, foreseen, stop.as_mut()).await?;
        let reader = Reader::start(&client, &settings, jobs, start.bound, Backpressure::Buffered);
        self.follow(reader, stop, async |run, event| run.write(warehouse, event, start).await).await
    }

    async fn write(
        &mut self,
        warehouse: &mut Warehouse,
        event: Event,
        start: &mut Start,
    ) -> Result<()> {
        self.progress.observe(&event);
        self.report.observe(&event);
        match event {
            Event::Answered { .. } => {
                self.progress.spent(self.client.spending());
                Ok(())
            }
            Event::Started { resource } => {
                warehouse.starts(resource);
                Ok(())
            }
            Event::Defined { resource, outcome } => {
                if let Some(name) = resource.fields {
                    start.found.add(name, outcome);
                }
                self.name(warehouse, resource, start).await
            }
            Event::Batch(batch) => warehouse.write_batch(batch, now()).await,
            Event::Finished { resource, reached, .. } => {
                self.tell_lack(resource);
                let whole = self.report.row(resource).is_whole() && start.is_seen(resource);
                let whole = start.bound.filter(|_| whole);
                warehouse.finish(resource, reached, whole, now()).await
            }
            Event::Failed { resource, .. } => warehouse.fail(resource, now()).await,
            Event::Unavailable { resource, listing: None, error } => {
                warehouse.lacks(resource, error.in_short(), now()).await
            }
            _ => Ok(()),
        }
    }
}

impl Start {
    /// Returns whether this run reads all rows of a resource and does not resume an earlier one.
    fn is_seen(&self, resource: &Resource) -> bool {
        let begun = self.begun.get(resource.name);
        begun.is_some_and(|begun| begun.whole && begun.state.is_none())
    }

    /// Returns whether this run reads all rows of a resource into an empty table.
    pub(super) fn is_fresh(&self, resource: &Resource) -> bool {
        self.is_seen(resource) && self.begun.get(resource.name).is_some_and(|begun| !begun.rebuild)
    }

    /// Returns the time from which a resource is read. Returns `None` if it is read completely.
    pub(super) fn from(&self, resource: &Resource) -> Option<Time> {
        let begun = self.begun.get(resource.name).filter(|_| resource.incremental())?;
        begun.state.as_ref().filter(|_| !begun.whole).and_then(StreamState::since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let now = Time::parse("2026-11-01T12:00:00Z").expect("a time");
        let shown = match since(text, now) {
            Ok(time) => time.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_start_is_a_time_or_a_period() {
        check("2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00Z");
        check("2026-01-31", "2026-01-31T00:00:00Z");
        check("30d", "2026-10-02T12:00:00Z");
        check("6m", "2026-05-05T12:00:00Z");
        let wrong = "must be a time like 2026-01-31T00:00:00Z, or like 30d or 6m";
        check("yesterday", &format!("--since yesterday: {wrong}"));
        check("d", &format!("--since d: {wrong}"));
    }
}
