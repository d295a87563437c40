//! Human-readable progress on standard error.

mod mode;

pub(super) use mode::ProgressMode;

use super::format::{grouped, lasting, left_today};
use super::report::left;
use super::stderr;
use crate::api::Spending;
use crate::model::{Event, Mask, Resource, printable};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{Stderr, Write};
use std::time::{Duration, Instant};

/// The level of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// The run time after which the remaining time is shown.
const ESTIMATED_FROM: Duration = Duration::from_secs(5);
/// The time between two frames of a spinner.
const TURN: Duration = Duration::from_millis(120);

/// The progress output of a run. Dropping it removes the live lines.
///
/// It prints names, counts, waiting times and messages. It never prints a record or a masked secret.
#[derive(Debug)]
pub(super) struct Progress<W: Write = Stderr> {
    mode: ProgressMode,
    mask: Mask,
    out: W,
    screen: MultiProgress,
    tallies: BTreeMap<&'static str, Tally>,
    /// The expected number of rows by resource, taken from an earlier run.
    expected: BTreeMap<&'static str, u64>,
    /// The live line of the whole run, below the others.
    total: Option<ProgressBar>,
    /// Whether a table at the end shows the results of the resources. If so, they are not printed before.
    tabled: bool,
    /// Whether a sentence at the end lists the missing resources.
    summed: bool,
    run: Whole,
}

/// The progress of the whole run.
#[derive(Debug)]
struct Whole {
    began: Instant,
    resources: usize,
    ended: usize,
    rows: u64,
    tokens: u64,
    spending: Spending,
}

/// The progress of a resource, and its live line while it is read.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    /// The number of rows from an earlier run that is resumed.
    here: u64,
    pages: u64,
    tokens: u64,
    wait: Option<Duration>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Creates progress output on stderr.
    pub(super) fn new(mode: ProgressMode, mask: Mask) -> Self {
        Self::onto(stderr::log(), mode, mask)
    }
}

impl<W: Write> Progress<W> {
    fn onto(out: W, mode: ProgressMode, mask: Mask) -> Self {
        let target = match mode {
            ProgressMode::Live => ProgressDrawTarget::stderr(),
            _ => ProgressDrawTarget::hidden(),
        };
        let screen = MultiProgress::with_draw_target(target);
        Self {
            mode,
            mask,
            out,
            screen,
            tallies: BTreeMap::new(),
            expected: BTreeMap::new(),
            total: None,
            tabled: false,
            summed: false,
            run: Whole {
                began: Instant::now(),
                resources: 0,
                ended: 0,
                rows: 0,
                tokens: 0,
                spending: Spending::default(),
            },
        }
    }

    /// Suppresses the results of the resources, because a table shows them at the end. Verbose mode still
    /// prints them.
    pub(super) fn before_a_table(&mut self) {
        self.tabled = self.mode != ProgressMode::Verbose;
        self.before_a_summary();
    }

    /// Suppresses messages about missing resources, because a sentence lists them at the end. Verbose mode
    /// still prints them.
    pub(super) fn before_a_summary(&mut self) {
        self.summed = self.mode != ProgressMode::Verbose;
    }

    /// Sets the number of resources in the run.
    pub(super) fn expect_resources(&mut self, resources: usize) {
        self.run.resources = resources;
        self.refresh();
    }

