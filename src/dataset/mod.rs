//! Records at rest: typed Parquet and NDJSON, on local disk or S3, made visible by a manifest.

mod cells;
mod column;
pub mod columns;
mod commits;
mod exact;
mod held;
mod index;
mod inventory;
mod manifest;
mod misfits;
mod ndjson;
mod opening;
mod order;
pub mod parquet;
mod place;
mod plan;
mod s3;
mod store;
mod stream;
mod sweep;
mod warehouse;

pub use commits::Owner;
pub use inventory::Inventory;
pub use manifest::{Account, Compression, Format, Layout, MANIFEST_VERSION};
pub use place::Place;
pub use stream::Written;
pub use sweep::{Findings, Sweep};
pub use warehouse::{Begun, Options, Wanted, Warehouse};
