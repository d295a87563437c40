//! Reading resources: what to ask, in which order, how far it got.

mod ascend;
mod children;
mod fate;
mod fetch;
mod newest;
mod offset;
mod plan;
mod reader;
mod task;
mod walk;

pub use fate::{Fate, fate};
pub use plan::{Job, Mode, Selected, plan};
pub use reader::Reader;
