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
    /// Prove that a backup is whole, offline: sizes, hashes, rows, keys, references.
    #[command(after_long_help = help::after("backup verify"))]
    Verify(Verify),
    /// Tell two backups apart, offline: rows added, removed and modified, and changed fields.
    #[command(after_long_help = help::after("backup diff"))]
    Diff(Diff),
}

#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, clap::Args)]
pub(super) struct Write {
    /// Where: a folder, or `s3://bucket/prefix` with the usual `AWS_*` variables or profile.
    #[arg(long, value_name = "DIR|URL", default_value = "pipedrive-backup")]
    pub(super) dir: String,
    /// Start over where the last run was interrupted. Without it the interrupted backup is continued, at
    /// the page where it was.
    #[arg(long)]
    pub(super) restart: bool,
    /// Accepted for older scripts: an interrupted backup is continued by default.
    #[arg(long, hide = true, conflicts_with = "restart")]
    pub(super) resume: bool,
    /// What to back up, comma-separated. Without it everything but the histories, which cost a
    /// request per row.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// What to leave out of that, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// What to back up beyond, comma-separated: `file_contents` (the attachments), histories
    /// (changelogs, participants, followers, comments, mail), secrets (webhook passwords, and
    /// those in their addresses, as they are).
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) include: Vec<Include>,
    /// Ask for everything, also for the rows of products that have not changed since the backup before.
    #[arg(long)]
    pub(super) fresh: bool,
    /// An earlier backup of the account, from which rows of products that have not changed since are
    /// taken. Without it that is the one in --dir.
    #[arg(long, value_name = "DIR|URL", conflicts_with = "fresh")]
    pub(super) since_backup: Option<String>,
    /// One resource after the other.
    #[arg(long)]
    pub(super) sequential: bool,
    /// Go on although the token may see less than the one the backup was made with.
    #[arg(long)]
    pub(super) force: bool,
    /// Take over from a run that holds the lock and is gone for sure.
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
    /// How many of the rows are looked into for references, options and custom fields; 0% leaves
    /// all that is JSON out, and checks sizes and hashes only.
    #[arg(long, value_name = "PERCENT", default_value = "100%", value_parser = percent)]
    pub(super) sample: f64,
    /// Kinds of findings to leave out, comma-separated.
    #[arg(long, value_name = "KIND,..", value_delimiter = ',')]
    pub(super) ignore: Vec<String>,
    /// Exit with 65 for observations too, not for damage only: references to rows that the account has
    /// no longer, options and custom fields that it has no longer, files that are no part of the backup.
    #[arg(long)]
    pub(super) strict: bool,
    /// How findings are printed: a table on a terminal, JSON otherwise.
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Output>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    /// The older backup: a folder, or `s3://bucket/prefix`.
    pub(super) old: String,
    /// The newer backup.
    pub(super) new: String,
    /// Custom fields by their hash, options by their id.
    #[arg(long)]
    pub(super) raw: bool,
    /// Fields that do not matter, comma-separated: `title`, or `deals.title`; names of custom fields
    /// too, in double quotes where they hold commas or dots. What nothing is called is told.
    #[arg(long, value_name = "FIELD,..")]
    pub(super) ignore: Vec<String>,
    /// What to compare, comma-separated. Without it everything both backups hold.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) resources: Option<String>,
    /// What to leave out of that, comma-separated.
    #[arg(long, value_name = "A,B", value_parser = Names, hide_possible_values = true)]
    pub(super) exclude: Option<String>,
    /// Show what Pipedrive counts and stamps by itself too, `update_time` among it; and row by row what
    /// only one of the backups can have.
    #[arg(long)]
    pub(super) all_fields: bool,
    /// Exit with 1 if there is any difference.
    #[arg(long)]
    pub(super) exit_code: bool,
    /// How differences are printed: a table on a terminal, JSON otherwise.
    #[arg(short, long, value_name = "FORM")]
    pub(super) output: Option<Form>,
    /// With -o html: the file to write the page to.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// How differences are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    Table,
    /// One object: summary, skipped, schema, changes.
    Json,
    /// A change a line.
    Ndjson,
    /// One page that needs nothing but a browser.
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
