//! Reads a whole Pipedrive account, completely and repeatedly.
pub mod model;
pub mod sandbox;
