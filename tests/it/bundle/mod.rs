//! `bundle` and its targets.

mod deleted_in_target;
mod export;
mod export_validity;
pub(crate) mod kill;
mod properties;
mod push;
mod push_plan;
mod round_trip;
