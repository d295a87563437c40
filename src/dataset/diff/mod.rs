//! Finds what changed between two backups.

mod compare;
mod derived_fields;
mod equality;
mod field_names;
mod fields;
mod ignore;
mod index;
mod mistyped;
mod onesided;
mod schema;

pub use compare::{Change, Counts, Diff, Options, Skipped, What};
pub(crate) use compare::{called, field_changes};
pub use fields::FieldChange;
pub(crate) use fields::one_line;
pub use ignore::Ignore;
pub(crate) use ignore::Meanings;
pub(crate) use mistyped::Doubts;
pub use onesided::OneSided;
pub use schema::SchemaChange;
