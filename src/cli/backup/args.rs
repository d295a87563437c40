//! The command lines of `backup`, `backup verify`, and `backup diff`.

use crate::cli::args::{CommonOptions, Output};
use crate::cli::help::{self, Names};
use crate::cli::stdout;
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Backup {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) write: Write,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify a backup offline: sizes, checksums, rows, keys, references.
    #[command(after_long_help = help::after("backup verify"))]
    Verify(Verify),
    /// Compare two backups offline: rows added, removed and modified, and changed fields.
    #[command(after_long_help = help::after("backup diff"))]
    Diff(Diff),
}

#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, clap::Args)]
pub(super) struct Write {
    /// The backup: a folder, or `s3://bucket/prefix` with the usual `AWS_*` variables or profile.
    #[arg(long, value_name = "DIR|URL", default_value = "pipedrive-backup")]
    pub(super) dir: String,
    /// Start over after an interrupted run. Without it the interrupted backup continues at the page where
    /// it stopped.
    #[arg(long)]
    pub(super) restart: bool,
    /// Accepted for older scripts: an interrupted backup is continued by default.
    #[arg(long, hide = true, conflicts_with = "restart")]
    pub(super) resume: bool,
    /// Resources to back up, comma-separated. The default is all but the histories, which cost one
    /// request per row.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// Resources to exclude, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// Additional content, comma-separated: `file_contents` (the attachments), histories (changelogs,
    /// participants, followers, comments, mail), secrets (unmasked webhook passwords, and those in
    /// webhook addresses).
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) include: Vec<Include>,
    /// Request everything, also the rows of products that have not changed since the previous backup.
    #[arg(long)]
    pub(super) fresh: bool,
    /// An earlier backup of the account. Rows of products that have not changed since are copied from it.
    /// The default is the backup in --dir.
    #[arg(long, value_name = "DIR|URL", conflicts_with = "fresh")]
    pub(super) since_backup: Option<String>,
    /// Read one resource after the other.
    #[arg(long)]
    pub(super) sequential: bool,
    /// Continue although the token may see less than the one that the backup was made with.
    #[arg(long)]
    pub(super) force: bool,
    /// Take over the lock of another run that has certainly ended.
    #[arg(long)]
    pub(super) break_lock: bool,
    #[command(flatten)]
    pub(super) standalone: CommonOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Include {
    FileContents,
    Histories,
    Secrets,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The backup: a folder, or `s3://bucket/prefix`.
    #[arg(value_name = "DIR|URL")]
    pub(super) dir: String,
    /// Share of the rows whose references, options and custom fields are checked. 0% skips all JSON, and
    /// checks sizes and checksums only.
    #[arg(long, value_name = "PERCENT", default_value = "100%", value_parser = percent)]
    pub(super) sample: f64,
    /// Kinds of findings to ignore, comma-separated.
    #[arg(long, value_name = "KIND,..", value_delimiter = ',')]
    pub(super) ignore: Vec<String>,
    /// Exit with 65 for observations too, and not for damage only: references to rows, options and custom
    /// fields that the account no longer has, and files that do not belong to the backup.
    #[arg(long)]
    pub(super) strict: bool,
    /// Output format of findings [default: table on a terminal, json otherwise].
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    /// The older backup: a folder, or `s3://bucket/prefix`.
    pub(super) old: String,
    /// The newer backup.
    pub(super) new: String,
    /// Show custom fields by their hash, and options by their id.
    #[arg(long)]
    pub(super) raw: bool,
    /// Fields to ignore, comma-separated: `title`, or `deals.title`; also names of custom fields, in
    /// double quotes if they contain commas or dots. A name that matches no field is reported.
    #[arg(long, value_name = "FIELD,..")]
    pub(super) ignore: Vec<String>,
    /// Resources to compare, comma-separated. The default is all that both backups hold.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// Resources to exclude, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// Also show fields that Pipedrive computes or stamps itself, such as `update_time`, and, row by row,
    /// what only one of the backups can have.
    #[arg(long)]
    pub(super) all_fields: bool,
    /// Exit with 1 if there is any difference.
    #[arg(long)]
    pub(super) exit_code: bool,
    /// Output format of differences [default: table on a terminal, json otherwise].
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Form>,
    /// With -o html: the file to write the page to.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// The output format of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Text for people.
    Table,
    /// One JSON object: summary, skipped, schema, changes.
    Json,
    /// One change per line.
    Ndjson,
    /// One self-contained HTML page.
    Html,
}

impl Verify {
    pub(super) fn json(&self) -> bool {
        match self.output {
            Some(output) => output == Output::Json,
            None => !stdout::is_terminal(),
        }
    }
}

impl Diff {
    pub(super) fn form(&self) -> Form {
        let terminal = stdout::is_terminal();
        self.output.unwrap_or(if terminal { Form::Table } else { Form::Json })
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("must be a percentage like 10%, from 0% to 100%".to_owned()),
    }
}
