//! Orders the work of a run with few API tokens: what is read first, what is left out, and how few tokens
//! are too few.
//!
//! A run that `max_tokens` stops is repeated, so it must not start with what the run before has read.
//! Resources that no run has read to the end come first, large lists before small ones. Other resources
//! follow in the order in which they were read.

use super::children::REQUESTS_IN_FLIGHT_MAX;
use super::estimate::{ReadMode, way};
use super::plan::{Job, Mode};
use crate::model::{Changes, Listing, PerParent, Resource, Settings, Time};

/// The period in seconds in which a finished configuration list is not read again, while tokens are limited
/// and another list was never read to its end: a day.
const SETUP_RECENT_SECONDS: i64 = 86_400;
/// The number of tokens of a run below which lists are read one after the other. Read concurrently, each
/// would spend a part of so few tokens, and none might reach its rows.
const NARROW_TOKENS: u64 = 2_000;

/// The tokens that a run needs to make progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// The tokens without which the first list returns no rows, even if Pipedrive refuses nothing.
    pub first: u64,
    /// The tokens with which each of the lists makes progress, whatever Pipedrive refuses.
    pub each: u64,
}

/// Sorts jobs, which are in the order of their weight, into the order in which limited tokens are spent.
///
/// If only a reserve is kept for other clients, the order is that without a limit, but histories, which cost
/// one request per row, come last.
pub(super) fn order(settings: &Settings, jobs: &mut [Job]) {
    if settings.max_tokens.is_some() {
        let place = |name: &str| Resource::all().position(|resource| resource.name == name);
        jobs.sort_by_key(|job| (rank(job), job.finished, place(job.resource.name)));
    } else if settings.reserve_percent > 0 {
        jobs.sort_by_key(|job| job.resource.is_history());
    }
}

/// Returns the priority of a job. Lower numbers come first.
fn rank(job: &Job) -> u8 {
    let resource = job.resource;
    let asked = resource.parent.as_ref().map(|parent| parent.ask);
    match (job.finished, asked) {
        _ if job.lacking => 6,
        (Some(_), _) => 5,
        (None, Some(PerParent::Path | PerParent::Query(_))) => 4,
        // It is unknown whether the company has the feature.
        (None, _) if resource.feature.is_some() => 3,
        (None, Some(PerParent::Batch(_))) => 2,
        (None, None) => u8::from(!resource.incremental()),
    }
}

/// Removes configuration lists that can wait from a run with limited tokens, and returns them. They were read
/// to their end within a day before `now`, while another list never was.
pub fn put_off(
    settings: &Settings,
    jobs: &mut Vec<Job>,
    now: Option<Time>,
) -> Vec<&'static Resource> {
    let unfinished = jobs.iter().any(|job| job.finished.is_none() && !job.lacking);
    let (Some(now), true) = (now.filter(|_| settings.max_tokens.is_some()), unfinished) else {
        return Vec::new();
    };
    let recent = now.plus_seconds(-SETUP_RECENT_SECONDS);
    let off = |job: &Job| {
        !job.resource.incremental() && !job.named && job.finished.is_some_and(|time| time >= recent)
    };
    let left_out = jobs.iter().filter(|job| off(job)).map(|job| job.resource).collect();
    jobs.retain(|job| !off(job));
    left_out
}

/// Returns whether a run may spend few tokens only.
pub fn is_narrow(settings: &Settings) -> bool {
    settings.max_tokens.is_some_and(|most| most < NARROW_TOKENS)
}

/// Returns the number of streams that are read concurrently.
pub(super) fn side_by_side(settings: &Settings) -> usize {
    if is_narrow(settings) { 1 } else { settings.concurrency }
}

/// Returns whether a job costs one request for each row of another list.
pub fn is_per_row(job: &Job) -> bool {
    let ask = job.resource.parent.as_ref().map(|parent| parent.ask);
    matches!(ask, Some(PerParent::Path | PerParent::Query(_)))
}

/// Returns the tokens that these jobs, in this order, need to make progress. The requests before
/// them are not included. `None` if there is nothing to read.
pub fn least(jobs: &[Job]) -> Option<Least> {
    let first = first(jobs.first()?);
    Some(Least { first, each: jobs.iter().map(each).max().unwrap_or(first) })
}

/// Returns the minimum number of tokens from a job's first request to rows that are stored.
fn first(job: &Job) -> u64 {
    let (mut before, mut pending) = (0, None);
    for listing in &job.listings {
        let cost = u64::from(listing.cost);
        match way(job, listing) {
            ReadMode::Done => {}
            // Its changes are requested before the next list is read.
            ReadMode::Since(..) | ReadMode::Begun => before += cost,
            ReadMode::Whole { first } => {
                let walks = job.state.listings.get(listing.name).is_some_and(|p| p.walk.is_some());
                pending = Some(cost * (1 + u64::from(first && !walks)));
                break;
            }
        }
    }
    let pages = match pending {
        Some(pending) => before + pending,
        None => job.listings.first().map_or(0, |listing| listing.cost.into()),
    };
    pages + beside(job, |_| 0)
}

/// Returns the tokens with which a job makes progress from any position and finishes. Every run requests the
/// changes of finished lists, in up to two requests each, before it continues with the next list.
fn each(job: &Job) -> u64 {
    let vain = |listing: &Listing| refusals(job, listing);
    let (mut before, mut most) = (0, 0);
    for listing in &job.listings {
        let cost = u64::from(listing.cost);
        let timed = listing.changes != Changes::FullRead && job.mode != Mode::Scan;
        most = most.max(before + cost * (1 + u64::from(timed) + vain(listing)));
        before += if timed { 2 * cost } else { 0 };
    }
    most.max(before) + beside(job, vain)
}

