//! Everything that is tested from outside the crate, in one binary. `tests/README.md` says what is where.

mod airbyte;
mod backup;
mod bundle;
mod campaign;
mod cli;
mod reading;
mod singer;
mod sources;
mod support;
mod warehouse;
