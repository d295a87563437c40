//! Exports the current rows of a warehouse or backup for other programs: CSV, `SQLite`, Excel.

mod csv;
mod sqlite;
mod target;
mod xlsx;

pub use target::{Form, Target, Written, export};
