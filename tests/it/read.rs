//! Whole reads over the wire, held against what the account really holds.

use crate::support::{Read, Session, all, assert_equals_truth, key, sandbox, small, truth};
use serde_json::Value;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Fault, Options, Sandbox, Trouble};
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

#[track_caller]
fn assert_whole(sandbox: &Sandbox, session: &Session, streams: &[&str]) {
    for stream in streams {
        assert_equals_truth(stream, &session.records(stream), &truth(sandbox, stream));
        let statuses = session.statuses(stream);
        assert_eq!(statuses.first().map(String::as_str), Some("STARTED"), "{stream}");
        assert_eq!(statuses.get(1).map(String::as_str), Some("RUNNING"), "{stream}");
        assert_eq!(statuses.last().map(String::as_str), Some("COMPLETE"), "{stream}");
    }
}

#[test]
fn every_stream_equals_the_account() {
    let sandbox =
        sandbox(Options { scale: 0.3, page_max: Some(37), limits: false, ..Options::default() });
    let session = Read::of(&sandbox, &all()).run().succeeded();
    assert_whole(&sandbox, &session, &all());
}

/// With the faults that pass, each once, and every list per parent.
#[test]
fn an_account_of_scale_1_is_read_through_every_fault() {
    let faults = PASSING.iter().enumerate();
    let faults = faults.map(|(place, trouble)| Fault::at(*trouble, 5 + 7 * place as u64));
    let sandbox = sandbox(Options { scale: 1.0, faults: faults.collect(), ..small_pages(500) });
    let session = Read::of(&sandbox, &all()).with("concurrency", 8).run().succeeded();
    assert_whole(&sandbox, &session, &all());
}

#[test]
fn an_account_of_scale_10_is_read_through_every_fault() {
    let faults = PASSING.iter().enumerate();
    let faults = faults.map(|(place, trouble)| Fault::at(*trouble, 5 + 11 * place as u64));
    let sandbox = sandbox(Options { scale: 10.0, faults: faults.collect(), ..small_pages(500) });
    let streams = Resource::all().filter(|resource| !resource.on_request);
    let streams: Vec<_> = streams.map(|resource| resource.name).collect();
    let session = Read::of(&sandbox, &streams).run().succeeded();
    assert_whole(&sandbox, &session, &streams);
}

fn small_pages(rows: usize) -> Options {
    Options { page_max: Some(rows), ..small() }
}

#[test]
fn a_full_refresh_equals_the_account() {
    let sandbox = sandbox(small());
    let read = Read::of(&sandbox, &all()).mode("full_refresh");
    let session = read.run().succeeded();
    assert_whole(&sandbox, &session, &all());
    // Handed back, the states say that there is nothing left to do.
    let again = Read::of(&sandbox, &all()).mode("full_refresh").from(&session).run().succeeded();
    assert_eq!(again.of_type("RECORD").count(), 0);
    // Under `incremental` a stream that can only be read in full is read again.
    let users = Read::of(&sandbox, &["users"]).from(&session).run().succeeded();
    assert_whole(&sandbox, &users, &["users"]);
}

#[test]
fn the_same_account_is_read_over_oauth() {
    let faults = [3, 9].map(|request| Fault::at(Trouble::Expired, request)).to_vec();
    let sandbox = sandbox(Options { rotate_refresh_tokens: true, faults, ..small() });
    let mut read = Read::of(&sandbox, &["deals", "leads"]);
    read.config = sandbox.oauth_config();
    // One request at a time, so that no fault strikes the retry of another's.
    let read = read.with("concurrency", 1);
    let session = read.run().succeeded();
    assert_whole(&sandbox, &session, &["deals", "leads"]);
    // Every rotated token was handed on, whole configuration and all.
    let last = session.of_type("CONTROL").last().expect("a token was rotated");
    let config = &last["control"]["connectorConfig"]["config"];
    assert_eq!(config["credentials"], sandbox.oauth_config()["credentials"]);
    assert_eq!(sandbox.ledger().refreshes, 3);
    assert_eq!(session.of_type("CONTROL").count(), 3);
}

