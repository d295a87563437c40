//! Rows without a usable id: counted and named, kept where the format can hold them, and never the end
//! of other rows.

use crate::support::backup::BackupFixture;
use crate::support::bundle::{BundleFixture, rows};
use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Read, raw_truth, sandbox, small, truth};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Edit, Options, Sandbox};
use std::process::Command;

/// Ids that are none; `None` for no id at all.
fn ids() -> Vec<Option<Value>> {
    let ids = [json!(null), json!({"value": 5}), json!([5]), json!(""), json!(true), json!(false)];
    ids.into_iter().map(Some).chain([None]).collect()
}

/// An account whose second deal and third stage have this id, with the rows in their place.
fn spoilt(id: Option<&Value>) -> (Sandbox, [String; 2]) {
    let account = sandbox(small());
    let spoil = |resource: &'static str, place: usize| {
        account.state(|account| {
            let row = account.truth(resource).remove(place);
            let mut json: Value = serde_json::from_slice(&row.json).expect("it is JSON");
            let object = json.as_object_mut().expect("an object");
            match id {
                Some(id) => object.insert("id".to_owned(), id.clone()),
                None => object.remove("id"),
            };
            let json = json.to_string();
            account.edit(Edit::Spoil { resource, key: row.key, json: json.clone() });
            json
        })
    };
    let spoilt = [spoil("deals", 1), spoil("stages", 2)];
    (account, spoilt)
}

const ONE: &str = "1 row came without a usable id";
const STREAMS: &[&str] = &["deals", "stages", "persons"];

fn rows_of(account: &Sandbox, stream: &'static str) -> usize {
    account.state(|account| account.truth(stream).len())
}

#[test]
fn a_tap_leaves_them_out_and_goes_on() {
    for id in ids() {
        let (account, _) = spoilt(id.as_ref());
        let mut tap = Tap::of(&account).selecting(STREAMS).with("activate_versions", true);
        let first = tap.run();
        assert_eq!(first.0.code, Some(1), "{id:?}: {}", first.0.stderr);
        for (stream, missing) in [("deals", 1), ("stages", 1), ("persons", 0)] {
            let all = rows_of(&account, stream);
            assert_eq!(first.records(stream).len(), all - missing, "{id:?}: {stream}");
            let named = first.0.stderr.contains(&format!("{stream}: {ONE}"));
            assert_eq!(named, missing > 0, "{id:?}: {stream}: {}", first.0.stderr);
        }
        let activated = first.of_type("ACTIVATE_VERSION").any(|line| line["stream"] == "stages");
        assert!(!activated, "{id:?}: a target would delete the row that was left out");
        // The state records what was read: the stream does not restart.
        tap = tap.from(
            first.0.lines.iter().rfind(|l| l["type"] == "STATE").expect("one")["value"].clone(),
        );
        assert_eq!(tap.run().records("deals").len(), 0, "{id:?}");
    }
}

/// An id of another type than the catalog says is none to a target.
#[test]
fn a_tap_leaves_out_ids_of_another_type() {
    let (account, _) = spoilt(Some(&json!("abc")));
    let session = Tap::of(&account).selecting(STREAMS).run();
    assert_eq!(session.0.code, Some(1));
    assert_eq!(session.records("deals").len(), rows_of(&account, "deals") - 1);
    assert_eq!(session.records("persons").len(), rows_of(&account, "persons"));
    let said = "deals: 1 row was left out that no target takes";
    assert!(session.0.stderr.contains(said), "{}", session.0.stderr);
}

