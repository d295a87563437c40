//! Speaking JSON lines. No network, no clock: records and the time of day come in as arguments.

pub mod airbyte;
