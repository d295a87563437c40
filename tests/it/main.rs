//! Everything that is tested from outside the crate, in one binary.

mod changes;
mod columns;
mod docs;
mod faults;
mod house;
mod kill;
mod laws;
mod read;
mod rebuild;
mod session;
mod support;
mod table;
mod trouble;
