//! `check`: reports whose account it is and what the token may read, as text, JSON, or an Airbyte message.

use super::args::Check;
use super::doctor::{Asked, ask};
use super::progress::{Progress, ProgressMode};
use super::setup::{CommandContext, ConfigSource};
use super::text::{Grid, Text};
use super::{airbyte, stdout};
use crate::model::{Mask, Result};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Runs the check. With `airbyte` the result is an Airbyte message. Otherwise it is a table or an object,
/// and a failure is an error with its exit code.
pub(super) fn check(flags: &Check, airbyte: bool) -> Result<ExitCode> {
    let standalone = &flags.standalone;
    if airbyte {
        return airbyte::check(ConfigSource::of_platform(standalone)?);
    }
    let mut setup = CommandContext::standalone(standalone)?;
    let mask = Mask::new(&setup.settings.secrets());
    let mut progress = Progress::new(ProgressMode::of(standalone), mask);
    setup.warnings().iter().for_each(|sentence| progress.warn(sentence));
    let asked = ask(&mut setup, &mut progress)?;
    if standalone.json() {
        stdout::programs(&format!("{}\n", object(&asked)))?;
    } else {
        stdout::people(&text(&asked))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(asked: &Asked) -> Text {
    let mut grid = Grid::bare();
    for (what, told) in asked.facts() {
        grid.row([what, &told]);
    }
    for caveat in asked.account.caveats() {
        grid.row(["note", &caveat]);
    }
    let mut text = Text::new();
    text.grid(grid);
    text.line("the token works");
    text
}

fn object(asked: &Asked) -> Value {
    let Asked { account, spending, lacking } = asked;
    json!({
        "ok": true,
        "company": {
            "id": account.company_id,
            "name": account.company_name,
            "domain": account.company_domain,
        },
        "user": {"id": account.user_id, "name": account.user_name, "admin": account.admin},
        "scopes": account.scopes,
        "daily_limit": spending.daily_limit,
        "daily_remaining": spending.daily_remaining,
        "unavailable": lacking,
        "caveats": account.caveats(),
    })
}
