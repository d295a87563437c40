//! The Singer protocol.

mod conform;
mod custom_field_columns;
pub(crate) mod property_order;
mod session;
mod state_exchange;
