//! The protocols of JSON lines. The module has no network and no clock: callers pass records and times.

pub mod airbyte;
mod checkpoint_policy;
mod lines;
mod record_encoder;
mod saved_state;
pub mod singer;

pub use record_encoder::RecordEncoder;
pub use saved_state::SavedState;
