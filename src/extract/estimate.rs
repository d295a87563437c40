//! Estimates the cost of a run before it starts. The module is pure: callers pass jobs and known sizes.
//!
//! Retries are not counted, and neither are requests that an account refuses. The time is the longest of
//! three: all requests at the rate that the account allows; the requests of the longest stream one after
//! the other, at [`ROUND_TRIP`] each; and the requests of all streams, divided by the number of streams that
//! are read concurrently.

use super::children::REQUESTS_IN_FLIGHT_MAX;
use super::plan::{Job, Mode};
use super::sizes::{Bound, Extent, Rows, Sizes};
use super::thrift::side_by_side;
use crate::model::{
    BATCH_PARENTS_MAX, Changes, Cost, Listing, Paging, PerParent, Progress, Resource, Settings,
    Time,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// The typical round-trip time of a request to Pipedrive.
pub const ROUND_TRIP: Duration = Duration::from_millis(250);
/// The assumed number of rows of a list that was not counted: the configuration of an account fits in a
/// page.
const ROWS_GUESSED: u64 = 40;
/// The same for a list that has no pages.
const UNPAGED_ROWS_GUESSED: u64 = 5;
/// The window of the burst limit.
const BURST_WINDOW_MILLIS: u64 = 2_000;
/// The cost of `users/me` in tokens. Every run requests it first.
pub const ACCOUNT_TOKENS: u64 = 2;

/// The estimated cost of one resource.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The resource.
    pub resource: &'static Resource,
    /// Requests and tokens.
    pub cost: Cost,
    /// The certainty of the estimate.
    pub bound: Bound,
    /// The number of requests that must be sent one after the other.
    pub chain: u64,
    /// The time that the resource takes alone.
    pub time: Duration,
}

/// The estimated cost of a run.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Estimates by resource.
    pub estimates: Vec<Estimate>,
    /// The cost of other requests: the account and the field dictionaries.
    pub overhead: Cost,
    /// The sum.
    pub total: Cost,
    /// The certainty of the sum.
    pub bound: Bound,
    /// The estimated time.
    pub time: Duration,
}

/// The way in which a job reads one of its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadMode {
    /// The list was read already.
    Done,
    /// In full. An incremental resource also requests the newest row first.
    Whole {
        /// Whether the resource is incremental from then on.
        first: bool,
    },
    /// From a start date. The number of rows is unknown, and at most the total.
    Begun,
    /// Changes since the last run, in this number of parts.
    Since(Time, u64),
}

/// Estimates the cost of these jobs, with `burst` requests allowed in two seconds.
pub fn estimate(settings: &Settings, jobs: &[Job], sizes: &Sizes, burst: u32) -> Forecast {
    let at_rate = |requests: u64| {
        Duration::from_millis(
            requests.saturating_mul(BURST_WINDOW_MILLIS) / u64::from(burst.max(1)),
        )
    };
    let mut asked = Asked::new();
    let mut estimates: Vec<_> = jobs.iter().map(|job| of(job, sizes, &mut asked)).collect();
    for estimate in &mut estimates {
        estimate.time = at_rate(estimate.cost.requests).max(serially(estimate.chain));
    }
    // A dictionary that is also a stream of the run is requested once.
    let streamed = |name: &&str| jobs.iter().any(|job| job.resource.name == *name);
    let dictionaries = jobs.iter().filter_map(|job| job.resource.fields);
    let dictionaries: BTreeSet<_> = dictionaries.filter(|name| !streamed(name)).collect();
    let dictionaries = dictionaries.into_iter().filter_map(Resource::named);
    let mut overhead = Cost { requests: 1, tokens: ACCOUNT_TOKENS };
    for listing in dictionaries.flat_map(|dictionary| dictionary.listings) {
        overhead += Cost { requests: 1, tokens: listing.cost.into() };
    }
    let mut total = overhead;
    let mut bound = Bound::Exact;
    for estimate in &estimates {
        total += estimate.cost;
        bound = bound.and(estimate.bound);
    }
    let longest = estimates.iter().map(|estimate| estimate.chain).max().unwrap_or(0);
    let all: u64 = estimates.iter().map(|estimate| estimate.chain).sum();
    let side_by_side = all.div_ceil(side_by_side(settings).max(1) as u64);
    let time = at_rate(total.requests).max(serially(longest.max(side_by_side) + 1));
    Forecast { estimates, overhead, total, bound, time }
}

fn serially(requests: u64) -> Duration {
    ROUND_TRIP.saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX))
}

