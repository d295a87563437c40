//! The two sides of a comparison: two backups, or two bundles.

use crate::bundle;
use crate::dataset::diff::{Change, Counts, Diff, OneSided, SchemaChange, Skipped};
use crate::model::Result;
use std::process::ExitCode;

/// A comparison that is under way.
pub(in crate::cli) enum Differ<'s> {
    /// Of backups.
    Backups(Box<Diff<'s>>),
    /// Of bundles.
    Bundles(Box<bundle::Diff>),
}

impl Differ<'_> {
    /// The next change.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Change>> {
        match self {
            Self::Backups(diff) => diff.next().await,
            Self::Bundles(diff) => diff.next().await,
        }
    }

    /// Changes of the set-up; a bundle has none.
    pub(in crate::cli) fn schema(&self) -> &[SchemaChange] {
        match self {
            Self::Backups(diff) => diff.schema(),
            Self::Bundles(_) => &[],
        }
    }

    /// What only one of the two has.
    pub(in crate::cli) fn skipped(&self) -> &[Skipped] {
        match self {
            Self::Backups(diff) => diff.skipped(),
            Self::Bundles(diff) => diff.skipped(),
        }
    }

    /// What only one of the two can have; of bundles nothing.
    pub(in crate::cli) fn one_sided(&self) -> &[OneSided] {
        match self {
            Self::Backups(diff) => diff.one_sided(),
            Self::Bundles(_) => &[],
        }
    }

    /// Names of fields to be left out that nothing has, when everything was compared.
    pub(in crate::cli) fn unmet(&self) -> Vec<&str> {
        match self {
            Self::Backups(diff) => diff.unmet(),
            Self::Bundles(diff) => diff.unmet(),
        }
    }

    /// What was counted so far, by resource or array.
    pub(in crate::cli) fn counts(&self) -> Vec<(&'static str, Counts)> {
        match self {
            Self::Backups(diff) => {
                let counts = diff.counts().iter();
                counts.map(|(resource, counts)| (resource.file, *counts)).collect()
            }
            Self::Bundles(diff) => diff.counts(),
        }
    }

    /// What was counted so far, all together.
    pub(in crate::cli) fn total(&self) -> Counts {
        self.counts().into_iter().map(|(_, counts)| counts).sum()
    }

    /// The exit code, when everything was compared: 1 for differences if that is asked for.
    pub(in crate::cli) fn exit(&self, asked: bool) -> ExitCode {
        let total = self.total();
        let rows = total.added + total.removed + total.modified + total.deleted;
        let same = rows == 0 && self.schema().is_empty();
        if asked && !same { ExitCode::from(1) } else { ExitCode::SUCCESS }
    }
}
