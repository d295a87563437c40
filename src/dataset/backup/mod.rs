//! Writes a backup: files that grow page by page, and a manifest with their checksums.

mod attachments;
mod begin;
mod partial_file;
mod staging;
mod writer;

pub use attachments::{Attachment, AttachmentStore, AttachmentUpload, Attachments, Content};
pub(in crate::dataset) use partial_file::number;
pub use writer::{BackupWriter, Closed, Options};
