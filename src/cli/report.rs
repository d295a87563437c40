//! The report of a run: its outcome and its cost, as text or JSON.

use super::format::{grouped, left_today};
use super::text::{Grid, Text};
use crate::api::{Account, Spending};
use crate::model::{Cost, Error, Event, Kind, Resource, Time};

/// The results of all resources in a run.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    /// The smallest token limit with which every list makes progress, if the run has a limit.
    pub(super) least_tokens: Option<u64>,
}

/// The result of one resource.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) resource: &'static Resource,
    pub(super) records: u64,
    pub(super) warnings: u64,
    /// The cost of its requests. Requests in progress when a run stops are counted in the total only.
    pub(super) cost: Cost,
    /// Whether any request was made.
    pub(super) begun: bool,
    /// The result. `None` until the resource ends.
    pub(super) outcome: Option<Result<(), Failure>>,
    /// The time up to which changes were read, if the read succeeded and the rows have times.
    pub(super) until: Option<Time>,
    /// The number of rows without a usable id.
    keyless: u64,
    /// The reason why data is missing although reading continues.
    lack: Option<Failure>,
    /// Pipedrive's message, if the company does not have the resource. It is not a failure, because the
    /// user did not name the resource.
    unavailable: Option<Failure>,
    /// Pipedrive's messages about single unavailable lists of the resource.
    lists: Vec<(&'static str, Failure)>,
}

/// Returns a sentence about rows that are left to the next run, if there are any.
pub(super) fn left(until: Option<Time>, postponed: usize) -> Option<String> {
    let rows = if postponed == 1 { "row" } else { "rows" };
    let until = until.filter(|_| postponed > 0)?;
    Some(format!(
        "{} {rows} changed at or after {until}, by Pipedrive's clock: left to the next run",
        grouped(postponed as u64)
    ))
}

/// Returns a sentence about what a company lacks, from Pipedrive's message and the names.
pub(super) fn unavailable<'s>(
    lacking: impl IntoIterator<Item = (&'s str, String)>,
) -> Option<String> {
    let mut whys: Vec<(&str, Vec<String>)> = Vec::new();
    for (said, name) in lacking {
        match whys.iter_mut().find(|(why, _)| *why == said) {
            Some((_, names)) => names.push(name),
            None => whys.push((said, vec![name])),
        }
    }
    let whys = whys.iter().map(|(why, names)| format!("{} ({why})", names.join(", ")));
    let whys = whys.collect::<Vec<_>>().join("; ");
    (!whys.is_empty()).then(|| format!("not available to this company: {whys}"))
}

/// The reason why a resource is incomplete.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The status and message of the server.
    short: String,
    /// The causes, the nearest one first.
    causes: Vec<String>,
}

impl Failure {
    fn of(error: &Error) -> Self {
        let (text, short) = (error.to_string(), error.in_short());
        Self { kind: error.kind(), text, short, causes: error.causes() }
    }

    /// Returns the status and message of the server.
    pub(super) fn in_short(&self) -> &str {
        &self.short
    }

    /// Converts the failure back to an error.
    pub(super) fn error(&self) -> Error {
        self.caused(Error::new(self.kind, self.text.clone()))
    }

    /// Adds the causes of this failure to an error.
    fn caused(&self, error: Error) -> Error {
        if self.causes.is_empty() { error } else { error.because(self.causes.join(": ")) }
    }
}

impl Row {
    fn new(resource: &'static Resource) -> Self {
        Self {
            resource,
            records: 0,
            warnings: 0,
            cost: Cost::default(),
            begun: false,
            outcome: None,
            until: None,
            keyless: 0,
            lack: None,
            unavailable: None,
            lists: Vec::new(),
        }
    }

