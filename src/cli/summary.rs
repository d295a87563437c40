//! What a run of `sync warehouse` did, for people and for programs.

use super::figures::{grouped, left_today};
use super::report::Report;
use super::stdout;
use super::sync::Start;
use super::text::{Grid, Text};
use crate::api::Spending;
use crate::dataset::Place;
use crate::dataset::warehouse::{Warehouse, Written};
use crate::model::{Cost, Resource, Result, Time};
use serde_json::{Map, Value, json};

/// What a run did.
#[derive(Debug)]
pub(super) struct Summary {
    dir: String,
    format: String,
    run: String,
    seconds: f64,
    complete: bool,
    /// What the company has not, in a sentence.
    unavailable: Option<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    resource: &'static Resource,
    written: Written,
    cost: Cost,
    warnings: u64,
    misfits: Vec<(String, u64)>,
    /// The window that was read: from where, and to where. From nowhere: everything.
    from: Option<Time>,
    until: Option<Time>,
    failure: Option<(&'static str, String)>,
    /// Why the company has it not: the sentence, and the server's words.
    unavailable: Option<(String, String)>,
}

impl Summary {
    pub(super) fn of(
        report: &Report,
        warehouse: &Warehouse,
        start: &Start,
        place: &Place,
        run: String,
        complete: bool,
    ) -> Self {
        let rows = report.rows().map(|row| Row {
            resource: row.resource,
            written: warehouse.written(row.resource),
            cost: row.cost,
            warnings: row.warnings,
            misfits: warehouse.misfits(row.resource),
            from: start.from(row.resource),
            until: row.until,
            unavailable: row
                .unavailable()
                .map(|failure| (failure.text.clone(), failure.in_short().to_owned())),
            failure: row.failure().map(|failure| (failure.kind.name(), failure.text.clone())),
        });
        Self {
            dir: place.to_string(),
            format: warehouse.layout().format.name().to_owned(),
            run,
            seconds: start.began.elapsed().as_secs_f64(),
            complete,
            unavailable: report.unavailable(),
            rows: rows.collect(),
        }
    }

    /// Prints it, for programs or for people.
    pub(super) fn print(&self, as_json: bool, spending: Spending) -> Result<()> {
        if as_json {
            stdout::programs(&format!("{}\n", self.json(spending)))
        } else {
            stdout::people(&self.table(spending))
        }
    }

    fn total(&self, of: impl Fn(&Written) -> u64) -> u64 {
        self.rows.iter().map(|row| of(&row.written)).sum()
    }

    fn table(&self, spending: Spending) -> Text {
        let head = ["resource", "rows", "gone", "files", "bytes", "since", "tokens", "outcome"];
        let mut table = Grid::new(head, &[1, 2, 3, 4, 6]);
        for row in &self.rows {
            table.row([
                row.resource.name.to_owned(),
                grouped(row.written.rows - row.written.deleted),
                grouped(row.written.deleted),
                grouped(row.written.files),
                grouped(row.written.bytes),
                row.from.map_or_else(|| "all".to_owned(), |from| from.to_string()),
                grouped(row.cost.tokens),
                row.outcome(),
            ]);
        }
        let mut text = Text::new();
        text.grid(&table);
        self.unavailable.iter().for_each(|sentence| text.line(sentence.clone()));
        text.line(format!(
            "Synced to {2}: rows {0}, tombstones {1}, files {3}, bytes {4}; {5} tokens spent{6}: {7}",
            grouped(self.total(|written| written.rows - written.deleted)),
            grouped(self.total(|written| written.deleted)),
            self.dir,
            grouped(self.total(|written| written.files)),
            grouped(self.total(|written| written.bytes)),
            grouped(spending.tokens),
            left_today(spending),
            if self.complete { "complete" } else { "INCOMPLETE" },
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
    fn outcome(&self) -> String {
        if let Some((_, text)) = &self.failure {
            return format!("INCOMPLETE: {text}");
        }
        if let Some((text, _)) = &self.unavailable {
            return text.clone();
        }
        let misfits: u64 = self.misfits.iter().map(|(_, count)| count).sum();
        let mut outcome = "complete".to_owned();
        if misfits > 0 {
            outcome = format!("{outcome}, {} values in _extra", grouped(misfits));
        }
        match self.warnings {
            0 => outcome,
            1 => format!("{outcome}, 1 warning"),
            number => format!("{outcome}, {number} warnings"),
        }
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
