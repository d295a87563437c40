//! `backup`, `backup verify`, `backup diff`.

mod attachments;
mod crash;
mod diff;
mod diff_properties;
mod foreign_paths;
pub(crate) mod pdcli;
mod untidy_accounts;
mod verify;
mod write;
