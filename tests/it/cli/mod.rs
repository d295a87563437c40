//! What people type and see.

mod check_and_doctor;
mod errors;
mod exit_codes;
mod full_disk;
mod hostile_text;
mod mistyped;
pub(crate) mod settings;
mod shell;
mod status;
mod temp_files;
mod terminal;
