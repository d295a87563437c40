//! `read`: converts the reader's events to protocol lines.

use super::airbyte::{greeting, hand_on, keep, log_unread, writer};
use super::args::Read;
use super::field_definitions::FieldDefinitions;
use super::files;
use super::report::{Failure, Report, left};
use super::setup::{CommandContext, ConfigSource, now, runtime};
use super::stderr;
use super::thrift::{Foreseen, must_get_on, put_off_recent};
use crate::api::{Account, Client};
use crate::extract::{Backpressure, Job, Mode, Reader, Selected, plan};
use crate::model::{
    CustomFields, Error, Event, Kind, Names, Resource, Result, StreamState, Time, declared, joined,
    json_schema, undeclared,
};
use crate::protocol::airbyte::{Configured, Level, Writer, configured};
use crate::protocol::{RecordEncoder, SavedState};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::io::Stdout;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

pub(super) fn read(args: &Read) -> Result<ExitCode> {
    let setup = CommandContext::of(ConfigSource::by(&args.source)?)?;
    let streams = match &args.catalog {
        Some(path) => configured(&files::json("catalog", path)?)?,
        None => everything(),
    };
    let saved = match &args.state {
        Some(path) => SavedState::from_json(&files::json("state", path)?)?,
        None => SavedState::default(),
    };
    let states = states(&saved, &streams)?;
    let (client, rotations) = setup.client()?;
    let writer = writer(&setup);
    let mut run = Run { setup, writer, rotations, client, report: Report::default() };
    let people = args.source.sandbox || stderr::is_terminal();
    let outcome = runtime()?.block_on(run.read(streams, states, &saved, people));
    let kept = keep(&mut run.setup, &mut run.rotations, &mut run.writer);
    run.writer.conclude(outcome.and_then(|code| kept.map(|()| code)), now())
}

/// Returns the saved states of these streams. Other states are ignored.
fn states(
    saved: &SavedState,
    streams: &[Configured],
) -> Result<BTreeMap<&'static str, StreamState>> {
    let states = streams.iter().map(|stream| {
        let resource = stream.resource;
        Ok(saved.of(resource)?.map(|state| (resource.name, state)))
    });
    states.filter_map(Result::transpose).collect()
}

/// Returns all streams except those that are read on request only. They are read incrementally.
fn everything() -> Vec<Configured> {
    Resource::all()
        .filter(|resource| !resource.on_request)
        .map(|resource| {
            let schema = json_schema(resource, &[], None);
            Configured { resource, incremental: true, schema, declared: false }
        })
        .collect()
}

/// Returns the record encoders of the streams, and the notices about names.
///
/// Names are derived from the dictionaries that were `found`. The destination has the columns of the
/// configured catalog, so the names of the catalog take precedence over those of the state. A refreshed
/// catalog may have other names.
fn wires(
    streams: &[Configured],
    (keys, found): (CustomFields, &FieldDefinitions),
    saved: &SavedState,
) -> (BTreeMap<&'static str, RecordEncoder>, Vec<String>) {
    let mut said = Vec::new();
    let wires = streams.iter().map(|stream| {
        let resource = stream.resource;
        let before = saved.names(resource);
        let pins = joined(declared(resource, &stream.schema), before.clone());
        let names = Names::wire(keys, resource, found.of(resource), &pins);
        if let Some(names) = &names {
            let changed = before.iter().map(|(code, key)| (code, key, names.key(code)));
            // A deleted field has no name any more.
            let changed = changed.filter(|(code, key, now)| now != key && now != code);
            said.extend(changed.map(|(code, key, now)| {
                format!(
                    "{}: the field with hash {code} went out as \"{key}\" and goes out as \"{now}\" from \
                     here on, which the catalog has",
                    resource.name
                )
            }));
            let told = names.renamed().iter();
            said.extend(told.map(|sentence| format!("{}: {sentence}", resource.name)));
            said.extend(without_column(stream, names));
        }
        (resource.name, RecordEncoder::new(resource, &stream.schema, names))
    });
    let wires = wires.collect();
    (wires, said)
}

