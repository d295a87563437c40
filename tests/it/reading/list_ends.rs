//! Answers that end a list, or seem to, where it has not ended: a list is read whole, or the run says
//! that it is not complete.

use crate::support::backup::BackupFixture;
use crate::support::bundle::BundleFixture;
use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{Read, assert_equals_truth, assert_whole, sandbox, small, truth};
use source_pipedrive::model::{Paging, PerParent, Resource};
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, OddPage, Options, Sandbox};

/// Lists walked in each of the ways there are, and a list per parent of each kind.
const STREAMS: &[&str] = &[
    "deals",
    "persons",
    "products",
    "leads",
    "notes",
    "files",
    "projects",
    "mail_threads",
    "users",
    "goals",
    "lead_fields",
    "deal_products",
    "note_comments",
    "product_followers",
];

/// Well-formed answers that are wrong about the end of a list.
const ODD: &[FaultKind] = &[
    FaultKind::NoPaging,
    FaultKind::Empty,
    FaultKind::Null,
    FaultKind::Odd(OddPage::NullData),
    FaultKind::Odd(OddPage::EmptyData),
    FaultKind::Odd(OddPage::EmptyAdditional),
    FaultKind::Odd(OddPage::EmptyEnd),
    FaultKind::Odd(OddPage::MoreNowhere),
];

/// A command that reads streams, as its user runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Incremental,
    FullRefresh,
    Tap,
    Lines,
    Columns,
    Backup,
}

const HOW: &[How] =
    &[How::Incremental, How::FullRefresh, How::Tap, How::Lines, How::Columns, How::Backup];

fn account(faults: Vec<Fault>) -> Options {
    Options { scale: 0.03, page_max: Some(8), faults, ..small() }
}

