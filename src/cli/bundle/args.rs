//! The command line of `bundle`.

use crate::bundle::crm::ANSWER_BYTES_MAX;
use crate::cli::args::{CommonOptions, Output};
use crate::cli::help;
use crate::cli::stdout;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Bundle {
    /// Make a bundle of the account, or of a backup of it.
    ///
    /// Organizations become accounts, persons contacts, deals opportunities. FILE.context.json beside
    /// it holds pipelines, custom fields, owners, and what has no place in a bundle, with counts.
    #[command(after_long_help = help::after("bundle export"))]
    Export(Export),
    /// Check a bundle: shape, unique ids, references, stages.
    #[command(after_long_help = help::after("bundle validate"))]
    Validate(Validate),
    /// Write a bundle into a CRM, or into Pipedrive, and prove that it arrived.
    ///
    /// The plan is shown first, and nothing is sent until it is confirmed: on a terminal it asks,
    /// elsewhere it needs --yes. Rows are created, updated or left alone by public id, so the same bundle
    /// twice changes nothing. Of rows that are there only what differs is written, and no value that the
    /// bundle, or the CRM it passed through, could not hold exactly replaces one that is there: such
    /// differences are told. Nothing is ever deleted in Pipedrive; in a CRM a row with `deleted_at` is sent
    /// as such. What was deleted in the target since is named, and stays so unless told otherwise.
    #[command(after_long_help = help::after("bundle push"))]
    Push(Push),
    /// Fetch a CRM's own export.
    #[command(after_long_help = help::after("bundle pull"))]
    Pull(Pull),
    /// Print a CRM's change events, one JSON object a line.
    #[command(after_long_help = help::after("bundle changes"))]
    Changes(Changes),
    /// Tell two bundles apart: rows added, removed and modified, and changed fields.
    #[command(after_long_help = help::after("bundle diff"))]
    Diff(Diff),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Export {
    /// Where from: `account`, or the folder (or `s3://bucket/prefix`) of a backup.
    #[arg(long, value_name = "account|DIR", default_value = "account")]
    pub(super) from: String,
    /// The bundle to write; one that stands is replaced when the new one is whole.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// The company a backup is of, where its manifest does not say: public ids are made of it.
    #[arg(long, value_name = "ID")]
    pub(super) company_id: Option<i64>,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Validate {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// How the outcome is printed: a table on a terminal, JSON otherwise.
    #[arg(short, long, value_name = "FORM")]
    output: Option<Output>,
}

#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Push {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Where to: a CRM's address (with `DRIPPULSE_API_KEY` in the environment), or `pipedrive`.
    /// [default: `DRIPPULSE_BASE_URL`]
    #[arg(long, value_name = "URL|pipedrive")]
    pub(super) to: Option<String>,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write without asking. Needed where there is no terminal to ask on.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Push copies: every row gets a public id of its own, always the same one for the same target. So an
    /// organization of a CRM can be cloned into another one, although public ids are unique in the whole
    /// CRM.
    #[arg(long)]
    pub(super) as_copy: bool,
    /// Which stage becomes which: a JSON object like {"Sales/Demo": "Default/Proposal"}; names or
    /// ids, with or without the pipeline.
    #[arg(long, value_name = "FILE")]
    pub(super) map_stages: Option<PathBuf>,
    /// Continue an interrupted push. If there is none, a new one begins.
    #[arg(long)]
    pub(super) resume: bool,
    /// Create rows again that were deleted in the target. Without it they are named, and the push
    /// is incomplete.
    #[arg(long)]
    pub(super) recreate_deleted: bool,
    /// Where the push is recorded [default: FILE.journal.ndjson, of copies FILE.copy.journal.ndjson]. It
    /// knows which row is which, so keep one for each target.
    #[arg(long, value_name = "FILE")]
    pub(super) journal: Option<PathBuf>,
    /// Most rows of a request to a CRM; one of more than 2 MiB is split in any case.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) batch_rows: u16,
    /// Fields that are not sent, comma-separated: `custom`, `contacts.title`.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) drop: Vec<String>,
    /// Send only the fields that the CRM documents.
    #[arg(long)]
    pub(super) strict_fields: bool,
    /// What an activity may belong to, the first that it has being taken.
    #[arg(
        long,
        value_name = "A,B",
        value_delimiter = ',',
        default_value = "opportunity,contact,account,lead"
    )]
    pub(super) activity_parents: Vec<String>,
    /// Push a bundle of another organization or company than the target's.
    #[arg(long)]
    pub(super) foreign: bool,
    /// Largest answer that is taken from the CRM, in bytes.
    #[arg(long, value_name = "N", default_value_t = ANSWER_BYTES_MAX)]
    pub(super) max_bytes: u64,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Pull {
    /// The CRM's address; `DRIPPULSE_API_KEY` stands in the environment
    /// [default: `DRIPPULSE_BASE_URL`].
    #[arg(long, value_name = "URL")]
    pub(super) from: Option<String>,
    /// The bundle to write; one that stands is replaced when the new one is whole.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Largest answer that is taken from the CRM, in bytes.
    #[arg(long, value_name = "N", default_value_t = ANSWER_BYTES_MAX)]
    pub(super) max_bytes: u64,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Changes {
    /// The CRM's address; `DRIPPULSE_API_KEY` stands in the environment
    /// [default: `DRIPPULSE_BASE_URL`].
    #[arg(long, value_name = "URL")]
    pub(super) from: Option<String>,
    /// Only events of rows of this kind: account, contact, opportunity, lead or activity.
    #[arg(long, value_name = "T")]
    pub(super) record_type: Option<String>,
    /// Only events of the row with this internal UUID.
    #[arg(long, value_name = "UUID")]
    pub(super) record_id: Option<String>,
    /// Go on with events as they come, until Ctrl-C.
    #[arg(long)]
    pub(super) follow: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) every: u64,
    /// Milliseconds between two looks, for tests.
    #[arg(long, hide = true)]
    pub(super) every_millis: Option<u64>,
    /// Largest answer that is taken from the CRM, in bytes.
    #[arg(long, value_name = "N", default_value_t = ANSWER_BYTES_MAX)]
    pub(super) max_bytes: u64,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Diff {
    /// The older bundle.
    #[arg(value_name = "A")]
    pub(super) old: PathBuf,
    /// The newer bundle.
    #[arg(value_name = "B")]
    pub(super) new: PathBuf,
    /// Fields that do not count, comma-separated: `updated_at`, `contacts.title`, `custom.Region`;
    /// names with commas or dots in double quotes. What nothing is called is told.
    #[arg(long, value_name = "FIELD,..")]
    pub(super) ignore: Vec<String>,
    /// Exit with 1 when anything differs.
    #[arg(long)]
    pub(super) exit_code: bool,
    /// How differences are printed: a table on a terminal, JSON otherwise.
    #[arg(short, long, value_name = "FORM")]
    output: Option<Output>,
}

fn json(output: Option<Output>) -> bool {
    match output {
        Some(output) => output == Output::Json,
        None => !stdout::is_terminal(),
    }
}

impl Validate {
    /// Whether the outcome is for programs.
    pub(super) fn json(&self) -> bool {
        json(self.output)
    }
}

impl Diff {
    /// Whether differences are for programs.
    pub(super) fn json(&self) -> bool {
        json(self.output)
    }
}
