//! A bundle goes into Pipedrive: what it can hold, what it lacks, and how rows are written.

mod activity;
mod body;
mod carry;
mod change;
mod contact;
mod custom;
mod hold;
mod ids;
mod made;
mod needs;

pub use carry::{Sent, carry_out, prepare, tokens};
pub use hold::Hold;
pub use ids::Ids;
pub use needs::{Needs, NewField, NewOptions};
