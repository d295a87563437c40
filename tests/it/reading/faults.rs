//! Everything an API can do wrong, and what a read does about it.

use crate::support::{
    Read, all, assert_equals_truth, assert_exactly, assert_whole, change, key, latest, sandbox,
    small, truth,
};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Fault, FaultKind, Options};
use std::collections::BTreeMap;

/// Streams whose lists are walked in each of the ways there are, and one list per parent of each
/// kind.
const EVERY_KIND: &[&str] = &[
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
    "deal_fields",
    "lead_fields",
    "call_logs",
    "deal_products",
    "phases",
    "deal_changelog",
    "note_comments",
    "product_followers",
];

/// With the faults that pass, each once, and every list per parent.
#[test]
fn an_account_of_scale_1_is_read_through_every_fault() {
    let sandbox = sandbox(Options { scale: 1.0, faults: every(7), ..small_pages(500) });
    let session = Read::of(&sandbox, &all()).with("concurrency", 8).run().succeeded();
    assert_whole(&sandbox, &session, &all());
}

#[test]
fn an_account_of_scale_10_is_read_through_every_fault() {
    let sandbox = sandbox(Options { scale: 10.0, faults: every(11), ..small_pages(500) });
    let streams = Resource::all().filter(|resource| !resource.on_request);
    let streams: Vec<_> = streams.map(|resource| resource.name).collect();
    let session = Read::of(&sandbox, &streams).run().succeeded();
    assert_whole(&sandbox, &session, &streams);
}

/// The faults that pass, each once, so many requests apart.
fn every(apart: u64) -> Vec<Fault> {
    let faults = PASSING.iter().enumerate().map(|(place, trouble)| match trouble {
        // Whichever request comes then may be for a list that comes whole: empty, it would be true.
        FaultKind::Empty => Fault::on(*trouble, "v2/activities", 2, 1),
        _ => Fault::at(*trouble, 5 + apart * place as u64),
    });
    faults.collect()
}

fn small_pages(rows: usize) -> Options {
    Options { page_max: Some(rows), ..small() }
}

/// Faults after which the same run continues and loses nothing.
const PASSING: &[FaultKind] = &[
    FaultKind::Status(500),
    FaultKind::Status(502),
    FaultKind::Status(503),
    FaultKind::Status(504),
    FaultKind::Status(520),
    FaultKind::Status(524),
    FaultKind::BareLimit,
    FaultKind::Cloudflare,
    FaultKind::Truncate,
    FaultKind::CutJson,
    FaultKind::Html,
    FaultKind::Failure,
    FaultKind::Null,
    FaultKind::Utf8,
    FaultKind::Reset,
    FaultKind::Empty,
];

#[test]
fn every_passing_fault_is_survived() {
    let mut faults = Vec::new();
    for (place, trouble) in PASSING.iter().enumerate() {
        faults.push(match trouble {
            // A list that comes whole has no page after an empty one, so this is aimed.
            FaultKind::Empty => Fault::on(*trouble, "/api/v2/persons", 2, 1),
            _ => Fault::at(*trouble, 2 + 4 * place as u64),
        });
    }
    let sandbox = sandbox(Options { faults, ..small() });
    let session = Read::of(&sandbox, EVERY_KIND).run().succeeded();
    assert_whole(&sandbox, &session, EVERY_KIND);
    let limited = session
        .of_type("TRACE")
        .any(|line| line["trace"]["stream_status"]["reasons"][0]["type"] == "RATE_LIMITED");
    assert!(limited, "a stream that waits for the rate limit says so");
}

#[test]
fn each_fault_at_each_stream_is_survived() {
    for trouble in PASSING {
        let faults = EVERY_KIND.iter().filter_map(|stream| {
            let listing = &Resource::named(stream)?.listings[0];
            let path = listing.path.split("{id}").last()?;
            // A list that comes whole has no page after an empty one.
            if *trouble == FaultKind::Empty && listing.limit == 0 {
                return None;
            }
            Some(Fault::on(*trouble, path, 2, 1))
        });
        let sandbox = sandbox(Options { faults: faults.collect(), ..small() });
        let session = Read::of(&sandbox, EVERY_KIND).run().succeeded();
        assert_whole(&sandbox, &session, EVERY_KIND);
    }
}