/// Returns the additional tokens for a page of a job's lists: definitions, and the rows of parents.
fn beside(job: &Job, vain: impl Fn(&Listing) -> u64) -> u64 {
    let definitions = job.resource.fields.filter(|_| job.defines).and_then(Resource::named);
    let definitions = definitions.map_or(0, |dictionary| {
        dictionary.listings.iter().map(|l| u64::from(l.cost) * (1 + vain(l))).sum()
    });
    let portion = job.resource.parent.as_ref().map_or(0, |parent| {
        let requests = match parent.ask {
            PerParent::Batch(_) => 1,
            PerParent::Path | PerParent::Query(_) => REQUESTS_IN_FLIGHT_MAX as u64,
        };
        job.resource.listings.iter().map(|listing| requests * u64::from(listing.cost)).sum()
    });
    definitions + portion
}

/// Returns the number of requests that may be refused because of a parameter and are repeated without it.
fn refusals(job: &Job, listing: &Listing) -> u64 {
    let known = job.state.refused.contains_key(listing.name);
    let refusable = if known { 0 } else { listing.refusable.len() as u64 };
    refusable + u64::from(listing.changes == Changes::Since)
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Selected, plan};
    use super::*;
    use crate::model::StreamState;
    use serde_json::json;

    fn settings(more: &serde_json::Value) -> Settings {
        let mut config = json!({"api_token": "t"});
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        Settings::from_json(&config).expect("it is a configuration")
    }

    /// Returns jobs by the time at which each resource was read to its end: `-` for never, `x` for a resource
    /// that the company lacks.
    fn jobs(settings: &Settings, resources: &[(&str, &str)]) -> Vec<Job> {
        let selected = resources.iter().map(|(name, finished)| {
            let resource = Resource::named(name).expect("it exists");
            Selected {
                finished: Time::parse(finished),
                lacking: *finished == "x",
                ..Selected::new(resource, Mode::Incremental, None)
            }
        });
        plan(settings, selected.collect())
    }

    fn names(jobs: &[Job]) -> String {
        jobs.iter().map(|job| job.resource.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_wanted_most_comes_first() {
        let never = [
            ("deal_changelog", "-"),
            ("stages", "-"),
            ("deal_products", "-"),
            ("projects", "-"),
            ("persons", "-"),
            ("deals", "-"),
        ];
        let capped = settings(&json!({"max_tokens": 100}));
        assert_eq!(
            names(&jobs(&capped, &never)),
            "deals persons stages deal_products projects deal_changelog"
        );
        let later = [
            ("deals", "2026-03-02T00:00:00Z"),
            ("stages", "2026-03-01T00:00:00Z"),
            ("projects", "x"),
            ("persons", "-"),
        ];
        assert_eq!(names(&jobs(&capped, &later)), "persons stages deals projects");
        let unlimited = names(&jobs(&settings(&json!({})), &never));
        assert!(unlimited.starts_with("deal_changelog deal_products"), "{unlimited}");
        let reserved = names(&jobs(&settings(&json!({"reserve_percent": 10})), &never));
        assert!(reserved.ends_with("deal_changelog"), "{reserved}");
    }

    #[test]
    fn recent_set_up_waits_while_something_is_unfinished() {
        let capped = settings(&json!({"max_tokens": 100}));
        let now = Time::parse("2026-03-02T12:00:00Z");
        let off = |settings: &Settings, deals: &str| {
            let mut jobs = jobs(
                settings,
                &[
                    ("deals", deals),
                    ("stages", "2026-03-02T00:00:00Z"),
                    ("users", "2026-03-01T00:00:00Z"),
                    ("persons", "2026-03-02T00:00:00Z"),
                ],
            );
            let off = put_off(settings, &mut jobs, now);
            let off: Vec<_> = off.iter().map(|resource| resource.name).collect();
            format!("{} without {}", names(&jobs), off.join(" "))
        };
        assert_eq!(off(&capped, "-"), "deals users persons without stages");
        assert!(off(&capped, "2026-03-01T00:00:00Z").ends_with("without "));
        assert!(off(&capped, "x").ends_with("without "));
        assert!(off(&settings(&json!({})), "-").ends_with("without "));
    }

    #[test]
    fn the_least_is_told() {
        let capped = settings(&json!({"max_tokens": 100}));
        // The newest row and a page; the changes of live deals, twice; the newest row and a page of archived
        // deals, with two parameters refused; the changes of four deals.
        let both = jobs(&capped, &[("deals", "-"), ("deal_changelog", "-")]);
        assert_eq!(least(&both), Some(Least { first: 20, each: 20 + 80 + 80 }));
        assert_eq!(least(&[]), None);
    }

    #[test]
    fn a_finished_state_is_known() {
        let finished = |name: &str, state: serde_json::Value| {
            let resource = Resource::named(name).expect("it exists");
            let state = StreamState::from_json(resource, &state).expect("it is a state");
            state.as_ref().and_then(StreamState::finished)
        };
        let time = "2026-03-02T00:00:00Z";
        let at = Time::parse(time);
        let whole = json!({"version": 1, "full_refresh": true,
            "__ab_full_refresh_sync_complete": true, "until": time});
        assert_eq!(finished("stages", whole), at);
        assert_eq!(finished("stages", json!({"version": 1, "full_refresh": true})), None);
        assert_eq!(finished("persons", json!({"version": 1, "since": time, "until": time})), at);
        assert_eq!(finished("persons", json!({"version": 1, "since": time})), None);
        let walks = json!({"version": 1, "since": time, "until": time, "walk": {"since": time}});
        assert_eq!(finished("persons", walks), None);
        assert_eq!(finished("persons", json!({})), None);
    }
}