/// An odd but valid account: empty lists are null, filters are refused, states must be asked for
/// one by one.
#[test]
fn refusals_are_walked_around() {
    let odd = Options {
        refuse_combined_status: true,
        refuse_products_since: true,
        null_empty: true,
        ..small()
    };
    let sandbox = sandbox(odd);
    let streams = &["deals", "products", "leads", "deal_products"];
    let first = Read::of(&sandbox, streams).run().succeeded();
    assert_whole(&sandbox, &first, streams);
    let changed = change(&sandbox, &[("deals", 3), ("products", 2)]);
    let second = Read::of(&sandbox, streams).from(&first).run().succeeded();
    assert_exactly(&sandbox, &second, "deals", &changed["deals"]);
    assert_exactly(&sandbox, &second, "products", &changed["products"]);
    assert!(first.logs().iter().any(|log| log.contains("refuses status with all values at once")));
    assert!(second.logs().iter().any(|log| log.contains("refuses updated_since on")));
}

/// Changes that many rows of each stream an hour later, and lets another minute pass.
fn change(
    sandbox: &Sandbox,
    streams: &[(&'static str, usize)],
) -> BTreeMap<&'static str, Vec<String>> {
    sandbox.world(|world| {
        world.advance(3600);
        let changed = streams
            .iter()
            .map(|(resource, rows)| (*resource, world.edit(Edit::Bulk { resource, rows: *rows })));
        let changed = changed.collect();
        world.advance(90);
        changed
    })
}

/// Requires that a run delivered these rows, once each and as they are now, and nothing else.
#[track_caller]
fn assert_exactly(sandbox: &Sandbox, session: &Session, stream: &str, keys: &[String]) {
    let mut expected = truth(sandbox, stream);
    expected.retain(|key, _| keys.contains(key));
    assert_eq!(expected.len(), keys.len(), "{stream}: the edited rows are listed");
    assert_equals_truth(stream, &session.records(stream), &expected);
}

const INCREMENTAL: &[&str] =
    &["deals", "persons", "organizations", "activities", "products", "leads", "notes", "files"];

#[test]
fn nothing_changed_is_nothing_delivered() {
    let sandbox = sandbox(small());
    let first = Read::of(&sandbox, INCREMENTAL).run().succeeded();
    assert_whole(&sandbox, &first, INCREMENTAL);
    sandbox.world(|world| world.advance(600));
    let second = Read::of(&sandbox, INCREMENTAL).from(&first).run().succeeded();
    let third = Read::of(&sandbox, INCREMENTAL).from(&second).run().succeeded();
    for session in [second, third] {
        for stream in INCREMENTAL {
            assert_eq!(session.records(stream).len(), 0, "{stream}");
        }
    }
}

#[test]
fn edits_between_runs_arrive_once() {
    let sandbox = sandbox(small());
    let first = Read::of(&sandbox, INCREMENTAL).run().succeeded();
    let counts: Vec<_> = INCREMENTAL.iter().map(|stream| (*stream, 25)).collect();
    let changed = change(&sandbox, &counts);
    let second = Read::of(&sandbox, INCREMENTAL).from(&first).run().succeeded();
    let third = Read::of(&sandbox, INCREMENTAL).from(&second).run().succeeded();
    for stream in INCREMENTAL {
        assert_exactly(&sandbox, &second, stream, &changed[stream]);
        assert_eq!(third.records(stream).len(), 0, "{stream} repeats");
    }
}

/// Deletes, archivings, unarchivings, merges and new rows of deals, leads and persons.
#[test]
fn lives_of_deals_arrive() {
    let sandbox = sandbox(small());
    let streams = &["deals", "leads", "persons"];
    let first = Read::of(&sandbox, streams).run().succeeded();
    let leads: Vec<String> = truth(&sandbox, "leads")
        .into_iter()
        .filter(|(_, lead)| lead["is_archived"] == false)
        .map(|(key, _)| key)
        .take(2)
        .collect();
    let archived: Vec<String> = truth(&sandbox, "deals")
        .into_iter()
        .filter(|(_, deal)| deal["is_archived"] == true && deal["is_deleted"] == false)
        .map(|(key, _)| key)
        .collect();
    let live: Vec<String> = truth(&sandbox, "deals")
        .into_iter()
        .filter(|(_, deal)| deal["is_archived"] == false && deal["is_deleted"] == false)
        .map(|(key, _)| key)
        .take(3)
        .collect();
    let (deals, lead_keys, persons) = sandbox.world(|world| {
        world.advance(600);
        let mut deals = Vec::new();
        deals.extend(world.edit(Edit::Delete { resource: "deals", key: live[0].clone() }));
        deals.extend(world.edit(Edit::Archive { resource: "deals", key: live[1].clone() }));
        deals.extend(world.edit(Edit::Unarchive { resource: "deals", key: archived[0].clone() }));
        deals.extend(world.edit(Edit::Create { resource: "deals", parent: None }));
        let mut changed = world.edit(Edit::Archive { resource: "leads", key: leads[0].clone() });
        changed.extend(world.edit(Edit::Create { resource: "leads", parent: None }));
        let persons =
            world.edit(Edit::Merge { resource: "persons", from: "2".into(), into: "3".into() });
        world.advance(90);
        (deals, changed, persons)
    });
    let second = Read::of(&sandbox, streams).from(&first).run().succeeded();
    assert_exactly(&sandbox, &second, "deals", &deals);
    assert_exactly(&sandbox, &second, "leads", &lead_keys);
    let kept: Vec<_> =
        persons.into_iter().filter(|key| truth(&sandbox, "persons").contains_key(key)).collect();
    assert_exactly(&sandbox, &second, "persons", &kept);
    let deleted = second
        .records("deals")
        .into_iter()
        .find(|deal| deal["id"] == live[0].parse::<i64>().expect("ids are numbers"));
    assert_eq!(deleted.map(|deal| &deal["status"]), Some(&Value::from("deleted")));
    let third = Read::of(&sandbox, streams).from(&second).run().succeeded();
    assert_eq!(third.of_type("RECORD").count(), 0);
}

/// A second write in the second that the watermark lies in, and rows that surface late.
#[test]
fn writes_in_the_same_second_arrive() {
    let sandbox = sandbox(small());
    let streams = &["deals", "notes", "leads", "products"];
    let first = Read::of(&sandbox, streams).run().succeeded();
    let keys = sandbox.world(|world| {
        world.advance(100);
        let keys: Vec<_> =
            streams.iter().map(|resource| world.edit(Edit::Bulk { resource, rows: 3 })).collect();
        world.advance(5);
        keys
    });
    let second = Read::of(&sandbox, streams).from(&first).run().succeeded();
    for (stream, keys) in streams.iter().zip(&keys) {
        assert_exactly(&sandbox, &second, stream, keys);
    }
    // The same second again: other bytes, the same update_time.
    sandbox.world(|world| {
        for (resource, keys) in streams.iter().zip(&keys) {
            world.edit(Edit::Touch { resource, key: keys[1].clone() });
        }
    });
    let third = Read::of(&sandbox, streams).from(&second).run().succeeded();
    for (stream, keys) in streams.iter().zip(&keys) {
        assert_exactly(&sandbox, &third, stream, &keys[1..2]);
    }
}

/// Rows edited while they are read: each is delivered in this run or the next, in its last form,
/// and none twice in one run.
#[test]
fn edits_during_a_run_are_not_lost() {
    let streams = INCREMENTAL;
    let mut script = Vec::new();
    for request in (3..60).step_by(3) {
        script.push((request, Edit::Advance(2)));
        for resource in streams {
            script.push((request, Edit::Bulk { resource, rows: 2 }));
            let key = (request % 17 + 1).to_string();
            if *resource != "leads" {
                script.push((request, Edit::Change { resource, key, set: Vec::new() }));
            }
        }
    }
    for concurrency in [1, 4] {
        let sandbox = sandbox(Options { script: script.clone(), ..small() });
        let mut runs =
            vec![Read::of(&sandbox, streams).with("concurrency", concurrency).run().succeeded()];
        // The script goes on in the runs after the first.
        while sandbox.ledger().requests.len() < 60 {
            sandbox.world(|world| world.advance(90));
            let last = runs.last().expect("there was a run");
            runs.push(Read::of(&sandbox, streams).from(last).run().succeeded());
        }
        for _ in 0..2 {
            sandbox.world(|world| world.advance(90));
            let last = runs.last().expect("there was a run");
            runs.push(Read::of(&sandbox, streams).from(last).run().succeeded());
        }
        let idle = runs.pop().expect("there were runs");
        let runs: Vec<_> = runs.iter().collect();
        for stream in streams {
            assert_equals_truth(stream, &latest(stream, &runs), &truth(&sandbox, stream));
            assert_eq!(idle.records(stream).len(), 0, "{stream} repeats");
        }
    }
}

/// The last form of every row that some runs delivered, none of them twice in one run.
#[track_caller]
fn latest<'s>(stream: &str, sessions: &[&'s Session]) -> Vec<&'s Value> {
    let resource = Resource::named(stream).expect("the stream exists");
    let mut rows: BTreeMap<String, &Value> = BTreeMap::new();
    for session in sessions {
        let mut once = std::collections::BTreeSet::new();
        for record in session.records(stream) {
            let key = key(resource, record);
            assert!(once.insert(key.clone()), "{stream}: row {key} came twice in a run");
            rows.insert(key, record);
        }
    }
    rows.into_values().collect()
}

