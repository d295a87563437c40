//! `sync warehouse` and what is made of its files.

mod columns;
mod crash;
mod deletes;
mod export;
mod foreign_and_damaged;
mod parquet_round_trip;
mod pdcli;
pub(crate) mod renamed_fields;
mod run;
mod s3;
mod views;
