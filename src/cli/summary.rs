//! The summary of `sync warehouse`, as text or JSON.

use super::format::{grouped, left_today};
use super::report::Report;
use super::stdout;
use super::sync::Start;
use super::text::{Grid, Text};
use crate::api::Spending;
use crate::dataset::Location;
use crate::dataset::warehouse::{Warehouse, Written};
use crate::model::{Cost, Resource, Result, Time};
use serde_json::{Map, Value, json};

/// The maximum number of fields named for values that are in `_extra`.
const MISFITS_NAMED_MAX: usize = 4;

/// The result of a run.
#[derive(Debug)]
pub(super) struct Summary {
    company: String,
    /// The time of the last commit of an earlier run. `None` for a first run.
    before: Option<Time>,
    dir: String,
    format: String,
    run: String,
    seconds: f64,
    complete: bool,
    /// A sentence about the resources that the company does not have.
    unavailable: Option<String>,
    /// A sentence about the number of resources that were not begun, if there are any.
    unbegun: Option<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    resource: &'static Resource,
    begun: bool,
    written: Written,
    cost: Cost,
    warnings: u64,
    misfits: Vec<(String, u64)>,
    /// The counts of `misfits`, with display names of the fields.
    named: Vec<(String, u64)>,
    /// The time range that was read. `from` is `None` if everything was read.
    from: Option<Time>,
    until: Option<Time>,
    failure: Option<(&'static str, String)>,
    /// The reason if the company does not have the resource: a sentence and the server's message.
    unavailable: Option<(String, String)>,
}

impl Summary {
    pub(super) fn of(
        report: &Report,
        (warehouse, place): (&Warehouse, &Location),
        start: &Start,
        company: &str,
        run: String,
        complete: bool,
    ) -> Self {
        let rows = report.rows().map(|row| Row {
            resource: row.resource,
            begun: row.begun,
            written: warehouse.written(row.resource),
            cost: row.cost,
            warnings: row.warnings,
            misfits: warehouse.misfits(row.resource),
            named: named(warehouse, row.resource),
            from: start.from(row.resource),
            until: row.until,
            unavailable: row
                .unavailable()
                .map(|failure| (failure.text.clone(), failure.in_short().to_owned())),
            failure: row.failure().map(|failure| (failure.kind.name(), failure.text.clone())),
        });
        Self {
            company: company.to_owned(),
            before: warehouse.before().map(Time::whole_second),
            dir: place.to_string(),
            format: warehouse.layout().format.name().to_owned(),
            run,
            seconds: start.began.elapsed().as_secs_f64(),
            complete,
            unavailable: report.unavailable(),
            unbegun: report.unbegun(),
            rows: rows.collect(),
        }
    }

    /// Prints the summary as JSON or as text. With `all`, resources without news are listed too.
    pub(super) fn print(&self, as_json: bool, all: bool, spending: Spending) -> Result<()> {
        if as_json {
            return stdout::programs(&format!("{}\n", self.json(spending)));
        }
        match self.before.filter(|_| !all && self.is_nothing()) {
            Some(before) => stdout::people(&Text::of(format!(
                "{}: nothing changed since {before}, {} tokens spent{}",
                self.company,
                grouped(spending.tokens),
                left_today(spending)
            ))),
            None => stdout::people(&self.table(all, spending)),
        }
    }

    /// Returns whether the run is complete and has no news.
    fn is_nothing(&self) -> bool {
        self.complete && !self.rows.iter().any(Row::tells)
    }

    fn total(&self, of: impl Fn(&Written) -> u64) -> u64 {
        self.rows.iter().map(|row| of(&row.written)).sum()
    }

