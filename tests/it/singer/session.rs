//! The tap by the rules of its protocol: command line, catalog, selection, messages, states.

use crate::support::tap::{TAP, Tap, root};
use crate::support::{
    Folder, Session, all, assert_equals_truth, change, ended_at_hang, key, sandbox, small, truth,
};
use serde_json::{Value, json};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

fn output(arguments: &[&str]) -> Output {
    Command::new(&*TAP).args(arguments).output().expect("the binary starts")
}

#[test]
fn what_needs_no_configuration_needs_none() {
    let text = |arguments: &[&str]| {
        let output = output(arguments);
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("it is text")
    };
    assert!(text(&["--version"]).starts_with("tap-pipedrive "));
    assert!(text(&["--help"]).contains("--discover"));
    assert!(text(&["--about"]).contains("tap-pipedrive"));
    assert!(text(&["--about", "--format", "markdown"]).contains("| `start_date` |"));
    let about: Value =
        serde_json::from_str(&text(&["--about", "--format=json"])).expect("it is JSON");
    assert_eq!(about["name"], "tap-pipedrive");
    assert_eq!(about["settings"]["properties"]["api_token"]["secret"], true);
    let secrets = &about["settings"]["properties"]["credentials"]["properties"];
    assert_eq!(secrets["refresh_token"]["secret"], true);
    for capability in ["catalog", "discover", "state", "about", "activate-version"] {
        let known = about["capabilities"].as_array().expect("a list");
        assert!(known.contains(&capability.into()), "{capability}");
    }
}

#[test]
fn a_failure_is_one_critical_line_and_exit_code_1() {
    let account = sandbox(small());
    let folder = Folder::new();
    let file = |name: &str, json: &Value| folder.json(name, json).display().to_string();
    let config = file("config.json", &account.config());
    let mut wrong = account.config();
    wrong["credentials"]["api_token"] = "0".repeat(40).into();
    let wrong = file("wrong.json", &wrong);
    let nothing = file("nothing.json", &json!({"streams": []}));
    let other = file("other.json", &json!({"streams": [{"stream": "sheep", "selected": true}]}));
    let bad_state = file("state.json", &json!({"positions": {}}));
    for (arguments, expected) in [
        (
            vec![],
            "the following required arguments were not provided: --config <FILE|ENV>; --help tells how",
        ),
        (vec!["--config", "/nonexistent"], "file cannot be read"),
        (vec!["--config", &wrong], "Pipedrive does not accept the token"),
        (vec!["--config", &wrong, "--discover"], "Pipedrive does not accept the token"),
        (vec!["--config", &config, "--catalog", &nothing], "catalog: selects no stream"),
        (vec!["--config", &config, "-p", &other], "there is no such stream"),
        (vec!["--config", &config, "--state", &bad_state], "has it bookmarks or streams"),
    ] {
        let output = output(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("CRITICAL ") && last.contains(expected), "{said}");
        assert_eq!(said.matches("CRITICAL").count(), 1, "{said}");
        assert!(!said.contains(&"0".repeat(40)), "{said}");
    }
}

