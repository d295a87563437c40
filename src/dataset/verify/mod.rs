//! Verifies that a backup is complete and undamaged.

mod check;
mod dangling;
mod fields;
mod finding;
mod key_set;
mod locations;
mod row;

pub use check::{Options, Report, verify};
pub(in crate::dataset) use dangling::dangling;
pub use finding::{DefectKind, FINDINGS_MAX, Finding, Tally};