/// Rows vanish and appear while offset lists are walked.
#[test]
fn lists_that_shift_are_read_whole() {
    let mut script = Vec::new();
    for request in 3..40 {
        for resource in ["notes", "files", "leads"] {
            if resource != "leads" {
                let key = (request * 2).to_string();
                script.push((request, Edit::Delete { resource, key }));
            }
            script.push((request, Edit::Create { resource, parent: None }));
        }
    }
    let streams = &["notes", "files", "leads"];
    let sandbox = sandbox(Options { script, scale: 0.2, ..small() });
    let first = Read::of(&sandbox, streams).with("concurrency", 1).run().succeeded();
    sandbox.world(|world| world.advance(90));
    let second = Read::of(&sandbox, streams).from(&first).run().succeeded();
    for stream in streams {
        let resource = Resource::named(stream).expect("the stream exists");
        let rows = latest(stream, &[&first, &second]);
        let truth = truth(&sandbox, stream);
        let delivered: Vec<_> = rows.iter().map(|row| key(resource, row)).collect();
        for key in truth.keys() {
            assert!(delivered.contains(key), "{stream}: lost {key}");
        }
    }
}

/// Faults after which the same run goes on and loses nothing.
const PASSING: &[Trouble] = &[
    Trouble::Status(500),
    Trouble::Status(502),
    Trouble::Status(503),
    Trouble::Status(504),
    Trouble::Status(520),
    Trouble::Status(524),
    Trouble::BareLimit,
    Trouble::Cloudflare,
    Trouble::Truncate,
    Trouble::CutJson,
    Trouble::Html,
    Trouble::Failure,
    Trouble::Null,
    Trouble::Utf8,
    Trouble::Reset,
    Trouble::Empty,
];

