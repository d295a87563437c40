//! `plan`: estimates the cost of a run before it starts.

use super::airbyte::sentence;
use super::args::Plan;
use super::format::{grouped, lasting, left_today, percent, share};
use super::interrupt::interrupted;
use super::previous_run::Earlier;
use super::progress::{Progress, ProgressMode};
use super::setup::{CommandContext, runtime};
use super::text::{Grid, Text};
use super::thrift::put_off_recent;
use super::{selection, stdout};
use crate::api::{Account, Client, Spending};
use crate::extract::{
    ACCOUNT_TOKENS, Bound, Forecast, Job, Least, Mode, Selected, Sizes, estimate, least, plan,
    probe, survey,
};
use crate::model::{Mask, Resource, Result, Settings};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

pub(super) fn show(args: &Plan) -> Result<ExitCode> {
    let resources = selection::resources(args.resources.as_deref(), args.exclude.as_deref())?;
    let mut setup = CommandContext::standalone(&args.standalone)?;
    let settings = setup.settings.clone();
    let capped = settings.max_tokens.is_some();
    let earlier = match (&args.state, &args.dir) {
        (Some(state), _) => Earlier::state(state, &resources)?,
        (None, Some(dir)) => runtime()?.block_on(Earlier::warehouse(dir, &resources, capped))?,
        (None, None) => Earlier::default(),
    };
    // The limit applies to the planned run, not to the requests of this command.
    setup.settings.max_tokens = None;
    let (client, mut rotations) = setup.client()?;
    let mode = ProgressMode::of(&args.standalone);
    let mut progress = Progress::new(mode, Mask::new(&setup.settings.secrets()));
    setup.unread_warning().iter().for_each(|sentence| progress.warn(sentence));
    let Earlier { mut states, rows, lacking } = earlier;
    let selected = resources.into_iter().map(|resource| {
        let state = states.remove(resource.name);
        let lacking = lacking.contains(resource.name);
        Selected { lacking, ..Selected::new(resource, Mode::Incremental, state) }
    });
    let mut jobs = plan(&settings, selected.collect());
    if capped {
        jobs.iter_mut().for_each(Job::define);
    }
    let outcome = runtime()?.block_on(async {
        tokio::select! {
            outcome = ask(&client, &settings, &mut jobs, &mut progress) => outcome,
            error = interrupted() => Err(error),
        }
    });
    while let Ok(token) = rotations.try_recv() {
        progress.mask(token.expose_secret());
        if let Some(text) = setup.save(&token) {
            progress.notice(&text);
        }
    }
    progress.done();
    let Asked { sizes, lacking, put_off } = outcome?;
    let sizes = Sizes { earlier: rows, ..sizes };
    let spending = client.spending();
    let forecast = estimate(&settings, &jobs, &sizes, spending.burst);
    let least = least(&jobs).filter(|_| capped);
    let shown = Shown { settings, forecast, spending, lacking, put_off, least };
    if args.standalone.json() {
        stdout::programs(&format!("{:#}\n", shown.json()))?;
    } else {
        stdout::people(&shown.table())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The responses of the account.
struct Asked {
    sizes: Sizes,
    lacking: BTreeMap<&'static str, String>,
    /// A sentence about the lists that the run leaves out.
    put_off: Option<String>,
}

async fn ask(
    client: &Client,
    settings: &Settings,
    jobs: &mut Vec<Job>,
    progress: &mut Progress,
) -> Result<Asked> {
    let account = Account::of(client, settings).await?;
    for sentence in account.caveats() {
        progress.note(&sentence);
    }
    let resources: Vec<_> = jobs.iter().map(Job::resource).collect();
    let lacking = survey(client, &resources).await?;
    jobs.retain(|job| !lacking.contains_key(job.resource().name));
    let (_, put_off) = put_off_recent(settings, jobs, account.date);
    let (sizes, unknown) = probe(client, jobs).await?;
    for sentence in unknown {
        progress.note(&sentence);
    }
    Ok(Asked { sizes, lacking, put_off })
}

/// A plan that is ready to print.
struct Shown {
    settings: Settings,
    forecast: Forecast,
    spending: Spending,
    /// The resources that the company does not have, with Pipedrive's messages.
    lacking: BTreeMap<&'static str, String>,
    /// A sentence about the lists that the run leaves out.
    put_off: Option<String>,
    /// The tokens that the run needs to make progress, if tokens are limited.
    least: Option<Least>,
}

impl Shown {
    fn table(&self) -> Text {
        let Self { forecast, spending, .. } = self;
        let head = ["stream", "requests", "tokens", "of a day", "time", ""];
        let mut table = Grid::new(head, &[1, 2, 3, 4]);
        let of_a_day = |tokens| share(tokens, spending.daily_limit).map_or(String::new(), percent);
        let mut estimates: Vec<_> = forecast.estimates.iter().collect();
        estimates.sort_by_key(|estimate| estimate.resource.name);
        for estimate in estimates {
            table.row([
                estimate.resource.name.to_owned(),
                grouped(estimate.cost.requests),
                grouped(estimate.cost.tokens),
                of_a_day(estimate.cost.tokens),
                lasting(estimate.time),
                words(estimate.bound).to_owned(),
            ]);
        }
        table.row([
            "(account, field names)".to_owned(),
            grouped(forecast.overhead.requests),
            grouped(forecast.overhead.tokens),
            of_a_day(forecast.overhead.tokens),
            String::new(),
            words(Bound::AtMost).to_owned(),
        ]);
        let share = share(forecast.total.tokens, spending.daily_limit);
        let share = share.map_or(String::new(), |share| format!(" ({} of a day)", percent(share)));
        let mut text = Text::new();
        text.grid(table);
        text.line(format!(
            "{}: {} requests, {} tokens{share}, {}{}",
            words(forecast.bound),
            grouped(forecast.total.requests),
            grouped(forecast.total.tokens),
            lasting(forecast.time),
            left_today(*spending),
        ));
        if let Some(sentence) = sentence(&self.lacking) {
            text.line(sentence);
        }
        text.line(format!("this plan itself cost {} tokens", grouped(spending.tokens)));
        for sentence in self.put_off.iter().cloned().chain(self.shortfalls()) {
            text.line(sentence);
        }
        let unasked: Vec<_> = self.unasked().map(|resource| resource.name).collect();
        if !unasked.is_empty() {
            text.line(format!(
                "not part of it, since each costs a request per row and has to be named: {}; a backup has \
                 {}, and asks only for what is new or has changed since the backup before",
                unasked.join(", "),
                carried().join(", ")
            ));
        }
        if self.fits() == Some(true) {
            text.line("it fits");
        }
        text
    }

    fn json(&self) -> Value {
        let Self { forecast, spending, settings, .. } = self;
        let resources = forecast.estimates.iter().map(|estimate| {
            json!({
                "resource": estimate.resource.name,
                "requests": estimate.cost.requests,
                "tokens": estimate.cost.tokens,
                "exactness": estimate.bound.name(),
                "share_percent": share(estimate.cost.tokens, spending.daily_limit),
                "seconds": estimate.time.as_secs_f64(),
            })
        });
        let lacking = self.lacking.iter().map(|(name, said)| {
            json!({
                "resource": name,
                "requests": 0,
                "tokens": 0,
                "exactness": Bound::Exact.name(),
                "seconds": 0.0,
                "unavailable": said,
            })
        });
        json!({
            "resources": resources.chain(lacking).collect::<Vec<_>>(),
            "overhead": {
                "requests": forecast.overhead.requests,
                "tokens": forecast.overhead.tokens,
            },
            "requests": forecast.total.requests,
            "tokens": forecast.total.tokens,
            "exactness": forecast.bound.name(),
            "share_percent": share(forecast.total.tokens, spending.daily_limit),
            "seconds": forecast.time.as_secs_f64(),
            "daily_limit": spending.daily_limit,
            "daily_remaining": spending.daily_remaining,
            "max_tokens": settings.max_tokens,
            "least_tokens": self.least.map(|least| ACCOUNT_TOKENS + least.each),
            "reserve_percent": settings.reserve_percent,
            "unavailable": self.lacking,
            "not_asked": self.unasked().map(|resource| resource.name).collect::<Vec<_>>(),
            "fits": self.fits(),
            "shortfalls": self.shortfalls(),
            "spent": spending.tokens,
        })
    }

    /// Returns the unselected resources that are read only on request.
    fn unasked(&self) -> impl Iterator<Item = &'static Resource> {
        let planned = |resource: &Resource| {
            self.forecast.estimates.iter().any(|estimate| estimate.resource.name == resource.name)
        };
        Resource::all().filter(move |resource| resource.on_request && !planned(resource))
    }

    /// Returns whether the run finishes within the limit. Returns `None` while no limit is known.
    fn fits(&self) -> Option<bool> {
        let limited = self.settings.max_tokens.is_some() || self.spending.daily_remaining.is_some();
        limited.then(|| self.shortfalls().is_empty())
    }

    /// Returns the limits that would stop the run.
    fn shortfalls(&self) -> Vec<String> {
        let tokens = self.forecast.total.tokens;
        let stops = match self.forecast.bound {
            Bound::Exact | Bound::AtLeast => "the run would stop before its end",
            Bound::AtMost | Bound::Guess => "the run may stop before its end",
        };
        let on = "what it reads is kept, and the next run continues from there";
        let mut shortfalls = Vec::new();
        if let Some(most) = self.settings.max_tokens.filter(|most| *most < tokens) {
            let needs =
                |needed: fn(Least) -> u64| self.least.map_or(0, |l| ACCOUNT_TOKENS + needed(l));
            let each = grouped(needs(|least| least.each));
            let most = if most < needs(|least| least.first) {
                format!(
                    "max_tokens is {}: too small to read anything; {each} is the smallest limit with \
                     which every list makes progress",
                    grouped(most)
                )
            } else if most < needs(|least| least.each) {
                format!(
                    "max_tokens is {}: too small for some lists, which would never be read; {each} is the \
                     smallest limit with which every list makes progress",
                    grouped(most)
                )
            } else {
                format!("max_tokens is {}: {stops}; {on}", grouped(most))
            };
            shortfalls.push(most);
        }
        let (limit, remaining) = (self.spending.daily_limit, self.spending.daily_remaining);
        if let (Some(limit), Some(remaining)) = (limit, remaining) {
            let percent = self.settings.reserve_percent;
            let reserve = limit.saturating_mul(u64::from(percent)) / 100;
            if remaining < tokens.saturating_add(reserve) {
                let kept = if reserve > 0 {
                    format!(", and reserve_percent {percent} keeps {} for others", grouped(reserve))
                } else {
                    String::new()
                };
                let left = grouped(remaining);
                shortfalls.push(format!("{left} tokens are left today{kept}: {stops}; {on}"));
            }
        }
        shortfalls
    }
}

/// Returns the resources that a backup includes although other commands read them only on request.
fn carried() -> Vec<&'static str> {
    Resource::all().filter(|resource| resource.carried).map(|resource| resource.name).collect()
}

fn words(exactness: Bound) -> &'static str {
    match exactness {
        Bound::Exact => "exactly",
        Bound::AtMost => "at most",
        Bound::AtLeast => "at least",
        Bound::Guess => "a guess",
    }
}
