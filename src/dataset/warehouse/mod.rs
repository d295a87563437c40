//! A feed of changes: typed Parquet or NDJSON, made visible by a manifest.

mod broken;
mod fields;
mod held;
mod index;
mod inventory;
mod lacking;
mod layout;
mod manifest;
mod ndjson;
mod opening;
mod pdcli;
mod reading;
mod stream;
mod sweep;
mod told;
mod views;
mod writer;

pub use fields::Dictionary;
pub use inventory::Inventory;
pub use layout::{Compression, Format, Layout, Wanted};
pub use manifest::MANIFEST_VERSION;
pub use stream::Written;
pub use sweep::{Findings, Sweep};
pub use writer::{Begun, Options, Warehouse};
