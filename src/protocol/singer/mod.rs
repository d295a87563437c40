//! The Singer protocol, version 0.3 (protocols.md 8, 9, 10, 11).

mod about;
mod catalog;
mod metadata;
mod selection;
mod writer;

pub use about::{about, markdown};
pub use catalog::{Spelling, catalog, default_selection};
pub use selection::{Method, Selection, selections};
pub use writer::Writer;