/// Reads these streams. A run that claims to be complete must have read every row. Returns whether it
/// claimed that.
#[track_caller]
fn is_complete(how: How, sandbox: &Sandbox, streams: &[&'static str]) -> bool {
    match how {
        How::Incremental | How::FullRefresh => {
            let mode = if how == How::Incremental { "incremental" } else { "full_refresh" };
            let session = Read::of(sandbox, streams).mode(mode).with("concurrency", 1).run();
            if session.code == Some(0) {
                assert_whole(sandbox, &session, streams);
            }
            session.code == Some(0)
        }
        How::Tap => {
            let mut tap = Tap::of(sandbox).with("concurrency", 1);
            tap.catalog = Some(catalog(streams));
            let spoken = tap.run();
            let complete = spoken.0.code == Some(0);
            for stream in streams.iter().filter(|_| complete) {
                let records = spoken.records(stream);
                let expected = spoken.spelled(stream, truth(sandbox, stream));
                assert_eq!(records.len(), expected.len(), "{stream}");
            }
            complete
        }
        How::Lines | How::Columns => {
            let format = if how == How::Lines { "ndjson" } else { "parquet" };
            let warehouse = WarehouseFixture::of(sandbox, format, streams).with("concurrency", 1);
            let synced = warehouse.sync(&[]);
            assert_eq!(synced.summary["complete"] == true, synced.code == Some(0));
            if synced.code == Some(0) {
                warehouse.assert_once(sandbox);
            }
            synced.code == Some(0)
        }
        How::Backup => {
            let backups = BackupFixture::of(sandbox, streams).with("concurrency", 1);
            let code = backups.run(&[]).code;
            if code == Some(0) {
                backups.assert_whole(sandbox);
            }
            code == Some(0)
        }
    }
}

/// The tap's catalog, asked of an account without faults.
fn catalog(streams: &[&str]) -> serde_json::Value {
    static CATALOG: std::sync::OnceLock<serde_json::Value> = std::sync::OnceLock::new();
    let all = CATALOG.get_or_init(|| Tap::of(&sandbox(account(Vec::new()))).discover());
    let mut catalog = all.clone();
    for stream in catalog["streams"].as_array_mut().into_iter().flatten() {
        let name = stream["tap_stream_id"].as_str().unwrap_or_default().to_owned();
        crate::support::tap::root(stream)["selected"] = streams.contains(&name.as_str()).into();
    }
    catalog
}

/// What is asked for when these streams are read, in order.
fn requests(how: How, streams: &[&'static str]) -> Vec<String> {
    let sandbox = sandbox(account(Vec::new()));
    assert!(is_complete(how, &sandbox, streams), "{how:?}: nothing is wrong with this account");
    asked_since(&sandbox, 0)
}

/// What an account was asked for after so many requests, in order.
fn asked_since(sandbox: &Sandbox, before: usize) -> Vec<String> {
    let asked = sandbox.request_log().requests.into_iter().skip(before);
    asked.map(|entry| entry.path_and_query).collect()
}

/// The resource that lists this.
fn listed(place: &str) -> Option<&'static Resource> {
    let path = place.split('?').next().unwrap_or_default();
    Resource::all().find(|resource| {
        resource.listings.iter().any(|listing| match listing.path.split_once("{id}") {
            Some((before, after)) => path.starts_with(before) && path.ends_with(after),
            None => path == listing.path,
        })
    })
}

/// Returns whether this wrong response of the list is indistinguishable from a right one: one parent may
/// have no rows, and a list without pages has no other sign of its end.
fn is_plausible(resource: &Resource, trouble: FaultKind) -> bool {
    let by_path = resource.parent.as_ref().is_some_and(|p| !matches!(p.ask, PerParent::Batch(_)));
    let silent = resource.listings.iter().any(|listing| listing.paging == Paging::Plain);
    match trouble {
        FaultKind::Odd(OddPage::EmptyEnd) => by_path,
        FaultKind::Odd(OddPage::NullData | OddPage::EmptyData) | FaultKind::Empty => {
            by_path && silent
        }
        _ => false,
    }
}

/// An answer to go wrong: which request of a run, and how.
type Case = (usize, FaultKind);

/// Cases that can share a run, since none affects another. Their paths differ, so that a repeated request
/// of one shifts no other.
fn side_by_side(places: &[String], cases: impl Iterator<Item = Case>) -> Vec<Vec<Case>> {
    let path = |at: usize| places[at].split('?').next().unwrap_or_default();
    let mut runs: Vec<Vec<Case>> = Vec::new();
    for case in cases {
        let apart = |other: &Case| {
            let (one, other) = (path(case.0), path(other.0));
            !one.contains(other) && !other.contains(one)
        };
        match runs.iter_mut().find(|run| run.iter().all(apart)) {
            Some(run) => run.push(case),
            None => runs.push(vec![case]),
        }
    }
    runs
}

/// The faults of such a run: each strikes the request of its path that has this number among them.
fn faults(places: &[String], run: &[Case]) -> Vec<Fault> {
    let fault = |(at, trouble): &Case| {
        let path = places[*at].split('?').next().unwrap_or_default();
        let before = places[..*at].iter().filter(|place| place.contains(path)).count();
        Fault::on(*trouble, path, before as u64 + 1, 1)
    };
    run.iter().map(fault).collect()
}

/// What a run of cases is called.
fn told(places: &[String], run: &[Case]) -> String {
    let case = |(at, trouble): &Case| format!("{trouble:?} at request {}: {}", at + 1, places[*at]);
    run.iter().map(case).collect::<Vec<_>>().join(", ")
}

/// Each odd answer once, at each request of a run of each command: every row is read all the same.
fn once_at_every_request(how: How) {
    let streams: Vec<&'static str> = STREAMS.to_vec();
    let places = requests(how, &streams);
    assert!(places.len() > 60, "a run of only {} requests shows little", places.len());
    let cases = ODD.iter().enumerate().flat_map(|(nth, trouble)| {
        // Each answer strikes each kind of list in some command.
        let at = (0..places.len()).skip((nth + how as usize) % 5).step_by(5);
        at.map(|at| (at, *trouble))
    });
    let cases = cases.filter(|(at, trouble)| {
        !listed(&places[*at]).is_some_and(|resource| is_plausible(resource, *trouble))
    });
    for run in side_by_side(&places, cases) {
        let sandbox = sandbox(account(faults(&places, &run)));
        let complete = is_complete(how, &sandbox, &streams);
        assert!(complete, "{how:?}: {}", told(&places, &run));
    }
}

#[test]
fn an_odd_answer_ends_no_list_of_an_incremental_read() {
    once_at_every_request(How::Incremental);
}

#[test]
fn an_odd_answer_ends_no_list_of_a_full_refresh() {
    once_at_every_request(How::FullRefresh);
}

#[test]
fn an_odd_answer_ends_no_list_of_the_tap() {
    once_at_every_request(How::Tap);
}

#[test]
fn an_odd_answer_ends_no_list_of_a_warehouse() {
    once_at_every_request(How::Lines);
    once_at_every_request(How::Columns);
}

#[test]
fn an_odd_answer_ends_no_list_of_a_backup() {
    once_at_every_request(How::Backup);
}

/// Each odd response permanently, from each page of each list on, with each command.
#[test]
fn a_list_that_stays_odd_is_never_called_complete() {
    for (nth, stream) in STREAMS.iter().enumerate() {
        let resource = Resource::named(stream).expect("it exists");
        let path = resource.listings[0].path.split("{id}").last().expect("a path has parts");
        for (at, trouble) in ODD.iter().enumerate() {
            for page in 1..=3_u8 {
                // Whoever keeps saying that there are no rows, or no more, has none.
                let listing = &resource.listings[0];
                let silent = listing.silent || listing.limit == 0 || resource.parent.is_some();
                let none = match trouble {
                    FaultKind::Odd(OddPage::EmptyEnd) => true,
                    // Without rows nothing is left of a page of such a list that says that there is more.
                    FaultKind::Empty if listing.silent || listing.limit == 0 => true,
                    FaultKind::Odd(OddPage::NullData | OddPage::EmptyData) => page == 1 || silent,
                    _ => page == 1 && is_plausible(resource, *trouble),
                };
                if none {
                    continue;
                }
                let how = HOW[(nth + at + usize::from(page)) % HOW.len()];
                let fault = Fault::on(*trouble, path, page.into(), u32::MAX);
                // What is true is asserted inside; most of these runs cannot be complete.
                is_complete(how, &sandbox(account(vec![fault])), &[stream]);
            }
        }
    }
}

/// The same answers while changes are read: no row is lost for it, then or later.
#[test]
fn an_odd_answer_loses_no_change() {
    let streams = ["deals", "persons", "products", "leads", "notes", "files", "deal_products"];
    let edits = |sandbox: &Sandbox| {
        sandbox.state(|account| {
            account.advance(3600);
            for resource in ["deals", "persons", "products", "leads", "notes", "files"] {
                account.advance(40);
                account.edit(Edit::Bulk { resource, rows: 12 });
            }
            account.advance(90);
        });
    };
    let healthy = sandbox(account(Vec::new()));
    let first = Read::of(&healthy, &streams).run().succeeded();
    edits(&healthy);
    let before = healthy.request_log().requests.len();
    let unbroken = Read::of(&healthy, &streams).from(&first).run().succeeded();
    let count = (healthy.request_log().requests.len() - before) as u64;
    for trouble in ODD {
        for request in 1..=count {
            let sandbox = sandbox(account(vec![Fault::at(*trouble, request)]));
            edits(&sandbox);
            let second = Read::of(&sandbox, &streams).from(&first).run().succeeded();
            for stream in streams {
                let expected = unbroken.records(stream).into_iter();
                let resource = Resource::named(stream).expect("it exists");
                let expected =
                    expected.map(|row| (crate::support::key(resource, row), row.clone()));
                assert_equals_truth(stream, &second.records(stream), &expected.collect());
            }
        }
    }
}

/// A cursor that leads in a circle, under a new name each time.
#[test]
fn a_list_that_goes_in_a_circle_is_left() {
    for stream in ["persons", "deal_products"] {
        let resource = Resource::named(stream).expect("it exists");
        let path = resource.listings[0].path.split("{id}").last().expect("a path has parts");
        // Two pages in turn.
        let fault = |nth: u64| Fault::on(FaultKind::Odd(OddPage::Revolve), path, 2 * nth, 1);
        let sandbox = sandbox(account((1..100).map(fault).collect()));
        assert!(!is_complete(How::Incremental, &sandbox, &[stream]), "{stream}");
        let count = sandbox.request_log().requests.len();
        assert!(count < 120, "{stream}: {count} requests");
    }
}

/// Dictionaries, the key sweep and what a plan asks.
#[test]
fn what_is_asked_beside_the_streams_is_not_cut_short_either() {
    for trouble in ODD {
        for nth in 1..=2 {
            // Field definitions: columns keep their names.
            let fault = Fault::on(*trouble, "/api/v2/dealFields", nth, 1);
            let sandbox = sandbox(account(vec![fault]));
            let warehouse = WarehouseFixture::of(&sandbox, "parquet", &["deals"]);
            warehouse.sync(&[]).succeeded();
            warehouse.assert_once(&sandbox);
        }
    }
    // A sweep buries what is gone, and nothing else.
    let streams = ["persons", "notes", "products"];
    let gone = |sandbox: &Sandbox| {
        sandbox.state(|account| {
            account.advance(3600);
            account.edit(Edit::Delete { resource: "persons", key: "3".to_owned() });
            account.advance(60);
        });
    };
    let healthy = sandbox(account(Vec::new()));
    let warehouse = WarehouseFixture::of(&healthy, "ndjson", &streams);
    warehouse.sync(&[]).succeeded();
    gone(&healthy);
    let before = healthy.request_log().requests.len();
    let copy = WarehouseFixture::of(&healthy, "ndjson", &streams).with("concurrency", 1);
    copy_of(&warehouse, &copy);
    copy.sync(&["--deletes", "sweep"]).succeeded();
    let places = asked_since(&healthy, before);
    let cases = ODD.iter().flat_map(|trouble| (0..places.len()).map(|at| (at, *trouble)));
    for run in side_by_side(&places, cases) {
        let odd = sandbox(account(faults(&places, &run)));
        gone(&odd);
        let mut swept = WarehouseFixture::of(&healthy, "ndjson", &streams).with("concurrency", 1);
        copy_of(&warehouse, &swept);
        swept.pointed_at(&odd);
        let synced = swept.sync(&["--deletes", "sweep"]);
        let buried = synced.summary["deleted"].clone();
        assert_eq!(synced.code, Some(0), "{}: {}", told(&places, &run), synced.stderr);
        assert!(buried.is_null() || buried.is_object(), "{buried}");
        swept.assert_current(&odd);
    }
}

/// Copies a warehouse's files into an empty place.
fn copy_of(from: &WarehouseFixture, to: &WarehouseFixture) {
    for name in from.names() {
        let target = to.dir().join(&name);
        std::fs::create_dir_all(target.parent().expect("it has one")).expect("it can be made");
        std::fs::copy(from.dir().join(&name), target).expect("it can be copied");
    }
}

/// A bundle of an account holds all of it, or there is none.
#[test]
fn a_bundle_is_not_cut_short() {
    let whole = sandbox(account(Vec::new()));
    let bundles = BundleFixture::new().account(&whole);
    let expected = bundles.export("whole.json")["rows"].clone();
    let count = whole.request_log().requests.len() as u64;
    for (nth, trouble) in ODD.iter().enumerate() {
        for request in (1..=count).skip(nth % 2).step_by(2) {
            let odd = sandbox(account(vec![Fault::at(*trouble, request)]));
            let bundles = BundleFixture::new().account(&odd);
            let rows = bundles.export("odd.json")["rows"].clone();
            assert_eq!(rows, expected, "{trouble:?} at request {request}");
        }
    }
}
