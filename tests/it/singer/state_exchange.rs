//! One state, carried from tongue to tongue: nothing is lost, and nothing comes twice.

use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{Folder, Read, assert_equals_truth, change, key, sandbox, small, truth};
use serde_json::Value;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::Sandbox;
use std::collections::BTreeMap;

/// Incremental streams of every kind.
const STREAMS: &[&str] =
    &["deals", "persons", "products", "leads", "notes", "files", "deal_products"];

/// What a leg of the way delivered, by stream, and the state it left.
struct Leg {
    rows: BTreeMap<&'static str, Vec<Value>>,
    state: Value,
}

fn airbyte(account: &Sandbox, state: Option<&Value>) -> Leg {
    let mut read = Read::of(account, STREAMS);
    read.state = state.cloned();
    let session = read.run().succeeded();
    let rows = |stream: &&'static str| {
        (*stream, session.records(stream).into_iter().cloned().collect::<Vec<_>>())
    };
    Leg { rows: STREAMS.iter().map(rows).collect(), state: session.state() }
}

fn singer(account: &Sandbox, state: Option<&Value>) -> Leg {
    let mut tap = Tap::of(account).selecting(STREAMS);
    tap.state = state.cloned();
    let session = tap.run().succeeded();
    let rows = |stream: &&'static str| {
        (*stream, session.records(stream).into_iter().cloned().collect::<Vec<_>>())
    };
    Leg { rows: STREAMS.iter().map(rows).collect(), state: session.state() }
}

fn warehouse(account: &Sandbox, state: Option<&Value>) -> Leg {
    let warehouse = WarehouseFixture::of(account, "ndjson", STREAMS);
    let (folder, mut flags) = (Folder::new(), Vec::new());
    if let Some(state) = state {
        flags.push("--state".to_owned());
        flags.push(folder.json("handed.json", state).display().to_string());
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    warehouse.sync(&flags).succeeded();
    let rows = |stream: &&'static str| {
        let text = std::fs::read_to_string(warehouse.dir().join(format!("{stream}.ndjson")));
        let lines = text.unwrap_or_default();
        let rows = lines.lines().map(|line| serde_json::from_str(line).expect("it is JSON"));
        (*stream, rows.collect::<Vec<Value>>())
    };
    let manifest =
        std::fs::read(warehouse.dir().join("manifest.json")).expect("there is a manifest");
    let state = serde_json::from_slice(&manifest).expect("it is JSON");
    Leg { rows: STREAMS.iter().map(rows).collect(), state }
}

/// Goes this way, with edits before every leg. Each leg delivers what was edited, and only that.
fn walk(way: &[fn(&Sandbox, Option<&Value>) -> Leg]) {
    let account = sandbox(small());
    let mut state: Option<Value> = None;
    for (nth, leg) in way.iter().enumerate() {
        let edits = [("deals", 3), ("persons", 2), ("leads", 2), ("notes", 4), ("products", 1)];
        let changed = if nth > 0 { change(&account, &edits) } else { BTreeMap::new() };
        let done = leg(&account, state.as_ref());
        for stream in STREAMS {
            let resource = Resource::named(stream).expect("it exists");
            let rows = &done.rows[stream];
            let mut keys: Vec<String> = rows.iter().map(|row| key(resource, row)).collect();
            keys.sort();
            if nth == 0 {
                let listed: Vec<String> = truth(&account, stream).into_keys().collect();
                assert_eq!(keys.len(), listed.len(), "{stream} of the first leg");
                continue;
            }
            let mut expected = changed.get(stream).cloned().unwrap_or_default();
            if *stream == "deal_products" {
                // Children come with their parents.
                let deals = &changed["deals"];
                let mut listed = truth(&account, stream);
                listed.retain(|_, row| deals.contains(&row["deal_id"].to_string()));
                expected = listed.into_keys().collect();
            }
            expected.sort();
            assert_eq!(keys, expected, "{stream} of leg {nth}");
        }
        state = Some(done.state);
    }
}

#[test]
fn from_airbyte_to_singer_to_a_warehouse_and_back() {
    walk(&[airbyte, singer, warehouse, airbyte]);
}

#[test]
fn and_the_other_way_round() {
    walk(&[warehouse, singer, airbyte, warehouse, singer]);
}

#[test]
fn a_first_read_that_was_broken_off_in_one_tongue_goes_on_in_another() {
    let account = sandbox(small());
    let limited = Tap::of(&account).selecting(&["deals", "persons"]).with("max_tokens", 150);
    let first = limited.run();
    assert_eq!(first.0.code, Some(1));
    let mut read = Read::of(&account, &["deals", "persons"]);
    read.state = Some(first.state());
    let rest = read.run().succeeded();
    for stream in ["deals", "persons"] {
        // The tap's rows hold null where those of the account hold nothing.
        let rows = first.records(stream).into_iter().chain(rest.records(stream));
        let resource = Resource::named(stream).expect("it exists");
        let rows = rows.map(|row| (key(resource, row), row.clone())).collect();
        let rows = first.spelled(stream, rows);
        let truth = first.spelled(stream, truth(&account, stream));
        assert_equals_truth(stream, &rows.values().collect::<Vec<_>>(), &truth);
        assert!(!first.records(stream).is_empty() || stream == "deals");
    }
}
