//! The Airbyte protocol, version 0 (protocol facts, sections 0 to 5).

mod catalog;
mod input;
mod spec;
mod wire;
mod writer;

pub use catalog::catalog;
pub use input::{Configured, configured, states};
pub use spec::spec;
pub use wire::Wire;
pub use writer::{Level, Writer};
