//! Pushes a bundle into Pipedrive: what Pipedrive can store, what it lacks, and how rows are written.

mod activity;
mod body;
mod change;
mod contact;
mod custom;
mod id_map;
mod missing_fields;
mod project;
mod row_builder;
mod send;

pub use id_map::IdMap;
pub use missing_fields::{MissingFields, NewField, NewOptions};
pub use project::PipedriveProjection;
pub use send::{Sent, prepare, send_plan, tokens};
