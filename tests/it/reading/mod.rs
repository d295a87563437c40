//! Reading an account, whatever command does it.

mod bad_answers;
mod clocks;
mod concurrent_edits;
mod cost;
mod faults;
mod incremental;
pub(crate) mod kill;
mod limits;
mod list_ends;
mod missing_features;
mod network;
mod profiles;
mod properties;
mod rows_without_id;
mod shared_files;
mod token_limit;
mod unsorted_lists;
mod whole;