/// Lists that contradict themselves: never taken for complete. The next run, on a healthy API,
/// brings what is missing.
#[test]
fn a_list_that_lies_is_reported() {
    for (trouble, stream, nth) in [
        (FaultKind::Repeat, "persons", 3),
        (FaultKind::Loop, "persons", 3),
        (FaultKind::Repeat, "notes", 3),
        (FaultKind::Empty, "notes", 3),
        (FaultKind::Repeat, "lead_fields", 2),
        (FaultKind::Empty, "call_logs", 1),
        (FaultKind::Status(403), "activities", 3),
        (FaultKind::Status(404), "persons", 3),
    ] {
        let path = Resource::named(stream).expect("it exists").listings[0].path;
        let fault = Fault { times: u32::MAX, ..Fault::on(trouble, path, nth, 1) };
        let broken = sandbox(Options { faults: vec![fault], ..small() });
        let session = Read::of(&broken, &[stream, "stages"]).run();
        if session.code == Some(0) {
            // A page that comes twice is a slip that an offset walk recovers from.
            assert_whole(&broken, &session, &[stream]);
            continue;
        }
        assert_eq!(session.code, Some(1), "{trouble:?}");
        assert_eq!(session.statuses(stream).last().map(String::as_str), Some("INCOMPLETE"));
        assert_eq!(session.statuses("stages").last().map(String::as_str), Some("COMPLETE"));
        let healthy = sandbox(small());
        let mut again = Read::of(&healthy, &[stream]);
        again.state = Some(session.state());
        let again = again.run().succeeded();
        let mut rows = session.records(stream);
        rows.extend(again.records(stream));
        let resource = Resource::named(stream).expect("it exists");
        let unique: BTreeMap<_, _> =
            rows.into_iter().map(|row| (key(resource, row), row)).collect();
        let rows: Vec<_> = unique.into_values().collect();
        assert_equals_truth(stream, &rows, &truth(&healthy, stream));
    }
}

/// A deviation in a row is passed on as received, and reported once.
#[test]
fn surprises_are_passed_on() {
    let fault = |trouble| Fault { times: u32::MAX, ..Fault::on(trouble, "/api/v2/deals", 1, 1) };
    for (trouble, said) in [
        (FaultKind::NewKey, "is not known to this version"),
        (FaultKind::NewType, "has another type than documented"),
    ] {
        let sandbox = sandbox(Options { faults: vec![fault(trouble)], ..small() });
        let session = Read::of(&sandbox, &["deals"]).run().succeeded();
        let told = session.logs().iter().filter(|log| log.contains(said)).count();
        assert_eq!(told, 1, "{trouble:?}: {:?}", session.logs());
        assert_eq!(latest("deals", &[&session]).len(), truth(&sandbox, "deals").len());
    }
    for trouble in [FaultKind::NewEnum, FaultKind::LostReason] {
        let sandbox = sandbox(Options { faults: vec![fault(trouble)], ..small() });
        let session = Read::of(&sandbox, &["deals"]).run().succeeded();
        assert_eq!(session.logs().len(), 2, "{trouble:?}: {:?}", session.logs());
        assert_eq!(latest("deals", &[&session]).len(), truth(&sandbox, "deals").len());
    }
}

/// A deviation of deals is reported by the stream of deals, and once, even if other streams read their
/// list.
#[test]
fn an_unknown_key_is_told_once_by_the_stream_that_has_it() {
    let fault = Fault { times: u32::MAX, ..Fault::on(FaultKind::NewKey, "/api/v2/deals?", 1, 1) };
    let streams = ["deals", "deal_products", "deal_installments"];
    for (read, expected) in [(&streams[..], 1), (&streams[1..], 0)] {
        let sandbox = sandbox(Options { faults: vec![fault.clone()], ..small() });
        let session = Read::of(&sandbox, read).run().succeeded();
        let told: Vec<_> =
            session.logs().into_iter().filter(|log| log.contains("not known to this")).collect();
        assert_eq!(told.len(), expected, "{told:?}");
        assert!(told.iter().all(|log| log.starts_with("deals: ")), "{told:?}");
        assert!(told.iter().all(|log| !log.contains("discover")), "{told:?}");
    }
}

