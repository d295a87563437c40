//! The current rows of a warehouse or a backup, in typed columns with readable names.

mod cells;
mod headings;
mod holding;
mod latest;
mod lookups;
mod table;

pub use cells::{Cell, Lists};
pub use headings::{Heading, Kind};
pub use holding::Holding;
pub use lookups::Lookups;
pub(super) use table::Found;
pub use table::Table;
