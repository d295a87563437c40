//! The process is killed at every request of a run and started again from its last STATE.

use crate::support::{Read, assert_equals_truth, key, profile, sandbox, truth};
use serde_json::Value;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Options, Sandbox};
use std::collections::BTreeMap;

/// Every way of walking, and a list per parent of each kind.
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
    "lead_fields",
    "deal_products",
    "phases",
    "product_followers",
    "note_comments",
];

/// A tiny account of a profile.
fn tiny(name: &str) -> Options {
    Options { scale: 0.03, page_max: Some(8), ..profile(name) }
}

/// What of the streams an account has.
fn streams(options: &Options) -> Vec<&'static str> {
    STREAMS.iter().copied().filter(|stream| options.features.opens(stream)).collect()
}

/// The account of a run that is interrupted at this request.
fn broken(name: &str, request: u64, edits: &[Edit]) -> Sandbox {
    let faults = vec![Fault::at(FaultKind::Hang, request)];
    let sandbox = sandbox(Options { faults, ..tiny(name) });
    sandbox.state(|account| edits.iter().for_each(|edit| drop(account.edit(edit.clone()))));
    sandbox
}

/// Breaks a run at every request, resumes it, and holds what both delivered against the account of
/// this profile. What the last STATE covered must not come again.
fn break_everywhere(
    name: &str,
    concurrency: u64,
    mode: &str,
    state: Option<&Value>,
    edits: &[Edit],
) {
    let whole = sandbox(tiny(name));
    let streams = streams(&tiny(name));
    whole.state(|account| edits.iter().for_each(|edit| drop(account.edit(edit.clone()))));
    let prepared = |sandbox: &Sandbox| {
        let mut read = Read::of(sandbox, &streams).mode(mode).with("concurrency", concurrency);
        read.state = state.cloned();
        read
    };
    let unbroken = prepared(&whole).run().succeeded();
    let requests = whole.request_log().requests.len() as u64;
    assert!(requests > 40, "a run of only {requests} requests shows little");
    for request in 1..=requests {
        let sandbox = broken(name, request, edits);
        let first = prepared(&sandbox).killed_at_hang(&sandbox);
        let mut resumed = prepared(&sandbox);
        if first.of_type("STATE").next().is_some() || state.is_some() {
            resumed.state = Some(merged(state, &first.state()));
        }
        let second = resumed.run().succeeded();
        for stream in &streams {
            let resource = Resource::named(stream).expect("the stream exists");
            let covered: f64 = first
                .of_type("STATE")
                .filter(|line| line["state"]["stream"]["stream_descriptor"]["name"] == *stream)
                .filter_map(|line| line["state"]["sourceStats"]["recordCount"].as_f64())
                .sum();
            let mut rows: BTreeMap<String, &Value> = BTreeMap::new();
            let records = first.records(stream);
            for (place, record) in records.into_iter().enumerate() {
                #[expect(clippy::cast_precision_loss, reason = "a few hundred rows")]
                let proven = (place as f64) < covered;
                if proven {
                    rows.insert(key(resource, record), record);
                }
            }
            // What can only be read in full, and was, is read again by an incremental run.
            let done = &first.state_of(stream)["__ab_full_refresh_sync_complete"];
            if mode == "incremental" && !resource.incremental() && done == true {
                rows.clear();
            }
            for record in second.records(stream) {
                let key = key(resource, record);
                assert!(
                    rows.insert(key.clone(), record).is_none(),
                    "killed at request {request}: {stream} row {key} was covered and came again"
                );
            }
            let rows: Vec<_> = rows.into_values().collect();
            if state.is_none() {
                assert_equals_truth(stream, &rows, &truth(&sandbox, stream));
            } else {
                let expected = unbroken.records(stream);
                let expected: BTreeMap<_, _> =
                    expected.into_iter().map(|row| (key(resource, row), row.clone())).collect();
                assert_equals_truth(stream, &rows, &expected);
            }
        }
    }
}

/// The platform's states: those of before, replaced by newer ones.
pub(crate) fn merged(before: Option<&Value>, after: &Value) -> Value {
    let mut states: BTreeMap<String, Value> = BTreeMap::new();
    for list in before.into_iter().chain([after]) {
        for state in list.as_array().into_iter().flatten() {
            states.insert(state["stream"]["stream_descriptor"]["name"].to_string(), state.clone());
        }
    }
    states.into_values().collect()
}

#[test]
fn a_first_read_survives_a_kill_at_every_request() {
    break_everywhere("default", 1, "incremental", None, &[]);
}

#[test]
fn streams_side_by_side_survive_it_too() {
    break_everywhere("everything", 4, "incremental", None, &[]);
}

#[test]
fn a_full_refresh_survives_it() {
    break_everywhere("barest", 2, "full_refresh", None, &[]);
}

#[test]
fn an_incremental_read_survives_it() {
    let account = sandbox(tiny("default"));
    let first = Read::of(&account, &streams(&tiny("default"))).run().succeeded();
    let mut edits = vec![Edit::Advance(3600)];
    for resource in ["deals", "persons", "products", "leads", "notes", "files"] {
        for _ in 0..3 {
            edits.push(Edit::Advance(40));
            edits.push(Edit::Bulk { resource, rows: 12 });
        }
    }
    edits.push(Edit::Advance(90));
    break_everywhere("default", 1, "incremental", Some(&first.state()), &edits);
}
