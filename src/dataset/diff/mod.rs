//! What changed between two backups.

mod compare;
mod computed;
mod fields;
mod index;
mod naming;
mod schema;

pub use compare::{Change, Counts, Diff, Options, Skipped, What};
pub(crate) use compare::{is_ignored, plain};
pub use fields::FieldChange;
pub(crate) use fields::one_line;
pub use schema::SchemaChange;
