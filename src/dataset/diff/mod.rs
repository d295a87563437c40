//! What changed between two backups.

mod compare;
mod computed;
mod fields;
mod index;
mod naming;
mod schema;

pub use compare::{Change, Counts, Diff, Options, Skipped, What};
pub use fields::FieldChange;
pub use schema::SchemaChange;
