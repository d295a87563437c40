//! Sync mode of the tap: converts the reader's events to Singer messages.

use super::{Args, config};
use crate::cli::field_definitions::FieldDefinitions;
use crate::cli::files;
use crate::cli::format::{grouped, left_today};
use crate::cli::interrupt::interrupted;
use crate::cli::progress::ProgressMode;
use crate::cli::report::Report;
use crate::cli::run::{Run, Stop};
use crate::cli::setup::{CommandContext, ConfigSource, now, runtime};
use crate::cli::thrift::{Foreseen, put_off_recent};
use crate::cli::{stderr, stdout};
use crate::extract::{Backpressure, Mode, Reader, Selected, plan};
use crate::model::{
    Error, Event, Kind, Names, Resource, Result, Settings, StreamState, declared, joined, repinned,
};
use crate::protocol::SavedState;
use crate::protocol::singer::{Method, Selection, Spelling, Writer, default_selection, selections};
use std::collections::BTreeMap;
use std::io::{Stderr, Stdout};
use std::process::ExitCode;
use std::sync::Arc;

/// Creates a run of the tap.
pub(super) fn open(args: &Args) -> Result<Run> {
    let given = if args.sandbox {
        ConfigSource::sandbox(&args.simulated)?
    } else {
        config::given(&args.config)?
    };
    let mode = if args.quiet { ProgressMode::Warnings } else { ProgressMode::Log };
    let mut run = Run::of(CommandContext::of(given)?, mode, Vec::new())?;
    if let Some(sentence) = run.setup.unread.clone() {
        run.progress.debug(&sentence);
    }
    Ok(run)
}

pub(super) fn sync(args: &Args) -> Result<ExitCode> {
    let mut run = open(args)?;
    let catalog = args.catalog.as_deref().or(args.properties.as_deref());
    let catalog = catalog.map(|path| files::json("catalog", path)).transpose()?;
    let selected = catalog.as_ref().map(selections).transpose()?;
    let saved = match &args.state {
        Some(path) => SavedState::from_json(&files::json("state", path)?)?,
        None => SavedState::default(),
    };
    runtime()?.block_on(run.tap(selected, &saved, args.quiet))
}

/// Returns the spelling of records in a run.
pub(super) fn spelling(settings: &Settings) -> Spelling {
    Spelling { keys: settings.custom_fields, objects_as_text: settings.objects_as_text }
}

/// Reads the field definitions of these resources.
pub(super) async fn dictionaries(
    run: &mut Run,
    resources: impl Iterator<Item = &'static Resource>,
    stop: Stop<'_>,
) -> Result<FieldDefinitions> {
    let found = tokio::select! {
        biased;
        error = stop => Err(error),
        found = FieldDefinitions::read(&run.client, resources) => found,
    }?;
    for warning in &found.warnings {
        run.progress.warn(warning);
    }
    for note in &found.notes {
        run.progress.note(note);
    }
    Ok(found)
}

/// The streams of a run and their writer.
struct Streams {
    writer: Writer<Stdout, Stderr>,
    selected: BTreeMap<&'static str, Stream>,
}

struct Stream {
    selection: Selection,
    names: Option<Names>,
    versioned: bool,
}

