//! People edit the account while it is read as a whole: what the run says it has read is there.

use crate::support::backup::BackupFixture;
use crate::support::parquet::Json;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{Read, assert_equals_truth, key, raw_truth, sandbox, small, truth};
use serde_json::Value;
use source_pipedrive::model::{Resource, Time};
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Options, Sandbox};
use std::collections::BTreeMap;

/// A list of each class that is read by time, and one per parent.
const STREAMS: &[&str] =
    &["deals", "persons", "products", "leads", "notes", "files", "deal_products"];
const EDITED: &[&str] = &["deals", "persons", "products", "leads", "notes", "files"];

fn account() -> Options {
    Options { scale: 0.03, page_max: Some(8), ..small() }
}

/// Edits of every list before the request of this number: rows at its beginning, which a walk has
/// passed, and new ones.
fn edits(at: u64) -> Vec<(u64, Edit)> {
    let mut script = vec![(at, Edit::Advance(20))];
    for resource in EDITED {
        script.push((at, Edit::Bulk { resource, rows: 3 }));
        script.push((at, Edit::Create { resource, parent: None }));
    }
    script.push((at, Edit::Advance(10)));
    script
}

/// Up to when each resource was read, as the run says.
fn until(summary: &Value, resource: &str) -> Time {
    let rows = summary["resources"].as_array().into_iter().flatten();
    let mut rows = rows;
    let row = rows.find(|row| row["resource"] == resource).expect("it is in the summary");
    Time::parse(row["until"].as_str().expect("it says until when")).expect("it is a time")
}

/// Requires that every row that changed before this time is held as it is.
#[track_caller]
fn assert_until(
    sandbox: &Sandbox,
    resource: &'static str,
    held: &BTreeMap<String, Json>,
    at: Time,
) {
    for (key, text) in raw_truth(sandbox, resource) {
        let row: Value = serde_json::from_str(&text).expect("a row is JSON");
        let time = row["update_time"].as_str().and_then(Time::parse);
        if time.is_some_and(|time| time < at) {
            assert!(
                held.get(&key) == Some(&Json::parse(&text)),
                "{resource}: row {key} at {time:?}"
            );
        }
    }
}

#[test]
fn a_first_read_holds_what_it_says_it_read() {
    let whole = sandbox(account());
    WarehouseFixture::of(&whole, "ndjson", EDITED).with("concurrency", 1).sync(&[]).succeeded();
    let count = whole.request_log().requests.len() as u64;
    for at in 1..=count {
        let edited = sandbox(Options { script: edits(at), ..account() });
        let warehouse = WarehouseFixture::of(&edited, "ndjson", EDITED).with("concurrency", 1);
        let synced = warehouse.sync(&[]).succeeded();
        for resource in ended_after(&edited, at) {
            let held = warehouse.current(&edited, resource);
            assert_until(&edited, resource, &held, Time::END);
        }
        for resource in EDITED {
            let held = warehouse.current(&edited, resource);
            assert_until(&edited, resource, &held, until(&synced.summary, resource));
        }
    }
}

/// Edits while a run reads, which is then killed, and after it: one whole run brings everything, and
/// no version of a row twice.
#[test]
fn a_killed_run_is_made_whole_by_the_next() {
    let whole = sandbox(account());
    WarehouseFixture::of(&whole, "ndjson", STREAMS).sync(&[]).succeeded();
    let count = whole.request_log().requests.len() as u64;
    for at in (2..=count).step_by(2) {
        let faults = vec![Fault::at(FaultKind::Hang, at)];
        let account = sandbox(Options { faults, script: edits(at / 2), ..account() });
        let warehouse = WarehouseFixture::of(&account, "ndjson", STREAMS);
        warehouse.killed_at_hang(&account);
        account.state(|account| {
            for resource in EDITED {
                account.edit(Edit::Bulk { resource, rows: 4 });
            }
            account.advance(90);
        });
        warehouse.sync(&[]).succeeded();
        warehouse.assert_current(&account);
        assert_no_repeats(&account, &warehouse);
    }
}

