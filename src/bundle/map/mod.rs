//! Between Pipedrive's records and the rows of a bundle. Pure.

mod custom;
mod mapper;
mod rows;
mod setup;
mod source;

pub(in crate::bundle) use mapper::NOTE_MARK;
pub use mapper::{LEARNT, Mapper, NO_ID, RESOURCES};
pub use setup::{FIELDS, MARKER, SETUP, Setup, Target};
