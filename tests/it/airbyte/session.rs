//! Sessions as an orchestrator sees them.

use crate::support::{BINARY, Folder, Read, Session, catalog, sandbox, small, truth};
use serde_json::Value;
use source_pipedrive::sandbox::{Fault, FaultKind, Options, Sandbox};
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

fn run(arguments: &[&str]) -> Session {
    Session::of(&Command::new(BINARY).args(arguments).output().expect("the binary starts"))
}

/// One line a message, runs of the same thing counted, times left out.
fn outline(session: &Session) -> String {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for message in &session.lines {
        let line = match message["type"].as_str() {
            Some("RECORD") => {
                format!("RECORD {}", message["record"]["stream"].as_str().unwrap_or("?"))
            }
            Some("STATE") => {
                let state = &message["state"]["stream"];
                let count = &message["state"]["sourceStats"]["recordCount"];
                let state = &state["stream_state"];
                let keys: Vec<_> =
                    state.as_object().into_iter().flatten().map(|(key, _)| &**key).collect();
                format!("STATE of {count} rows: {}", keys.join(" "))
            }
            Some("TRACE") => {
                let trace = &message["trace"];
                let status = &trace["stream_status"];
                match trace["type"].as_str() {
                    Some("STREAM_STATUS") => format!(
                        "{} {}{}",
                        status["status"].as_str().unwrap_or_default(),
                        status["stream_descriptor"]["name"].as_str().unwrap_or_default(),
                        status["reasons"][0]["type"]
                            .as_str()
                            .map(|t| format!(" {t}"))
                            .unwrap_or_default()
                    ),
                    _ => format!("ERROR {}", trace["error"]["message"]),
                }
            }
            Some("LOG") => {
                format!("LOG {}", message["log"]["message"].as_str().unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        match lines.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => lines.push((line, 1)),
        }
    }
    let mut out = String::new();
    for (line, count) in lines {
        let count = if count > 1 { format!(" x{count}") } else { String::new() };
        writeln!(out, "{line}{count}").expect("a string takes everything");
    }
    out
}

#[track_caller]
fn check(session: &Session, expected: &str) {
    assert_eq!(outline(session).trim(), expected.trim());
}

#[test]
fn a_session_of_two_streams() {
    let sandbox = sandbox(small());
    let read = Read::of(&sandbox, &["stages", "persons"]).with("concurrency", 1);
    check(
        &read.run().succeeded(),
        r#"
LOG company "Sandbox Ltd" (sandbox, id 900), user "Søren Berg (1)" (id 1, admin)
STARTED persons
RUNNING persons
RECORD persons x20
STATE of 20.0 rows: records untimed update_time version walk
RECORD persons x20
STATE of 20.0 rows: delivered records untimed update_time version walk
RECORD persons x20
STATE of 20.0 rows: delivered records untimed update_time version walk
RECORD persons x15
STATE of 15.0 rows: delivered records since untimed update_time version
STATE of 0.0 rows: delivered records since until untimed update_time version
COMPLETE persons
STARTED stages
RUNNING stages
RECORD stages x18
STATE of 18.0 rows: done full_refresh records version
STATE of 0.0 rows: __ab_full_refresh_sync_complete done full_refresh records until version
COMPLETE stages
LOG complete: 93 records of 2 streams, 67 tokens spent
"#,
    );
}

#[test]
fn a_session_that_is_limited_and_then_refused() {
    let faults = vec![
        Fault::on(FaultKind::Burst, "/stages", 1, 1),
        Fault { times: u32::MAX, ..Fault::on(FaultKind::Daily, "/pipelines", 1, 1) },
    ];
    let sandbox = sandbox(Options { faults, ..small() });
    let read = Read::of(&sandbox, &["stages", "pipelines", "users"]).with("concurrency", 1);
    let session = read.run();
    assert_eq!(session.code, Some(1));
    check(
        &session,
        r#"
LOG company "Sandbox Ltd" (sandbox, id 900), user "Søren Berg (1)" (id 1, admin)
STARTED stages
RUNNING stages RATE_LIMITED
RUNNING stages
RECORD stages x18
STATE of 18.0 rows: done full_refresh records version
STATE of 0.0 rows: __ab_full_refresh_sync_complete done full_refresh records until version
COMPLETE stages
STARTED pipelines
INCOMPLETE pipelines
INCOMPLETE users
ERROR "/api/v2/pipelines: the company's daily token budget is spent (HTTP 429: request over limit)"
ERROR "not read to its end, the run was stopped: /api/v2/pipelines: the company's daily token budget is spent (HTTP 429: request over limit)"
ERROR "incomplete: 2 of 3 streams were not read to their end (pipelines, 1 was not begun): /api/v2/pipelines: the company's daily token budget is spent (HTTP 429: request over limit); 17 tokens spent"
"#,
    );
}

/// A reader that stops at the first error has every record and state by then.
#[test]
fn errors_come_after_the_last_record_and_state() {
    const STREAMS: [&str; 4] = ["activity_types", "deals", "pipelines", "stages"];
    for failing in STREAMS {
        for concurrency in [1, 4] {
            let path = if failing == "activity_types" { "activityTypes" } else { failing };
            let fault = Fault::on(FaultKind::Status(500), path, 1, u32::MAX);
            let sandbox = sandbox(Options { faults: vec![fault], ..small() });
            let read = Read::of(&sandbox, &STREAMS).with("backoff_millis", 1);
            let session = read.with("concurrency", concurrency).run();
            assert_eq!(session.code, Some(1), "{failing}");
            let is_error = |line: &&Value| line["trace"]["type"] == "ERROR";
            let first = session.lines.iter().position(|line| is_error(&line));
            let after = &session.lines[first.expect("it is said why")..];
            assert!(after.iter().all(|line| is_error(&line)), "{failing}: {after:?}");
            assert!(
                after.len() > 1
                    && session.statuses(failing).last().is_some_and(|s| s == "INCOMPLETE")
            );
            for stream in STREAMS.iter().filter(|stream| **stream != failing) {
                assert!(
                    session.statuses(stream).last().is_some_and(|s| s == "COMPLETE"),
                    "{stream}"
                );
            }
        }
    }
}

#[test]
fn with_a_concurrency_of_one_streams_come_one_after_the_other() {
    let sandbox = sandbox(Options { scale: 0.03, ..small() });
    let session = Read::of(&sandbox, &crate::support::all()).with("concurrency", 1).run();
    let of = |line: &Value| {
        let stream = match line["type"].as_str() {
            Some("RECORD") => &line["record"]["stream"],
            Some("STATE") => &line["state"]["stream"]["stream_descriptor"]["name"],
            _ => &line["trace"]["stream_status"]["stream_descriptor"]["name"],
        };
        stream.as_str().map(str::to_owned)
    };
    let mut turns: Vec<String> = session.succeeded().lines.iter().filter_map(of).collect();
    turns.dedup();
    let all: std::collections::BTreeSet<_> = turns.iter().collect();
    assert_eq!(all.len(), turns.len(), "{turns:?}");
}

#[test]
fn the_specification_is_one_short_line() {
    let session = run(&["spec"]);
    assert_eq!(session.code, Some(0));
    assert_eq!(session.lines.len(), 1);
    let spec = &session.lines[0]["spec"]["connectionSpecification"];
    assert!(session.lines[0].to_string().len() < 32 << 10);
    let options = spec["properties"]["credentials"]["oneOf"].as_array().expect("two ways");
    for option in options {
        for (name, property) in option["properties"].as_object().expect("they have properties") {
            let secret = ["_token", "_secret"].iter().any(|ending| name.ends_with(ending));
            assert_eq!(property["airbyte_secret"] == true, secret, "{name}");
        }
    }
}

fn discovered(sandbox: &Sandbox, custom_fields: &str) -> Session {
    let folder = Folder::new();
    let mut config = sandbox.config();
    config["custom_fields"] = custom_fields.into();
    let config = folder.json("config.json", &config).display().to_string();
    let session = run(&["discover", "--config", &config]);
    assert_eq!(session.code, Some(0), "{:?}", session.errors());
    session
}

fn stream<'s>(session: &'s Session, name: &str) -> &'s Value {
    let streams = session.lines.last().and_then(|line| line["catalog"]["streams"].as_array());
    let mut streams = streams.expect("there is a catalog").iter();
    streams.find(|stream| stream["name"] == name).expect("the stream is in the catalog")
}

