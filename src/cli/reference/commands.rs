//! Generates the page of all commands, and their man pages.

use super::begin;
use crate::cli::help;
use crate::model::{Error, Kind, Result};
use clap::Command;
use std::fmt::Write as _;

pub(super) fn page(programs: &[Command]) -> String {
    let mut page = begin("Commands");
    for program in programs {
        for command in visible(program, "") {
            let name = command.get_display_name().unwrap_or_default().to_owned();
            // Exit codes and variables have separate pages.
            let short = help::examples(name.trim_start_matches("source-pipedrive "));
            let command = if command.get_after_long_help().is_some() {
                command.after_long_help(short)
            } else {
                command
            };
            let help = command.term_width(100).render_long_help().to_string();
            let help: Vec<_> = help.lines().map(str::trim_end).collect();
            let _ = writeln!(page, "## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
        }
    }
    page.trim_end().to_owned() + "\n"
}

/// Returns the man pages with their file names.
pub(super) fn man(program: &Command) -> Result<Vec<(String, Vec<u8>)>> {
    let pages = visible(program, "").into_iter().map(|command| {
        let name = command.get_display_name().unwrap_or_default().replace(' ', "-");
        let mut page = Vec::new();
        clap_mangen::Man::new(command.display_name(name.clone()))
            .title(name.clone())
            .render(&mut page)
            .map_err(|error| Error::new(Kind::Bug, "a man page cannot be made").because(error))?;
        let page = help::sections(&String::from_utf8_lossy(&page));
        Ok((format!("{name}.1"), page.into_bytes()))
    });
    pages.collect()
}

/// Returns a command and its visible subcommands, each with its full name.
fn visible(command: &Command, above: &str) -> Vec<Command> {
    let name = format!("{above}{}", command.get_name());
    let below = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    let below = below.flat_map(|command| visible(command, &format!("{name} ")));
    let own = command.clone().display_name(name.clone()).bin_name(name.clone());
    std::iter::once(own).chain(below).collect()
}
