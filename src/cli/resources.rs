//! `resources`: lists what can be read, what it costs, and which of it this account has.

use super::airbyte::sentence;
use super::args::Resources;
use super::doctor::{Asked, ask};
use super::progress::{Progress, ProgressMode};
use super::setup::{CommandContext, ConfigSource};
use super::stdout;
use super::text::{Grid, Text};
use crate::model::{Mask, PerParent, Resource, Result};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Lists all resources. The account is requested if there is a configuration, unless `--offline` is given.
pub(super) fn list(flags: &Resources) -> Result<ExitCode> {
    let standalone = &flags.standalone;
    let asked = if flags.offline || !ConfigSource::is_there(standalone)? {
        None
    } else {
        let mut setup = CommandContext::standalone(standalone)?;
        let mask = Mask::new(&setup.settings.secrets());
        let mut progress = Progress::new(ProgressMode::of(standalone), mask);
        setup.unread_warning().iter().for_each(|sentence| progress.warn(sentence));
        Some(ask(&mut setup, &mut progress)?)
    };
    if standalone.json() {
        let rows: Vec<_> = Resource::all().map(|r| object(r, asked.as_ref())).collect();
        stdout::programs(&format!("{:#}\n", Value::from(rows)))?;
    } else {
        stdout::people(&text(asked.as_ref()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(asked: Option<&Asked>) -> Text {
    let mut grid = Grid::new(["resource", "read", "tokens", "here"], &[]);
    for resource in Resource::all() {
        let here = asked.map(|asked| if lack(resource, asked).is_none() { "yes" } else { "no" });
        grid.row([resource.name, usual(resource), &cost(resource), here.unwrap_or_default()]);
    }
    let mut text = Text::new();
    text.grid(grid.without_columns_of(&[""]));
    text.line("read: always, unless left out with --exclude");
    text.line("      by backups: by every backup; elsewhere only when named with --resources");
    text.line("      when named: only with --resources, since it costs a request per row");
    if let Some(asked) = asked {
        let Asked { account, lacking, .. } = asked;
        text.line(format!("here: as {} of {}", account.user_name, account.company_name));
        for sentence in sentence(lacking).into_iter().chain(account.caveats()) {
            text.line(sentence);
        }
    } else {
        text.line("no account was asked: --config, the environment or --sandbox name one");
    }
    text
}

fn object(resource: &Resource, asked: Option<&Asked>) -> Value {
    let lack = asked.map(|asked| lack(resource, asked));
    json!({
        "resource": resource.name,
        "file": resource.file,
        "read": usual(resource),
        "default": !resource.on_request,
        "tokens_per_request": resource.listings.iter().map(|l| l.cost).max(),
        "rows_per_request": resource.listings.iter().map(|l| l.limit).max().filter(|l| *l > 0),
        "cost": cost(resource),
        "incremental": resource.incremental(),
        "available": lack.as_ref().map(Option::is_none),
        "why_not": lack.flatten(),
    })
}

/// Returns when a resource is read.
fn usual(resource: &Resource) -> &'static str {
    match (resource.on_request, resource.carried) {
        (false, _) => "always",
        (true, true) => "by backups",
        (true, false) => "when named",
    }
}

/// Returns the cost in tokens: `10 per 500 rows`, `20 per deal` or `2 for all`.
fn cost(resource: &Resource) -> String {
    let mut costs: Vec<u32> = resource.listings.iter().map(|listing| listing.cost).collect();
    costs.sort_unstable();
    costs.dedup();
    let costs: Vec<_> = costs.iter().map(u32::to_string).collect();
    let costs = costs.join("-");
    if let Some(parent) = &resource.parent {
        let one = parent.resource.trim_end_matches('s').replace('_', " ");
        return match parent.ask {
            PerParent::Batch(_) => format!("{costs} per 100 {}", parent.resource.replace('_', " ")),
            PerParent::Path | PerParent::Query(_) => format!("{costs} per {one}"),
        };
    }
    match resource.listings.iter().map(|listing| listing.limit).max() {
        Some(0) | None => format!("{costs} for all"),
        Some(limit) => format!("{costs} per {limit} rows"),
    }
}

/// Returns the reason if the account or the token does not have the resource.
fn lack(resource: &Resource, asked: &Asked) -> Option<String> {
    let said = asked.lacking.get(resource.name).map(|said| format!("no: {said}"));
    said.or_else(|| asked.account.closed(resource).map(|why| format!("no: {why}")))
}
