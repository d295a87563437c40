//! The command line.

use super::backup::Backup;
use super::bundle::Bundle;
use super::help::{self, Names};
use super::tap::Args as Tap;
use crate::sandbox::{GRAMMAR, Lack};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Exports a complete Pipedrive account, once or incrementally.
///
/// `backup` writes a copy that can be verified and compared. `sync warehouse` keeps Parquet or NDJSON
/// files up to date, in a folder or on S3. spec, check, discover and read are the commands of an Airbyte
/// source. --sandbox uses a simulated account.
#[derive(Debug, Parser)]
#[command(name = "source-pipedrive", version, max_term_width = 100)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Airbyte: print the configuration keys.
    #[command(after_long_help = help::after("spec"))]
    Spec {
        /// Accepted for compatibility with other connectors.
        #[arg(long, hide = true)]
        debug: bool,
    },
    /// Check the configuration against the account, for people or for Airbyte.
    ///
    /// On a terminal, or with -o, it prints whose account it is, how many tokens of the day are left, and
    /// what the company lacks. A token that does not work is an error. Otherwise it prints an Airbyte
    /// message.
    #[command(after_long_help = help::after("check"))]
    Check(Check),
    /// Airbyte: print the catalog of streams, with this account's custom fields.
    #[command(after_long_help = help::after("discover"))]
    Discover(Source),
    /// Airbyte: read the selected streams.
    #[command(after_long_help = help::after("read"))]
    Read(Read),
    /// Singer: run the tap, which is also installed as `tap-pipedrive`.
    Tap(Box<Tap>),
    /// Sync the account into a warehouse.
    #[command(subcommand, after_long_help = help::after("sync"))]
    Sync(Sync),
    /// Back the account up to a folder or S3, resumable and verifiable.
    ///
    /// Every resource becomes one JSON file with the bytes that Pipedrive sent. manifest.json records
    /// what was read, when, and the checksums.
    #[command(after_long_help = help::after("backup"))]
    Backup(Backup),
    /// Write the current rows of a warehouse or backup as CSV, as a database or for Excel.
    ///
    /// Columns have the names that Pipedrive shows, and options have their labels. Deleted rows are left
    /// out, and so are older versions of rows in a warehouse.
    #[command(after_long_help = help::after("export"))]
    Export(Export),
    /// Move a CRM: a portable bundle of accounts, contacts, opportunities, leads and activities.
    #[command(subcommand, after_long_help = help::after("bundle"))]
    Bundle(Bundle),
    /// Show the status of a warehouse or a backup, offline: the last run, its content, the next run.
    #[command(after_long_help = help::after("status"))]
    Status(Status),
    /// Estimate the requests, tokens and time of a run before it starts.
    #[command(after_long_help = help::after("plan"))]
    Plan(Plan),
    /// List all resources: their cost, when they are read, and which of them this account has.
    #[command(after_long_help = help::after("resources"))]
    Resources(Resources),
    /// Check what a run needs: configuration, token, plan, budget, clock, proxy, stores.
    #[command(after_long_help = help::after("doctor"))]
    Doctor(Doctor),
    /// Serve a simulated Pipedrive account on 127.0.0.1.
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
    /// The shell.
    pub(super) shell: clap_complete::Shell,
    /// The program whose command line is completed.
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
    /// Target folder: pages as Markdown, and man pages below `man/`.
    pub(super) dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum Sync {
    /// Write what changed since the last run as NDJSON or typed Parquet, to a folder or S3.
    ///
    /// The first run reads everything. Rows and their watermarks are committed together: a run that is
    /// killed loses no row and repeats none.
    #[command(after_long_help = help::after("sync warehouse"))]
    Warehouse(Warehouse),
}

