//! A backup as it lies there: its manifest, and the rows of its files.

mod carry;
mod digest;
mod manifest;
mod opened;
mod rows;

pub(in crate::dataset) use digest::digest;
pub use manifest::{
    Backup, CONTENT_INDEX, CONTENTS, Carry, Dangling, Failure, File, MANIFEST_VERSION, Manifest,
    REFUSED_KEYS_MAX, SEED_FILES, SEED_LACKS, Unfinished, file_name, resource_of,
};
pub(in crate::dataset) use opened::rows;
pub use opened::{Parts, Snapshot};
pub use rows::{Proof, Row, Rows};
