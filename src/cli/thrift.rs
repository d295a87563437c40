//! The messages about API tokens that a run prints before it spends them.

use super::format::{grouped, percent, share};
use crate::api::Client;
use crate::extract::{
    Job, Mode, Selected, estimate, glance, is_narrow, is_per_row, least, plan, put_off,
};
use crate::model::{Error, Kind, Resource, Result, Settings, Time};
use std::collections::{BTreeMap, BTreeSet};

/// The multiple of the default selection's cost above which a run is announced as costly.
const COSTLY_TIMES_DEFAULT: u64 = 10;
/// The percentage of the company's daily tokens above which a run is announced as costly.
const COSTLY_DAY_PERCENT: u64 = 10;
/// Most tokens that lists can cost which need no request per row: those of 50 million rows. Where a tenth
/// of the day is more, their sizes decide nothing and are not asked for.
const LISTS_TOKENS_MAX: u64 = 1_000_000;
/// The percentage of a costly run's tokens above which a stream is named.
const NAMED_PERCENT: u64 = 5;
/// Most streams that are named.
const NAMED_MAX: usize = 6;

/// The data about a run that is known before it reads.
pub(super) struct Foreseen<'f> {
    pub(super) client: &'f Client,
    pub(super) settings: &'f Settings,
    /// The resources of the default selection.
    pub(super) usual: Vec<&'static Resource>,
    /// The row counts of an earlier run, by resource.
    pub(super) earlier: BTreeMap<&'static str, u64>,
    /// The resources whose rows are partly taken from an earlier run.
    pub(super) carried: BTreeSet<&'static str>,
    /// Returns the instruction for leaving out these streams, which are given as a comma-separated list.
    pub(super) way_out: fn(&str) -> String,
}

impl<'f> Foreseen<'f> {
    /// Creates the data of a run without an earlier one.
    pub(super) fn of(
        client: &'f Client,
        settings: &'f Settings,
        way_out: fn(&str) -> String,
    ) -> Self {
        let usual = Resource::all().filter(|resource| !resource.on_request).collect();
        let (earlier, carried) = (BTreeMap::new(), BTreeSet::new());
        Self { client, settings, usual, earlier, carried, way_out }
    }

    /// Returns the message about a run that costs more than [`COSTLY_TIMES_DEFAULT`] times the default
    /// selection, or [`COSTLY_DAY_PERCENT`] of a day. The check costs one request for each of the few
    /// lists that decide it and are read from the beginning. It costs nothing if all lists continue from
    /// an earlier run, or if a low token limit applies.
    pub(super) async fn costly(&self, jobs: &[Job]) -> Result<Option<String>> {
        let limit = self.client.spending().daily_limit;
        let usual = |resource: &Resource| self.usual.iter().any(|r| r.name == resource.name);
        let beyond = jobs.iter().any(|job| is_per_row(job) && !usual(job.resource()));
        let reachable = limit.is_some_and(|l| l / 100 * COSTLY_DAY_PERCENT <= LISTS_TOKENS_MAX);
        if is_narrow(self.settings) || !reachable && !beyond {
            return Ok(None);
        }
        let sizes = glance(self.client, jobs, &self.earlier, reachable).await?;
        let burst = self.client.spending().burst;
        let forecast = estimate(self.settings, jobs, &sizes, burst);
        let usual = self.usual.iter().map(|r| Selected::new(r, Mode::Incremental, None));
        let usual = plan(self.settings, usual.collect());
        let usual = estimate(self.settings, &usual, &sizes, burst).total.tokens;
        let counted = forecast.estimates.iter();
        let counted = counted.filter(|e| !self.carried.contains(e.resource.name));
        let mut streams: Vec<_> = counted.map(|e| (e.cost.tokens, e.resource.name)).collect();
        streams.sort_unstable_by_key(|(tokens, name)| (std::cmp::Reverse(*tokens), *name));
        let tokens = forecast.overhead.tokens + streams.iter().map(|(cost, _)| cost).sum::<u64>();
        Ok(self.sentence(tokens, usual, limit, &streams))
    }

    fn sentence(
        &self,
        tokens: u64,
        usual: u64,
        limit: Option<u64>,
        streams: &[(u64, &str)],
    ) -> Option<String> {
        let times = tokens / usual.max(1);
        let dear = tokens > usual.saturating_mul(COSTLY_TIMES_DEFAULT);
        let of_a_day = share(tokens, limit).filter(|_| {
            limit.is_some_and(|l| tokens.saturating_mul(100) > l.saturating_mul(COSTLY_DAY_PERCENT))
        });
        let measures = [
            dear.then(|| format!("{} times what the default selection costs", grouped(times))),
            of_a_day.map(|share| format!("{} of the company's tokens of a day", percent(share))),
        ];
        let measures: Vec<_> = measures.into_iter().flatten().collect();
        if measures.is_empty() {
            return None;
        }
        let large = |cost: &u64| cost.saturating_mul(100) >= tokens.saturating_mul(NAMED_PERCENT);
        let largest: Vec<_> =
            streams.iter().filter(|(cost, _)| large(cost)).take(NAMED_MAX).collect();
        let costs: Vec<_> =
            largest.iter().map(|(cost, name)| format!("{name} {}", grouped(*cost))).collect();
        let names: Vec<_> = largest.iter().map(|(_, name)| *name).collect();
        Some(format!(
            "this run is expected to cost about {} tokens, {}: {}; {}, and max_tokens spreads them over \
             several runs",
            grouped(tokens),
            measures.join(" and "),
            costs.join(", "),
            (self.way_out)(&names.join(","))
        ))
    }
}

/// Removes setup lists that a run with limited tokens does not need to read. Returns them and a sentence
/// about them.
pub(super) fn put_off_recent(
    settings: &Settings,
    jobs: &mut Vec<Job>,
    now: Option<Time>,
) -> (Vec<&'static Resource>, Option<String>) {
    let off = put_off(settings, jobs, now);
    let names: Vec<_> = off.iter().map(|resource| resource.name).collect();
    let sentence = (!off.is_empty()).then(|| {
        format!(
            "not read again while other lists are unfinished, since max_tokens is set and they were read \
             within a day: {}",
            names.join(", ")
        )
    });
    (off, sentence)
}

/// Returns the smallest token limit with which every list makes progress, if there is a limit. A run
/// whose tokens do not suffice for the first rows of the next list is an error.
pub(super) fn must_get_on(settings: &Settings, jobs: &[Job], spent: u64) -> Result<Option<u64>> {
    let (Some(most), Some(least)) = (settings.max_tokens, least(jobs)) else {
        return Ok(None);
    };
    if most >= spent + least.first {
        return Ok(Some(spent + least.each));
    }
    let message = format!(
        "max_tokens of {} is too small to read anything: {} are spent before the first list, and {} needs \
         {} for its first rows; {} is the smallest limit with which every list makes progress",
        grouped(most),
        grouped(spent),
        jobs.first().map_or("it", |job| job.resource().name),
        grouped(least.first),
        grouped(spent + least.each)
    );
    Err(Error::new(Kind::Quota, message))
}