    fn table(&self, all: bool, spending: Spending) -> Text {
        let head = ["resource", "rows", "gone", "tokens", "outcome"];
        let mut table = Grid::new(head, &[1, 2, 3]);
        let shown = |row: &&Row| row.begun && (all || row.tells());
        for row in self.rows.iter().filter(shown) {
            table.row([
                row.resource.name.to_owned(),
                grouped(row.written.rows - row.written.deleted),
                grouped(row.written.deleted),
                grouped(row.cost.tokens),
                row.outcome(),
            ]);
        }
        let mut text = Text::new();
        text.grid(table.without_columns_of(&["0", ""]));
        let quiet = self.rows.iter().filter(|row| row.begun && row.unavailable.is_none());
        match quiet.filter(|row| !all && !row.tells()).count() {
            0 => {}
            1 => text.line("1 more resource has nothing new"),
            number => text.line(format!("{number} more resources have nothing new")),
        }
        self.unavailable.iter().for_each(|sentence| text.line(sentence));
        self.unbegun.iter().for_each(|sentence| text.line(sentence));
        let gone = match self.total(|written| written.deleted) {
            0 => String::new(),
            gone => format!(", {} tombstones", grouped(gone)),
        };
        text.line(format!(
            "{} synced to {}: {} rows{gone}, {} files, {} bytes",
            self.company,
            self.dir,
            grouped(self.total(|written| written.rows - written.deleted)),
            grouped(self.total(|written| written.files)),
            grouped(self.total(|written| written.bytes)),
        ));
        text.line(format!(
            "{}: {} tokens spent{}",
            if self.complete { "complete" } else { "INCOMPLETE" },
            grouped(spending.tokens),
            left_today(spending),
        ));
        text
    }

    fn json(&self, spending: Spending) -> Value {
        let counts: Map<String, Value> = self
            .rows
            .iter()
            .map(|row| (row.resource.name.to_owned(), row.written.rows.into()))
            .collect();
        json!({
            "dir": self.dir,
            "format": self.format,
            "run": self.run,
            "complete": self.complete,
            "entities": self.rows.iter().map(|row| row.resource.name).collect::<Vec<_>>(),
            "counts": counts,
            "rows": self.total(|written| written.rows),
            "files": self.total(|written| written.files),
            "bytes": self.total(|written| written.bytes),
            "tokens": spending.tokens,
            "daily_limit": spending.daily_limit,
            "daily_remaining": spending.daily_remaining,
            "reserve_percent": spending.reserve_percent,
            "seconds": (self.seconds * 1_000.0).round() / 1_000.0,
            "resources": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }
}

impl Row {
    /// Returns whether the resource has any news.
    fn tells(&self) -> bool {
        self.written.rows > 0 || self.failure.is_some() || self.warnings > 0
    }

    /// Returns the remark about the resource, which is empty if there is none.
    fn outcome(&self) -> String {
        if let Some((_, text)) = &self.failure {
            return format!("INCOMPLETE: {text}");
        }
        if self.unavailable.is_some() {
            return "not available".to_owned();
        }
        let misfits: u64 = self.misfits.iter().map(|(_, count)| count).sum();
        let mut said = Vec::new();
        if misfits > 0 {
            said.push(format!("{} values in _extra ({})", grouped(misfits), self.fields()));
        }
        match self.warnings {
            0 => {}
            1 => said.push("1 warning".to_owned()),
            number => said.push(format!("{number} warnings")),
        }
        said.join(", ")
    }

    /// Returns the fields whose values are in `_extra`, those with the most values first.
    fn fields(&self) -> String {
        let mut fields: Vec<_> = self.named.iter().collect();
        fields.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name));
        let named = fields.iter().take(MISFITS_NAMED_MAX);
        let mut named: Vec<_> =
            named.map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
        if fields.len() > MISFITS_NAMED_MAX {
            named.push(format!("{} more fields", fields.len() - MISFITS_NAMED_MAX));
        }
        named.join(", ")
    }

    fn json(&self) -> Value {
        let mut json = json!({
            "resource": self.resource.name,
            "rows": self.written.rows,
            "deleted": self.written.deleted,
            "files": self.written.files,
            "bytes": self.written.bytes,
            "from": self.from,
            "until": self.until,
            "requests": self.cost.requests,
            "tokens": self.cost.tokens,
            "warnings": self.warnings,
            "complete": self.failure.is_none(),
        });
        if let Some((_, short)) = &self.unavailable {
            json["unavailable"] = short.as_str().into();
        }
        if !self.misfits.is_empty() {
            json["misfits"] = self.misfits.iter().cloned().collect();
        }
        if let Some((kind, text)) = &self.failure {
            json["error"] = (*kind).into();
            json["message"] = text.as_str().into();
        }
        json
    }
}

/// Returns the counts of values in `_extra` by display name.
fn named(warehouse: &Warehouse, resource: &Resource) -> Vec<(String, u64)> {
    let misfits = warehouse.misfits(resource).into_iter();
    misfits.map(|(field, count)| (warehouse.called(resource, &field), count)).collect()
}
