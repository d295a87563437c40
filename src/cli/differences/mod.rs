//! Prints differences between two backups or two bundles.

mod differ;
mod print;
mod rows;

pub(super) use differ::Differ;
pub(super) use print::{lines, object, table};
pub(super) use rows::{by_resource, rows, summary};
