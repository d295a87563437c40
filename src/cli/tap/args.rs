//! The command line of the tap (protocols.md 8).

use crate::cli::args::Simulated;
use crate::cli::help;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Reads a Pipedrive account as a Singer tap: SCHEMA, RECORD and STATE messages on stdout.
///
/// With --discover it prints the catalog of the account. Without a catalog it reads every stream except
/// the histories, which cost one request per row.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, Parser)]
#[command(
    name = "tap-pipedrive",
    version,
    max_term_width = 100,
    after_long_help = help::after("tap-pipedrive")
)]
pub(in crate::cli) struct Args {
    /// Configuration file (JSON). Repeatable; later files override earlier ones. ENV reads the variables
    /// `TAP_PIPEDRIVE_API_TOKEN`, `TAP_PIPEDRIVE_START_DATE` and so on.
    #[arg(
        short, long, value_name = "FILE|ENV",
        required_unless_present_any = ["sandbox", "about"],
    )]
    pub(super) config: Vec<PathBuf>,
    /// Print the catalog: every stream, with the custom fields of the account.
    #[arg(short, long)]
    pub(super) discover: bool,
    /// Catalog as --discover prints it, with the selection in its metadata.
    #[arg(long, value_name = "FILE")]
    pub(super) catalog: Option<PathBuf>,
    /// The same as --catalog, for older orchestrators.
    #[arg(short, long, value_name = "FILE", conflicts_with = "catalog")]
    pub(super) properties: Option<PathBuf>,
    /// State to continue from: the value of the last STATE message. A state of `source-pipedrive read`
    /// and the manifest of a warehouse are accepted too.
    #[arg(short, long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// Print the version, the capabilities and the settings of this tap.
    #[arg(long)]
    pub(super) about: bool,
    /// Output format of --about.
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

/// Returns the text of `--about`.
pub(super) fn summary() -> String {
    format!(
        "tap-pipedrive {}\n{}\n\n--about --format json or markdown prints the settings.\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION")
    )
}
