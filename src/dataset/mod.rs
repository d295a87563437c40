//! Records at rest: typed Parquet and NDJSON, on local disk or S3, made visible by a manifest.

mod cells;
mod column;
pub mod columns;
mod exact;
mod keys;
mod misfits;
mod order;
pub mod parquet;
mod plan;