/// Columns without a place in a catalog that are named; others are counted.
const UNDECLARED_NAMED_MAX: usize = 10;

/// Returns the message about custom fields for which the destination has no column.
fn without_column(stream: &Configured, names: &Names) -> Option<String> {
    let columns = undeclared(&stream.schema, names);
    // Without a catalog no columns are declared.
    if columns.is_empty() || !stream.declared {
        return None;
    }
    let mut listed = columns[..columns.len().min(UNDECLARED_NAMED_MAX)].join(", ");
    if columns.len() > UNDECLARED_NAMED_MAX {
        listed = format!("{listed}, and {} more", columns.len() - UNDECLARED_NAMED_MAX);
    }
    Some(format!(
        "{}: the catalog has no column for {listed}: refresh the source schema, or destinations leave \
         them out",
        stream.resource.name
    ))
}

fn unconfigured() -> Error {
    Error::new(Kind::Bug, "a stream is read that was not configured")
}

struct Run {
    setup: CommandContext,
    writer: Writer<Stdout>,
    rotations: UnboundedReceiver<SecretString>,
    client: Arc<Client>,
    report: Report,
}

impl Run {
    async fn read(
        &mut self,
        streams: Vec<Configured>,
        mut states: BTreeMap<&'static str, StreamState>,
        saved: &SavedState,
        people: bool,
    ) -> Result<ExitCode> {
        let account = Account::of(&self.client, &self.setup.settings).await;
        keep(&mut self.setup, &mut self.rotations, &mut self.writer)?;
        let account = account?;
        self.writer.log(Level::Info, &greeting(&account))?;
        log_unread(&self.setup, &mut self.writer)?;
        for sentence in account.caveats() {
            self.writer.log(Level::Warn, &sentence)?;
        }
        if self.setup.settings.reserve_percent > 0 && self.client.spending().daily_limit.is_none() {
            let text = "Pipedrive does not tell its daily budget: reserve_percent has no effect until it does";
            self.writer.log(Level::Warn, text)?;
        }
        let found = self.dictionaries(&streams).await?;
        let keys = self.setup.settings.custom_fields;
        let (wires, renamed) = wires(&streams, (keys, &found), saved);
        for sentence in renamed {
            self.writer.log(Level::Warn, &sentence)?;
        }
        // Orchestrators select all streams that discover lists, so no stream counts as named by the user.
        let selected = streams.iter().map(|stream| {
            let mode = if stream.incremental { Mode::Incremental } else { Mode::Full };
            let state = states.remove(stream.resource.name);
            let finished = Selected::new(stream.resource, mode, state);
            // A stream that replaces the whole table must be read.
            let recent =
                finished.finished.map(|at| if stream.incremental { at } else { Time::EPOCH });
            Selected { finished: recent, ..finished }
        });
        let mut jobs = plan(&self.setup.settings, selected.collect());
        let (off, said) = put_off_recent(&self.setup.settings, &mut jobs, account.date);
        if let Some(sentence) = said {
            self.writer.log(Level::Info, &sentence)?;
        }
        self.report = Report::of(jobs.iter().map(Job::resource));
        for stream in &streams {
            if let Some(error) = found.failure(stream.resource) {
                self.report.lack(stream.resource, &error);
            }
        }
        self.weigh(&jobs).await?;
        for resource in off {
            let wire = wires.get(resource.name).cloned().ok_or_else(unconfigured)?;
            self.writer.started(resource, wire, now())?;
            self.writer.unavailable(resource, now())?;
        }
        let reader = Reader::start(
            &self.client,
            &self.setup.settings,
            jobs,
            account.date,
            Backpressure::Buffered,
        );
        self.follow(reader, &wires).await?;
        let outcome = self.conclude();
        if people {
            let table = self.report.table(&account, self.client.spending());
            stderr::people(&table.masked(|text| self.writer.masked(text)));
        }
        outcome
    }