#[test]
fn the_catalog_knows_this_accounts_fields() {
    let sandbox = sandbox(small());
    let session = discovered(&sandbox, "hash");
    let deals = stream(&session, "deals");
    assert_eq!(deals["supported_sync_modes"], serde_json::json!(["full_refresh", "incremental"]));
    assert_eq!(deals["source_defined_primary_key"], serde_json::json!([["id"]]));
    assert_eq!(deals["default_cursor_field"], serde_json::json!(["update_time"]));
    let custom = deals["json_schema"]["properties"]["custom_fields"]["properties"].as_object();
    let custom = custom.expect("deals have custom fields");
    let keys: Vec<_> =
        truth(&sandbox, "deals").values().next().expect("there is a deal")["custom_fields"]
            .as_object()
            .expect("they are an object")
            .keys()
            .cloned()
            .collect();
    assert_eq!(custom.keys().cloned().collect::<Vec<_>>(), keys);
    let options = custom.values().filter_map(|field| field["description"].as_str());
    assert!(options.clone().any(|text| text.contains("type enum") && text.contains("; options: ")));
    assert!(custom.values().all(|field| field["title"].is_string()));
    let stages = stream(&session, "stages");
    assert_eq!(stages["supported_sync_modes"], serde_json::json!(["full_refresh"]));
    assert!(stages["default_cursor_field"].is_null());
}