impl Run {
    async fn tap(
        &mut self,
        selected: Option<Vec<Selection>>,
        saved: &SavedState,
        quiet: bool,
    ) -> Result<ExitCode> {
        let mut stop = std::pin::pin!(interrupted());
        let account = self.account(stop.as_mut()).await?;
        self.log_account(&account);
        let spelling = spelling(&self.setup.settings);
        let readable = spelling.keys.readable();
        let found = match &selected {
            Some(selected) => {
                let resources = selected.iter().map(|s| s.resource).filter(|_| readable);
                let resources: Vec<_> = resources.collect();
                dictionaries(self, resources.into_iter(), stop.as_mut()).await?
            }
            None => dictionaries(self, Resource::all(), stop.as_mut()).await?,
        };
        let selected = selected.unwrap_or_else(|| default_selection(&found.fields, spelling));
        self.resources = selected.iter().map(|selection| selection.resource).collect();
        self.report = Report::of(self.resources.iter().copied());
        self.progress.expect_resources(self.resources.len());
        for resource in &self.resources {
            if let Some(error) = found.failure(resource) {
                self.report.lack(resource, &error);
            }
        }
        let (mut wanted, mut streams, mut renamed) = (Vec::new(), BTreeMap::new(), Vec::new());
        for selection in selected {
            let resource = selection.resource;
            for object in &selection.hollow {
                self.progress.warn(&format!(
                    "{name}: {object} is selected and none of its properties is, so it is left out; \
                     the pattern {name}.{object}.* selects them",
                    name = resource.name
                ));
            }
            let state = going_on(selection.method, saved.of(resource)?);
            // Rows that an interrupted read delivered carry another version.
            let whole = selection.method == Method::FullTable && state.is_none();
            let versioned = self.setup.settings.activate_versions && whole;
            let mut selection = selection;
            // The catalog may have outdated names. A field that was delivered under a name keeps it.
            let pins = joined(saved.names(resource), declared(resource, &selection.whole));
            let names = Names::wire(spelling.keys, resource, found.of(resource), &pins);
            if let Some(names) = &names {
                for schema in [&mut selection.schema, &mut selection.whole] {
                    *schema = repinned(resource, std::mem::take(schema), &names.pins());
                }
            }
            let told = names.iter().flat_map(Names::renamed);
            renamed.extend(told.map(|sentence| format!("{}: {sentence}", resource.name)));
            let mode = match selection.method {
                Method::Incremental => Mode::Incremental,
                Method::FullTable => Mode::Full,
            };
            // A full table that was read to the end is read again and counts as finished.
            let finished = saved.of(resource)?.as_ref().and_then(StreamState::finished);
            wanted.push(Selected { finished, ..Selected::new(resource, mode, state) });
            streams.insert(resource.name, Stream { selection, names, versioned });
        }
        for sentence in renamed {
            self.progress.warn(&sentence);
        }
        let (client, settings) = (Arc::clone(&self.client), self.setup.settings.clone());
        let mut jobs = plan(&settings, wanted);
        let (off, said) = put_off_recent(&settings, &mut jobs, account.date);
        if let Some(sentence) = said {
            self.progress.note(&sentence);
        }
        self.report.without(&off);
        let foreseen = Foreseen::of(&client, &settings, |names| {
            format!("deselecting {names} leaves them out")
        });
        self.weigh(&jobs, foreseen, stop.as_mut()).await?;
        let reader = Reader::start(&client, &settings, jobs, account.date, Backpressure::Buffered);
        let writer = Writer::new(stdout::protocol(), stderr::log(), &saved.streams, now());
        let writer = if quiet { writer.without_metrics() } else { writer };
        let mut streams = Streams { writer, selected: streams };
        let outcome = self
            .follow(reader, stop, async |run, event| {
                run.progress.observe(&event);
                let ended = match &event {
                    Event::Finished { resource, .. } => Some(*resource),
                    _ => None,
                };
                if let Some((resource, error)) =
                    ended.and_then(|ended| Some((ended, streams.writer.left_out(ended)?)))
                {
                    run.report.lack(resource, &error);
                }
                run.report.observe(&event);
                if let Some(resource) = ended {
                    run.tell_lack(resource);
                }
                streams.take(event)
            })
            .await;
        self.end(streams, outcome)
    }

    /// Ends a run: writes the final state and reports the result.
    fn end(&mut self, mut streams: Streams, outcome: Result<()>) -> Result<ExitCode> {
        // The output is closed, so no state can be written.
        if let Err(error) = &outcome
            && error.kind() == Kind::Pipe
        {
            return outcome.map(|()| ExitCode::SUCCESS);
        }
        // Any other end of the run writes the state of the data read so far.
        streams.writer.state(now())?;
        streams.writer.flush()?;
        for (resource, error) in self.report.close(outcome.as_ref().err()) {
            if self.report.row(resource).begun {
                self.progress.observe(&Event::Failed { resource, error });
            }
        }
        if let Some(sentence) = self.report.unbegun() {
            self.progress.warn(&format!("of {} streams {sentence}", self.resources.len()));
        }
        outcome?;
        let code = self.conclude()?;
        let spending = self.client.spending();
        self.progress.note(&format!(
            "complete: {} records of {} streams, {} tokens spent{}",
            grouped(self.report.records()),
            self.resources.len(),
            grouped(spending.tokens),
            left_today(spending)
        ));
        Ok(code)
    }
}

/// Returns the state that a stream continues from. A full table that was read to the end is read again;
/// an interrupted one continues.
fn going_on(method: Method, state: Option<StreamState>) -> Option<StreamState> {
    match method {
        Method::Incremental => state,
        Method::FullTable => state.filter(|state| state.full && !state.complete),
    }
}

impl Streams {
    fn take(&mut self, event: Event) -> Result<()> {
        let (writer, now) = (&mut self.writer, now());
        match event {
            Event::Started { resource } => {
                let stream = self.selected.get(resource.name).ok_or_else(|| {
                    Error::new(Kind::Bug, "a stream is read that was not selected")
                })?;
                writer.started(&stream.selection, stream.names.clone(), stream.versioned, now);
                Ok(())
            }
            Event::Batch(batch) => writer.batch(batch, now),
            Event::Answered { resource, cost } => {
                writer.answered(resource, cost);
                Ok(())
            }
            Event::Finished { resource, reached, .. } => writer.finished(resource, reached, now),
            Event::Failed { resource, .. } => writer.failed(resource, now),
            Event::Unavailable { resource, listing: None, .. } => writer.unavailable(resource, now),
            Event::Defined { .. }
            | Event::Waiting { .. }
            | Event::Resumed { .. }
            | Event::Warning { .. }
            | Event::Unavailable { .. }
            | Event::Lacking { .. } => Ok(()),
        }
    }
}
