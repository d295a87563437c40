//! Writes over HTTP: what a client may set of each resource, and the side effects.
//!
//! A request passes three checks: the keys that it may name ([`table`]), the values that they take
//! ([`shape`] and [`custom`]), and what the keys mean together ([`follow`]). Only then is a row written.

mod body;
mod custom;
mod deals;
mod fields;
mod follow;
mod merge_fields;
mod shape;
mod table;

pub(super) use body::invalid;
pub(super) use fields::add_options;
pub(super) use merge_fields::{create, write};
