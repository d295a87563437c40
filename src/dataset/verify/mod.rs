//! Whether a backup is what it claims to be.

mod check;
mod fields;
mod finding;
mod keyset;
mod places;
mod row;

pub use check::{Options, Report, verify};
pub use finding::{FINDINGS_MAX, Finding, Flaw};
