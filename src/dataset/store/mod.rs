//! A place that is open: objects in a folder or a bucket, and files that grow where it is a folder.

mod files;
mod objects;
mod refusal;
mod upload;

pub(in crate::dataset) use objects::Store;
pub(in crate::dataset) use upload::Upload;