#[test]
fn a_killed_backup_is_made_whole_by_the_next() {
    let whole = sandbox(account());
    BackupFixture::of(&whole, STREAMS).with("concurrency", 1).run(&[]).succeeded();
    let count = whole.request_log().requests.len() as u64;
    for at in 3..=count {
        let faults = vec![Fault::at(FaultKind::Hang, at)];
        let account = sandbox(Options { faults, script: edits(at - 1), ..account() });
        let backups = BackupFixture::of(&account, STREAMS).with("concurrency", 1);
        backups.killed_at_hang(&account, &[]);
        account.state(|account| account.advance(90));
        backups.run(&[]).succeeded();
        // Files that were whole before the kill are of their own time.
        let manifest = backups.manifest();
        for resource in EDITED {
            let row = Resource::named(resource).expect("it exists");
            let until = manifest["files"][row.file]["read_until"].as_str().and_then(Time::parse);
            let rows = backups.rows(resource).into_iter();
            let held = rows.map(|(key, text)| (key, Json::parse(&text))).collect();
            assert_until(&account, resource, &held, until.expect("it says until when"));
        }
        backups.assert_verified();
    }
}

/// A table that replaces another one lacks nothing of it, and has no more: fresh, killed and resumed.
#[test]
fn a_rebuild_is_the_account_of_its_end() {
    let streams = &["persons", "products", "notes", "files"];
    let prepared = |script: Vec<(u64, Edit)>, faults| {
        let account = sandbox(Options { script, faults, ..account() });
        let warehouse = WarehouseFixture::of(&account, "ndjson", streams);
        warehouse.sync(&[]).succeeded();
        account.state(|account| account.advance(90));
        (account, warehouse)
    };
    let (whole, warehouse) = prepared(Vec::new(), Vec::new());
    let before = whole.request_log().requests.len() as u64;
    warehouse.sync(&["--full"]).succeeded();
    let after = whole.request_log().requests.len() as u64;
    for at in before + 2..=after {
        // Edited while it reads; what was edited too late comes with the next run.
        let (account, warehouse) = prepared(edits(at), Vec::new());
        warehouse.sync(&["--full"]).succeeded();
        account.state(|account| account.advance(90));
        warehouse.sync(&[]).succeeded();
        warehouse.assert_current(&account);
        // Killed, edited, resumed by a plain run, swept.
        let (account, warehouse) = prepared(edits(at - 1), vec![Fault::at(FaultKind::Hang, at)]);
        let mut child = warehouse.start(&["--full"]);
        account.wait_for_hang();
        child.kill().expect("the process can be killed");
        child.wait().expect("it ends");
        account.state(|account| {
            account.edit(Edit::Delete { resource: "persons", key: "1".to_owned() });
            account.edit(Edit::Delete { resource: "notes", key: "1".to_owned() });
            account.edit(Edit::Bulk { resource: "products", rows: 4 });
            account.advance(90);
        });
        warehouse.sync(&["--deletes", "sweep"]).succeeded();
        warehouse.assert_current(&account);
    }
}

/// Airbyte's full refresh and the tap's full table are read through their end too.
#[test]
fn a_full_refresh_brings_what_changed_meanwhile() {
    let whole = sandbox(account());
    Read::of(&whole, EDITED).mode("full_refresh").with("concurrency", 1).run().succeeded();
    let count = whole.request_log().requests.len() as u64;
    for at in 2..count {
        // Streams are read one after the other: those that come later see the edits in their walk.
        let edited = sandbox(Options { script: edits(at), ..account() });
        let session =
            Read::of(&edited, EDITED).mode("full_refresh").with("concurrency", 1).run().succeeded();
        for stream in ended_after(&edited, at) {
            let resource = Resource::named(stream).expect("it exists");
            let mut latest: BTreeMap<String, Value> = BTreeMap::new();
            for record in session.records(stream) {
                latest.insert(key(resource, record), record.clone());
            }
            let rows: Vec<_> = latest.values().collect();
            assert_equals_truth(stream, &rows, &truth(&edited, stream));
        }
    }
}

/// Streams of one list of which something was asked for after the request of this number: their end
/// came after edits that were made before it was answered.
fn ended_after(sandbox: &Sandbox, request: u64) -> Vec<&'static str> {
    let requests = sandbox.request_log().requests;
    let later = &requests[usize::try_from(request).expect("a small number").min(requests.len())..];
    let ended = |stream: &&str| {
        let resource = Resource::named(stream).expect("it exists");
        let path = format!("{}?", resource.listings[0].path);
        let asked = later.iter().any(|entry| entry.path_and_query.starts_with(&path));
        resource.listings.len() == 1 && asked
    };
    EDITED.iter().copied().filter(ended).collect()
}

/// A warehouse never contains one version of a row twice.
#[track_caller]
fn assert_no_repeats(sandbox: &Sandbox, warehouse: &WarehouseFixture) {
    for resource in EDITED {
        let mut seen: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        for row in warehouse.rows(sandbox, resource) {
            let versions = seen.entry(row.key.clone()).or_default();
            assert!(!versions.contains(&row.json), "{resource}: row {} came twice", row.key);
            versions.push(row.json);
        }
    }
}
