//! Speaking JSON lines. No network, no clock: records and the time of day come in as arguments.

pub mod airbyte;
mod lines;
mod pace;
mod saved;
pub mod singer;
mod wire;

pub use saved::Saved;
pub use wire::Wire;
