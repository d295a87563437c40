//! Everything that is tested from outside the crate, in one binary.

mod backup;
mod backup_crash;
mod changes;
mod columns;
mod crash;
mod depot;
mod diff;
mod docs;
mod faults;
mod house;
mod kill;
mod laws;
mod lossless;
mod read;
mod rebuild;
mod seed;
mod session;
mod shell;
mod support;
mod sweep;
mod table;
mod trouble;
mod vault;
mod verify;
mod warehouse;
mod wreck;
