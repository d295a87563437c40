//! `reference`: generates the pages of `docs/` from the code that they describe, and man pages and
//! completions from the command lines.

mod bundle;
mod commands;
mod configuration;
mod exits;
mod files;
mod resources;
mod s3;
mod state;

use super::args;
use super::tap;
use crate::model::{Error, Kind, Result};
use clap::CommandFactory as _;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Writes all pages into a folder: Markdown files, and man pages in `man/`.
pub(super) fn write(flags: &args::Reference) -> Result<ExitCode> {
    let pages = [
        ("bundles.md", bundle::page()),
        ("commands.md", commands::page(&programs())),
        ("configuration.md", configuration::page()?),
        ("exit-codes.md", exits::page()),
        ("files.md", files::page()),
        ("resources.md", resources::page()),
        ("state.md", state::page()?),
    ];
    for (name, page) in pages {
        put(&flags.dir.join(name), page.as_bytes())?;
    }
    for program in programs() {
        for (name, page) in commands::man(&program)? {
            put(&flags.dir.join("man").join(name), &page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints completions for a shell.
pub(super) fn completions(flags: &args::Completions) -> Result<ExitCode> {
    let mut program = match flags.program {
        args::Program::SourcePipedrive => args::Args::command(),
        args::Program::TapPipedrive => tap::Args::command(),
    };
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut program, name, &mut script);
    super::stdout::own(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

fn programs() -> [clap::Command; 2] {
    [args::Args::command(), tap::Args::command()]
}

fn put(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, content));
    written.map_err(|error| {
        Error::new(Kind::Storage, format!("cannot be written ({error})"))
            .at(path.display().to_string())
    })
}

/// Returns the title of a page and a comment about its origin.
fn begin(title: &str) -> String {
    format!(
        "# {title}\n\n<!-- Made by `source-pipedrive reference docs`; a test compares it with the code. -->\n\n"
    )
}

/// Returns a Markdown table.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut table = line(&head);
    let _ = writeln!(table, "|{}", " --- |".repeat(head.len()));
    for row in rows {
        let row: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        table.push_str(&line(&row));
    }
    table
}

fn code(text: &str) -> String {
    format!("`{text}`")
}