#[test]
fn configurations_of_the_existing_tap_work() {
    let account = sandbox(small());
    let ours = account.config();
    let (token, origin) = (&ours["credentials"]["api_token"], &ours["base_url"]);
    let config = json!({"api_token": token, "start_date": "2026-01-01T00:00:00Z",
        "user-agent": "tap (data@example.test)", "unheard_of": {"x": 1}});
    let folder = Folder::new();
    let origin =
        folder.json("origin.json", &json!({"base_url": origin, "api_token": "later wins"}));
    let config = folder.json("config.json", &config);
    let output = Command::new(&*TAP)
        .arg("--config")
        .arg(origin)
        .arg("--config=ENV")
        .arg("-c")
        .arg(config)
        .arg("-d")
        .env("TAP_PIPEDRIVE_CONCURRENCY", "2")
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_catalog_describes_every_property_and_can_be_handed_back() {
    let account = sandbox(small());
    let tap = Tap::of(&account);
    let catalog = tap.discover();
    let streams = catalog["streams"].as_array().expect("there are streams");
    assert_eq!(streams.len(), all().len());
    for stream in streams {
        let name = stream["tap_stream_id"].as_str().expect("a name");
        let mut crumbs = Vec::new();
        breadcrumbs(&stream["schema"], &mut Vec::new(), &mut crumbs);
        let known: BTreeMap<String, &Value> = stream["metadata"]
            .as_array()
            .expect("metadata")
            .iter()
            .map(|entry| (entry["breadcrumb"].to_string(), &entry["metadata"]))
            .collect();
        for crumb in &crumbs {
            assert!(known[&crumb.to_string()]["inclusion"].is_string(), "{name}: {crumb}");
        }
        assert_eq!(known.len(), crumbs.len() + 1, "{name}");
        let resource = Resource::named(name).expect("it is ours");
        for column in resource.key.iter().chain(resource.cursor.as_ref()) {
            assert_eq!(known[&json!(["properties", column]).to_string()]["inclusion"], "automatic");
        }
        let root = known["[]"];
        assert_eq!(root["table-key-properties"], json!(resource.key));
        assert_eq!(root["selected-by-default"], !resource.on_request);
        if resource.incremental() {
            assert_eq!(stream["replication_method"], "INCREMENTAL");
            assert_eq!(root.get("forced-replication-method"), None);
        } else {
            assert_eq!(root["forced-replication-method"], "FULL_TABLE");
        }
    }
    // Every stream by name, the costly ones too: no row is lost.
    let session = tap.selecting(&all()).run().succeeded();
    for stream in all() {
        session.schema(stream);
    }
}

fn breadcrumbs(schema: &Value, path: &mut Vec<String>, all: &mut Vec<Value>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.extend(["properties".to_owned(), name.clone()]);
        all.push(json!(path));
        breadcrumbs(property, path, all);
        path.truncate(path.len() - 2);
    }
}

#[test]
fn discovery_asks_once_for_each_dictionary() {
    let account = sandbox(Options { page_max: None, ..small() });
    Tap::of(&account).discover();
    let requests = account.request_log().requests;
    let mut dictionaries: BTreeMap<&str, usize> = BTreeMap::new();
    for request in &requests {
        let path = request.path_and_query.split('?').next().unwrap_or_default();
        *dictionaries.entry(path).or_default() += 1;
    }
    assert!(dictionaries.values().all(|count| *count <= 2), "{dictionaries:?}");
    // And once for each feature that a company may lack.
    let features: BTreeSet<_> = Resource::all().filter_map(|resource| resource.feature).collect();
    assert!(requests.len() <= 8 + features.len(), "{dictionaries:?}");
}

#[test]
fn without_a_catalog_everything_but_the_histories_is_read() {
    let account = sandbox(small());
    let session = Tap::of(&account).run().succeeded();
    for resource in Resource::all() {
        let told = session.of_type("SCHEMA").any(|line| line["stream"] == resource.name);
        assert_eq!(told, !resource.on_request, "{}", resource.name);
        if told {
            let keys = |rows: Vec<&Value>| rows.into_iter().map(|row| key(resource, row)).collect();
            let mut sent: Vec<String> = keys(session.records(resource.name));
            sent.sort();
            let mut listed: Vec<String> = truth(&account, resource.name).into_keys().collect();
            listed.sort();
            assert_eq!(sent, listed, "{}", resource.name);
        }
    }
    assert_eq!(session.0.lines.last().map(|line| &line["type"]), Some(&json!("STATE")));
    assert!(session.logged("WARNING").is_empty(), "{}", session.0.stderr);
}

#[test]
fn what_is_deselected_is_in_no_message() {
    let account = sandbox(small());
    let deals = Resource::named("deals").expect("there are deals");
    let catalog = Tap::of(&account).discover();
    let deal =
        catalog["streams"].as_array().into_iter().flatten().next().expect("deals come first");
    let custom = &deal["schema"]["properties"]["custom_fields"]["properties"];
    let field =
        custom.as_object().and_then(|fields| fields.keys().next()).expect("a field").clone();
    let tap = Tap::of(&account)
        .selecting(&["deals", "stages"])
        .saying("deals", &["properties", "title"], "selected", false.into())
        .saying("deals", &["properties", "value"], "selected", "false".into())
        .saying("deals", &["properties", "id"], "selected", false.into())
        .saying("deals", &["properties", "status"], "inclusion", "unsupported".into())
        .saying(
            "deals",
            &["properties", "custom_fields", "properties", &field],
            "selected",
            false.into(),
        );
    let session = tap.run().succeeded();
    let schema = &session.schema("deals")["schema"]["properties"];
    assert_eq!(schema["custom_fields"]["properties"].get(&field), None);
    for (name, there) in [("title", false), ("value", false), ("status", false), ("id", true)] {
        assert_eq!(schema.get(name).is_some(), there, "{name}");
    }
    let mut expected = truth(&account, "deals");
    for row in expected.values_mut() {
        let row = row.as_object_mut().expect("a row is an object");
        row.retain(|name, _| !["title", "value", "status"].contains(&name.as_str()));
        row["custom_fields"].as_object_mut().expect("an object").remove(&field);
    }
    let expected = session.spelled("deals", expected);
    assert_equals_truth("deals", &session.records("deals"), &expected);
    assert_eq!(deals.key, ["id"]);
    assert!(session.logged("WARNING").is_empty(), "{}", session.0.stderr);
}

