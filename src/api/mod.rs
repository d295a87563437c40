//! Pipedrive over HTTP: one client that survives, and respects the company's budget.

mod account;
mod auth;
mod budget;
mod client;
mod download;
mod pages;
mod retry;

pub use account::Account;
pub use budget::{Budget, Spending};
pub use client::{Answer, Client, Request, Step};
pub use download::Download;
pub use pages::{definitions, one, page, page_in_the_end};
