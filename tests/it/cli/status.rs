//! `status`: how a warehouse or a backup stands, and what comes next.

use crate::support::backup::BackupFixture;
use crate::support::bucket::Bucket;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Fault, FaultKind, Options, Sandbox};
use std::process::{Command, Output};

fn asked(dir: &str, form: &str) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["status", dir, "-o", form]);
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("the binary starts")
}

#[track_caller]
fn status(command: Command) -> Value {
    let output = output(command);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// An account at which a run is interrupted in the middle, after earlier rows were written.
fn broken() -> Sandbox {
    let faults = vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 9, 1)];
    sandbox(Options { faults, ..small() })
}

#[test]
fn a_warehouse_says_what_it_holds_and_what_comes_next() {
    let account = broken();
    let streams = ["deals", "activities"];
    let warehouse = WarehouseFixture::of(&account, "ndjson", &streams).with("concurrency", 1);
    let dir = warehouse.dir().display().to_string();
    warehouse.killed_at_hang(&account);
    let said = status(asked(&dir, "json"));
    assert_eq!((&said["kind"], &said["complete"]), (&json!("warehouse"), &json!(false)));
    assert_eq!(said["unfinished"], json!(["activities"]), "{said}");
    assert!(said["next"].as_str().expect("text").ends_with("continues where the last run stopped"));

    let run = warehouse.sync(&[]).succeeded();
    let said = status(asked(&dir, "json"));
    assert_eq!((&said["complete"], &said["unfinished"]), (&json!(true), &json!([])));
    assert_eq!(said["resources"][0]["resource"], "deals");
    let rows =
        said["resources"].as_array().into_iter().flatten().filter_map(|row| row["rows"].as_u64());
    assert_eq!(said["rows"].as_u64(), Some(rows.sum()));
    assert!(said["rows"].as_u64() > run.summary["rows"].as_u64(), "rows of both runs: {said}");
    assert!(said["bytes"].as_u64() > Some(1_000) && said["last_run"].is_string(), "{said}");
    let table = String::from_utf8_lossy(&output(asked(&dir, "table")).stdout).into_owned();
    for words in [
        "warehouse of company",
        "activities",
        ", complete\n",
        "next: source-pipedrive sync warehouse --dir",
    ] {
        assert!(table.contains(words), "no {words:?} in {table}");
    }
}

#[test]
fn a_backup_says_what_it_holds_and_what_comes_next() {
    let account = broken();
    let backups = BackupFixture::of(&account, &["deals", "activities"]);
    let dir = backups.dir().display().to_string();
    backups.killed_at_hang(&account, &["--sequential"]);
    let said = status(asked(&dir, "json"));
    assert_eq!((&said["kind"], &said["complete"]), (&json!("backup"), &json!(false)));
    assert_eq!(said["unfinished"], json!(["activities"]), "{said}");
    assert!(said["next"].as_str().expect("text").contains("continues it"), "{said}");

    let run = backups.run(&[]).succeeded();
    let said = status(asked(&dir, "json"));
    assert_eq!((&said["complete"], &said["unfinished"]), (&json!(true), &json!([])));
    assert_eq!((&said["rows"], &said["bytes"]), (&run.summary["rows"], &run.summary["bytes"]));
    assert!(said["next"].as_str().expect("text").contains("backup verify"), "{said}");

    // A newer, interrupted one leaves the existing one complete.
    account
        .replace_faults(vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 3, 1)], Vec::new());
    backups.killed_at_hang(&account, &["--sequential"]);
    let said = status(asked(&dir, "json"));
    assert_eq!((&said["complete"], &said["unfinished"]), (&json!(true), &json!(["activities"])));
    assert!(said["newer_backup_begun"].is_string(), "{said}");
    let table = String::from_utf8_lossy(&output(asked(&dir, "table")).stdout).into_owned();
    assert!(table.contains("the backup that stands is complete; a newer one, begun"), "{table}");
}

#[test]
fn a_bucket_is_looked_at_as_well() {
    let (account, bucket) = (sandbox(small()), Bucket::start(0));
    for (line, prefix) in [("sync warehouse", "lake"), ("backup", "vault")] {
        let url = Bucket::url(prefix);
        let folder = crate::support::Folder::new();
        let mut command = Command::new(BINARY);
        command.args(line.split(' ')).args(["--resources", "pipelines", "--dir", &url, "-q"]);
        command.arg("--config").arg(folder.json("config.json", &account.config()));
        assert_eq!(output(bucket.used_by(command)).status.code(), Some(0), "{line}");
        let said = status(bucket.used_by(asked(&url, "json")));
        assert_eq!(
            (&said["complete"], &said["resources"][0]["resource"]),
            (&json!(true), &json!("pipelines"))
        );
    }
    let nothing = output(bucket.used_by(asked(&Bucket::url("empty"), "json")));
    assert_eq!(nothing.status.code(), Some(64), "{nothing:?}");
}

#[test]
fn what_is_neither_is_named() {
    let folder = crate::support::Folder::new();
    let here = folder.path().display().to_string();
    for (dir, words) in
        [(&*here, "neither a warehouse nor a backup"), ("/no/such/folder", "no such folder")]
    {
        let said = output(asked(dir, "json"));
        assert_eq!(said.status.code(), Some(64));
        assert!(String::from_utf8_lossy(&said.stderr).contains(words), "{said:?}");
    }
}
