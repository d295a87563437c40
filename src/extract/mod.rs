//! Reading resources: what to ask, in which order, how far it got.

mod ascend;
mod children;
mod estimate;
mod fetch;
mod newest;
mod offset;
mod plan;
mod probe;
mod reader;
mod task;
mod walk;

pub use estimate::{Estimate, Exactness, Extent, Forecast, ROUND_TRIP, Rows, Sizes, estimate};
pub use plan::{Job, Mode, Selected, plan};
pub use probe::probe;
pub use reader::Reader;
