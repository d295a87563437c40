//! Reads a whole Pipedrive account, completely and repeatedly.
pub mod api;
pub mod extract;
pub mod model;
pub mod protocol;
