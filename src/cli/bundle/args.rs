//! The command line of `bundle`.

use crate::bundle::crm::ANSWER_BYTES_MAX;
use crate::cli::args::{CommonOptions, Output};
use crate::cli::help;
use crate::cli::stdout;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Bundle {
    /// Export a bundle from the account, or from a backup of it.
    ///
    /// Organizations become accounts, persons contacts, deals opportunities. The side-car
    /// FILE.context.json holds pipelines, custom fields and owners. It also lists what has no place in a
    /// bundle, with counts.
    #[command(after_long_help = help::after("bundle export"))]
    Export(Export),
    /// Validate a bundle: shape, unique ids, references, stages.
    #[command(after_long_help = help::after("bundle validate"))]
    Validate(Validate),
    /// Push a bundle into a CRM or into Pipedrive, and verify the result.
    ///
    /// The plan is shown first, and nothing is sent until it is confirmed: on a terminal the command
    /// asks, elsewhere it needs --yes. Rows are created, updated or left alone by public id, so a second
    /// push of the same bundle changes nothing. In existing rows only differences are written. A value
    /// that the bundle, or the CRM that it passed through, could not hold exactly never replaces an
    /// existing value: such differences are reported. Nothing is ever deleted in Pipedrive. In a CRM a
    /// row with `deleted_at` is sent as deleted. Rows that were deleted in the target are listed, and
    /// stay deleted unless --recreate-deleted is given.
    #[command(after_long_help = help::after("bundle push"))]
    Push(Push),
    /// Download the export of a CRM.
    #[command(after_long_help = help::after("bundle pull"))]
    Pull(Pull),
    /// Print the change events of a CRM, one JSON object per line.
    #[command(after_long_help = help::after("bundle changes"))]
    Changes(Changes),
    /// Compare two bundles: rows added, removed and modified, and changed fields.
    #[command(after_long_help = help::after("bundle diff"))]
    Diff(Diff),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Export {
    /// Source: `account`, or the folder (or `s3://bucket/prefix`) of a backup.
    #[arg(long, value_name = "account|DIR", default_value = "account")]
    pub(super) from: String,
    /// The bundle to write. An existing one is replaced when the new one is complete.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Company id of a backup whose manifest does not contain it. Public ids are derived from it.
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
    /// Output format of the result [default: table on a terminal, json otherwise].
    #[arg(short, long, value_name = "FORM")]
    output: Option<Output>,
}

#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Push {
    /// The bundle.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Target: the address of a CRM (with `DRIPPULSE_API_KEY` in the environment), or `pipedrive`.
    /// [default: `DRIPPULSE_BASE_URL`]
    #[arg(long, value_name = "URL|pipedrive")]
    pub(super) to: Option<String>,
    /// Show the plan and write nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write without confirmation. Needed where there is no terminal.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Push copies: every row gets a new public id, which is always the same for the same target. An
    /// organization of a CRM can thus be cloned into another one, although public ids are unique in the
    /// whole CRM.
    #[arg(long)]
    pub(super) as_copy: bool,
    /// Mapping of stages: a JSON object like {"Sales/Demo": "Default/Proposal"}, by name or id, with or
    /// without the pipeline.
    #[arg(long, value_name = "FILE")]
    pub(super) map_stages: Option<PathBuf>,
    /// Continue an interrupted push. Without one, a new push starts.
    #[arg(long)]
    pub(super) resume: bool,
    /// Create rows again that were deleted in the target. Without it they are listed, and the push is
    /// incomplete.
    #[arg(long)]
    pub(super) recreate_deleted: bool,
    /// Journal of the push [default: FILE.journal.ndjson, of copies FILE.copy.journal.ndjson]. It records
    /// which row of the target belongs to which row of the bundle, so keep one per target.
    #[arg(long, value_name = "FILE")]
    pub(super) journal: Option<PathBuf>,
    /// Maximum number of rows per request to a CRM. A request of more than 2 MiB is always split.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) batch_rows: u16,
    /// Fields that are not sent, comma-separated: `custom`, `contacts.title`.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) drop: Vec<String>,
    /// Send only the fields that the CRM documents.
    #[arg(long)]
    pub(super) strict_fields: bool,
    /// Allowed parents of an activity, in order of preference.
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
    /// Maximum size of a response of the CRM, in bytes.
    #[arg(long, value_name = "N", default_value_t = ANSWER_BYTES_MAX)]
    pub(super) max_bytes: u64,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Pull {
    /// Address of the CRM; set `DRIPPULSE_API_KEY` in the environment [default: `DRIPPULSE_BASE_URL`].
    #[arg(long, value_name = "URL")]
    pub(super) from: Option<String>,
    /// The bundle to write. An existing one is replaced when the new one is complete.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Maximum size of a response of the CRM, in bytes.
    #[arg(long, value_name = "N", default_value_t = ANSWER_BYTES_MAX)]
    pub(super) max_bytes: u64,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Changes {
    /// Address of the CRM; set `DRIPPULSE_API_KEY` in the environment [default: `DRIPPULSE_BASE_URL`].
    #[arg(long, value_name = "URL")]
    pub(super) from: Option<String>,
    /// Only events of this record type: account, contact, opportunity, lead or activity.
    #[arg(long, value_name = "T")]
    pub(super) record_type: Option<String>,
    /// Only events of the row with this internal UUID.
    #[arg(long, value_name = "UUID")]
    pub(super) record_id: Option<String>,
    /// Keep polling for new events until Ctrl-C.
    #[arg(long)]
    pub(super) follow: bool,
    /// Seconds between two polls.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) every: u64,
    /// Milliseconds between two polls, for tests.
    #[arg(long, hide = true)]
    pub(super) every_millis: Option<u64>,
    /// Maximum size of a response of the CRM, in bytes.
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
    /// Fields to ignore, comma-separated: `updated_at`, `contacts.title`, `custom.Region`; names with
    /// commas or dots in double quotes. A name that matches no field is reported.
    #[arg(long, value_name = "FIELD,..")]
    pub(super) ignore: Vec<String>,
    /// Exit with 1 if there is any difference.
    #[arg(long)]
    pub(super) exit_code: bool,
    /// Output format of differences [default: table on a terminal, json otherwise].
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
    /// Returns whether the result is printed as JSON.
    pub(super) fn json(&self) -> bool {
        json(self.output)
    }
}

impl Diff {
    /// Returns whether differences are printed as JSON.
    pub(super) fn json(&self) -> bool {
        json(self.output)
    }
}