    /// Prints the messages about the run's tokens before it reads.
    async fn weigh(&mut self, jobs: &[Job]) -> Result<()> {
        self.report.least_tokens =
            must_get_on(&self.setup.settings, jobs, self.client.spending().tokens)?;
        let foreseen = Foreseen::of(&self.client, &self.setup.settings, |names| {
            format!("deselecting {names} leaves them out")
        });
        match foreseen.costly(jobs).await? {
            Some(sentence) => self.writer.log(Level::Warn, &sentence),
            None => Ok(()),
        }
    }

    /// Reads the field definitions of these streams, if records use the names of custom fields.
    async fn dictionaries(&mut self, streams: &[Configured]) -> Result<FieldDefinitions> {
        let readable = self.setup.settings.custom_fields.readable();
        let resources = streams.iter().map(|stream| stream.resource).filter(|_| readable);
        let found = FieldDefinitions::read(&self.client, resources).await?;
        for warning in &found.warnings {
            self.writer.log(Level::Warn, warning)?;
        }
        for note in &found.notes {
            self.writer.log(Level::Info, note)?;
        }
        Ok(found)
    }

    async fn follow(
        &mut self,
        mut reader: Reader,
        wires: &BTreeMap<&'static str, RecordEncoder>,
    ) -> Result<()> {
        loop {
            let event = tokio::select! {
                biased;
                Some(token) = self.rotations.recv() => {
                    hand_on(&mut self.setup, &token, &mut self.writer)?;
                    continue;
                }
                event = reader.next() => event,
            };
            let Some(mut event) = event else {
                return Ok(());
            };
            if let Event::Batch(batch) = &mut event {
                batch.mask_secrets()?;
            }
            self.write(event, wires)?;
        }
    }

    fn write(&mut self, event: Event, wires: &BTreeMap<&'static str, RecordEncoder>) -> Result<()> {
        let now = now();
        self.report.observe(&event);
        match event {
            Event::Started { resource } => {
                let wire = wires.get(resource.name).cloned();
                let wire = wire.ok_or_else(unconfigured)?;
                self.writer.started(resource, wire, now)
            }
            Event::Batch(batch) => self.writer.batch(batch, now),
            Event::Answered { .. } | Event::Defined { .. } => Ok(()),
            Event::Waiting { resource, pause } => self.writer.waiting(resource, pause, now),
            Event::Resumed { resource } => self.writer.resumed(resource, now),
            Event::Warning { resource, text } => {
                self.writer.log(Level::Warn, &format!("{}: {text}", resource.name))
            }
            Event::Lacking { resource, error } => {
                self.writer.log(Level::Warn, &format!("{}: {error}", resource.name))
            }
            Event::Unavailable { resource, listing, error } => {
                let of = listing.map_or(String::new(), |name| format!("list {name}: "));
                self.writer.log(Level::Warn, &format!("{}: {of}{error}", resource.name))?;
                if listing.is_some() { Ok(()) } else { self.writer.unavailable(resource, now) }
            }
            Event::Finished { resource, reached, until, postponed } => {
                if let Some(sentence) = left(until, postponed) {
                    self.writer.log(Level::Info, &format!("{}: {sentence}", resource.name))?;
                }
                let lack = self.report.row(resource).lack().map(Failure::error);
                self.writer.finished(resource, reached, lack.as_ref(), now)
            }
            Event::Failed { resource, error } => self.writer.failed(resource, &error, now),
        }
    }

    /// Reports incomplete streams. Returns an error if there are any.
    fn conclude(&mut self) -> Result<ExitCode> {
        for (resource, error) in self.report.close(None) {
            self.writer.failed(resource, &error, now())?;
        }
        let spending = self.client.spending();
        let Some(error) = self.report.failure(spending) else {
            let text = format!(
                "complete: {} records of {} streams, {} tokens spent",
                self.report.records(),
                self.report.rows().count(),
                spending.tokens
            );
            self.writer.log(Level::Info, &text)?;
            if let Some(sentence) = self.report.unavailable() {
                self.writer.log(Level::Info, &sentence)?;
            }
            return Ok(ExitCode::SUCCESS);
        };
        Err(error)
    }
}
