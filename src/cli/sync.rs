//! `sync warehouse`: the reader's events become files.

use super::airbyte;
use super::args::{Compression, Deletes, Format, Keys, Warehouse as Flags};
use super::dictionaries::Dictionaries;
use super::interrupt::interrupted;
use super::progress::{Manner, Progress};
use super::report::Report;
use super::selection::resources;
use super::setup::{Setup, now, runtime};
use super::summary::Summary;
use super::sweep::Sweeping;
use crate::api::{Account, Client};
use crate::dataset::{self, Options, Owner, Place, Wanted, Warehouse};
use crate::extract::{Mode, Reader, Selected, plan};
use crate::model::{
    CustomFields, Error, Event, Kind, Mask, Resource, Result, Settings, StreamState, Time,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedReceiver;

pub(super) fn warehouse(flags: &Flags) -> Result<ExitCode> {
    let place = Place::parse(&flags.dir)?;
    let resources = resources(flags.resources.as_deref())?;
    let since = flags.since.as_deref().map(|text| since(text, now())).transpose()?;
    let setup = Setup::standalone(&flags.standalone)?;
    let (client, rotations) = setup.client()?;
    let mask = Mask::new(&setup.settings.secrets());
    let progress = Progress::new(Manner::of(&flags.standalone), mask);
    let report = Report::of(resources.iter().copied());
    let run = Run { setup, client, rotations, progress, report, resources, since };
    runtime()?.block_on(run.sync(flags, &place))
}

/// `2026-01-31T00:00:00Z`, or so many days or months of 30 days back.
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

/// A run of `sync warehouse`.
pub(super) struct Run {
    pub(super) setup: Setup,
    pub(super) client: Arc<Client>,
    rotations: UnboundedReceiver<SecretString>,
    pub(super) progress: Progress,
    pub(super) report: Report,
    pub(super) resources: Vec<&'static Resource>,
    since: Option<Time>,
}

/// Where the resources of a run stand before it reads.
pub(super) struct Start {
    pub(super) states: BTreeMap<&'static str, Option<StreamState>>,
    /// When Pipedrive answered first: rows changed from then on belong to the next run.
    pub(super) bound: Time,
    began: Instant,
}

/// What ends a run early.
pub(super) type Stop<'s> = Pin<&'s mut dyn Future<Output = Error>>;

impl Run {
    async fn sync(mut self, flags: &Flags, place: &Place) -> Result<ExitCode> {
        let began = Instant::now();
        let account = Account::of(&self.client, &self.setup.settings).await;
        self.keep_tokens();
        let account = account?;
        self.progress.note(&airbyte::greeting(&account));
        for sentence in account.hidden() {
            self.progress.note(&format!("warning: {sentence}"));
        }
        let owner = Owner::new(run_name(now()), now());
        let name = owner.run.clone();
        let options = self.options(flags);
        let (mut warehouse, notes) =
            Warehouse::open(place, holder(&account), &options, owner).await?;
        for note in notes {
            self.progress.note(&note);
        }
        let dictionaries = Dictionaries::read(&self.client, self.resources.iter().copied()).await?;
        for note in &dictionaries.notes {
            self.progress.note(&format!("warning: {note}"));
        }
        let mut states = BTreeMap::new();
        for resource in self.resources.clone() {
            let at = warehouse.begin(resource, dictionaries.of(resource), self.since).await?;
            for note in at.notes {
                self.progress.note(&format!("{}: {note}", resource.name));
            }
            states.insert(resource.name, at.state);
        }
        let start = Start { states, bound: account.date, began };
        let mut stop = std::pin::pin!(interrupted());
        let mut stopped = self.read(&mut warehouse, &start, stop.as_mut()).await?;
        if flags.deletes == Deletes::Sweep && stopped.is_none() {
            let sweeping = Sweeping { start: &start, admin: account.admin, force: flags.force };
            stopped = self.sweep(&mut warehouse, &sweeping, stop.as_mut()).await?;
        }
        self.report.close();
        self.progress.done();
        let complete = self.report.complete() && stopped.is_none();
        warehouse.close(complete, now()).await?;
        let summary = Summary::of(&self.report, &warehouse, place, name, start.began.elapsed())
            .window(&start.states, self.since, start.bound)
            .complete(complete);
        summary.print(flags.standalone.json(), self.client.spending())?;
        match stopped {
            Some(error) => Err(error),
            None => self.conclude(),
        }
    }

    fn options(&self, flags: &Flags) -> Options {
        let configured = self.setup.config.get("custom_fields").is_some_and(|keys| !keys.is_null());
        let keys = flags.custom_fields.map(|keys| match keys {
            Keys::Hash => CustomFields::Hash,
            Keys::Name => CustomFields::Name,
        });
        let keys = keys.or(configured.then_some(self.setup.settings.custom_fields));
        Options {
            layout: Wanted {
                format: flags.format.map(|format| match format {
                    Format::Ndjson => dataset::Format::Ndjson,
                    Format::Parquet => dataset::Format::Parquet,
                }),
                compression: flags.compression.map(|compression| match compression {
                    Compression::None => dataset::Compression::None,
                    Compression::Zstd => dataset::Compression::Zstd,
                    Compression::Gzip => dataset::Compression::Gzip,
                }),
                keys,
            },
            rebuild: if flags.full { self.resources.clone() } else { Vec::new() },
            break_lock: flags.break_lock,
            force: flags.force,
            commit_seconds: self.setup.settings.commit_seconds,
            crash_at_step: self.setup.settings.crash_at_step,
        }
    }

    /// Reads every resource from where it stands. An interrupt ends it early, and is told.
    async fn read(
        &mut self,
        warehouse: &mut Warehouse,
        start: &Start,
        stop: Stop<'_>,
    ) -> Result<Option<Error>> {
        let settings = Settings {
            start: self.since.or(self.setup.settings.start),
            ..self.setup.settings.clone()
        };
        let selected = self.resources.iter().map(|resource| Selected {
            resource,
            mode: Mode::Incremental,
            state: start.states.get(resource.name).cloned().flatten(),
        });
        let jobs = plan(&settings, selected.collect());
        let reader = Reader::start(&self.client, &settings, jobs, start.bound);
        self.follow(reader, stop, async |run, event| run.write(warehouse, event, start).await).await
    }

    /// Takes a reader's events until it ends, or somebody ends the run.
    pub(super) async fn follow(
        &mut self,
        mut reader: Reader,
        mut stop: Stop<'_>,
        mut take: impl AsyncFnMut(&mut Self, Event) -> Result<()>,
    ) -> Result<Option<Error>> {
        loop {
            let event = tokio::select! {
                biased;
                error = &mut stop => return Ok(Some(error)),
                Some(token) = self.rotations.recv() => {
                    self.keep_token(&token);
                    continue;
                }
                event = reader.next() => event,
            };
            let Some(event) = event else {
                return Ok(None);
            };
            take(self, event).await?;
        }
    }

    async fn write(
        &mut self,
        warehouse: &mut Warehouse,
        event: Event,
        start: &Start,
    ) -> Result<()> {
        self.progress.take(&event);
        self.report.take(&event);
        match event {
            Event::Batch(batch) => warehouse.take(batch, now()).await,
            Event::Finished { resource, reached } => {
                let whole = start.reads_whole(resource).then_some(start.bound);
                warehouse.finish(resource, reached, whole, now()).await
            }
            Event::Failed { resource, .. } => warehouse.fail(resource, now()).await,
            _ => Ok(()),
        }
    }

    /// An error when something is missing: of the kind that stopped the run or kept everything
    /// from being read, else one that says that the run is incomplete.
    fn conclude(&self) -> Result<ExitCode> {
        let Some(error) = self.report.failure(self.client.spending()) else {
            return Ok(ExitCode::SUCCESS);
        };
        let nothing = self.report.rows().all(|row| !row.complete());
        match error.kind() {
            kind if kind.stops_the_run() || nothing => Err(error),
            _ => Err(error.of_kind(Kind::Incomplete)),
        }
    }

    fn keep_tokens(&mut self) {
        while let Ok(token) = self.rotations.try_recv() {
            self.keep_token(&token);
        }
    }

    /// Keeps a refresh token that Pipedrive replaced, out of sight.
    fn keep_token(&mut self, token: &SecretString) {
        self.progress.mask(token.expose_secret());
        if let Some(sentence) = self.setup.keep(token) {
            self.progress.insist(&sentence);
        }
    }
}

impl Start {
    /// Pipedrive's clock by now, rounded up.
    pub(super) fn server_now(&self) -> Time {
        let passed = i64::try_from(self.began.elapsed().as_secs()).unwrap_or(0);
        self.bound.plus_seconds(passed + 1)
    }

    /// Whether the run reads all rows a resource has.
    pub(super) fn reads_whole(&self, resource: &Resource) -> bool {
        let begins = |state: &StreamState| {
            let mut listings = state.listings.values();
            listings.any(|progress| progress.walk.is_some() || progress.since.is_none())
        };
        let state = self.states.get(resource.name).and_then(Option::as_ref);
        !resource.incremental() || state.is_none_or(begins)
    }
}

/// A name that no other run has: when it began, and a throw of dice.
fn run_name(now: Time) -> String {
    let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{time}-{:04x}", fastrand::u16(..))
}

fn holder(account: &Account) -> dataset::Account {
    dataset::Account {
        company_id: account.company_id,
        company_domain: account.company_domain.clone(),
        user_id: account.user_id,
        admin: account.admin,
        scopes: account.scopes.clone(),
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
