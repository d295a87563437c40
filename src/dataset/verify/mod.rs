//! Whether a backup is what it claims to be.

mod check;
mod dangling;
mod fields;
mod finding;
mod keyset;
mod places;
mod row;

pub use check::{Options, Report, verify};
pub(in crate::dataset) use dangling::dangling;
pub use finding::{FINDINGS_MAX, Finding, Flaw, Tally};