/// As Meltano marks `select: [deals.id, deals.custom_fields]`.
#[test]
fn an_object_of_which_nothing_is_selected_is_left_out_and_named() {
    let account = sandbox(small());
    let mut tap = Tap::of(&account).selecting(&["deals"]);
    let catalog = tap.discover();
    let streams = catalog["streams"].as_array().into_iter().flatten();
    let deals =
        streams.clone().find(|stream| stream["stream"] == "deals").expect("there are deals");
    let fields = deals["schema"]["properties"]["custom_fields"]["properties"].as_object();
    for field in fields.expect("there are custom fields").keys() {
        let crumbs = ["properties", "custom_fields", "properties", field];
        tap = tap.saying("deals", &crumbs, "selected", false.into());
    }
    let session = tap.run().succeeded();
    assert!(session.schema("deals")["schema"]["properties"].get("custom_fields").is_none());
    assert!(session.records("deals").iter().all(|deal| deal.get("custom_fields").is_none()));
    let warned = session.logged("WARNING").join("\n");
    let said = "deals: custom_fields is selected and none of its properties is, so it is left out; the pattern deals.custom_fields.* selects them";
    assert!(warned.contains(said), "{warned}");
}

#[test]
fn with_a_concurrency_of_one_streams_come_one_after_the_other() {
    let account = sandbox(Options { scale: 0.03, ..small() });
    let session = Tap::of(&account).with("concurrency", 1).selecting(&all()).run().succeeded();
    let lines = session.0.lines.iter().filter(|line| line["type"] != "STATE");
    let mut turns: Vec<_> = lines.filter_map(|line| line["stream"].as_str()).collect();
    turns.dedup();
    let streams: BTreeSet<_> = turns.iter().collect();
    assert_eq!(streams.len(), turns.len(), "{turns:?}");
}

#[test]
fn old_catalogs_select_on_the_stream_itself() {
    let account = sandbox(small());
    let mut tap = Tap::of(&account);
    let mut catalog = tap.discover();
    for stream in catalog["streams"].as_array_mut().into_iter().flatten() {
        root(stream).as_object_mut().expect("facts").remove("selected-by-default");
        if stream["stream"] == "users" {
            stream["selected"] = true.into();
        }
    }
    tap.catalog = Some(catalog);
    let session = tap.run().succeeded();
    let streams: Vec<_> = session.of_type("SCHEMA").map(|line| &line["stream"]).collect();
    assert_eq!(streams, ["users"]);
}

#[test]
fn values_of_another_type_become_null_and_are_reported() {
    let account = sandbox(small());
    let set = vec![
        ("title", json!([7])),
        ("probability", json!("high")),
        ("close_time", json!("soon")),
        ("expected_close_date", json!("2026-02-31")),
        ("owner_id", json!({"id": 3})),
        ("label_ids", json!([1, "x"])),
        ("lost_reason", json!({"id": 4, "label": "price"})),
        ("is_archived", json!(1)),
        ("person_id", json!("11")),
        ("origin_id", json!(31)),
        ("surprise", json!("new")),
    ];
    account.state(|account| {
        account.edit(Edit::Change { resource: "deals", key: "7".to_owned(), set });
        account.edit(Edit::Change {
            resource: "notes",
            key: "3".to_owned(),
            set: vec![("content", json!("a\u{0}b"))],
        });
        account.edit(Edit::Advance(90));
    });
    let session = Tap::of(&account).selecting(&["deals", "notes"]).run().succeeded();
    let deal = session.records("deals").into_iter().find(|deal| deal["id"] == 7).expect("deal 7");
    for column in ["title", "probability", "close_time", "expected_close_date", "owner_id"] {
        assert_eq!(deal[column], Value::Null, "{column}");
    }
    assert_eq!(deal["label_ids"], json!([1, null]));
    assert_eq!(deal["lost_reason"], "price");
    assert_eq!(deal["lost_reason_object"], "{\"id\":4,\"label\":\"price\"}");
    assert_eq!(deal["is_archived"], true);
    assert_eq!(deal["person_id"], 11);
    assert_eq!(deal["origin_id"], "31");
    assert_eq!(deal.get("surprise"), None);
    let note = session.records("notes").into_iter().find(|note| note["id"] == 3).expect("note 3");
    assert_eq!(note["content"], "a\u{fffd}b");
    let warned = session.logged("WARNING").join("\n");
    assert!(warned.contains("deals: values that are not of their declared type went out as null: close_time (1), expected_close_date (1), label_ids (1), owner_id (1), probability (1), title (1)"), "{warned}");
    let unknown = warned.lines().filter(|line| line.contains("surprise"));
    let unknown: Vec<_> = unknown.collect();
    assert_eq!(unknown.len(), 1, "{warned}");
    assert!(unknown[0].contains("deals") && unknown[0].contains("not known to this version"));
    assert!(!warned.contains("discover"), "{warned}");
    assert!(warned.contains("notes: texts of 1 rows held NUL characters"), "{warned}");
}

