//! Exports a complete Pipedrive account, once or incrementally.
//!
//! The README describes how to use the program. `docs/internals/architecture.md` describes how data flows
//! through these modules, what always holds, and where to find what. Comments cite facts about
//! Pipedrive, the protocols and other tools by page and section of `docs/internals`:
//! `pipedrive-api.md`, `protocols.md`, `pdcli.md`, `drippulse.md`.
//!
//! # Modules
//!
//! | module | holds | may import |
//! | --- | --- | --- |
//! | [`model`] | the vocabulary: resources, records, pages, progress, state, schema, settings, errors | – |
//! | [`api`] | Pipedrive over HTTP: budget, retries, one client; and a small client for the CRM of bundles | `model` |
//! | [`sandbox`] | a simulated Pipedrive account and CRM: rows, answers, writes, limits, faults | `model` |
//! | [`extract`] | reading: from a selection to jobs, a task for each job, one bounded channel | `model`, `api` |
//! | [`dataset`] | records at rest, in a folder or on S3: warehouse, backup, and what reads them | `model` |
//! | [`bundle`] | the portable CRM bundle: format, mapping from and to Pipedrive, validation, push | `model`, `api`, `dataset` |
//! | [`protocol`] | the lines and states of Airbyte and Singer | `model` |
//! | [`cli`] | commands, files, exit codes | all |
//!
//! `extract`, `dataset` and `protocol` know nothing of each other: they exchange [`model::Event`], and
//! only `cli` joins them. A test checks the imports.
//!
//! A resource is one row, a [`model::Resource`]. Requests, catalogs, schemas, the sandbox's data and the
//! documentation are derived from it.

pub mod api;
pub mod bundle;
pub mod cli;
pub mod dataset;
pub mod extract;
pub mod model;
pub mod protocol;
pub mod sandbox;
