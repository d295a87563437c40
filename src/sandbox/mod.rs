//! A simulated Pipedrive account: generated rows, strict responses, limits, and faults on demand. It
//! also contains the simulated CRM that bundles are pushed to.
//!
//! Everything about endpoints and columns is derived from the table in [`crate::model`], so the
//! sandbox knows a resource as soon as the table has its row.

mod account;
mod account_state;
mod apply_fault;
mod attachments;
mod checks;
mod children;
mod crm;
mod custom;
mod definitions;
mod edit;
mod endpoints;
mod faults;
mod features;
mod fill;
mod filter;
mod habits;
mod http_request;
mod json;
mod lists;
mod oauth;
mod odd;
mod oddity;
mod options;
mod request_log;
mod reshape;
mod rows;
mod rules;
mod sample_text;
mod scrawl;
mod server;
mod service;
mod table;
mod values;
mod writes;

#[cfg(test)]
mod tests;

pub use account_state::{AccountState, ExpectedRows};
pub use crm::{CrmOptions, CrmTenant, UnknownFields};
pub use edit::Edit;
pub use faults::{At, DRIPS, Fault, FaultKind, GRAMMAR};
pub use features::{Feature, Features, Lack};
pub use habits::{Habit, Habits};
pub use odd::{OddDate, OddPage};
pub use oddity::Oddity;
pub use options::{Clock, Options, Plan, Ranges};
pub use request_log::{Entry, RequestLog};
pub use reshape::FieldEdit;
pub use server::Sandbox;
