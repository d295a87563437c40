//! Warehouses in disorder: damaged, foreign, held by somebody else, on a full disk.

use crate::depot::Depot;
use crate::support::{sandbox, small};
use source_pipedrive::sandbox::{Options, Sandbox};
use std::fs;

fn synced(format: &str) -> (Sandbox, Depot) {
    let account = sandbox(small());
    let depot = Depot::of(&account, format, &["deals", "stages"]);
    depot.sync(&[]).succeeded();
    (account, depot)
}

fn rewrite(depot: &Depot, change: impl FnOnce(&mut serde_json::Value)) {
    let mut manifest = depot.manifest();
    change(&mut manifest);
    fs::write(depot.dir().join("manifest.json"), manifest.to_string()).expect("it is written");
}

#[test]
fn a_folder_of_somebody_elses_is_refused() {
    let account = sandbox(small());
    let depot = Depot::of(&account, "ndjson", &["stages"]);
    fs::create_dir_all(depot.dir()).expect("it is made");
    fs::write(depot.dir().join("thesis.txt"), "years of work").expect("it is written");
    depot.sync(&[]).failed(65, &["thesis.txt", "--dir"]);
    fs::write(
        depot.dir().join("manifest.json"),
        r#"{"watermarks":{"deals":"2026-01-01T00:00:00Z"}}"#,
    )
    .expect("it is written");
    depot.sync(&[]).failed(65, &["manifest.json", "no manifest of a warehouse"]);
}

#[test]
fn a_damaged_or_newer_manifest_is_refused_and_kept() {
    let (_account, depot) = synced("parquet");
    rewrite(&depot, |manifest| manifest["version"] = 99.into());
    depot.sync(&[]).failed(65, &["version 99", "upgrade"]);
    fs::write(depot.dir().join("manifest.json"), r#"{"version":1,"format":"#).expect("written");
    depot.sync(&[]).failed(65, &["manifest.json", "not JSON"]);
    let kept = fs::read(depot.dir().join("manifest.json")).expect("it is there");
    assert_eq!(kept, br#"{"version":1,"format":"#, "a manifest that is not understood stays");
}

#[test]
fn another_companys_warehouse_is_refused() {
    let (_account, depot) = synced("ndjson");
    rewrite(&depot, |manifest| manifest["account"]["company_id"] = 7.into());
    depot.sync(&[]).failed(78, &["belongs to company", "another --dir"]);
}

#[test]
fn another_layout_is_refused() {
    let (_account, depot) = synced("parquet");
    depot.sync(&["--custom-fields", "hash"]).failed(64, &["--custom-fields name"]);
    let (_account, depot) = synced("ndjson");
    depot.sync(&["--custom-fields", "name"]).failed(64, &["--custom-fields hash"]);
    let account = sandbox(small());
    let fresh = Depot::of(&account, "parquet", &["stages"]);
    fresh.sync(&["--compression", "gzip"]).failed(64, &["zstd"]);
}

#[test]
fn a_missing_part_is_named_and_a_rebuild_replaces_it() {
    for format in ["ndjson", "parquet"] {
        let (account, depot) = synced(format);
        let file = depot.files("deals").remove(0);
        fs::remove_file(&file).expect("it was there");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        depot.sync(&[]).failed(65, &[&name, "is missing", "--full --resources deals"]);
        depot.sync(&["--full"]).succeeded();
        depot.assert_once(&account);
    }
}

#[test]
fn a_file_that_lost_bytes_is_refused() {
    for format in ["ndjson", "parquet"] {
        let (_account, depot) = synced(format);
        let file = depot.files("deals").remove(0);
        let bytes = fs::read(&file).expect("it is there");
        fs::write(&file, &bytes[..bytes.len() - 1]).expect("it is written");
        depot.sync(&[]).failed(65, &["where the manifest says"]);
    }
}

#[test]
fn a_torn_tail_is_cut_back() {
    let (account, depot) = synced("ndjson");
    let file = depot.files("deals").remove(0);
    let mut bytes = fs::read(&file).expect("it is there");
    bytes.extend_from_slice(br#"{"id":1,"title":"half a li"#);
    fs::write(&file, bytes).expect("it is written");
    let run = depot.sync(&[]).succeeded();
    assert!(run.stderr.contains("cut off"), "{}", run.stderr);
    depot.assert_once(&account);
}

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let account =
        sandbox(Options { faults: vec!["hang@stages".parse().expect("a fault")], ..small() });
    let depot = Depot::of(&account, "ndjson", &["stages"]);
    let mut first = depot.start(&[]);
    account.wait_for_hang();
    let holder = format!("process {}", first.id());
    depot.sync(&[]).failed(74, &[&holder, "--break-lock"]);
    // Broken by force, the lock is the second run's, and the first must not commit any more.
    depot.sync(&["--break-lock"]).succeeded();
    first.kill().expect("it is there");
    first.wait().expect("it ends");
    depot.sync(&[]).succeeded();
    depot.assert_once(&account);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let account = sandbox(small());
    let depot = Depot::of(&account, "ndjson", &["stages"]);
    fs::write(depot.dir(), "a file").expect("it is written");
    depot.sync(&[]).failed(74, &["warehouse", "cannot be made"]);
}

/// A limit on the size of files stands for a full disk: the write fails half way.
#[test]
fn a_full_disk_loses_nothing() {
    for format in ["ndjson", "parquet"] {
        let (account, depot) = synced(format);
        let before = depot.manifest();
        crate::support::change(&account, &[("deals", 30)]);
        let line = format!("{:?}", depot.command(&[]));
        let script = format!("trap '' XFSZ; ulimit -f 8; exec {line}");
        let output = std::process::Command::new("bash").args(["-c", &script]).output();
        let output = output.expect("there is bash");
        assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(depot.manifest(), before);
        depot.sync(&[]).succeeded();
        depot.assert_current(&account);
    }
}
