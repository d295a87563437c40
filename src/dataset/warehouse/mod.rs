//! A warehouse: a feed of changes as typed Parquet or NDJSON, made visible by a manifest.

mod broken;
mod fields;
mod file_listing;
mod index;
mod key_status;
mod lacking;
mod layout;
mod manifest;
mod ndjson;
mod notices;
mod opening;
mod pdcli;
mod reading;
mod stream;
mod sweep;
mod views;
mod writer;

pub use fields::Dictionary;
pub use file_listing::Inventory;
pub use layout::{Compression, Format, Layout, Wanted};
pub use manifest::MANIFEST_VERSION;
#[cfg(test)]
pub(crate) use manifest::every_key;
pub use stream::Written;
pub use sweep::{Findings, Sweep};
pub use writer::{OpenedTable, Options, Warehouse};
