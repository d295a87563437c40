//! The command line of the tap (protocols.md 8).

use crate::cli::args::Simulated;
use crate::cli::help;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Reads a Pipedrive account as a Singer tap: SCHEMA, RECORD and STATE messages on stdout.
///
/// With --discover it prints the catalog of the account. Without a catalog it reads every stream but
/// the histories, which cost a request per row.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, Parser)]
#[command(
    name = "tap-pipedrive",
    version,
    max_term_width = 100,
    after_long_help = help::after("tap-pipedrive")
)]
pub(in crate::cli) struct Args {
    /// The configuration, a JSON file. Of several, later ones go over earlier ones. ENV stands for
    /// the variables `TAP_PIPEDRIVE_API_TOKEN`, `TAP_PIPEDRIVE_START_DATE` and so on.
    #[arg(
        short, long, value_name = "FILE|ENV",
        required_unless_present_any = ["sandbox", "about"],
    )]
    pub(super) config: Vec<PathBuf>,
    /// Print the catalog: every stream, with this account's custom fields.
    #[arg(short, long)]
    pub(super) discover: bool,
    /// What to read: a catalog as --discover prints it, with what is selected in its metadata.
    #[arg(long, value_name = "FILE")]
    pub(super) catalog: Option<PathBuf>,
    /// The same, as older orchestrators call it.
    #[arg(short, long, value_name = "FILE", conflicts_with = "catalog")]
    pub(super) properties: Option<PathBuf>,
    /// Where to go on: the value of the last STATE message. A state of `source-pipedrive read`, or the
    /// manifest of a warehouse, is taken too.
    #[arg(short, long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// Print what this tap is, what it can do, and its settings.
    #[arg(long)]
    pub(super) about: bool,
    /// How --about prints it.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(super) format: Form,
    /// Read an embedded, simulated account: no token, no network.
    #[arg(long, conflicts_with = "config")]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) simulated: Simulated,
    /// Only warnings and errors on stderr.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Text,
    Json,
    Markdown,
}

/// `--about` for people.
pub(super) fn summary() -> String {
    format!(
        "tap-pipedrive {}\n{}\n\n--about --format json or markdown tells the settings.\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION")
    )
}
