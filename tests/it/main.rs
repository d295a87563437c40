//! Everything that is tested from outside the crate, in one binary.

mod changes;
mod docs;
mod faults;
mod house;
mod kill;
mod laws;
mod read;
mod session;
mod shell;
mod support;
mod table;
mod trouble;
