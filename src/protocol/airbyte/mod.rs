//! The Airbyte protocol, version 0 (protocols.md 0, 1, 2, 3, 4, 5).

mod catalog;
mod input;
mod spec;
mod writer;

pub use catalog::catalog;
pub use input::{Configured, configured};
pub use spec::spec;
pub use writer::{Level, Writer, failure_type};
