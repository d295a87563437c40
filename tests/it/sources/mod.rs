//! The sources and the documents.

mod architecture;
mod catalog;
mod citations;
mod docs;