#[derive(Debug, clap::Args)]
pub(super) struct Warehouse {
    /// The warehouse: a folder, or `s3://bucket/prefix` with the usual `AWS_*` variables or profile.
    #[arg(long, value_name = "DIR|URL", default_value = "pipedrive-warehouse")]
    pub(super) dir: String,
    /// Format of the rows; fixed by the first run [default: ndjson].
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Format>,
    /// Compression of NDJSON files; fixed by the first run [default: none]. Parquet is compressed with
    /// zstd.
    #[arg(long, value_name = "PACKING")]
    pub(super) compression: Option<Compression>,
    /// Resources to read, comma-separated. The default is all but the histories, which cost one request
    /// per row.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// Resources to exclude, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// Start from this time in this run, instead of where the last run ended: a time like
    /// 2026-01-31T00:00:00Z, 30d or 6m. Rows since then are written again.
    #[arg(long, value_name = "X")]
    pub(super) since: Option<String>,
    /// Continue from a state of `read` or of `tap-pipedrive`, or from the manifest of another warehouse.
    /// It applies to resources that this warehouse has not read yet.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["since", "full"])]
    pub(super) state: Option<PathBuf>,
    /// Read everything again. The old rows stay until the new ones are complete.
    #[arg(long, conflicts_with = "since")]
    pub(super) full: bool,
    /// Keys of custom fields; fixed by the first run [default: name for parquet, hash for ndjson].
    #[arg(long, value_name = "KEYS")]
    pub(super) custom_fields: Option<Keys>,
    /// How to find deletions that Pipedrive does not list: sweep compares all keys.
    #[arg(long, value_name = "HOW", default_value = "none")]
    pub(super) deletes: Deletes,
    /// Write tombstones even if a large share of the rows would be deleted.
    #[arg(long)]
    pub(super) force: bool,
    /// Take over the lock of another run that has certainly ended.
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
    /// Output format: `csv`, one file per table; `sqlite`, a database; `xlsx`, an Excel workbook with one
    /// sheet per table.
    #[arg(long, value_name = "FORM")]
    pub(super) to: To,
    /// Output path: a file; for CSV a folder, or `NAME.csv` for a single table.
    #[arg(long, value_name = "PATH")]
    pub(super) out: PathBuf,
    /// Tables to write, comma-separated. The default is all that have rows.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// Tables to exclude, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// Replace existing files.
    #[arg(long)]
    pub(super) overwrite: bool,
    /// In CSV, leave text unchanged that a spreadsheet would run as a formula. Without it such text gets
    /// a leading '.
    #[arg(long)]
    pub(super) raw: bool,
    /// Output format of the result [default: table on a terminal, json otherwise].
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum To {
    Csv,
    Sqlite,
    Xlsx,
}

impl Export {
    /// Returns whether the result is printed as JSON.
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
    /// Send no request: do not ask the account which resources it has.
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Send no request: check configuration, proxy and folders only.
    #[arg(long)]
    pub(super) offline: bool,
    /// A warehouse or backup to check: a folder, or `s3://bucket/prefix`. Repeatable. The default is
    /// those in the usual folders.
    #[arg(long, value_name = "DIR|URL")]
    pub(super) dir: Vec<String>,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// Configuration file (JSON).
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

/// The options that every standalone command has.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct CommonOptions {
    /// Configuration file (JSON). `PIPEDRIVE_API_TOKEN`, `PIPEDRIVE_COMPANY_DOMAIN` and the other
    /// variables that --help lists override it, and are sufficient without it.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Use an embedded, simulated account: no token, no network.
    #[arg(long, conflicts_with = "config")]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) simulated: Simulated,
    /// Output format of results [default: table on a terminal, json otherwise].
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
    /// Print only errors and required actions on stderr.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print more on stderr: streams that start, and waits.
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,
}

/// The properties of the simulated account of --sandbox.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Simulated {
    /// With --sandbox: the plan of the simulated account. It sets features, burst limit and daily limit.
    #[arg(long, value_name = "PLAN", requires = "sandbox")]
    pub(super) plan: Option<Edition>,
    /// With --sandbox: features that the simulated account lacks, comma-separated; `sandbox --help` lists
    /// them.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "sandbox")]
    pub(super) lacks: Vec<Lack>,
    /// With --sandbox: the simulated account has every feature.
    #[arg(long, requires = "sandbox")]
    pub(super) everything: bool,
}

/// The output format of results and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Text for people.
    Table,
    /// JSON for programs.
    Json,
}

impl CommonOptions {
    /// Returns whether results are printed as JSON.
    pub(super) fn json(&self) -> bool {
        match self.output {
            Some(output) => output == Output::Json,
            None => !super::stdout::is_terminal(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// The warehouse or backup: a folder, or `s3://bucket/prefix`.
    #[arg(value_name = "DIR|URL")]
    pub(super) dir: String,
    /// Output format [default: table on a terminal, json otherwise].
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
}

impl Status {
    /// Returns whether the status is printed as JSON.
    pub(super) fn json(&self) -> bool {
        match self.output {
            Some(output) => output == Output::Json,
            None => !super::stdout::is_terminal(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// Resources of the run, comma-separated. The default is all but the costly histories.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// Resources to exclude, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// State that the run would continue from, a JSON file in the form of `read`. Without it and without
    /// --dir, the plan is that of a first run.
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    pub(super) state: Option<PathBuf>,
    /// Warehouse that the run would update: a folder, or `s3://bucket/prefix`.
    #[arg(long, value_name = "DIR|URL")]
    pub(super) dir: Option<String>,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct Read {
    #[command(flatten)]
    pub(super) source: Source,
    /// Configured catalog (JSON file). Without it every stream is read incrementally, except the
    /// histories, which cost one request per row.
    #[arg(long, value_name = "FILE")]
    pub(super) catalog: Option<PathBuf>,
    /// State of the last run (JSON file).
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sandbox {
    /// Port on 127.0.0.1; with 0 the system chooses one.
    #[arg(long, value_name = "P", default_value_t = 0)]
    pub(super) port: u16,
    /// Size of the account: N × 1,000 deals and a matching number of other rows. Fractions are allowed.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    pub(super) scale: f64,
    /// Seed of the generated account. The same seed generates the same account.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// Id of the company. Two sandboxes with different ids are two companies.
    #[arg(long, value_name = "ID", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) company_id: u64,
    /// Delay of every response, in milliseconds.
    #[arg(long, value_name = "L", default_value_t = 0)]
    pub(super) latency_ms: u64,
    /// Plan of the account. It sets features, burst limit and daily limit. Without it there are no
    /// limits.
    #[arg(long, value_name = "PLAN")]
    pub(super) plan: Option<Edition>,
    /// Features that the account lacks, comma-separated: projects, installments, teams, marketing,
    /// permission-assignments, field-details, goals. With a status, like teams:410, the account refuses
    /// their requests with that status.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) lacks: Vec<Lack>,
    /// Give the account every feature, whatever its plan.
    #[arg(long)]
    pub(super) everything: bool,
    /// A fault to inject, like 500@3, 429@5x2, truncate@7 or slow:3000@deals. Repeatable; --help lists
    /// them all.
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

/// The largest account that the sandbox accepts: ten million deals would not fit in memory.
const SCALE_MAX: f64 = 2_000.0;

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= SCALE_MAX => Ok(scale),
        _ => Err(format!("must be a number above 0 and up to {SCALE_MAX}")),
    }
}