#[test]
fn custom_fields_have_readable_names_on_request() {
    let account = sandbox(small());
    let session =
        Tap::of(&account).with("custom_fields", "name").selecting(&["deals", "leads"]).run();
    let session = session.succeeded();
    let fields = &session.schema("deals")["schema"]["properties"]["custom_fields"]["properties"];
    let fields = fields.as_object().expect("there are custom fields");
    assert!(fields.keys().all(|name| name.len() < 40), "{:?}", fields.keys());
    let held = session.records("deals").into_iter().flat_map(|deal| {
        deal["custom_fields"].as_object().into_iter().flat_map(|fields| fields.keys())
    });
    assert!(held.collect::<Vec<_>>().iter().all(|name| fields.contains_key(*name)));
    let lead = session.schema("leads")["schema"]["properties"].as_object().expect("properties");
    assert!(lead.keys().all(|name| name.len() < 40), "{:?}", lead.keys());
    assert!(session.logged("WARNING").is_empty(), "{}", session.0.stderr);
}

#[test]
fn a_second_run_delivers_what_changed_and_nothing_else() {
    const STREAMS: &[&str] = &["deals", "persons", "leads", "notes", "files", "stages"];
    let account = sandbox(small());
    let tap = Tap::of(&account).selecting(STREAMS);
    let first = tap.run().succeeded();
    for stream in STREAMS {
        let expected = first.spelled(stream, truth(&account, stream));
        assert_equals_truth(stream, &first.records(stream), &expected);
    }
    let changed = change(&account, &[("deals", 3), ("persons", 2), ("notes", 1)]);
    let second = Tap::of(&account).selecting(STREAMS).from(first.state()).run().succeeded();
    for stream in ["deals", "persons", "leads", "notes", "files"] {
        let keys = changed.get(stream).cloned().unwrap_or_default();
        let mut expected = truth(&account, stream);
        expected.retain(|key, _| keys.contains(key));
        let expected = second.spelled(stream, expected);
        assert_equals_truth(stream, &second.records(stream), &expected);
    }
    // A full table comes whole, every time.
    let stages = second.spelled("stages", truth(&account, "stages"));
    assert_equals_truth("stages", &second.records("stages"), &stages);
    // And so does a stream that is to.
    let full = Tap::of(&account)
        .selecting(&["persons"])
        .saying("persons", &[], "replication-method", "FULL_TABLE".into())
        .from(second.state());
    let full = full.run().succeeded();
    let persons = full.spelled("persons", truth(&account, "persons"));
    assert_equals_truth("persons", &full.records("persons"), &persons);
    assert_eq!(full.state()["bookmarks"]["deals"], second.state()["bookmarks"]["deals"]);
}

