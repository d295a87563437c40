//! Speaking JSON lines. No network, no clock: records and the time of day come in as arguments.

pub mod airbyte;
mod checkpoint_policy;
mod lines;
mod record_encoder;
mod saved_state;
pub mod singer;

pub use record_encoder::RecordEncoder;
pub use saved_state::SavedState;
