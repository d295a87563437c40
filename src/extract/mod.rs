//! Reads resources: which requests to send, in which order, and how far each listing was read.

mod children;
mod estimate;
mod fetch;
mod guard;
mod incremental;
mod missing_rows;
mod newest_first;
mod offset;
mod plan;
mod probe;
mod reader;
mod sizes;
mod survey;
mod task;
mod thrift;
mod walk;

pub use estimate::{ACCOUNT_TOKENS, Estimate, Forecast, ROUND_TRIP, estimate};
pub use missing_rows::{MissingRows, find_missing_rows};
pub use plan::{Job, Mode, Selected, plan};
pub use probe::{glance, probe};
pub use reader::{Backpressure, Reader};
pub use sizes::{Bound, Extent, Rows, Sizes};
pub use survey::survey;
pub use thrift::{Least, is_narrow, is_per_row, least, put_off};
