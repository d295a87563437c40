//! `doctor`: checks one by one the things that a run needs.

use super::airbyte::sentence;
use super::args::Doctor;
use super::format::{grouped, lasting};
use super::interrupt::interrupted;
use super::progress::{Progress, ProgressMode};
use super::setup::{CommandContext, now, runtime};
use super::text::{Grid, Text};
use super::{stdout, stores};
use crate::api::{Account, Spending};
use crate::extract::survey;
use crate::model::{Error, Kind, Mask, Proxy, Resource, Result, Time};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// How far the clocks of this machine and of Pipedrive may be apart without a word, in seconds.
const CLOCKS_APART_MAX: i64 = 60;

/// The answers of an account.
pub(super) struct Asked {
    pub(super) account: Account,
    pub(super) spending: Spending,
    /// The resources that the company does not have, with Pipedrive's messages.
    pub(super) lacking: BTreeMap<&'static str, String>,
}

/// Requests the account, and sends one request for each feature that a company may lack.
pub(super) fn ask(setup: &mut CommandContext, progress: &mut Progress) -> Result<Asked> {
    let (client, mut rotations) = setup.client()?;
    let settings = setup.settings.clone();
    let asked = runtime()?.block_on(async {
        let all: Vec<_> = Resource::all().collect();
        let asked = async {
            let account = Account::of(&client, &settings).await?;
            let lacking = survey(&client, &all).await?;
            Ok(Asked { account, spending: client.spending(), lacking })
        };
        tokio::select! {
            biased;
            error = interrupted() => Err(error),
            asked = asked => asked,
        }
    });
    while let Ok(token) = rotations.try_recv() {
        progress.mask(token.expose_secret());
        if let Some(text) = setup.save(&token) {
            progress.notice(&text);
        }
    }
    asked
}

impl Asked {
    /// Returns the facts about the account, as pairs of topic and text.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let Self { account, spending, lacking } = self;
        let id =
            account.company_id.map_or_else(|| "id unknown".to_owned(), |id| format!("id {id}"));
        let admin = if account.admin { "admin" } else { "not an admin" };
        let budget = match (spending.daily_remaining, spending.daily_limit) {
            (Some(left), Some(limit)) => {
                format!("{} of {} tokens left today", grouped(left), grouped(limit))
            }
            _ => "Pipedrive does not tell the daily budget".to_owned(),
        };
        let features = sentence(lacking).unwrap_or_else(|| "all are available".to_owned());
        vec![
            ("company", format!("{} ({}, {id})", account.company_name, account.company_domain)),
            ("user", format!("{} (id {}, {admin})", account.user_name, account.user_id)),
            (
                "token",
                match &account.scopes {
                    Some(scopes) => format!("OAuth, scopes {}", scopes.join(" ")),
                    None => "an API token: it sees what its user may see".to_owned(),
                },
            ),
            ("budget", budget),
            ("features", features),
        ]
    }
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Odd,
    Bad,
}

/// The checks with their results.
#[derive(Default)]
struct Findings {
    rows: Vec<(Verdict, &'static str, String)>,
    /// The error kind of the first check that would make runs fail.
    kind: Option<Kind>,
}

impl Findings {
    fn good(&mut self, what: &'static str, text: impl Into<String>) {
        self.rows.push((Verdict::Good, what, text.into()));
    }

    fn odd(&mut self, what: &'static str, text: impl Into<String>) {
        self.rows.push((Verdict::Odd, what, text.into()));
    }

    fn bad(&mut self, what: &'static str, error: &Error) {
        self.kind.get_or_insert(error.kind());
        self.rows.push((Verdict::Bad, what, error.to_string()));
    }

    /// Records the result of a check.
    fn record(&mut self, what: &'static str, outcome: Result<String>) {
        match outcome {
            Ok(text) => self.good(what, text),
            Err(error) => self.bad(what, &error),
        }
    }
}

/// Runs all checks. The exit code is that of the first problem that would make runs fail.
pub(super) fn examine(flags: &Doctor) -> Result<ExitCode> {
    let standalone = &flags.standalone;
    let mut findings = Findings::default();
    let proxy = Proxy::of(&|name| std::env::var_os(name));
    match CommandContext::standalone(standalone) {
        Ok(mut setup) => {
            findings.good("configuration", setup.described());
            setup.warnings().into_iter().for_each(|text| findings.odd("configuration", text));
            if !flags.offline {
                let mask = Mask::new(&setup.settings.secrets());
                let mut progress = Progress::new(ProgressMode::of(standalone), mask);
                account(&mut setup, &mut progress, &mut findings);
            }
        }
        Err(error) => findings.bad("configuration", &error),
    }
    findings.record(
        "proxy",
        proxy.map(|proxy| match proxy {
            // The user and password of a proxy are secrets.
            Some(proxy) => {
                let host = proxy.url.rsplit('@').next().unwrap_or_default().to_owned();
                format!("{} for https", host.trim_start_matches("http://"))
            }
            None => "none: HTTPS_PROXY and ALL_PROXY are not set".to_owned(),
        }),
    );
    for (what, outcome) in stores::looked_at(&flags.dir, flags.offline)? {
        findings.record(what, outcome);
    }
    if standalone.json() {
        stdout::programs(&format!("{}\n", object(&findings)))?;
    } else {
        stdout::people(&text(&findings))?;
    }
    let bad = findings.rows.iter().filter(|(verdict, ..)| *verdict == Verdict::Bad);
    let names: Vec<_> = bad.map(|(_, what, _)| *what).collect();
    match findings.kind {
        Some(kind) => Err(Error::new(kind, format!("runs would fail: {}", names.join(", ")))),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn account(setup: &mut CommandContext, progress: &mut Progress, findings: &mut Findings) {
    let asked = match ask(setup, progress) {
        Ok(asked) => asked,
        Err(error) => return findings.bad("account", &error),
    };
    for (what, told) in asked.facts() {
        match what {
            "features" if !asked.lacking.is_empty() => findings.odd(what, told),
            _ => findings.good(what, told),
        }
    }
    for caveat in asked.account.caveats() {
        findings.odd("permissions", caveat);
    }
    if let Some(date) = asked.account.date {
        clock(date, now(), findings);
    }
}

fn clock(theirs: Time, ours: Time, findings: &mut Findings) {
    let seconds = (ours.millis() - theirs.millis()) / 1_000;
    let apart = lasting(Duration::from_secs(seconds.unsigned_abs()));
    let side = if seconds < 0 { "behind" } else { "ahead of" };
    if seconds.abs() <= CLOCKS_APART_MAX {
        findings.good("clock", "as Pipedrive's");
    } else {
        findings.odd(
            "clock",
            format!(
                "this machine's is {apart} {side} Pipedrive's: no row is lost by that, but times in \
                 manifests and logs are by this machine"
            ),
        );
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok",
        Verdict::Odd => "note",
        Verdict::Bad => "BAD",
    }
}

fn text(findings: &Findings) -> Text {
    let mut grid = Grid::bare();
    for (verdict, what, told) in &findings.rows {
        grid.row([word(*verdict), what, told]);
    }
    let mut text = Text::new();
    text.grid(grid);
    text
}

fn object(findings: &Findings) -> Value {
    let rows = findings.rows.iter().map(
        |(verdict, what, told)| json!({"what": what, "verdict": word(*verdict), "text": told}),
    );
    json!({"ok": findings.kind.is_none(), "findings": rows.collect::<Vec<_>>()})
}
