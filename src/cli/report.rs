//! What a run did, for people.

use crate::api::{Account, Spending};
use crate::model::{Error, Kind, Resource};
use comfy_table::{CellAlignment, Table, presets};

/// What happened to every resource of a run.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

/// What happened to one.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) resource: &'static Resource,
    pub(super) records: u64,
    pub(super) warnings: u64,
    /// How it ended; `None` while it has not.
    pub(super) outcome: Option<Result<(), Error>>,
}

impl Row {
    /// Why it is incomplete, unless it was only stopped along with the run.
    pub(super) fn kind(&self) -> Option<Kind> {
        let Some(Err(error)) = &self.outcome else {
            return None;
        };
        Some(error.kind()).filter(|kind| *kind != Kind::Incomplete)
    }
}

impl Report {
    pub(super) fn of(resources: impl Iterator<Item = &'static Resource>) -> Self {
        let rows =
            resources.map(|resource| Row { resource, records: 0, warnings: 0, outcome: None });
        Self { rows: rows.collect() }
    }

    /// The row of a resource that is part of the run.
    pub(super) fn row(&mut self, resource: &'static Resource) -> &mut Row {
        let place = self.rows.iter().position(|row| row.resource.name == resource.name);
        let place = place.unwrap_or_else(|| {
            self.rows.push(Row { resource, records: 0, warnings: 0, outcome: None });
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

    /// A table and a last line that says whether the run is complete.
    pub(super) fn table(&self, account: &Account, spending: Spending) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["stream", "records", "outcome"]);
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.resource.name);
        for row in rows {
            let outcome = match &row.outcome {
                Some(Ok(())) if row.warnings == 0 => "complete".to_owned(),
                Some(Ok(())) if row.warnings == 1 => "complete, 1 warning".to_owned(),
                Some(Ok(())) => format!("complete, {} warnings", row.warnings),
                Some(Err(error)) => format!("INCOMPLETE: {error}"),
                None => "INCOMPLETE: not read".to_owned(),
            };
            table.add_row([row.resource.name.to_owned(), grouped(row.records), outcome]);
        }
        let complete = self.rows.iter().all(|row| matches!(row.outcome, Some(Ok(()))));
        let left = match (spending.daily_remaining, spending.daily_limit) {
            (Some(left), Some(limit)) if left < limit => {
                format!(", {} of {} left today", grouped(left), grouped(limit))
            }
            _ => String::new(),
        };
        format!(
            "{}\n{table}\n{} records, {} tokens spent{left}: {}\n",
            account.company_name,
            grouped(self.records()),
            grouped(spending.tokens),
            if complete { "complete" } else { "INCOMPLETE" },
        )
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
