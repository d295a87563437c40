//! One bad thing costs its siblings nothing: an answer that is garbled, a dictionary that cannot be
//! read, a field definition that is odd.

use crate::support::backup::BackupFixture;
use crate::support::bundle::BundleFixture;
use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, Read, assert_equals_truth, sandbox, small, truth};
use serde_json::{Value, json};
use source_pipedrive::model::{Custom, Resource};
use source_pipedrive::sandbox::{Edit, Fault, Options, Sandbox};
use std::process::{Command, Output};

/// What may go wrong once with an answer, and must not show.
const ONCE: &[&str] = &["cutjson", "null", "html", "utf8", "failure", "truncate", "500"];
/// Faults that may be permanent.
const FOR_EVER: &[&str] = &["500", "403", "404", "cutjson", "null", "html"];

/// An account with these faults.
fn with(faults: &[&str]) -> Sandbox {
    let faults = faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect();
    sandbox(Options { faults, ..small() })
}

fn named(name: &str) -> &'static Resource {
    Resource::named(name).expect("it exists")
}

/// How a command ended.
struct Ended {
    command: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(command: &str, output: &Output) -> Self {
        Self {
            command: command.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn is(&self, code: i32, about: &str) {
        let said = format!("{:.2000}\n{:.2000}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{}, {about}: {said}", self.command);
    }

    #[track_caller]
    fn says(&self, text: &str, about: &str) {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(said, "{}, {about}, does not say {text:?}: {:.3000}", self.command, self.stderr);
    }
}

/// Runs a command that takes a configuration.
fn ran(arguments: &[&str], account: &Sandbox, config: &[(&str, &str)]) -> Ended {
    let folder = Folder::new();
    let mut json = account.config();
    for (key, value) in config {
        json[*key] = (*value).into();
    }
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--config").arg(folder.json("config.json", &json));
    Ended::of(arguments[0], &command.output().expect("the binary starts"))
}

/// Every command that asks an account, with `deals` and what belongs to them, keys by name.
fn every_command(account: &Sandbox) -> Vec<Ended> {
    let name = [("custom_fields", "name")];
    let streams = &["deals", "stages"];
    let mut all = vec![
        ran(&["check"], account, &name),
        ran(&["discover"], account, &name),
        ran(&["plan", "--resources", "deals,stages"], account, &name),
    ];
    let read = Read::of(account, streams).with("custom_fields", "name").run();
    let lines: Vec<String> = read.lines.iter().map(Value::to_string).collect();
    all.push(Ended {
        command: "read".to_owned(),
        code: read.code,
        stdout: lines.join("\n"),
        stderr: read.stderr,
    });
    let tap = Tap::of(account).with("custom_fields", "name");
    let discovered = tap.command(&["--discover"]).output().expect("the binary starts");
    all.push(Ended::of("tap --discover", &discovered));
    // With a catalog of an account that is well.
    let well = with(&[]);
    let mut tap = Tap::of(&well).with("custom_fields", "name").selecting(streams);
    tap.config = account.config();
    tap.config["custom_fields"] = "name".into();
    all.push(Ended::of("tap", &tap.command(&[]).output().expect("the binary starts")));
    for format in ["ndjson", "parquet"] {
        let warehouse =
            WarehouseFixture::of(account, format, streams).with("custom_fields", "name");
        let output = warehouse.command(&[]).output().expect("the binary starts");
        all.push(Ended::of(&format!("sync {format}"), &output));
    }
    let backups = BackupFixture::of(account, &["deals", "stages"]);
    all.push(Ended::of("backup", &backups.command(&[]).output().expect("the binary starts")));
    let bundles = BundleFixture::new().account(account);
    let bundle = ["export", "--out", "a.json"];
    all.push(Ended::of("export", &bundles.command(&bundle).output().expect("the binary starts")));
    all
}

#[test]
fn who_we_are_is_asked_again_by_every_command() {
    for fault in ONCE {
        let account = with(&[&format!("{fault}@users/me")]);
        for command in ["check", "plan", "discover"] {
            let arguments: &[&str] = match command {
                "plan" => &["plan", "--resources", "stages"],
                command => &[command],
            };
            let account = with(&[&format!("{fault}@users/me")]);
            let ended = ran(arguments, &account, &[]);
            ended.is(0, fault);
            if command == "check" {
                ended.says("SUCCEEDED", fault);
            }
        }
        WarehouseFixture::of(&account, "ndjson", &["stages"]).sync(&[]).succeeded();
        let account = with(&[&format!("{fault}@users/me")]);
        Read::of(&account, &["stages"]).run().succeeded();
        let account = with(&[&format!("{fault}@users/me")]);
        Tap::of(&account).selecting(&["stages"]).run().succeeded();
        let account = with(&[&format!("{fault}@users/me")]);
        BackupFixture::of(&account, &["stages"]).run(&[]).succeeded();
        let account = with(&[&format!("{fault}@users/me")]);
        BundleFixture::new().account(&account).export("a.json");
    }
    // An answer that stays garbled is an error at last, and not before it was asked for often.
    let account = with(&["cutjson@users/mex*"]);
    ran(&["plan", "--resources", "stages"], &account, &[]).is(69, "cut for ever");
    let asked = account.request_log().requests;
    assert!(asked.iter().filter(|r| r.path_and_query.contains("users/me")).count() > 4);
}

#[test]
fn a_dictionary_that_fails_once_costs_nothing() {
    for fault in ONCE {
        let account = with(&[&format!("{fault}@dealFields")]);
        for ended in every_command(&account) {
            ended.is(0, fault);
        }
    }
}

/// The dictionaries that name keys of records, with a stream of each, beside one that has none.
const DICTIONARIES: &[(&str, &str, &str)] = &[
    ("dealFields", "deal_fields", "deals"),
    ("dealFields", "deal_fields", "leads"),
    ("personFields", "person_fields", "persons"),
    ("organizationFields", "organization_fields", "organizations"),
    ("productFields", "product_fields", "products"),
    ("projectFields", "project_fields", "projects"),
];

#[test]
fn a_missing_dictionary_leaves_rows_under_their_hashes_in_a_warehouse() {
    for (path, dictionary, stream) in DICTIONARIES.iter().copied() {
        for (fault, format) in FOR_EVER.iter().zip(["ndjson", "parquet"].iter().cycle()) {
            let about = format!("{fault}@{path}, {stream}, {format}");
            let account = with(&[&format!("{fault}@{path}x*")]);
            let warehouse = WarehouseFixture::of(&account, format, &[stream, "stages"])
                .with("custom_fields", "name");
            let output = warehouse.command(&[]).output().expect("the binary starts");
            let ended = Ended::of("sync", &output);
            ended.is(3, &about);
            ended.says(dictionary, &about);
            let summary: Value = serde_json::from_str(&ended.stdout).expect("a summary");
            assert_eq!(summary["complete"], false, "{about}");
            for resource in summary["resources"].as_array().expect("a list") {
                let name = resource["resource"].as_str().expect("a name");
                assert_eq!(resource["complete"], name == "stages", "{about}: {name}");
                let all = account.state(|account| account.truth(named(name).name).len());
                assert_eq!(resource["rows"], all, "{about}: {name}");
            }
            if *format == "ndjson" {
                warehouse.assert_once(&account);
            }
        }
    }
}

#[test]
fn a_missing_dictionary_leaves_rows_under_their_hashes_on_the_wire() {
    for fault in FOR_EVER {
        // A missing permission may be permanent: such a run does not always fail.
        let lasting = matches!(*fault, "403" | "404");
        let account = with(&[&format!("{fault}@dealFieldsx*")]);
        let streams = &["deals", "leads", "persons"];
        let read = Read::of(&account, streams).with("custom_fields", "name").run();
        assert_eq!(read.code, Some(i32::from(!lasting)), "{fault}: {:?}", read.errors());
        for stream in &streams[..2] {
            assert_equals_truth(stream, &read.records(stream), &truth(&account, stream));
            let ending = if lasting { "COMPLETE" } else { "INCOMPLETE" };
            assert_eq!(read.statuses(stream).last().map(String::as_str), Some(ending), "{fault}");
        }
        assert_eq!(read.statuses("persons").last().map(String::as_str), Some("COMPLETE"));
        assert_eq!(read.records("persons").len(), truth(&account, "persons").len());
        assert!(
            read.logs().iter().any(|log| log.contains("deal_fields cannot be read")),
            "{fault}"
        );

        let tap = Tap::of(&account).with("custom_fields", "name").run();
        // A permanent refusal means that the company lacks the resource, and it was not named.
        assert_eq!(tap.0.code, Some(i32::from(!lasting)), "{fault}: the stream deal_fields itself");
        for stream in Resource::all().filter(|r| !r.on_request && r.name != "deal_fields") {
            let rows = truth(&account, stream.name).len();
            assert_eq!(tap.records(stream.name).len(), rows, "{fault}: {}", stream.name);
        }
        assert!(tap.0.stderr.contains("deal_fields cannot be read"), "{fault}: {}", tap.0.stderr);
        let deal = tap.records("deals")[0];
        let custom = deal["custom_fields"].as_object().expect("an object");
        assert!(custom.keys().all(|key| key.len() >= 40), "{fault}: {custom:?}");
    }
}

#[test]
fn a_missing_dictionary_leaves_a_catalog_that_takes_custom_fields() {
    for fault in FOR_EVER {
        let account = with(&[&format!("{fault}@dealFieldsx*")]);
        let airbyte = ran(&["discover"], &account, &[("custom_fields", "name")]);
        airbyte.is(0, fault);
        airbyte.says("deal_fields cannot be read", fault);
        let mut lines = airbyte.stdout.lines().map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        let catalog = lines.find(|line| line["type"] == "CATALOG").expect("a catalog");
        let singer = Tap::of(&account).with("custom_fields", "name").discover();
        let schemas = [
            (&catalog["catalog"]["streams"], "name", "json_schema"),
            (&singer["streams"], "tap_stream_id", "schema"),
        ];
        for (streams, name, schema) in schemas {
            let streams = streams.as_array().expect("a list");
            assert_eq!(streams.len(), Resource::all().count(), "{fault}");
            let of = |stream: &str| {
                let stream = streams.iter().find(|s| s[name] == stream).expect("it is there");
                stream[schema]["properties"]["custom_fields"].clone()
            };
            assert_eq!(of("deals")["properties"], json!({}), "{fault}");
            assert_ne!(of("deals")["additionalProperties"], false, "{fault}");
            assert_ne!(of("persons")["properties"], json!({}), "{fault}");
        }
    }
}

/// Without the dictionary the field that stores public ids is unknown, so there is no bundle.
#[test]
fn a_missing_dictionary_is_an_error_for_a_bundle() {
    let account = with(&["500@dealFieldsx*"]);
    let bundles = BundleFixture::new().account(&account);
    let (code, message) = bundles.run(&["export", "--out", "a.json"]).error();
    assert_eq!((code, message.starts_with("/api/v2/dealFields")), (69, true), "{message}");
}

/// The first custom field of deals with options.
fn field(account: &Sandbox) -> (String, Value) {
    let rows = account.state(|account| account.truth("deal_fields"));
    let mut rows = rows.into_iter().map(|row| {
        let json: Value = serde_json::from_slice(&row.json).expect("it is JSON");
        (row.key, json)
    });
    let chosen = |json: &Value| json["is_custom_field"] == true && json["field_type"] == "enum";
    rows.find(|(_, json)| chosen(json)).expect("there is one")
}

/// Ways in which a definition may be odd, and the message about it, if something is lost.
fn oddities(whole: &Value) -> Vec<(String, Option<&'static str>)> {
    let set = |key: &str, value: Value| {
        let mut field = whole.clone();
        field[key] = value;
        field.to_string()
    };
    let without = |key: &str| {
        let mut field = whole.clone();
        field.as_object_mut().expect("an object").remove(key);
        field.to_string()
    };
    let option = |option: Value| set("options", json!([option, {"id": 9000, "label": "fine"}]));
    vec![
        (set("field_name", Value::Null), None),
        (without("field_name"), None),
        (set("field_type", Value::Null), None),
        (set("field_type", "hologram".into()), None),
        (set("options", Value::Null), None),
        (set("is_custom_field", Value::Null), None),
        (option(json!({"id": 1, "label": null})), None),
        (option(json!({"id": 1})), None),
        (set("field_name", 5.into()), Some("its field_name is no text")),
        (set("field_type", json!([])), Some("its field_type is no text")),
        (set("options", json!({"1": "x"})), Some("its options are no list")),
        (set("is_custom_field", "yes".into()), Some("neither true nor false")),
        (option(json!({"id": [1], "label": "x"})), Some("option 1 is left out")),
        (option(json!({"id": null, "label": "x"})), Some("option 1 is left out")),
        (option(json!({"label": "x"})), Some("option 1 is left out")),
        (option(json!({"id": 1, "label": 5})), Some("option 1 is left out")),
        (option(json!("x")), Some("option 1 is left out")),
        (option(json!({"id": 9000, "label": "other"})), Some("is there twice")),
        (set("field_code", Value::Null), Some("it has no field_code")),
        (set("field_code", 5.into()), Some("its field_code is no text")),
        (without("field_code"), Some("it has no field_code")),
        (json!({}).to_string(), Some("it has no field_code")),
    ]
}

#[test]
fn an_odd_definition_costs_no_command_anything() {
    let whole = field(&with(&[])).1;
    for (spoilt, said) in oddities(&whole) {
        let account = with(&[]);
        let (key, _) = field(&account);
        let json = spoilt.clone();
        account.state(|account| account.edit(Edit::Spoil { resource: "deal_fields", key, json }));
        for ended in every_command(&account) {
            ended.is(0, &spoilt);
            let asks = !matches!(&*ended.command, "check" | "plan" | "backup");
            if let (Some(said), true) = (said, asks) {
                ended.says(said, &spoilt);
            }
        }
    }
}

#[test]
fn a_definition_that_comes_twice_counts_once() {
    let account = with(&[]);
    let (first, mut again) = field(&account);
    again["field_name"] = "Something else".into();
    let key = account.state(|account| {
        let rows = account.truth("deal_fields");
        let after = rows.iter().skip_while(|row| row.key != first).nth(1).expect("one comes after");
        let (key, json) = (after.key.clone(), again.to_string());
        account.edit(Edit::Spoil { resource: "deal_fields", key: key.clone(), json });
        key
    });
    assert_ne!(key, first);
    for ended in every_command(&account) {
        ended.is(0, "twice");
        if !matches!(&*ended.command, "check" | "plan" | "backup") {
            ended.says("is described twice: the first counts", "twice");
        }
    }
}

/// A backup keeps the odd definition as received; readers of the backup work without it.
#[test]
fn an_odd_definition_in_a_backup_costs_what_reads_it_nothing() {
    let resources = [
        "deals",
        "leads",
        "persons",
        "organizations",
        "activities",
        "users",
        "pipelines",
        "stages",
        "deal_fields",
        "person_fields",
        "organization_fields",
        "lead_labels",
        "activity_types",
    ];
    let whole = field(&with(&[])).1;
    for (spoilt, _) in oddities(&whole) {
        let account = with(&[]);
        let before = BackupFixture::of(&account, &resources);
        before.run(&[]).succeeded();
        let (key, json) = (field(&account).0, spoilt.clone());
        account.state(|account| account.edit(Edit::Spoil { resource: "deal_fields", key, json }));
        let after = BackupFixture::of(&account, &resources);
        let made = after.command(&[]).output().expect("the binary starts");
        let row: Value = serde_json::from_str(&spoilt).expect("it is JSON");
        let keyed = row["field_code"].as_str().is_some();
        let numbered = row["field_code"].is_number();
        // A definition without its code is a row of its own list without an id.
        Ended::of("backup", &made).is(if keyed || numbered { 0 } else { 3 }, &spoilt);
        assert!(after.text("dealFields.json").contains(&spoilt), "{spoilt}");
        let (before, after) = (before.dir(), after.dir());
        let (before, after) = (before.to_str().expect("UTF-8"), after.to_str().expect("UTF-8"));
        let run = |arguments: &[&str]| {
            let output = Command::new(BINARY).args(arguments).output();
            Ended::of(arguments[1], &output.expect("the binary starts"))
        };
        run(&["backup", "diff", before, after]).is(0, &spoilt);
        let folder = Folder::new();
        let out = folder.path().join("a.json");
        let out = out.to_str().expect("UTF-8");
        run(&["bundle", "export", "--from", after, "--out", out]).is(0, &spoilt);
        let verified = run(&["backup", "verify", after]);
        if keyed && row["options"] == whole["options"] {
            verified.is(0, &spoilt);
        }
        // No value belongs to a field that is reported as unknown.
        assert!(!verified.stdout.contains("\"kind\":\"field\""), "{}", verified.stdout);
    }
}

/// All of them are nested or flat: what stands beside a missing dictionary is known.
#[test]
fn every_dictionary_is_among_those_that_are_tried() {
    let named: Vec<_> = DICTIONARIES.iter().map(|(_, _, stream)| *stream).collect();
    for resource in Resource::all().filter(|r| r.custom != Custom::None && r.fields.is_some()) {
        assert!(named.contains(&resource.name), "{} is not tried", resource.name);
    }
}
