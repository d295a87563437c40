//! An open location: objects in a folder or a bucket, and growing files in a folder.

mod files;
mod objects;
mod refusal;
mod upload;

pub(in crate::dataset) use objects::Store;
pub(in crate::dataset) use upload::Upload;
