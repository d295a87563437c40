//! Reading resources: what to ask, in which order, how far it got.

mod ascend;
mod children;
mod estimate;
mod fate;
mod fetch;
mod guard;
mod newest;
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
pub use fate::{Fate, fate};
pub use plan::{Job, Mode, Selected, plan};
pub use probe::{glance, probe};
pub use reader::{Reader, Stride};
pub use sizes::{Exactness, Extent, Rows, Sizes};
pub use survey::survey;
pub use thrift::{Least, is_narrow, is_per_row, least, put_off};
