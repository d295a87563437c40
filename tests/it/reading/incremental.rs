//! What people do to the account between reads and during them.

use crate::support::{
    Read, Session, assert_equals_truth, assert_exactly, assert_whole, change, key, latest, sandbox,
    small, truth,
};
use serde_json::Value;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Options};

const INCREMENTAL: &[&str] =
    &["deals", "persons", "organizations", "activities", "products", "leads", "notes", "files"];

#[test]
fn nothing_changed_is_nothing_delivered() {
    let sandbox = sandbox(small());
    let first = Read::of(&sandbox, INCREMENTAL).run().succeeded();
    assert_whole(&sandbox, &first, INCREMENTAL);
    sandbox.state(|account| account.advance(600));
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
    let before = truth(&sandbox, "deals");
    let (mut deals, lead_keys, persons) = sandbox.state(|account| {
        account.advance(600);
        let mut deals = Vec::new();
        deals.extend(account.edit(Edit::Delete { resource: "deals", key: live[0].clone() }));
        deals.extend(account.edit(Edit::Archive { resource: "deals", key: live[1].clone() }));
        deals.extend(account.edit(Edit::Unarchive { resource: "deals", key: archived[0].clone() }));
        deals.extend(account.edit(Edit::Create { resource: "deals", parent: None }));
        let mut changed = account.edit(Edit::Archive { resource: "leads", key: leads[0].clone() });
        changed.extend(account.edit(Edit::Create { resource: "leads", parent: None }));
        let persons =
            account.edit(Edit::Merge { resource: "persons", from: "2".into(), into: "3".into() });
        account.advance(90);
        (deals, changed, persons)
    });
    // Deals of the person that was merged name the other one from now on.
    let after = truth(&sandbox, "deals").into_iter();
    deals.extend(after.filter(|(key, deal)| before.get(key) != Some(deal)).map(|(key, _)| key));
    deals.sort();
    deals.dedup();
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
    let keys = sandbox.state(|account| {
        account.advance(100);
        let keys: Vec<_> =
            streams.iter().map(|resource| account.edit(Edit::Bulk { resource, rows: 3 })).collect();
        account.advance(5);
        keys
    });
    let second = Read::of(&sandbox, streams).from(&first).run().succeeded();
    for (stream, keys) in streams.iter().zip(&keys) {
        assert_exactly(&sandbox, &second, stream, keys);
    }
    // The same second again: other bytes, the same update_time.
    sandbox.state(|account| {
        for (resource, keys) in streams.iter().zip(&keys) {
            account.edit(Edit::Touch { resource, key: keys[1].clone() });
        }
    });
    let third = Read::of(&sandbox, streams).from(&second).run().succeeded();
    for (stream, keys) in streams.iter().zip(&keys) {
        assert_exactly(&sandbox, &third, stream, &keys[1..2]);
    }
}

/// Rows edited while they are read: each is delivered in this run or the next, in its last form,
/// and no form of it twice in one run.
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
        // The script continues in the runs after the first.
        while sandbox.request_log().requests.len() < 60 {
            sandbox.state(|account| account.advance(90));
            let last = runs.last().expect("there was a run");
            runs.push(Read::of(&sandbox, streams).from(last).run().succeeded());
        }
        for _ in 0..2 {
            sandbox.state(|account| account.advance(90));
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
    sandbox.state(|account| account.advance(90));
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

#[test]
fn a_long_pause_is_told() {
    let sandbox = sandbox(small());
    let first = Read::of(&sandbox, &["deals"]).run().succeeded();
    sandbox.state(|account| account.advance(40 * 86_400));
    let second = Read::of(&sandbox, &["deals"]).from(&first).run().succeeded();
    let told =
        |session: &Session| session.logs().iter().any(|log| log.contains("more than 30 days ago"));
    assert!(told(&second));
    // It does not depend on the times that a user may trim.
    let mut trimmed = Read::of(&sandbox, &["deals"]).from(&first);
    let state = trimmed.state.take().expect("it has a state").to_string();
    let mut state: Value = serde_json::from_str(&state).expect("it is JSON");
    let times = without(&mut state, "update_time");
    assert!(times > 0, "{state}");
    trimmed.state = Some(state);
    let trimmed = trimmed.run().succeeded();
    assert!(told(&trimmed), "{:?}", trimmed.logs());
    assert_eq!(trimmed.records("deals").len(), second.records("deals").len());
}

/// Takes a key away wherever it stands, and counts how often that was.
fn without(json: &mut Value, key: &str) -> usize {
    match json {
        Value::Object(object) => {
            let here = usize::from(object.remove(key).is_some());
            here + object.values_mut().map(|value| without(value, key)).sum::<usize>()
        }
        Value::Array(items) => items.iter_mut().map(|item| without(item, key)).sum(),
        _ => 0,
    }
}

/// A budget stops a first read, every row is edited step by step, and the read continues. Edits of rows
/// that were read before arrive, although they are far behind the newest delivered time.
#[test]
fn a_bulk_edit_between_a_stop_and_its_resumption_is_not_lost() {
    let account = || Options { scale: 8.0, limits: false, ..Options::default() };
    let whole = sandbox(account());
    let first = Read::of(&whole, &["persons"]).with("max_tokens", 80).run();
    assert_eq!(first.code, Some(1));
    assert!(first.records("persons").len() > 2_000);
    whole.state(|account| {
        account.advance(3600);
        for part in 1..=12 {
            account.edit(Edit::Bulk { resource: "persons", rows: 12_000 / part });
            account.advance(1);
        }
        account.advance(90);
    });
    let second = Read::of(&whole, &["persons"]).from(&first).run().succeeded();
    whole.state(|account| account.advance(90));
    let third = Read::of(&whole, &["persons"]).from(&second).run().succeeded();
    let rows = latest("persons", &[&first, &second, &third]);
    assert_equals_truth("persons", &rows, &truth(&whole, "persons"));
}
