//! Everything that is tested from outside the crate, in one binary.

mod house;
mod laws;
mod table;
