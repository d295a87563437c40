//! Converts records to typed columns, and columns to Parquet.

mod cells;
mod column;
mod columns;
mod exact;
mod misfits;
mod order;
mod parquet;
mod plan;
mod texts;

pub use columns::{Columns, DELETED, EXTRA, SYNCED_AT};
pub use parquet::{Encoded, PART_BYTES_MAX, Parts, ROW_GROUP_JSON_BYTES, ROW_GROUP_ROWS};
pub(super) use plan::same_column;