    /// Returns the reason if the resource is incomplete.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.outcome.as_ref()?.as_ref().err().or(self.lack())
    }

    /// Returns the reason if the company does not have the resource.
    pub(super) fn unavailable(&self) -> Option<&Failure> {
        self.unavailable.as_ref()
    }

    /// Returns whether all lists of the resource are available.
    pub(super) fn is_whole(&self) -> bool {
        self.lists.is_empty() && self.unavailable.is_none()
    }

    /// Returns the reason if data is missing although the resource was read to the end.
    pub(super) fn lack(&self) -> Option<&Failure> {
        self.lack.as_ref().filter(|_| self.was_read())
    }

    /// Returns whether the resource was read to the end, even if data is missing.
    pub(super) fn was_read(&self) -> bool {
        matches!(self.outcome, Some(Ok(()))) && self.unavailable.is_none()
    }

    /// Returns whether all rows read so far have a usable id.
    pub(super) fn is_keyed(&self) -> bool {
        self.keyless == 0
    }

    /// Returns the reason if the resource is incomplete, unless it only stopped together with the run.
    fn reason(&self) -> Option<&Failure> {
        self.failure().filter(|failure| failure.kind != Kind::Incomplete)
    }

    /// Returns whether the resource was read without missing data, or the company does not have it.
    pub(super) fn complete(&self) -> bool {
        self.was_read() && self.lack.is_none()
            || self.unavailable.is_some() && matches!(self.outcome, Some(Ok(())))
    }

    fn lacks(&mut self, error: &Error) {
        let also = Failure::of(error);
        self.lack = Some(match self.lack.take() {
            None => also,
            Some(known) if known.text.contains(&also.text) => known,
            Some(known) => Failure { text: format!("{}; {}", known.text, also.text), ..known },
        });
    }
}

impl Report {
    pub(super) fn of(resources: impl Iterator<Item = &'static Resource>) -> Self {
        Self { rows: resources.map(Row::new).collect(), least_tokens: None }
    }