/// A full page that does not say what is next might be the last one, or the API might have slipped.
#[test]
fn a_full_page_without_paging_is_asked_for_again() {
    let faults = vec![Fault::on(FaultKind::NoPaging, "/api/v2/persons", 2, 1)];
    let sandbox = sandbox(Options { scale: 1.0, page_max: None, faults, ..small() });
    let session = Read::of(&sandbox, &["persons"]).run().succeeded();
    assert_whole(&sandbox, &session, &["persons"]);
    // If the response does not change, the end of the list is unknown.
    let faults = vec![Fault::on(FaultKind::NoPaging, "/api/v2/persons", 2, u32::MAX)];
    let odd = self::sandbox(Options { scale: 1.0, page_max: None, faults, ..small() });
    let session = Read::of(&odd, &["persons"]).run();
    assert_eq!(session.code, Some(1));
    let errors = session.errors();
    assert!(errors[0].contains("does not say whether there is more"), "{errors:?}");
}

/// A cursor that is not accepted any more: the list is read again from the start.
#[test]
fn a_stale_cursor_restarts_its_list() {
    let capped = sandbox(small());
    let first = Read::of(&capped, &["persons"]).with("max_tokens", 35).run();
    assert_eq!(first.code, Some(1));
    assert!(first.state_of("persons")["walk"]["cursor"].is_string());
    let faults = vec![Fault::on(FaultKind::BadCursor, "cursor", 1, 1)];
    let healthy = sandbox(Options { faults, ..small() });
    let second = Read::of(&healthy, &["persons"]).from(&first).run().succeeded();
    let rows = latest("persons", &[&first, &second]);
    assert_equals_truth("persons", &rows, &truth(&healthy, "persons"));
    assert!(second.logs().iter().any(|log| log.contains("no longer accepts its cursor")));
}

/// The same where changes are read: a page that repeats or says nothing is not the end, and no
/// watermark moves past what was not read.
#[test]
fn an_offset_list_that_lies_is_reported() {
    let streams = &["notes", "leads", "files"];
    let account = || Options { scale: 0.2, ..small() };
    let healthy = sandbox(account());
    let first = Read::of(&healthy, streams).run().succeeded();
    for trouble in [FaultKind::Repeat, FaultKind::Empty] {
        for stream in streams {
            let path = Resource::named(stream).expect("it exists").listings[0].path;
            let fault = Fault { times: u32::MAX, ..Fault::on(trouble, path, 2, 1) };
            let broken = sandbox(Options { faults: vec![fault], ..account() });
            let changed = change(&broken, &[(stream, 50)]);
            let second = Read::of(&broken, &[stream]).from(&first).run();
            if second.code == Some(0) {
                if second.logs().iter().any(|log| log.contains("may come again")) {
                    let rows = latest(stream, &[&first, &second]);
                    assert_equals_truth(stream, &rows, &truth(&broken, stream));
                } else {
                    assert_exactly(&broken, &second, stream, &changed[stream]);
                }
                continue;
            }
            assert_eq!(second.code, Some(1), "{trouble:?} {stream}");
            let mended = sandbox(account());
            change(&mended, &[(stream, 50)]);
            let mut third = Read::of(&mended, &[stream]);
            third.state = Some(second.state());
            if second.of_type("STATE").next().is_none() {
                third.state = Some(first.state());
            }
            let third = third.run().succeeded();
            let rows = latest(stream, &[&second, &third]);
            let mut expected = truth(&mended, stream);
            expected.retain(|key, _| changed[stream].contains(key));
            assert_equals_truth(stream, &rows, &expected);
        }
    }
}

/// A page that repeats once is a slip, and the walk finds its place again.
#[test]
fn an_offset_list_that_slips_once_is_read_whole() {
    let streams = &["notes", "files", "lead_fields", "call_logs", "deal_participants"];
    let faults = streams.iter().flat_map(|stream| {
        let path = Resource::named(stream).expect("it exists").listings[0].path;
        let path = path.split("{id}").last().expect("a path has parts");
        [Fault::on(FaultKind::Repeat, path, 3, 1), Fault::on(FaultKind::NoPaging, path, 4, 1)]
    });
    let sandbox = sandbox(Options { scale: 0.2, faults: faults.collect(), ..small() });
    let session = Read::of(&sandbox, streams).run().succeeded();
    assert_whole(&sandbox, &session, streams);
}
