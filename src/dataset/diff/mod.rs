//! What changed between two backups.

mod alike;
mod compare;
mod computed;
mod fields;
mod ignore;
mod index;
mod naming;
mod onesided;
mod schema;

pub(crate) use compare::plain;
pub use compare::{Change, Counts, Diff, Options, Skipped, What};
pub use fields::FieldChange;
pub(crate) use fields::one_line;
pub use ignore::Ignore;
pub(crate) use ignore::Meanings;
pub use onesided::OneSided;
pub use schema::SchemaChange;
