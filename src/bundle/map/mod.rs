//! Maps records of Pipedrive to rows of a bundle. The module is pure.

mod custom;
mod dictionary;
mod identity;
mod likely;
mod mapper;
mod rows;
mod setup;
mod source;

pub use dictionary::{PUBLIC_ID_FIELD, Pins, Target};
pub(in crate::bundle) use identity::generated_id;
pub use likely::Expected;
pub(in crate::bundle) use mapper::NOTE_MARK;
pub use mapper::{LEARNT, Mapper, NO_ID, RESOURCES};
pub use setup::{AccountSetup, FIELDS, SETUP};