    /// Shows an event.
    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::Started { resource } => {
                self.start(resource);
            }
            Event::Answered { resource, cost } => {
                self.run.tokens += cost.tokens;
                let tally = self.tally(resource);
                tally.pages += 1;
                tally.tokens += cost.tokens;
                tally.wait = None;
                tally.show();
            }
            Event::Batch(batch) => {
                self.run.rows += batch.records.len() as u64;
                let tally = self.tally(batch.resource);
                tally.rows += batch.records.len() as u64;
                tally.show();
            }
            Event::Waiting { resource, pause } => {
                let tally = self.tally(resource);
                tally.wait = Some(*pause);
                tally.show();
                if matches!(self.mode, ProgressMode::Verbose | ProgressMode::Log) {
                    self.line(Level::Info, &format!("{}: {}", resource.name, limited(*pause)));
                }
            }
            Event::Resumed { resource } => {
                let tally = self.tally(resource);
                tally.wait = None;
                tally.show();
            }
            Event::Warning { resource, text } => {
                self.line(Level::Warning, &format!("{}: {text}", resource.name));
            }
            Event::Lacking { resource, error } => {
                self.warn(&format!("{}: {error}", resource.name));
            }
            Event::Unavailable { resource, listing, error } => {
                let of = listing.map_or(String::new(), |name| format!("list {name}: "));
                if listing.is_none() {
                    self.end(resource);
                    self.run.ended += 1;
                }
                if !self.summed {
                    self.line(Level::Info, &format!("{}: {of}{error}", resource.name));
                }
            }
            Event::Finished { resource, until, postponed, .. } => {
                let tally = self.end(resource);
                self.run.ended += 1;
                if !self.tabled {
                    let (name, figures, count) = (resource.name, tally.figures(), self.count());
                    self.line(Level::Info, &format!("{name}: {figures}{count}"));
                    if let Some(sentence) = left(*until, *postponed) {
                        self.line(Level::Info, &format!("{name}: {sentence}"));
                    }
                }
            }
            Event::Defined { .. } => {}
            Event::Failed { resource, error } => {
                let tally = self.end(resource);
                self.run.ended += 1;
                if !self.tabled {
                    let figures = tally.figures();
                    let text = format!("{}: INCOMPLETE after {figures}: {error}", resource.name);
                    self.line(Level::Error, &text);
                }
            }
        }
        self.refresh();
    }

    /// Returns a text such as ` (12 of 39)` if the number of resources is known.
    fn count(&self) -> String {
        match self.run.resources {
            0 => String::new(),
            all => format!(" ({} of {all})", self.run.ended),
        }
    }

    /// Returns the progress of the run after this time.
    fn whole(&self, passed: Duration) -> String {
        let Whole { resources, ended, rows, tokens, spending, .. } = &self.run;
        let spent = grouped(spending.tokens.max(*tokens));
        let left = self.time_left(passed).map(|time| format!(", about {} left", lasting(time)));
        format!(
            "{ended} of {resources} done, {} rows, {spent} tokens spent{}{}",
            grouped(*rows),
            left.unwrap_or_default(),
            left_today(*spending)
        )
    }

    /// Returns the remaining time, if the row counts of all remaining resources are known.
    fn time_left(&self, passed: Duration) -> Option<Duration> {
        let open = self.run.resources - self.run.ended.min(self.run.resources);
        let known: u64 = self.expected.values().sum();
        if self.expected.len() < open || passed < ESTIMATED_FROM || self.run.rows == 0 {
            return None;
        }
        let tallies = self.expected.keys().filter_map(|name| self.tallies.get(name));
        let done: u64 = tallies.map(|tally| tally.rows + tally.here).sum();
        let rows = known.saturating_sub(done);
        let millis = passed.as_millis() * u128::from(rows) / u128::from(self.run.rows);
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }

    /// Updates the live line of the run.
    fn refresh(&mut self) {
        if self.mode == ProgressMode::Live && self.run.resources > 0 {
            self.show(self.whole(self.run.began.elapsed()));
        }
    }

    /// Removes the live line of a resource without a message.
    pub(super) fn leave(&mut self, resource: &'static Resource) {
        self.end(resource);
    }

    /// Sets the expected number of rows of a resource, which turns its live line into a bar. `here` is the
    /// number of rows from an earlier run.
    pub(super) fn expect(&mut self, resource: &'static Resource, rows: Option<u64>, here: u64) {
        self.expected.extend(rows.map(|rows| (resource.name, rows)));
        self.tally(resource).here = here;
    }

    /// Sets the cost of the run so far and the remaining budget.
    pub(super) fn spent(&mut self, spending: Spending) {
        self.run.spending = spending;
        self.refresh();
    }

    /// Shows the progress of the whole run: in its live line, or as a line in verbose mode.
    pub(super) fn tell(&mut self, text: &str) {
        match self.mode {
            ProgressMode::Live => self.show(self.shown(text)),
            ProgressMode::Verbose => self.line(Level::Info, text),
            ProgressMode::Quiet
            | ProgressMode::Lines
            | ProgressMode::Log
            | ProgressMode::Warnings => {}
        }
    }

    fn show(&mut self, text: String) {
        let total = self.total.get_or_insert_with(|| {
            let line = self.screen.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {wide_msg}") {
                line.set_style(style);
            }
            line
        });
        total.set_message(text);
    }

    /// Prints a message, unless a table at the end repeats it.
    pub(super) fn aside(&mut self, text: &str) {
        if !self.tabled {
            self.note(text);
        }
    }

    /// Prints a message about the whole run.
    pub(super) fn note(&mut self, text: &str) {
        self.line(Level::Info, text);
    }

    /// Prints a line of level DEBUG in a log.
    pub(super) fn debug(&mut self, text: &str) {
        if self.mode == ProgressMode::Log {
            self.line(Level::Debug, text);
        }
    }

    /// Prints a warning.
    pub(super) fn warn(&mut self, text: &str) {
        self.line(Level::Warning, text);
    }

    /// Prints a required action, also in quiet mode.
    pub(super) fn notice(&mut self, text: &str) {
        match self.mode {
            ProgressMode::Quiet => {
                let text = self.shown(text);
                // A failed write to stderr cannot be reported.
                let _ = writeln!(self.out, "{text}");
            }
            ProgressMode::Log | ProgressMode::Warnings => self.line(Level::Warning, text),
            _ => self.line(Level::Info, text),
        }
    }

    /// Masks a further secret from now on.
    pub(super) fn mask(&mut self, secret: &str) {
        self.mask.add(secret);
    }

    /// Removes the live lines so that results can be printed.
    pub(super) fn done(&mut self) {
        for tally in self.tallies.values_mut() {
            if let Some(bar) = tally.bar.take() {
                bar.finish_and_clear();
            }
        }
        if let Some(total) = self.total.take() {
            total.finish_and_clear();
        }
    }

    fn start(&mut self, resource: &'static Resource) {
        if self.mode == ProgressMode::Verbose {
            self.line(Level::Info, &format!("{}: begins", resource.name));
        }
        let expected = self.expected.get(resource.name).copied().filter(|rows| *rows > 0);
        let bar = (self.mode == ProgressMode::Live).then(|| {
            let (bar, template) = match expected {
                Some(rows) => (ProgressBar::new(rows), "{spinner} {prefix} {bar:20} {msg}"),
                None => (ProgressBar::new_spinner(), "{spinner} {prefix}: {msg}"),
            };
            let bar = bar.with_prefix(resource.name);
            // The live line of the run stays last.
            let bar = match &self.total {
                Some(total) => self.screen.insert_before(total, bar),
                None => self.screen.add(bar),
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TURN);
            bar
        });
        let tally = self.tally(resource);
        tally.bar = bar;
        tally.show();
    }

    fn end(&mut self, resource: &'static Resource) -> Tally {
        let mut tally = self.tallies.remove(resource.name).unwrap_or_default();
        self.expected.remove(resource.name);
        if let Some(bar) = tally.bar.take() {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        tally
    }

    fn tally(&mut self, resource: &'static Resource) -> &mut Tally {
        self.tallies.entry(resource.name).or_default()
    }

    /// Returns a text without secrets and control characters, on one line.
    fn shown(&self, text: &str) -> String {
        printable(&self.mask.apply(text)).into_owned()
    }

    fn line(&mut self, level: Level, text: &str) {
        let text = self.shown(text);
        let text = match (self.mode, level) {
            (ProgressMode::Log | ProgressMode::Warnings, level) => {
                format!("{} {text}", level.name())
            }
            (_, Level::Warning) => format!("warning: {text}"),
            _ => text,
        };
        // A failed write to stderr cannot be reported.
        let _ = match self.mode {
            ProgressMode::Quiet => Ok(()),
            ProgressMode::Warnings if level == Level::Info => Ok(()),
            ProgressMode::Lines
            | ProgressMode::Verbose
            | ProgressMode::Log
            | ProgressMode::Warnings => {
                writeln!(self.out, "{text}")
            }
            ProgressMode::Live => self.screen.println(&text),
        };
    }
}

impl Level {
    /// Returns the level as Python's logging spells it.
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        self.done();
    }
}

impl Tally {
    fn figures(&self) -> String {
        let counted = |count: u64, thing: &str| {
            format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
        };
        let (rows, pages) = (counted(self.rows, "row"), counted(self.pages, "page"));
        format!("{rows}, {pages}, {}", counted(self.tokens, "token"))
    }

    fn show(&self) {
        if let Some(bar) = &self.bar {
            let wait = self.wait.map(|pause| format!("; {}", limited(pause)));
            bar.set_position(self.here + self.rows);
            bar.set_message(self.figures() + &wait.unwrap_or_default());
        }
    }
}

fn limited(pause: Duration) -> String {
    let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
    format!("rate limited, {} s", grouped(seconds))
}

#[cfg(test)]
mod tests;
