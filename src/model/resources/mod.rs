//! The table of resources (pipedrive-api.md 2, 5).
//!
//! Columns contain no counters that the API offers through `include_fields`. A count changes without a
//! change of the row's `update_time`, so an incremental read would keep an outdated count.

mod children;
mod core;
mod mail;
mod people;
mod projects;
mod setup;
mod shapes;
mod v1;

use super::resource::Resource;
pub(super) use shapes::{ADDRESS, ADDRESS_COLUMNS, ADDRESS_PARTS, INTS, opt};

/// All resources, by topic.
pub(super) static TABLE: &[&[Resource]] = &[
    core::RESOURCES,
    v1::RESOURCES,
    projects::RESOURCES,
    setup::RESOURCES,
    children::RESOURCES,
    people::RESOURCES,
    mail::RESOURCES,
];