/// Lists whose changes a job requests, with the start time. Other jobs send no further request for them.
type Asked = BTreeSet<(&'static str, &'static str, Time)>;

fn of(job: &Job, sizes: &Sizes, asked: &mut Asked) -> Estimate {
    let resource = job.resource;
    let watched = resource.parent_resource().unwrap_or(resource);
    let ways: Vec<_> = job.listings.iter().map(|listing| (*listing, way(job, listing))).collect();
    let rows = shared_out(watched, &ways, sizes);
    let mut estimate = Estimate {
        resource,
        cost: Cost::default(),
        bound: Bound::Exact,
        chain: 0,
        time: Duration::ZERO,
    };
    let mut parents = Rows { count: 0, bound: Bound::Exact };
    for ((listing, way), rows) in ways.iter().zip(rows) {
        let (mut requests, mut bound) = pages(listing, rows);
        match way {
            ReadMode::Done => continue,
            // Each page repeats the last second of the page before.
            ReadMode::Begun if listing.changes == Changes::SinceByKey => {
                bound = bound.and(Bound::Guess);
            }
            ReadMode::Whole { first: false } | ReadMode::Begun => {}
            // One request for the newest row before the walk, and one for changes during it. Lists that
            // may refuse the filter are requested a second time without it.
            ReadMode::Whole { first: true } if listing.changes == Changes::Since => requests += 3,
            ReadMode::Whole { first: true } => requests += 2,
            ReadMode::Since(since, parts) => {
                let shared = !matches!(listing.changes, Changes::NewestFirst | Changes::FullRead);
                let again = shared && !asked.insert((watched.name, listing.name, *since));
                requests = if again { 0 } else { requests.max(*parts) };
            }
        }
        parents.count += rows.count;
        parents.bound = parents.bound.and(rows.bound);
        estimate.chain += requests;
        estimate.cost += Cost { requests, tokens: requests * u64::from(listing.cost) };
        estimate.bound = estimate.bound.and(bound);
    }
    if let Some(parent) = &resource.parent {
        per_parent(&mut estimate, parent.ask, parents);
    }
    estimate
}

/// Adds the requests for the rows of these parents.
fn per_parent(estimate: &mut Estimate, ask: PerParent, parents: Rows) {
    let (requests, side_by_side) = match ask {
        PerParent::Batch(_) => (parents.count.div_ceil(BATCH_PARENTS_MAX as u64), 1),
        PerParent::Path | PerParent::Query(_) => (parents.count, REQUESTS_IN_FLIGHT_MAX as u64),
    };
    for listing in estimate.resource.listings {
        let bound = match listing.paging {
            // Known parents without changes are not requested.
            Paging::Plain | Paging::Goals | Paging::One => Bound::AtMost,
            // The number of rows per parent is unknown.
            Paging::Cursor | Paging::Offset => Bound::Guess,
        };
        estimate.chain += requests.div_ceil(side_by_side);
        estimate.cost += Cost { requests, tokens: requests * u64::from(listing.cost) };
        estimate.bound = estimate.bound.and(bound).and(parents.bound);
    }
}

/// Returns how a job reads a list, according to its state.
pub(super) fn way(job: &Job, listing: &Listing) -> ReadMode {
    let part = |name: &str| {
        name == listing.name
            || name.strip_prefix(listing.name).is_some_and(|part| part.starts_with(':'))
    };
    let known = || job.state.listings.iter().filter(|(name, _)| part(name)).map(|(_, p)| p);
    let parts = known().count() as u64;
    if job.state.full {
        let done = job.state.complete || (parts > 0 && known().all(|progress| progress.done));
        // A walk of a list with times ends with the changes during it.
        let first = job.mode == Mode::Full && listing.changes != Changes::FullRead;
        return if done { ReadMode::Done } else { ReadMode::Whole { first } };
    }
    // The beginning of time marks a list that was empty: it is walked once more.
    let settled = |progress: &Progress| {
        progress.since.filter(|since| progress.walk.is_none() && *since > Time::EPOCH)
    };
    let since: Option<Vec<Time>> = known().map(settled).collect();
    match since.unwrap_or_default().into_iter().min() {
        None => ReadMode::Whole { first: true },
        // Until something was read, the watermark is just the start date.
        Some(_) if !known().any(|progress| job.state.was_read(progress)) => ReadMode::Begun,
        Some(since) => ReadMode::Since(since.whole_second(), parts),
    }
}

