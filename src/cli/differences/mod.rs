//! Differences between two backups or two bundles, printed.

mod differ;
mod print;
mod rows;

pub(super) use differ::Differ;
pub(super) use print::{lines, object, table};
pub(super) use rows::{by_resource, rows, summary};
