//! Pushes a bundle into a target: plan, send, journal, verify.

mod batch;
mod conform;
mod dropped;
mod fates;
mod journal;
mod memory;
mod plan;
mod ranges;
mod stages;
mod verify;

pub use batch::{BATCH_BYTES_MAX, Sent, send_plan};
pub use conform::Conformer;
pub use dropped::Dropped;
pub use fates::{Fates, Gone, Known, RowFate};
pub use journal::{Begin, Earlier, Entry, Found, JOURNAL_VERSION, Journal, Refused, beside};
pub use memory::{KnownField, Memory};
pub use plan::{Act, Counts, Fitted, Plan, differing};
pub(super) use plan::{alike, custom_field, in_order, known};
pub use stages::{How, RowStage, Stages, Used};
pub use verify::{Accounted, Checked, NAMED_MAX, Verified, account, verify};
