//! A backup while it is written: files that grow page by page, and a manifest that proves them.

mod archive;
mod area;
mod begin;
mod contents;
mod growing;

pub use archive::{Archive, Closed, Options};
pub use contents::{Arriving, Attachment, Attachments, Content, Contents};
pub(in crate::dataset) use growing::number;
