//! The command line.

use super::backup::Backup;
use super::bundle::Bundle;
use super::help::{self, Names};
use super::tap::Args as Tap;
use crate::sandbox::{GRAMMAR, Lack};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Gets a whole Pipedrive account out, completely and repeatedly.
///
/// `backup` makes a copy that can be verified and compared; `sync warehouse` keeps Parquet or NDJSON in
/// step, in a folder or on S3; spec, check, discover and read make an Airbyte source. --sandbox runs against a simulated account.
#[derive(Debug, Parser)]
#[command(name = "source-pipedrive", version, max_term_width = 100)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Airbyte: print what can be configured.
    #[command(after_long_help = help::after("spec"))]
    Spec {
        /// Accepted for compatibility with other connectors.
        #[arg(long, hide = true)]
        debug: bool,
    },
    /// Check the configuration against the account, for people or for Airbyte.
    ///
    /// On a terminal, or with -o, it prints whose account it is, what is left of the day's tokens and what
    /// the company lacks; a token that does not work is an error. Otherwise it answers as Airbyte wants it.
    #[command(after_long_help = help::after("check"))]
    Check(Check),
    /// Airbyte: print the catalog of streams, with this account's custom fields.
    #[command(after_long_help = help::after("discover"))]
    Discover(Source),
    /// Airbyte: read the selected streams.
    #[command(after_long_help = help::after("read"))]
    Read(Read),
    /// Singer: the tap, which is also called `tap-pipedrive`.
    Tap(Box<Tap>),
    /// Keep a copy of the account in step.
    #[command(subcommand, after_long_help = help::after("sync"))]
    Sync(Sync),
    /// Back the account up to a folder or S3, resumable and verifiable.
    ///
    /// Every resource becomes one JSON file, byte for byte as Pipedrive sent it; manifest.json says
    /// what was read, when, and how to prove it.
    #[command(after_long_help = help::after("backup"))]
    Backup(Backup),
    /// Write the current rows of a warehouse or backup as CSV, as a database or for Excel.
    ///
    /// Columns are called as in Pipedrive, options by their labels. Rows that are deleted are left
    /// out, and so are older versions of rows that a warehouse holds.
    #[command(after_long_help = help::after("export"))]
    Export(Export),
    /// Move a CRM: a portable bundle of accounts, contacts, opportunities, leads and activities.
    #[command(subcommand, after_long_help = help::after("bundle"))]
    Bundle(Bundle),
    /// Tell how a warehouse or a backup stands, offline: the last run, what it holds, what comes next.
    #[command(after_long_help = help::after("status"))]
    Status(Status),
    /// Tell what a run would cost in requests, tokens and time, before it.
    #[command(after_long_help = help::after("plan"))]
    Plan(Plan),
    /// List all resources: what they cost, when they are read, and which this account has.
    #[command(after_long_help = help::after("resources"))]
    Resources(Resources),
    /// Look at what a run needs: configuration, token, plan, budget, clock, proxy, stores.
    #[command(after_long_help = help::after("doctor"))]
    Doctor(Doctor),
    /// Serve a simulated Pipedrive account on loopback.
    #[command(after_long_help = help::after("sandbox"))]
    Sandbox(Sandbox),
    /// Print completions for a shell.
    #[command(after_long_help = help::after("completions"))]
    Completions(Completions),
    /// Write the reference pages and man pages into a folder.
    #[command(after_long_help = help::after("reference"))]
    Reference(Reference),
}

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Which shell.
    pub(super) shell: clap_complete::Shell,
    /// Which program's command line.
    #[arg(long, value_name = "NAME", default_value = "source-pipedrive")]
    pub(super) program: Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Program {
    SourcePipedrive,
    TapPipedrive,
}

