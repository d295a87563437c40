//! Stored records, on local disk or S3: a warehouse that follows an account, and a backup that can be
//! verified.
//!
//! A manifest makes the content of either visible.

mod account;
mod aws;
pub mod backup;
mod commit_log;
pub mod current;
pub mod diff;
pub mod export;
mod folder;
mod forms;
mod json_stream;
mod location;
mod ownership;
mod run_status;
mod s3;
mod s3_http;
pub mod snapshot;
mod store;
pub mod table;
mod temp_file;
pub mod verify;
pub mod warehouse;

pub use account::Account;
pub use aws::{VARIABLES, Variable};
pub use commit_log::Owner;
pub(crate) use json_stream::{JsonStream, ReadError, hex};
pub use location::Location;
pub use run_status::{Part, RunStatus};
pub use temp_file::{TempFile, Turn};
