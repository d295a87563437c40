//! Records at rest, on local disk or S3: a warehouse that follows an account, a backup that proves
//! what it holds. Both are made visible by a manifest.

mod account;
mod aws;
pub mod backup;
mod commits;
pub mod current;
pub mod diff;
pub mod export;
mod folder;
mod foreign;
mod forms;
mod place;
mod s3;
mod s3_http;
mod scrap;
pub mod snapshot;
mod standing;
mod store;
pub mod table;
pub mod verify;
pub mod warehouse;
mod window;

pub use account::Account;
pub use aws::{VARIABLES, Variable};
pub use commits::Owner;
pub use place::Place;
pub use scrap::{Scrap, Turn};
pub use standing::{Part, Standing};
pub(crate) use window::{Miss, Window, hex};