#[derive(Debug, clap::Args)]
pub(super) struct Reference {
    /// Where to: pages as Markdown, and man pages below `man/`.
    pub(super) dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum Sync {
    /// Write what changed since the last run as NDJSON or typed Parquet, to a folder or S3.
    ///
    /// The first run takes everything. Rows and how far they reach are committed together: a run
    /// that is killed loses nothing and repeats nothing.
    #[command(after_long_help = help::after("sync warehouse"))]
    Warehouse(Warehouse),
}

#[derive(Debug, clap::Args)]
pub(super) struct Warehouse {
    /// Where: a folder, or `s3://bucket/prefix` with the usual `AWS_*` variables or profile.
    #[arg(long, value_name = "DIR|URL", default_value = "pipedrive-warehouse")]
    pub(super) dir: String,
    /// How rows are written; fixed by the first run [default: ndjson].
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Format>,
    /// How NDJSON is packed; fixed by the first run [default: none]. Parquet is packed with zstd.
    #[arg(long, value_name = "PACKING")]
    pub(super) compression: Option<Compression>,
    /// What to read, comma-separated. Without it everything but the histories, which cost a
    /// request per row.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// What to leave out of that, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// Begin here instead of where the last run ended, this once: a time like 2026-01-31T00:00:00Z,
    /// 30d or 6m. Rows since then are written again.
    #[arg(long, value_name = "X")]
    pub(super) since: Option<String>,
    /// Go on where another tool was: a state of `read` or of `tap-pipedrive`, or another warehouse's
    /// manifest. For resources this warehouse has not read yet.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["since", "full"])]
    pub(super) state: Option<PathBuf>,
    /// Read everything again. The old rows stay until the new ones are complete.
    #[arg(long, conflicts_with = "since")]
    pub(super) full: bool,
    /// How custom fields are keyed; fixed by the first run [default: name for parquet, hash for
    /// ndjson].
    #[arg(long, value_name = "KEYS")]
    pub(super) custom_fields: Option<Keys>,
    /// How deletions are found that Pipedrive does not list: sweep compares all keys.
    #[arg(long, value_name = "HOW", default_value = "none")]
    pub(super) deletes: Deletes,
    /// Write tombstones even when a large share of the rows would vanish.
    #[arg(long)]
    pub(super) force: bool,
    /// Take over from a run that holds the lock and is gone for sure.
    #[arg(long)]
    pub(super) break_lock: bool,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The warehouse or backup: a folder, or `s3://bucket/prefix`.
    #[arg(value_name = "DIR|URL")]
    pub(super) dir: String,
    /// What to write: `csv`, a file for each table; `sqlite`, a database; `xlsx`, an Excel workbook with
    /// a sheet for each table.
    #[arg(long, value_name = "FORM")]
    pub(super) to: To,
    /// Where to: the file; for CSV a folder, or `NAME.csv` for a single table.
    #[arg(long, value_name = "PATH")]
    pub(super) out: PathBuf,
    /// The tables, comma-separated. Without it all that have rows.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// What to leave out of that, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// Replace files that are there.
    #[arg(long)]
    pub(super) overwrite: bool,
    /// In CSV leave texts as they are that a spreadsheet would run as formulas. Without it they get a
    /// ' before them.
    #[arg(long)]
    pub(super) raw: bool,
    /// How the outcome is printed: a table on a terminal, JSON otherwise.
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
}

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum To {
    Csv,
    Sqlite,
    Xlsx,
}

impl Export {
    /// Whether the outcome is for programs.
    pub(super) fn json(&self) -> bool {
        match self.output {
            Some(output) => output == Output::Json,
            None => !super::stdout::is_terminal(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Ndjson,
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Compression {
    None,
    Zstd,
    Gzip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Keys {
    Hash,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Deletes {
    None,
    Sweep,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
    /// Accepted for compatibility with other connectors.
    #[arg(long, hide = true)]
    pub(super) debug: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Resources {
    /// Do not ask the account which of them it has.
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Ask nobody: look at configuration, proxy and folders only.
    #[arg(long)]
    pub(super) offline: bool,
    /// A warehouse or backup to look at: a folder, or `s3://bucket/prefix`. Repeatable; without it those
    /// in the usual folders.
    #[arg(long, value_name = "DIR|URL")]
    pub(super) dir: Vec<String>,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The configuration, a JSON file.
    #[arg(long, value_name = "FILE", required_unless_present = "sandbox")]
    pub(super) config: Option<PathBuf>,
    /// Use an embedded, simulated account: no token, no network.
    #[arg(long, conflicts_with = "config")]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) simulated: Simulated,
    /// Accepted for compatibility with other connectors.
    #[arg(long, hide = true)]
    pub(super) debug: bool,
}

/// What every standalone command takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct CommonOptions {
    /// The configuration, a JSON file. `PIPEDRIVE_API_TOKEN`, `PIPEDRIVE_COMPANY_DOMAIN` and the other
    /// variables that --help names go over it, and suffice without it.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Use an embedded, simulated account: no token, no network.
    #[arg(long, conflicts_with = "config")]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) simulated: Simulated,
    /// How results are printed: a table on a terminal, JSON otherwise.
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
    /// Nothing on stderr but errors and what must be acted upon.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// More on stderr: what begins, and what waits.
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,
}

/// What the simulated account of --sandbox has.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Simulated {
    /// With --sandbox: the plan of the simulated account, for its features and its burst and daily
    /// limits.
    #[arg(long, value_name = "PLAN", requires = "sandbox")]
    pub(super) plan: Option<Edition>,
    /// With --sandbox: features the simulated account lacks, comma-separated; `sandbox --help` lists
    /// them.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "sandbox")]
    pub(super) lacks: Vec<Lack>,
    /// With --sandbox: the simulated account has every feature.
    #[arg(long, requires = "sandbox")]
    pub(super) everything: bool,
}

/// How results and errors are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

impl CommonOptions {
    /// Whether results are for programs.
    pub(super) fn json(&self) -> bool {
        match self.output {
            Some(output) => output == Output::Json,
            None => !super::stdout::is_terminal(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// The warehouse or the backup: a folder, or `s3://bucket/prefix`.
    #[arg(value_name = "DIR|URL")]
    pub(super) dir: String,
    /// How it is printed: a table on a terminal, JSON otherwise.
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
}

impl Status {
    /// Whether it is printed for programs.
    pub(super) fn json(&self) -> bool {
        match self.output {
            Some(output) => output == Output::Json,
            None => !super::stdout::is_terminal(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// The resources of the run, comma-separated; all but the costly histories by default.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// What to leave out of that, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// The state the run would go on from, a JSON file as `read` takes it. Without it, and without
    /// --dir, the plan is that of a first run.
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    pub(super) state: Option<PathBuf>,
    /// The warehouse the run would go on with: a folder, or `s3://bucket/prefix`.
    #[arg(long, value_name = "DIR|URL")]
    pub(super) dir: Option<String>,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct Read {
    #[command(flatten)]
    pub(super) source: Source,
    /// The configured catalog, a JSON file. Without it every stream is read incrementally, but for
    /// the histories that cost a request per row.
    #[arg(long, value_name = "FILE")]
    pub(super) catalog: Option<PathBuf>,
    /// The state of the last run, a JSON file.
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sandbox {
    /// Port on 127.0.0.1; 0 lets the system choose.
    #[arg(long, value_name = "P", default_value_t = 0)]
    pub(super) port: u16,
    /// Size of the account: N × 1,000 deals and all that goes with them. Fractions work.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    pub(super) scale: f64,
    /// The same seed makes the same account.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// Id of the company, so that two sandboxes can be two companies.
    #[arg(long, value_name = "ID", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) company_id: u64,
    /// Milliseconds before every answer.
    #[arg(long, value_name = "L", default_value_t = 0)]
    pub(super) latency_ms: u64,
    /// The plan of the account, for its features and its burst and daily limits. Without it there
    /// are no limits.
    #[arg(long, value_name = "PLAN")]
    pub(super) plan: Option<Edition>,
    /// Features the account lacks, comma-separated: projects, installments, teams, marketing,
    /// permission-assignments, field-details, goals. With a status, like teams:410, they are
    /// refused with that.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) lacks: Vec<Lack>,
    /// The account has every feature, whatever the plan.
    #[arg(long)]
    pub(super) everything: bool,
    /// A fault to inject, like 500@3, 429@5x2, truncate@7 or slow:3000@deals. Repeatable; --help
    /// lists them all.
    #[arg(long, value_name = "SPEC", long_help = format!("A fault to inject. Repeatable.\n\n{GRAMMAR}"))]
    pub(super) fault: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Edition {
    Lite,
    Growth,
    Premium,
    Ultimate,
}

/// Largest account the sandbox holds: ten million deals would not fit in memory.
const SCALE_MAX: f64 = 2_000.0;

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= SCALE_MAX => Ok(scale),
        _ => Err(format!("must be a number above 0 and up to {SCALE_MAX}")),
    }
}
