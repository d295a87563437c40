//! Tests of warehouses that are damaged, foreign, locked by another run, or on a full disk.

use crate::support::warehouse::WarehouseFixture;
use crate::support::{sandbox, small};
use source_pipedrive::sandbox::{Options, Sandbox};
use std::fs;

fn synced(format: &str) -> (Sandbox, WarehouseFixture) {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, format, &["deals", "stages"]);
    warehouse.sync(&[]).succeeded();
    (account, warehouse)
}

fn rewrite(warehouse: &WarehouseFixture, change: impl FnOnce(&mut serde_json::Value)) {
    let mut manifest = warehouse.manifest();
    change(&mut manifest);
    fs::write(warehouse.dir().join("manifest.json"), manifest.to_string()).expect("it is written");
}

#[test]
fn a_folder_of_somebody_elses_is_refused() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    fs::create_dir_all(warehouse.dir()).expect("it is made");
    fs::write(warehouse.dir().join("thesis.txt"), "years of work").expect("it is written");
    warehouse.sync(&[]).failed(65, &["thesis.txt", "--dir"]);
    assert_eq!(warehouse.names(), ["thesis.txt"]);
    assert!(!warehouse.dir().join("manifest.lock").exists(), "nothing of ours is left there");
    fs::write(
        warehouse.dir().join("manifest.json"),
        r#"{"chapters":{"one":"2026-01-01T00:00:00Z"}}"#,
    )
    .expect("it is written");
    warehouse.sync(&[]).failed(65, &["manifest.json", "no manifest of a warehouse"]);
}