#[test]
fn every_passing_fault_is_survived() {
    let mut faults = Vec::new();
    for (place, trouble) in PASSING.iter().enumerate() {
        faults.push(Fault::at(*trouble, 2 + 4 * place as u64));
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
            if *trouble == Trouble::Empty && listing.limit == 0 {
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
        (Trouble::Repeat, "persons", 3),
        (Trouble::Loop, "persons", 3),
        (Trouble::Repeat, "notes", 3),
        (Trouble::Empty, "notes", 3),
        (Trouble::Repeat, "lead_fields", 2),
        (Trouble::Empty, "call_logs", 1),
        (Trouble::Status(403), "activities", 3),
        (Trouble::Status(404), "tasks", 1),
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

#[test]
fn an_unsorted_list_moves_no_watermark() {
    let healthy = sandbox(small());
    let first = Read::of(&healthy, &["persons"]).run().succeeded();
    change(&healthy, &[("persons", 40)]);
    let fault = Fault { times: u32::MAX, ..Fault::on(Trouble::Unsorted, "/persons", 1, 1) };
    let unsorted = sandbox(Options { faults: vec![fault], ..small() });
    // The bulk edit gives all rows one time, so times must differ for order to matter.
    unsorted.world(|world| {
        for key in 1..30 {
            world.advance(60);
            world.edit(Edit::Change { resource: "persons", key: key.to_string(), set: Vec::new() });
        }
        world.advance(60);
    });
    let second = Read::of(&unsorted, &["persons"]).from(&first).run();
    assert_eq!(second.code, Some(1));
    let errors = second.errors();
    assert!(errors[0].contains("claims to be sorted"), "{errors:?}");
}

/// What surprises in a row is passed on as it came, and told once.
#[test]
fn surprises_are_passed_on() {
    let fault = |trouble| Fault { times: u32::MAX, ..Fault::on(trouble, "/api/v2/deals", 1, 1) };
    for (trouble, said) in
        [(Trouble::NewKey, "unknown field"), (Trouble::NewType, "has another type than documented")]
    {
        let sandbox = sandbox(Options { faults: vec![fault(trouble)], ..small() });
        let session = Read::of(&sandbox, &["deals"]).run().succeeded();
        let told = session.logs().iter().filter(|log| log.contains(said)).count();
        assert_eq!(told, 1, "{trouble:?}: {:?}", session.logs());
        assert_eq!(session.records("deals").len(), truth(&sandbox, "deals").len());
    }
    for trouble in [Trouble::NewEnum, Trouble::LostReason] {
        let sandbox = sandbox(Options { faults: vec![fault(trouble)], ..small() });
        let session = Read::of(&sandbox, &["deals"]).run().succeeded();
        assert_eq!(session.logs().len(), 2, "{trouble:?}: {:?}", session.logs());
        assert_eq!(session.records("deals").len(), truth(&sandbox, "deals").len());
    }
}

/// A full page that does not say what is next might be the last one, or the API might have slipped.
#[test]
fn a_full_page_without_paging_is_asked_for_again() {
    let faults = vec![Fault::on(Trouble::NoPaging, "/api/v2/persons", 2, 1)];
    let sandbox = sandbox(Options { scale: 1.0, page_max: None, faults, ..small() });
    let session = Read::of(&sandbox, &["persons"]).run().succeeded();
    assert_whole(&sandbox, &session, &["persons"]);
    // Where it stays so, it is the end.
    let faults = vec![Fault::on(Trouble::NoPaging, "/api/v2/persons", 2, u32::MAX)];
    let odd = self::sandbox(Options { scale: 1.0, page_max: None, faults, ..small() });
    let session = Read::of(&odd, &["persons"]).run().succeeded();
    assert_eq!(session.records("persons").len(), 500);
}

/// A cursor that is not accepted any more: the list is read again from the start.
#[test]
fn a_stale_cursor_restarts_its_list() {
    let capped = sandbox(small());
    let first = Read::of(&capped, &["persons"]).with("max_tokens", 35).run();
    assert_eq!(first.code, Some(1));
    assert!(first.state_of("persons")["walk"]["cursor"].is_string());
    let faults = vec![Fault::on(Trouble::BadCursor, "cursor", 1, 1)];
    let healthy = sandbox(Options { faults, ..small() });
    let second = Read::of(&healthy, &["persons"]).from(&first).run().succeeded();
    let rows = latest("persons", &[&first, &second]);
    assert_equals_truth("persons", &rows, &truth(&healthy, "persons"));
    assert!(second.logs().iter().any(|log| log.contains("no longer accepts its cursor")));
}

#[test]
fn a_long_pause_is_told() {
    let sandbox = sandbox(small());
    let first = Read::of(&sandbox, &["deals"]).run().succeeded();
    sandbox.world(|world| world.advance(40 * 86_400));
    let second = Read::of(&sandbox, &["deals"]).from(&first).run().succeeded();
    assert!(second.logs().iter().any(|log| log.contains("more than 30 days ago")));
}

/// The same where changes are read: a page that repeats or says nothing is not the end, and no
/// watermark moves past what was not read.
#[test]
fn an_offset_list_that_lies_is_reported() {
    let streams = &["notes", "leads", "files"];
    let account = || Options { scale: 0.2, ..small() };
    let healthy = sandbox(account());
    let first = Read::of(&healthy, streams).run().succeeded();
    for trouble in [Trouble::Repeat, Trouble::Empty] {
        for stream in streams {
            let path = Resource::named(stream).expect("it exists").listings[0].path;
            let fault = Fault { times: u32::MAX, ..Fault::on(trouble, path, 2, 1) };
            let broken = sandbox(Options { faults: vec![fault], ..account() });
            let changed = change(&broken, &[(stream, 50)]);
            let second = Read::of(&broken, &[stream]).from(&first).run();
            if second.code == Some(0) {
                assert_exactly(&broken, &second, stream, &changed[stream]);
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
        [Fault::on(Trouble::Repeat, path, 3, 1), Fault::on(Trouble::NoPaging, path, 4, 1)]
    });
    let sandbox = sandbox(Options { scale: 0.2, faults: faults.collect(), ..small() });
    let session = Read::of(&sandbox, streams).run().succeeded();
    assert_whole(&sandbox, &session, streams);
}

/// A first read is stopped by a budget, everything is edited bit by bit, and the read goes on: the
/// edits of what was read before arrive, though they lie far behind the newest time delivered.
#[test]
fn a_bulk_edit_between_a_stop_and_its_resumption_is_not_lost() {
    let account = || Options { scale: 8.0, limits: false, ..Options::default() };
    let whole = sandbox(account());
    let first = Read::of(&whole, &["persons"]).with("max_tokens", 80).run();
    assert_eq!(first.code, Some(1));
    assert!(first.records("persons").len() > 2_000);
    whole.world(|world| {
        world.advance(3600);
        for part in 1..=12 {
            world.edit(Edit::Bulk { resource: "persons", rows: 12_000 / part });
            world.advance(1);
        }
        world.advance(90);
    });
    let second = Read::of(&whole, &["persons"]).from(&first).run().succeeded();
    whole.world(|world| world.advance(90));
    let third = Read::of(&whole, &["persons"]).from(&second).run().succeeded();
    let rows = latest("persons", &[&first, &second, &third]);
    assert_equals_truth("persons", &rows, &truth(&whole, "persons"));
}
