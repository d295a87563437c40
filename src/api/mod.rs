//! Pipedrive over HTTP: one client with retries that respects the company's API budget.
//!
//! It also contains a small client for the CRM that bundles are pushed to.

mod account;
mod auth;
mod budget;
mod client;
mod crm;
mod crm_verdict;
mod download;
mod http;
mod pages;
mod refusal;
mod request;
mod retry;
mod reused;
mod send;
mod split;

pub use account::Account;
pub use auth::Reread;
pub use budget::{Budget, Spending};
pub use client::{Answer, Client, Step};
pub use crm::{ADDRESS, Crm, Reply};
pub use download::Download;
pub use pages::{definitions, fetch_page_with_retry, first_page, page};
pub use refusal::{is_of_company, is_of_one_row, is_of_parameter, leaving_out};
pub use request::Request;
pub use send::data;