    /// Removes resources that the run does not read.
    pub(super) fn without(&mut self, resources: &[&'static Resource]) {
        self.rows.retain(|row| resources.iter().all(|other| other.name != row.resource.name));
    }

    /// Returns the row of a resource and adds it if necessary.
    pub(super) fn row(&mut self, resource: &'static Resource) -> &mut Row {
        let place = self.rows.iter().position(|row| row.resource.name == resource.name);
        let place = place.unwrap_or_else(|| {
            self.rows.push(Row::new(resource));
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    pub(super) fn records(&self) -> u64 {
        self.rows.iter().map(|row| row.records).sum()
    }

    /// Counts an event.
    pub(super) fn observe(&mut self, event: &Event) {
        self.row(event.resource()).begun = true;
        match event {
            Event::Batch(batch) => {
                let row = self.row(batch.resource);
                row.records += batch.records.len() as u64;
                row.keyless += batch.records.iter().filter(|r| r.key.is_none()).count() as u64;
            }
            Event::Answered { resource, cost } => self.row(resource).cost += *cost,
            Event::Warning { resource, .. } => self.row(resource).warnings += 1,
            Event::Lacking { resource, error } => self.row(resource).lacks(error),
            Event::Finished { resource, until, .. } => {
                let row = self.row(resource);
                (row.outcome, row.until) = (Some(Ok(())), *until);
                if let Some(error) = keyless(row.keyless) {
                    row.lacks(&error);
                }
            }
            Event::Failed { resource, error } => {
                self.row(resource).outcome = Some(Err(Failure::of(error)));
            }
            Event::Unavailable { resource, listing: Some(listing), error } => {
                self.row(resource).lists.push((*listing, Failure::of(error)));
            }
            Event::Unavailable { resource, listing: None, error } => {
                let row = self.row(resource);
                (row.outcome, row.unavailable) = (Some(Ok(())), Some(Failure::of(error)));
            }
            Event::Started { .. }
            | Event::Defined { .. }
            | Event::Waiting { .. }
            | Event::Resumed { .. } => {}
        }
    }

    /// Records that data of a resource is missing, even if it is read to the end.
    pub(super) fn lack(&mut self, resource: &'static Resource, error: &Error) {
        self.row(resource).lacks(error);
    }

    /// Records that a resource is incomplete.
    pub(super) fn fail(&mut self, resource: &'static Resource, error: &Error) {
        self.row(resource).outcome = Some(Err(Failure::of(error)));
    }

    /// Ends the run. Unfinished resources become incomplete and are returned with the reason. `stop` is the
    /// error that stopped the run, if it was not the error of a resource.
    pub(super) fn close(&mut self, stop: Option<&Error>) -> Vec<(&'static Resource, Error)> {
        let failed = self.rows.iter().filter_map(Row::failure).find(|f| f.kind.stops_the_run());
        let stop =
            stop.map(Error::to_string).or_else(|| failed.map(|failure| failure.text.clone()));
        let stop = stop.unwrap_or_else(|| "another stream broke down".to_owned());
        let message = format!("not read to its end, the run was stopped: {stop}");
        let open = self.rows.iter_mut().filter(|row| row.outcome.is_none());
        open.map(|row| {
            let error = Error::new(Kind::Incomplete, message.clone());
            row.outcome = Some(Err(Failure::of(&error)));
            (row.resource, error)
        })
        .collect()
    }

    /// Returns a sentence about the resources that the company does not have, such as `not available to
    /// this company: projects, tasks (402 Required suites missing)`.
    pub(super) fn unavailable(&self) -> Option<String> {
        let mut lacking = Vec::new();
        for row in &self.rows {
            let name = row.resource.name;
            for (listing, failure) in &row.lists {
                lacking.push((failure.short.as_str(), format!("the list {listing} of {name}")));
            }
            lacking.extend(row.unavailable.iter().map(|f| (f.short.as_str(), name.to_owned())));
        }
        unavailable(lacking)
    }

    /// Returns whether every resource is complete or not available.
    pub(super) fn complete(&self) -> bool {
        self.rows.iter().all(Row::complete)
    }

    /// Returns the error of a closed and incomplete run: the first reason and the missing resources.
    pub(super) fn failure(&self, spending: Spending) -> Option<Error> {
        if self.complete() {
            return None;
        }
        let open = self.rows.iter().filter(|row| !row.complete());
        let mut missing: Vec<String> = Vec::new();
        missing
            .extend(open.clone().filter(|row| row.begun).map(|row| row.resource.name.to_owned()));
        missing.extend(self.unbegun());
        // A resource that only stopped together with the run explains nothing, so other reasons are
        // preferred.
        let reason = self.rows.iter().find_map(Row::reason);
        let reason = reason.or_else(|| self.rows.iter().find_map(Row::failure));
        let read = self.rows.iter().any(|row| row.lack().is_some());
        let nothing = self.records() == 0 && !self.rows.iter().any(Row::was_read);
        let quota = reason.is_some_and(|failure| failure.kind == Kind::Quota);
        let least = self.least_tokens.filter(|_| nothing && quota).map_or(String::new(), |least| {
            let least = grouped(least);
            format!("; nothing was read: {least} is the smallest max_tokens with which every list makes progress")
        });
        let text = format!(
            "incomplete: {} of {} streams {} ({}): {}; {} tokens spent{least}",
            open.count(),
            self.rows.len(),
            if read { "lack something" } else { "were not read to their end" },
            missing.join(", "),
            reason.map_or("", |failure| &failure.text),
            spending.tokens
        );
        let error = Error::new(reason.map_or(Kind::Bug, |failure| failure.kind), text);
        Some(match reason {
            Some(failure) => failure.caused(error),
            None => error,
        })
    }

    /// Returns a sentence about the number of resources that were not begun, if there are any.
    pub(super) fn unbegun(&self) -> Option<String> {
        match self.rows.iter().filter(|row| !row.begun && !row.complete()).count() {
            0 => None,
            1 => Some("1 was not begun".to_owned()),
            number => Some(format!("{number} were not begun")),
        }
    }

    /// Returns a table of the results, and a last line that states whether the run is complete.
    pub(super) fn table(&self, account: &Account, spending: Spending) -> Text {
        let head = ["stream", "records", "requests", "tokens", "outcome"];
        let mut table = Grid::new(head, &[1, 2, 3]);
        // Unavailable resources are reported in a separate sentence.
        let told = |row: &&Row| row.begun && (row.unavailable.is_none() || row.cost.tokens > 0);
        let mut rows: Vec<_> = self.rows.iter().filter(told).collect();
        rows.sort_by_key(|row| row.resource.name);
        for row in rows {
            let outcome = match &row.outcome {
                Some(Ok(())) if row.unavailable.is_some() => "not available".to_owned(),
                Some(Ok(())) if let Some(lack) = row.lack() => format!("INCOMPLETE: {}", lack.text),
                Some(Ok(())) if row.warnings == 0 => "complete".to_owned(),
                Some(Ok(())) if row.warnings == 1 => "complete, 1 warning".to_owned(),
                Some(Ok(())) => format!("complete, {} warnings", row.warnings),
                Some(Err(failure)) => format!("INCOMPLETE: {}", failure.text),
                None => "INCOMPLETE: not read".to_owned(),
            };
            table.row([
                row.resource.name.to_owned(),
                grouped(row.records),
                grouped(row.cost.requests),
                grouped(row.cost.tokens),
                outcome,
            ]);
        }
        let mut text = Text::of(&account.company_name);
        text.grid(table);
        self.unbegun().into_iter().for_each(|sentence| text.line(sentence));
        self.unavailable().into_iter().for_each(|sentence| text.line(sentence));
        text.line(format!(
            "{} records, {} tokens spent{}: {}",
            grouped(self.records()),
            grouped(spending.tokens),
            left_today(spending),
            if self.complete() { "complete" } else { "INCOMPLETE" },
        ));
        text
    }
}

/// Returns the error for this number of rows without a usable id.
pub(super) fn keyless(rows: u64) -> Option<Error> {
    let message = match rows {
        0 => return None,
        1 => "1 row came without a usable id".to_owned(),
        rows => format!("{} rows came without a usable id", grouped(rows)),
    };
    Some(Error::new(Kind::Shape, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StreamState;

    #[test]
    fn a_run_that_was_stopped_says_what_is_missing_and_why() {
        let named = |name| Resource::named(name).expect("it exists");
        let (deals, notes, roles) = (named("deals"), named("notes"), named("roles"));
        let mut report = Report::of([deals, notes, roles].into_iter());
        let answered = |requests| {
            let cost = Cost { requests, tokens: requests * 10 };
            Event::Answered { resource: deals, cost }
        };
        for event in [
            answered(1),
            answered(3),
            Event::Warning { resource: deals, text: "odd".to_owned() },
            Event::Finished {
                resource: deals,
                reached: StreamState::default(),
                until: None,
                postponed: 0,
            },
            Event::Failed { resource: roles, error: Error::new(Kind::Quota, "budget is spent") },
        ] {
            report.observe(&event);
        }
        let closed = report.close(None);
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].0.name, "notes");
        let spending = Spending { tokens: 45, ..Spending::default() };
        let failure = report.failure(spending).expect("it is incomplete");
        assert_eq!(failure.kind(), Kind::Quota);
        assert_eq!(
            failure.to_string(),
            "incomplete: 2 of 3 streams were not read to their end (roles, 1 was not begun): budget is spent; 45 tokens spent"
        );
        let costs: Vec<_> = report.rows().map(|row| (row.cost.requests, row.cost.tokens)).collect();
        assert_eq!(costs, [(4, 40), (0, 0), (0, 0)]);
    }
}