#[test]
fn airbyte_gets_them_and_is_told() {
    for id in ids() {
        let (account, spoilt) = spoilt(id.as_ref());
        let session = Read::of(&account, STREAMS).run();
        assert_eq!(session.code, Some(1), "{id:?}");
        for (stream, odd) in [("deals", Some(0)), ("stages", Some(1)), ("persons", None)] {
            let records = session.records(stream);
            assert_eq!(records.len(), rows_of(&account, stream), "{id:?}: {stream}");
            let ending = if odd.is_some() { "INCOMPLETE" } else { "COMPLETE" };
            assert_eq!(session.statuses(stream).last().map(String::as_str), Some(ending));
            if let Some(odd) = odd {
                let row: Value = serde_json::from_str(&spoilt[odd]).expect("it is JSON");
                assert!(records.contains(&&row), "{id:?}: {stream}");
                let errors = session.errors();
                let named = |e: &String| e.starts_with(stream) && e.contains(ONE);
                assert!(errors.iter().any(named), "{id:?}: {errors:?}");
            }
        }
        // Its progress is reported all the same.
        assert!(session.state_of("deals").is_object(), "{id:?}");
        let again = Read::of(&account, &["persons", "deals"]).from(&session).run();
        assert!(again.records("deals").len() <= 1, "{id:?}: all but the odd one are known");
    }
}

#[test]
fn a_warehouse_holds_them() {
    for id in ids() {
        for format in ["ndjson", "parquet"] {
            let (account, spoilt) = spoilt(id.as_ref());
            let warehouse = WarehouseFixture::of(&account, format, STREAMS);
            let about = format!("{format}: {id:?}");
            for run in ["first", "second"] {
                let output =
                    warehouse.command(&["--deletes", "sweep"]).output().expect("it starts");
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(3), "{about}, {run}: {stderr}");
                let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
                let of = |name: &str| {
                    let resources = summary["resources"].as_array().expect("a list");
                    resources
                        .iter()
                        .find(|row| row["resource"] == name)
                        .expect("it is there")
                        .clone()
                };
                assert_eq!(of("persons")["complete"], true, "{about}, {run}");
                assert_eq!(
                    of("stages")["complete"],
                    false,
                    "{about}, {run}: it is read every time"
                );
                assert_eq!(of("stages")["message"], ONE, "{about}, {run}");
                assert_eq!(of("stages")["deleted"], 0, "{about}, {run}");
                if run == "first" {
                    for stream in STREAMS {
                        assert_eq!(of(stream)["rows"], rows_of(&account, stream), "{about}");
                    }
                } else {
                    assert_eq!(of("stages")["rows"], 0, "{about}: nothing of it is new");
                }
            }
            if format == "ndjson" {
                let lines = std::fs::read_to_string(warehouse.dir().join("deals.ndjson"));
                let lines = lines.expect("the file is there");
                let row: Value = serde_json::from_str(&spoilt[0]).expect("it is JSON");
                let mut held = lines.lines().map(serde_json::from_str::<Value>);
                let held = held.any(|held| {
                    let mut held = held.expect("a line is JSON");
                    held.as_object_mut().expect("an object").remove("_synced_at");
                    held == row
                });
                assert!(held, "{about}");
            }
        }
    }
}

/// A row that had such an id in one run and is gone in the next gets no tombstone.
#[test]
fn a_row_that_never_had_an_id_leaves_no_tombstone() {
    let (account, _) = spoilt(Some(&json!(null)));
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    assert_eq!(warehouse.sync(&["--deletes", "sweep"]).code, Some(3));
    // As the row was called before it lost its id.
    let key = sandbox(small()).state(|account| account.truth("stages").remove(2).key);
    let json = json!({"id": 900_001, "name": "mended"}).to_string();
    let spoil = Edit::Spoil { resource: "stages", key, json };
    assert_eq!(account.state(|account| account.edit(spoil)).len(), 1);
    warehouse.sync(&["--deletes", "sweep", "--force"]).succeeded();
    let lines =
        std::fs::read_to_string(warehouse.dir().join("stages.ndjson")).expect("it is there");
    assert!(!lines.contains("_deleted\":true"), "{lines}");
}

