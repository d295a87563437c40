//! A small Pipedrive in a box: an invented account, strict answers, limits, and faults on demand. And
//! beside it the CRM that bundles go to.
//!
//! Everything about endpoints and columns is derived from the table in [`crate::model`], so the
//! sandbox knows a resource as soon as the table has its row.

mod account;
mod answers;
mod ask;
mod attachments;
mod checks;
mod children;
mod crm;
mod custom;
mod definitions;
mod desk;
mod edit;
mod faults;
mod features;
mod fill;
mod filter;
mod habits;
mod json;
mod ledger;
mod lists;
mod oauth;
mod odd;
mod oddity;
mod options;
mod reshape;
mod rows;
mod rules;
mod scrawl;
mod server;
mod spoil;
mod table;
mod values;
mod words;
mod world;
mod writes;

#[cfg(test)]
mod tests;

pub use crm::{CrmOptions, CrmTenant, UnknownFields};
pub use edit::Edit;
pub use faults::{At, DRIPS, Fault, GRAMMAR, Trouble};
pub use features::{Feature, Features, Lack};
pub use habits::{Habit, Habits};
pub use ledger::{Entry, Ledger};
pub use odd::{OddDate, OddPage};
pub use oddity::Oddity;
pub use options::{Clock, Options, Plan, Ranges};
pub use reshape::FieldEdit;
pub use server::Sandbox;
pub use world::{Truth, World};