#[test]
fn versions_are_activated_after_whole_tables_only_and_on_request() {
    let account = sandbox(small());
    let silent = Tap::of(&account).selecting(&["stages", "deals"]).run().succeeded();
    assert_eq!(silent.of_type("ACTIVATE_VERSION").count(), 0);
    assert!(silent.of_type("RECORD").all(|line| line.get("version").is_none()));
    let fault = Fault::on(FaultKind::Status(500), "v1/roles", 1, u32::MAX);
    let broken = sandbox(Options { faults: vec![fault], ..small() });
    let tap = Tap::of(&broken)
        .with("emit_activate_version_messages", true)
        .with("backoff_millis", 1)
        .selecting(&["stages", "deals", "roles"]);
    let session = tap.run();
    assert_eq!(session.0.code, Some(1));
    let activated: Vec<_> = session.of_type("ACTIVATE_VERSION").collect();
    assert_eq!(activated.len(), 1, "{activated:?}");
    assert_eq!(activated[0]["stream"], "stages");
    let version = |line: &&Value| line["stream"] == "stages" && line["type"] == "RECORD";
    let stages: Vec<_> = session.0.lines.iter().filter(version).collect();
    assert!(stages.iter().all(|line| line["version"] == activated[0]["version"]));
    let last = session.0.lines.iter().rposition(|line| version(&line)).expect("there are stages");
    let at = session.0.lines.iter().position(|line| line == activated[0]).expect("it was said");
    assert!(at > last, "after the last record");
    assert!(session.records("deals").len() > 20, "the others went on");
    let said = session.logged("CRITICAL");
    assert!(said.len() == 1 && said[0].contains("incomplete: 1 of 3 streams"), "{said:?}");
}

/// Runs the tap until a request hangs, and tells it to end with SIGTERM.
fn terminated_at(request: u64) -> (source_pipedrive::sandbox::Sandbox, Session) {
    let account = sandbox(Options { faults: vec![Fault::at(FaultKind::Hang, request)], ..small() });
    let tap = Tap::of(&account).with("concurrency", 1);
    let output = ended_at_hang(tap.command(&[]), &account, |child| {
        let id = child.id().to_string();
        assert!(Command::new("kill").arg(id).status().expect("there is kill").success());
    });
    (account, Session::of(&output))
}

#[test]
fn told_to_end_it_says_its_state_first() {
    for request in [25, 40, 60] {
        let (account, session) = terminated_at(request);
        assert_eq!(session.code, Some(130), "{}", session.stderr);
        // Only what a stream that had begun looks like may come after it.
        let last = session.lines.iter().rev().find(|line| line["type"] != "SCHEMA");
        let last = last.expect("it said something");
        assert_eq!(last["type"], "STATE");
        let rest = Tap::of(&account).from(last["value"].clone()).run().succeeded();
        for stream in ["deals", "persons", "activities"] {
            let resource = Resource::named(stream).expect("it exists");
            let first = session.lines.iter().filter(|line| line["stream"] == stream);
            let first = first.filter(|line| line["type"] == "RECORD").map(|line| &line["record"]);
            let rows = first.chain(rest.records(stream));
            let rows: BTreeMap<String, &Value> =
                rows.map(|row| (key(resource, row), row)).collect();
            let rows: Vec<_> = rows.into_values().collect();
            let expected = rest.spelled(stream, truth(&account, stream));
            assert_equals_truth(stream, &rows, &expected);
        }
    }
}

#[test]
fn a_full_table_that_was_broken_off_goes_on_without_a_version() {
    let account = sandbox(Options {
        faults: vec![Fault::on(FaultKind::Status(401), "v2/persons", 3, 1)],
        ..small()
    });
    let tap = || {
        Tap::of(&account)
            .with("emit_activate_version_messages", true)
            .selecting(&["persons"])
            .saying("persons", &[], "replication-method", "FULL_TABLE".into())
    };
    let first = tap().run();
    assert_eq!(first.0.code, Some(1));
    let second = tap().from(first.state()).run().succeeded();
    assert_eq!(second.of_type("ACTIVATE_VERSION").count(), 0);
    let all = latest_of("persons", &[first.records("persons"), second.records("persons")]);
    let expected = second.spelled("persons", truth(&account, "persons"));
    assert_equals_truth("persons", &all, &expected);
    assert!(second.records("persons").len() < all.len(), "it went on");
    let third = tap().from(second.state()).run().succeeded();
    assert_eq!(third.of_type("ACTIVATE_VERSION").count(), 1);
    assert_eq!(third.records("persons").len(), all.len());
}

fn latest_of<'r>(stream: &str, runs: &[Vec<&'r Value>]) -> Vec<&'r Value> {
    let resource = Resource::named(stream).expect("it exists");
    let rows = runs.iter().flatten().map(|row| (key(resource, row), *row));
    rows.collect::<BTreeMap<_, _>>().into_values().collect()
}
