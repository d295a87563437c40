//! Records at rest: typed Parquet and NDJSON, on local disk or S3, made visible by a manifest.

mod account;
mod commits;
mod held;
mod index;
mod inventory;
mod layout;
mod manifest;
mod ndjson;
mod opening;
mod place;
mod s3;
mod store;
mod stream;
mod sweep;
pub mod table;
mod warehouse;

pub use account::Account;
pub use commits::Owner;
pub use inventory::Inventory;
pub use layout::{Compression, Format, Layout, Wanted};
pub use manifest::MANIFEST_VERSION;
pub use place::Place;
pub use stream::Written;
pub use sweep::{Findings, Sweep};
pub use warehouse::{Begun, Options, Warehouse};