#[test]
fn a_backup_keeps_them_and_says_so() {
    for id in ids() {
        let (account, spoilt) = spoilt(id.as_ref());
        let backups = BackupFixture::of(&account, &["deals", "stages", "persons"]);
        let output = backups.command(&[]).output().expect("the binary starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{id:?}: {stderr}");
        assert!(stderr.contains(&format!("deals: {ONE}")), "{id:?}: {stderr}");
        for (file, row) in [("deals.json", &spoilt[0]), ("stages.json", &spoilt[1])] {
            assert!(backups.text(file).contains(row.as_str()), "{id:?}: {file}");
        }
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!((&summary["complete"], &summary["finished"]), (&json!(false), &json!(true)));
        let other = BackupFixture::of(&account, &["deals", "stages", "persons"]);
        other.command(&[]).output().expect("the binary starts");
        let (one, two) = (backups.dir(), other.dir());
        let run = |arguments: &[&str], dirs: &[&std::path::Path]| {
            Command::new(BINARY).args(arguments).args(dirs).output().expect("the binary starts")
        };
        let diff = run(&["backup", "diff", "--exit-code"], &[&one, &two]);
        assert_eq!(
            diff.status.code(),
            Some(0),
            "{id:?}: {}",
            String::from_utf8_lossy(&diff.stdout)
        );
        let verified = run(&["backup", "verify"], &[&one]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert_eq!(verified.status.code(), Some(65), "{id:?}: {said}");
        assert_eq!(said.matches("has no key").count(), 2, "{id:?}: {said}");
    }
}

#[test]
fn a_bundle_goes_on_without_them() {
    for id in ids() {
        let (account, _) = spoilt(id.as_ref());
        let bundles = BundleFixture::new().account(&account);
        let said = bundles.run(&["export", "--out", "a.json"]);
        let (code, message) = said.error();
        assert_eq!(code, 3, "{id:?}: {message}");
        assert!(message.contains("1 rows of deals"), "{id:?}: {message}");
        let bundle = bundles.bundle("a.json");
        let all = rows_of(&account, "deals");
        assert_eq!(rows(&bundle, "opportunities").len(), all - 1, "{id:?}");
        assert_eq!(rows(&bundle, "contacts").len(), rows_of(&account, "persons"), "{id:?}");
        let unmapped = bundles.context("a.json")["unmapped"].clone();
        let counted =
            unmapped.as_array().expect("a list").iter().any(|lost| {
                lost["resource"] == "deals" && lost["field"] == "id" && lost["rows"] == 1
            });
        assert!(counted, "{id:?}: {unmapped}");
    }
}

/// The lists of a parent without an id cannot be requested: the user is informed.
#[test]
fn lists_of_a_parent_without_an_id_are_missed_aloud() {
    let (account, _) = spoilt(Some(&json!(null)));
    let session = Read::of(&account, &["deal_products", "persons"]).run();
    assert_eq!(session.code, Some(1));
    let errors = session.errors();
    let said = "the lists of 1 rows of deals without a usable id cannot be asked for";
    assert!(errors.iter().any(|e| e.contains(said)), "{errors:?}");
    assert_eq!(session.statuses("persons").last().map(String::as_str), Some("COMPLETE"));
    assert!(!session.records("deal_products").is_empty());
}

/// A file without a usable id cannot be downloaded; the others are.
#[test]
fn attachments_of_other_files_are_fetched() {
    let account = sandbox(Options { ..small() });
    account.state(|account| {
        let row = account.truth("files").remove(0);
        let mut json: Value = serde_json::from_slice(&row.json).expect("it is JSON");
        json["id"] = Value::Null;
        let json = json.to_string();
        account.edit(Edit::Spoil { resource: "files", key: row.key, json });
    });
    let backups = BackupFixture::of(&account, &["files"]);
    let output = backups.command(&["--include", "file_contents"]).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let held = backups.text("fileContents.json");
    assert!(held.lines().count() > 3, "{held}");
    assert_eq!(raw_truth(&account, "files").len(), truth(&account, "files").len());
}
