//! Reads a backup: its manifest, and the rows of its files.

mod carried;
mod digest;
mod file;
mod manifest;
mod opened;
mod rows;

pub(in crate::dataset) use digest::digest;
pub use file::{Carry, Dangling, Failure, File, REFUSED_KEYS_MAX, Unfinished};
pub use manifest::{
    Backup, CONTENT_INDEX, CONTENTS, MANIFEST_VERSION, Manifest, PDCLI_LAYOUT, SEED_LACKS,
    file_name, resource_of,
};
pub(in crate::dataset) use opened::rows;
pub use opened::{BackupReader, Parts};
pub use rows::{Proof, Row, Rows};
