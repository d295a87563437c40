//! The two sides of a comparison: two backups, or two bundles.

use crate::bundle;
use crate::dataset::diff::{Change, Counts, Diff, OneSided, SchemaChange, Skipped};
use crate::model::Result;
use std::process::ExitCode;

/// A comparison in progress.
pub(in crate::cli) enum Differ<'s> {
    /// A comparison of two backups.
    Backups(Box<Diff<'s>>),
    /// A comparison of two bundles.
    Bundles(Box<bundle::Diff>),
}

impl Differ<'_> {
    /// Returns the next change.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Change>> {
        match self {
            Self::Backups(diff) => diff.next().await,
            Self::Bundles(diff) => diff.next().await,
        }
    }

    /// Returns the changes of the schema. Bundles have none.
    pub(in crate::cli) fn schema(&self) -> &[SchemaChange] {
        match self {
            Self::Backups(diff) => diff.schema(),
            Self::Bundles(_) => &[],
        }
    }

    /// Returns the resources or arrays that only one side has.
    pub(in crate::cli) fn skipped(&self) -> &[Skipped] {
        match self {
            Self::Backups(diff) => diff.skipped(),
            Self::Bundles(diff) => diff.skipped(),
        }
    }

    /// Returns the data that only one side can contain. Bundles have none.
    pub(in crate::cli) fn one_sided(&self) -> &[OneSided] {
        match self {
            Self::Backups(diff) => diff.one_sided(),
            Self::Bundles(_) => &[],
        }
    }

    /// Returns the ignored field names that matched nothing. Call it after the last change.
    pub(in crate::cli) fn unmet(&self) -> Vec<&str> {
        match self {
            Self::Backups(diff) => diff.unmet(),
            Self::Bundles(diff) => diff.unmet(),
        }
    }

    /// Returns the counts so far, by resource or array.
    pub(in crate::cli) fn counts(&self) -> Vec<(&'static str, Counts)> {
        match self {
            Self::Backups(diff) => {
                let counts = diff.counts().iter();
                counts.map(|(resource, counts)| (resource.file, *counts)).collect()
            }
            Self::Bundles(diff) => diff.counts(),
        }
    }

    /// Returns the total of the counts so far.
    pub(in crate::cli) fn total(&self) -> Counts {
        self.counts().into_iter().map(|(_, counts)| counts).sum()
    }

    /// Returns the exit code after the last change: 1 for differences if `asked` is set.
    pub(in crate::cli) fn exit(&self, asked: bool) -> ExitCode {
        let total = self.total();
        let rows = total.added + total.removed + total.modified + total.deleted;
        let same = rows == 0 && self.schema().is_empty();
        if asked && !same { ExitCode::from(1) } else { ExitCode::SUCCESS }
    }
}