#[test]
fn a_damaged_or_newer_manifest_is_refused_and_kept() {
    let (_account, warehouse) = synced("parquet");
    rewrite(&warehouse, |manifest| manifest["version"] = 99.into());
    warehouse.sync(&[]).failed(65, &["version 99", "upgrade"]);
    fs::write(warehouse.dir().join("manifest.json"), r#"{"version":1,"format":"#).expect("written");
    warehouse.sync(&[]).failed(65, &["manifest.json", "not JSON"]);
    let kept = fs::read(warehouse.dir().join("manifest.json")).expect("it is there");
    assert_eq!(kept, br#"{"version":1,"format":"#, "a manifest that is not understood stays");
}

#[test]
fn another_companys_warehouse_is_refused() {
    let (_account, warehouse) = synced("ndjson");
    rewrite(&warehouse, |manifest| manifest["account"]["company_id"] = 7.into());
    warehouse.sync(&[]).failed(78, &["belongs to company", "another --dir"]);
}

#[test]
fn another_layout_is_refused() {
    let (_account, warehouse) = synced("parquet");
    warehouse.sync(&["--custom-fields", "hash"]).failed(64, &["--custom-fields name"]);
    let (_account, warehouse) = synced("ndjson");
    warehouse.sync(&["--custom-fields", "name"]).failed(64, &["--custom-fields hash"]);
    let account = sandbox(small());
    let fresh = WarehouseFixture::of(&account, "parquet", &["stages"]);
    fresh.sync(&["--compression", "gzip"]).failed(64, &["zstd"]);
}

#[test]
fn a_missing_part_is_named_and_a_rebuild_replaces_it() {
    for format in ["ndjson", "parquet"] {
        let (account, warehouse) = synced(format);
        let file = warehouse.files("deals").remove(0);
        fs::remove_file(&file).expect("it was there");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        warehouse.sync(&[]).failed(65, &[&name, "is missing", "--full --resources deals"]);
        warehouse.sync(&["--full"]).succeeded();
        warehouse.assert_once(&account);
    }
}

#[test]
fn a_file_that_lost_bytes_is_refused() {
    for format in ["ndjson", "parquet"] {
        let (_account, warehouse) = synced(format);
        let file = warehouse.files("deals").remove(0);
        let bytes = fs::read(&file).expect("it is there");
        fs::write(&file, &bytes[..bytes.len() - 1]).expect("it is written");
        warehouse.sync(&[]).failed(65, &["where the manifest says"]);
    }
}

#[test]
fn a_torn_tail_is_cut_back() {
    let (account, warehouse) = synced("ndjson");
    let file = warehouse.files("deals").remove(0);
    let mut bytes = fs::read(&file).expect("it is there");
    bytes.extend_from_slice(br#"{"id":1,"title":"half a li"#);
    fs::write(&file, bytes).expect("it is written");
    let run = warehouse.sync(&[]).succeeded();
    assert!(run.stderr.contains("cut off"), "{}", run.stderr);
    warehouse.assert_once(&account);
}

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let account =
        sandbox(Options { faults: vec!["hang@stages".parse().expect("a fault")], ..small() });
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    let mut first = warehouse.start(&[]);
    account.wait_for_hang();
    let holder = format!("process {}", first.id());
    warehouse.sync(&[]).failed(74, &[&holder, "--break-lock"]);
    first.kill().expect("it is there");
    first.wait().expect("it ends");
    // The lock ended with its process.
    warehouse.sync(&[]).succeeded();
    warehouse.assert_once(&account);
}

#[test]
fn a_run_whose_lock_was_broken_writes_no_more() {
    let faults = vec!["hang@deals#4".parse().expect("a fault")];
    let account = sandbox(Options { faults, ..small() });
    let mut warehouse = WarehouseFixture::of(&account, "ndjson", &["deals"]);
    // The hung request times out and is repeated: the run continues when it is woken.
    warehouse.config["timeout_millis"] = 300.into();
    let first = warehouse.command(&[]).spawn().expect("the binary starts");
    account.wait_for_hang();
    let signal = |name: &str| {
        let arguments = [name.to_owned(), first.id().to_string()];
        let status = std::process::Command::new("kill").args(arguments).status();
        assert!(status.expect("there is kill").success());
    };
    signal("-STOP");
    warehouse.sync(&["--break-lock"]).succeeded();
    let after = fs::read(warehouse.dir().join("deals.ndjson")).expect("it is there");
    signal("-CONT");
    let first = first.wait_with_output().expect("it ends");
    assert_eq!(first.status.code(), Some(74), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(fs::read(warehouse.dir().join("deals.ndjson")).expect("it is there"), after);
    warehouse.assert_once(&account);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    fs::write(warehouse.dir(), "a file").expect("it is written");
    warehouse.sync(&[]).failed(74, &["warehouse", "cannot be made"]);
}

/// A limit on the size of files stands for a full disk: the write fails half way.
#[test]
fn a_full_disk_loses_nothing() {
    for format in ["ndjson", "parquet"] {
        let (account, warehouse) = synced(format);
        let before = warehouse.manifest()["files"]["deals"].clone();
        crate::support::change(&account, &[("deals", 30)]);
        let line = format!("{:?}", warehouse.command(&[]));
        let script = format!("trap '' XFSZ; ulimit -f 8; exec {line}");
        let output = std::process::Command::new("bash").args(["-c", &script]).output();
        let output = output.expect("there is bash");
        assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(warehouse.manifest()["files"]["deals"], before);
        warehouse.sync(&[]).succeeded();
        warehouse.assert_current(&account);
    }
}

#[test]
fn a_damaged_rebuild_can_be_begun_anew() {
    let (account, warehouse) = synced("parquet");
    let before = warehouse.names();
    let mut step = 8;
    // Until a part of the rebuild is committed.
    while warehouse.manifest()["rebuild"]["files"]["deals"][0].is_null() {
        step += 2;
        warehouse.crash(step, &["--full"]);
    }
    let part = warehouse.manifest()["rebuild"]["files"]["deals"][0]["path"].clone();
    assert!(!before.iter().any(|name| part == name.as_str()));
    fs::remove_file(warehouse.dir().join(part.as_str().expect("a path"))).expect("it was there");
    warehouse.sync(&[]).failed(65, &["is missing", "--full"]);
    warehouse.sync(&["--full"]).succeeded();
    warehouse.assert_once(&account);
    warehouse.assert_tidy();
}

#[test]
fn files_of_others_stay() {
    let (_account, warehouse) = synced("ndjson");
    for name in ["report#2", "notes.txt"] {
        fs::write(warehouse.dir().join(name), "mine").expect("it is written");
    }
    warehouse.sync(&[]).succeeded();
    assert!(
        warehouse.dir().join("report#2").exists() && warehouse.dir().join("notes.txt").exists()
    );
}