/// Returns the list whose size determines the length of this way.
pub(super) fn extent(
    watched: &'static Resource,
    listing: &'static Listing,
    way: ReadMode,
) -> Extent {
    let since = match way {
        ReadMode::Since(since, _) => Some(since),
        ReadMode::Done | ReadMode::Whole { .. } | ReadMode::Begun => None,
    };
    Extent { resource: watched.name, listing: listing.name, since }
}

/// Returns the rows of each list. A bound of the whole resource is distributed, the most expensive list
/// first, because only one list contains a given row.
fn shared_out(
    watched: &'static Resource,
    ways: &[(&'static Listing, ReadMode)],
    sizes: &Sizes,
) -> Vec<Rows> {
    let guess = |listing: &Listing| match listing.paging {
        Paging::Plain | Paging::Goals | Paging::One => UNPAGED_ROWS_GUESSED,
        Paging::Cursor | Paging::Offset => ROWS_GUESSED,
    };
    let guess = |listing| Rows { count: guess(listing), bound: Bound::Guess };
    let earlier = sizes.earlier.get(watched.name);
    let earlier = earlier.map(|count| Rows { count: *count, bound: Bound::Guess });
    let mut rows: Vec<_> = ways
        .iter()
        .map(|(listing, way)| {
            let asked = sizes.asked.get(&extent(watched, listing, *way)).copied();
            let earlier = earlier.filter(|_| !matches!(way, ReadMode::Since(..)));
            asked.or(earlier).unwrap_or_else(|| guess(listing))
        })
        .collect();
    let bounds = |rows: &Rows| matches!(rows.bound, Bound::AtMost | Bound::Guess);
    let whole = ways.iter().all(|(_, way)| !matches!(way, ReadMode::Since(..) | ReadMode::Done));
    if whole && rows.iter().all(bounds) {
        let mut left = rows.iter().map(|rows| rows.count).max().unwrap_or(0);
        let mut places: Vec<_> = (0..rows.len()).collect();
        places.sort_by_key(|place| std::cmp::Reverse(ways[*place].0.cost));
        for place in places {
            let count = rows[place].count.min(left);
            (rows[place].count, left) = (count, left - count);
        }
    }
    rows
}

/// Returns the number of requests of a walk over this number of rows. A walk that ends on a full page may
/// need one more.
fn pages(listing: &Listing, rows: Rows) -> (u64, Bound) {
    let fresh = match listing.paging {
        Paging::Plain | Paging::Goals | Paging::One => return (1, Bound::Exact),
        Paging::Cursor => u64::from(listing.limit),
        // Every page overlaps the page before by one row.
        Paging::Offset => u64::from(listing.limit).saturating_sub(1),
    };
    let fresh = fresh.max(1);
    let pages = match rows.bound {
        Bound::Exact => rows.count.div_ceil(fresh).max(1),
        Bound::AtLeast => rows.count.div_ceil(fresh).max(2),
        // Some lists do not mark the last page: the next one shows it.
        Bound::Guess if listing.paging == Paging::Offset => rows.count / fresh + 2,
        Bound::AtMost | Bound::Guess => rows.count / fresh + 1,
    };
    (pages, rows.bound)
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Selected, plan};
    use super::*;
    use crate::model::StreamState;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn jobs(settings: &Settings, resources: &[(&str, Value)]) -> Vec<Job> {
        let selected = resources.iter().map(|(name, state)| {
            let resource = Resource::named(name).expect("it exists");
            let state = StreamState::from_json(resource, state).expect("it is a state");
            Selected::new(resource, Mode::Incremental, state)
        });
        plan(settings, selected.collect())
    }

    type Known = (&'static str, &'static str, Option<&'static str>, u64, Bound);

    /// Returns the estimate of one resource as a line.
    #[track_caller]
    fn check(config: &Value, (name, state): (&str, Value), asked: &[Known], expected: &str) {
        let mut config = config.clone();
        config["api_token"] = "t".into();
        let settings = Settings::from_json(&config).expect("it is a configuration");
        let asked = asked.iter().map(|(resource, listing, since, count, bound)| {
            let since = since.map(|time| Time::parse(time).expect("it is a time"));
            let rows = Rows { count: *count, bound: *bound };
            (Extent { resource, listing, since }, rows)
        });
        let sizes = Sizes { asked: asked.collect(), earlier: BTreeMap::from([("tasks", 1_700)]) };
        let forecast = estimate(&settings, &jobs(&settings, &[(name, state)]), &sizes, 20);
        let one = &forecast.estimates[0];
        let shown = format!(
            "{} requests, {} tokens, {}, chain {}",
            one.cost.requests,
            one.cost.tokens,
            one.bound.name(),
            one.chain
        );
        assert_eq!(shown, expected, "{name}");
    }

    use Bound::{AtLeast, AtMost, Exact};

    #[test]
    fn a_first_run_walks_every_list() {
        let none = json!({});
        let first = |name| (name, Value::Null);
        check(
            &none,
            first("persons"),
            &[("persons", "all", None, 1_000, AtMost)],
            "5 requests, 50 tokens, at_most, chain 5",
        );
        check(
            &none,
            first("products"),
            &[("products", "all", None, 10, AtMost)],
            "4 requests, 40 tokens, at_most, chain 4",
        );
        // The higher id bounds both lists together: as many rows as possible are archived, and the rest
        // is live.
        let deals =
            [("deals", "live", None, 5_400, AtMost), ("deals", "archived", None, 600, AtMost)];
        check(&none, first("deals"), &deals, "16 requests, 200 tokens, at_most, chain 16");
        check(
            &json!({"archived": false}),
            first("deals"),
            &deals,
            "13 requests, 130 tokens, at_most, chain 13",
        );
        check(
            &none,
            first("leads"),
            &[("leads", "live", None, 3, Exact), ("leads", "archived", None, 501, AtLeast)],
            "7 requests, 220 tokens, at_least, chain 7",
        );
        check(&none, first("stages"), &[], "1 requests, 5 tokens, guess, chain 1");
        check(&none, first("goals"), &[], "6 requests, 120 tokens, exact, chain 6");
        check(&none, first("tasks"), &[], "4 requests, 40 tokens, guess, chain 4");
    }

    #[test]
    fn lists_per_parent_cost_by_parent() {
        let none = json!({});
        let first = |name| (name, Value::Null);
        let deals =
            [("deals", "live", None, 950, AtMost), ("deals", "archived", None, 1_000, AtMost)];
        check(&none, first("deal_products"), &deals, "18 requests, 230 tokens, guess, chain 18");
        check(
            &none,
            first("deal_changelog"),
            &deals,
            "1008 requests, 20130 tokens, guess, chain 258",
        );
        check(
            &none,
            first("organization_relationships"),
            &[("organizations", "all", None, 100, AtMost)],
            "103 requests, 2030 tokens, at_most, chain 28",
        );
    }

    #[test]
    fn a_later_run_asks_for_what_changed() {
        let none = json!({});
        let since = "2026-03-01T00:00:00Z";
        let state = json!({"version": 1, "update_time": "2026-03-01T00:01:00Z", "since": since});
        let changed = |count, bound| [("persons", "all", Some(since), count, bound)];
        check(
            &none,
            ("persons", state.clone()),
            &changed(7, Exact),
            "1 requests, 10 tokens, exact, chain 1",
        );
        check(
            &none,
            ("persons", state.clone()),
            &changed(501, AtLeast),
            "2 requests, 20 tokens, at_least, chain 2",
        );
        check(
            &none,
            ("product_variations", state),
            &[("products", "all", Some(since), 9, Exact)],
            "10 requests, 100 tokens, guess, chain 4",
        );
        let full =
            json!({"version": 1, "full_refresh": true, "__ab_full_refresh_sync_complete": true});
        check(&none, ("stages", full), &[], "1 requests, 5 tokens, guess, chain 1");
        // A start date bounds no known number.
        let started = json!({"start_date": since});
        check(
            &started,
            ("persons", Value::Null),
            &[("persons", "all", None, 1_000, AtMost)],
            "3 requests, 30 tokens, at_most, chain 3",
        );
    }

    #[test]
    fn the_time_is_the_longest_of_three() {
        let seconds = |resources: &[(&str, Value)], burst| {
            let settings = Settings::from_json(&json!({"api_token": "t", "concurrency": 2}));
            let settings = settings.expect("it is a configuration");
            let row = |resource, listing, count| {
                let bound = Bound::AtMost;
                (Extent { resource, listing, since: None }, Rows { count, bound })
            };
            let asked = BTreeMap::from([
                row("persons", "all", 49_000),
                row("organizations", "all", 49_000),
                row("activities", "all", 49_000),
            ]);
            let sizes = Sizes { asked, ..Sizes::default() };
            estimate(&settings, &jobs(&settings, resources), &sizes, burst).time.as_secs()
        };
        let all = ["persons", "organizations", "activities"].map(|name| (name, Value::Null));
        assert_eq!(seconds(&all[..1], 1_000), 25, "one stream, a request after the other");
        assert_eq!(seconds(&all, 1_000), 38, "three streams, two at a time");
        assert_eq!(seconds(&all, 10), 61, "five requests a second");
    }
}
