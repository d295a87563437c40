//! The summary of a backup, in the keys of pdcli and in our own.

use crate::api::Spending;
use crate::cli::format::{grouped, left_today};
use crate::cli::report::{Failure, Report};
use crate::cli::stdout;
use crate::cli::text::Text;
use crate::dataset::backup::Closed;
use crate::dataset::snapshot::{CONTENT_INDEX, File, file_name};
use crate::model::{Error, Kind, Result};
use serde_json::{Value, json};

/// The result of a backup.
pub(super) struct Summary<'s> {
    closed: &'s Closed,
    report: &'s Report,
    dir: &'s str,
    spending: Spending,
}

impl<'s> Summary<'s> {
    pub(super) fn of(
        closed: &'s Closed,
        report: &'s Report,
        dir: &'s str,
        spending: Spending,
    ) -> Self {
        Self { closed, report, dir, spending }
    }

    /// Prints the summary as JSON or as text.
    pub(super) fn print(&self, as_json: bool) -> Result<()> {
        if as_json {
            stdout::programs(&format!("{}\n", self.json()))
        } else {
            stdout::people(&self.text())
        }
    }

    /// Returns the error of a backup in which a resource is missing that this run did not request.
    pub(super) fn incomplete(&self) -> Error {
        let failed = self.closed.failed.iter();
        let whys = failed.map(|(stem, why)| format!("{stem} ({})", why.message));
        let whys = whys.collect::<Vec<_>>().join(", ");
        Error::new(Kind::Incomplete, format!("incomplete: could not be read: {whys}"))
    }

    /// Returns whether every file is complete and no resource of this run lacks data.
    fn complete(&self) -> bool {
        self.closed.complete && self.report.rows().all(|row| row.lack().is_none())
    }

    fn total(&self, of: impl Fn(&File) -> u64) -> u64 {
        let files = self.closed.files.iter().filter(|(stem, _)| *stem != CONTENT_INDEX);
        files.map(|(_, file)| of(file)).sum()
    }

    fn text(&self) -> Text {
        let Closed { exported, total, skipped, .. } = self.closed;
        let outcome = if self.complete() { "complete" } else { "incomplete" };
        let skipped = match skipped {
            0 => String::new(),
            skipped => format!(" ({skipped} skipped)"),
        };
        let mut text = Text::of(format!(
            "Backup {outcome}: {exported}/{total} resources exported to {}{skipped}",
            self.dir
        ));
        for (stem, why) in &self.closed.failed {
            text.line(format!("{}: {}", file_name(stem), why.message));
        }
        for row in self.report.rows() {
            if let Some(lack) = row.lack() {
                text.line(format!("{}: {}", file_name(row.resource.file), lack.text));
            }
        }
        for row in self.report.rows() {
            // A storage error is not caused by the resource, so the manifest does not record it.
            if let Some(failure) = row.failure().filter(|f| f.kind == Kind::Storage) {
                text.line(format!("{}: {}", file_name(row.resource.file), failure.text));
            }
        }
        if let Some(sentence) = self.report.unavailable() {
            text.line(sentence);
        }
        if let Some(sentence) = self.report.unbegun() {
            text.line(sentence);
        }
        if !self.closed.finished {
            text.line(
                "Not finished: the same command continues from there (--restart starts over).",
            );
        }
        text.line(format!(
            "{} rows, {} bytes; {} tokens spent{}",
            grouped(self.total(|file| file.rows)),
            grouped(self.total(|file| file.bytes)),
            grouped(self.spending.tokens),
            left_today(self.spending)
        ));
        text
    }

    fn json(&self) -> Value {
        let closed = self.closed;
        let resources = self.report.rows().map(|row| {
            let file = closed.files.get(row.resource.file);
            json!({
                "resource": row.resource.name,
                "file": file_name(row.resource.file),
                "rows": file.map(|file| file.rows),
                "bytes": file.map(|file| file.bytes),
                "requests": row.cost.requests,
                "tokens": row.cost.tokens,
                "warnings": row.warnings,
                "complete": file.is_some(),
                "unavailable": row.unavailable().map(Failure::in_short),
                "message": row.failure().map(|failure| failure.text.as_str()),
            })
        });
        json!({
            "exported": closed.exported,
            "total": closed.total,
            "skipped": closed.skipped,
            "dir": self.dir,
            "complete": self.complete(),
            "finished": closed.finished,
            "rows": self.total(|file| file.rows),
            "bytes": self.total(|file| file.bytes),
            "tokens": self.spending.tokens,
            "daily_limit": self.spending.daily_limit,
            "daily_remaining": self.spending.daily_remaining,
            "reserve_percent": self.spending.reserve_percent,
            "failed": closed.failed,
            "unavailable": closed.unavailable,
            "resources": resources.collect::<Vec<_>>(),
        })
    }
}