/// With readable names every declared key is used, every used key is declared, and options carry
/// their labels.
#[test]
fn custom_fields_can_be_read_by_name() {
    let sandbox = sandbox(small());
    let session = discovered(&sandbox, "name");
    let mut read = Read::of(&sandbox, &["deals", "leads"]).with("custom_fields", "name");
    for configured in read.catalog["streams"].as_array_mut().expect("a list") {
        let name = configured["stream"]["name"].as_str().expect("a name").to_owned();
        configured["stream"] = stream(&session, &name).clone();
    }
    let named = read.run().succeeded();
    let hashed = Read::of(&sandbox, &["deals", "leads"]).run().succeeded();
    let schema =
        &stream(&session, "deals")["json_schema"]["properties"]["custom_fields"]["properties"];
    let declared: Vec<_> = schema.as_object().expect("fields").keys().cloned().collect();
    let (named_deals, hashed_deals) = (named.records("deals"), hashed.records("deals"));
    assert_eq!(named_deals.len(), hashed_deals.len());
    let mut labels = 0;
    for (named, hashed) in named_deals.iter().zip(&hashed_deals) {
        let fields = named["custom_fields"].as_object().expect("fields");
        assert_eq!(fields.keys().cloned().collect::<Vec<_>>(), declared);
        let values = |fields: &serde_json::Map<String, Value>, skip: bool| {
            let kept = fields
                .iter()
                .filter(|(key, _)| !skip || !(key.ends_with("_label") || key.ends_with("_labels")));
            let mut values: Vec<_> = kept.map(|(_, value)| value.to_string()).collect();
            values.sort();
            values
        };
        let original = hashed["custom_fields"].as_object().expect("fields");
        assert_eq!(values(fields, true), values(original, false));
        labels += fields.iter().filter(|(k, v)| k.ends_with("_label") && v.is_string()).count();
        assert_eq!(named["title"], hashed["title"]);
    }
    assert!(labels > 0, "some option has a label");
    for lead in named.records("leads") {
        let keys = lead.as_object().expect("a lead").keys();
        let properties = &stream(&session, "leads")["json_schema"]["properties"];
        for key in keys {
            assert!(!properties[key].is_null(), "leads: {key} is declared");
        }
    }
}

/// Silence within an answer ends the attempt, and the next one succeeds.
#[test]
fn a_stalled_answer_is_asked_for_again() {
    let fault = Fault::on(FaultKind::Slow(Duration::from_secs(20)), "/stages", 1, 1);
    let sandbox = sandbox(Options { faults: vec![fault], ..small() });
    let session = Read::of(&sandbox, &["stages"]).with("timeout_millis", 200).run().succeeded();
    assert_eq!(session.records("stages").len(), 18);
    let asked = sandbox.request_log().requests;
    assert_eq!(asked.iter().filter(|r| r.path_and_query.contains("/stages")).count(), 2);
}

/// The platform's catalogs and `PyAirbyte`'s state files are full of nulls and unknown keys.
#[test]
fn nulls_and_unknown_keys_are_tolerated() {
    let sandbox = sandbox(small());
    let folder = Folder::new();
    let mut config = sandbox.config();
    config["__injected_declarative_manifest"] = Value::Null;
    config["start_date"] = Value::Null;
    let mut catalog = catalog(&["persons"], "incremental");
    catalog["streams"][0]["cursor_field"] = Value::Null;
    catalog["streams"][0]["primary_key"] = Value::Null;
    catalog["streams"][0]["generation_id"] = Value::Null;
    catalog["streams"][0]["destination_sync_mode"] = "soft_delete".into();
    catalog["streams"][0]["stream"]["namespace"] = Value::Null;
    let state = r#"[{"type":"STREAM","stream":{"stream_descriptor":{"name":"persons","namespace":null},"stream_state":null},"global_":null,"global_":null,"data":null,"destinationStats":null},
        {"type":"STREAM","stream":{"stream_descriptor":{"name":"retired_stream"},"stream_state":{"x":1}}}]"#;
    let config = folder.json("config.txt", &config).display().to_string();
    let catalog = folder.json("catalog.txt", &catalog).display().to_string();
    let state = folder.file("state.txt", state).display().to_string();
    let session = run(&[
        "read",
        &format!("--config={config}"),
        "--catalog",
        &catalog,
        "--state",
        &state,
        "--debug",
    ]);
    let session = session.succeeded();
    assert_eq!(session.records("persons").len(), truth(&sandbox, "persons").len());
}
