//! Reads a whole Pipedrive account, completely and repeatedly.
pub mod api;
pub mod cli;
pub mod extract;
pub mod model;
pub mod protocol;
pub mod sandbox;
