//! Accounts that have different features, and the flags that choose among them.

use crate::support::backup::BackupFixture;
use crate::support::bundle::{ARRAYS, BundleFixture, rows};
use crate::support::tap::TAP;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, Session, profiles, sandbox, usual};
use serde_json::Value;
use source_pipedrive::sandbox::{Feature, Options};
use std::process::Command;

/// The three accounts, tiny.
fn accounts() -> impl Iterator<Item = (&'static str, Options)> {
    profiles().into_iter().map(|(name, options)| (name, Options { scale: 0.02, ..options }))
}

#[test]
fn an_account_is_in_order_whatever_it_has_bought() {
    for (name, options) in profiles() {
        let account = sandbox(options);
        let folder = Folder::new();
        let config = folder.json("config.json", &account.config());
        let check = Command::new(BINARY).arg("check").arg("--config").arg(config).output();
        let check = check.expect("the binary starts");
        assert!(check.status.success(), "{name}: {}", String::from_utf8_lossy(&check.stdout));
    }
}

#[test]
fn an_unknown_feature_is_answered_with_the_names_of_all() {
    for line in [
        "sandbox --lacks projcts",
        "plan --sandbox --lacks goals,projcts",
        "check --sandbox --lacks projcts",
    ] {
        let output = Command::new(BINARY).args(line.split(' ')).output().expect("it starts");
        assert!(!output.status.success(), "{line}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for feature in Feature::ALL {
            assert!(said.contains(feature.name()), "{line}: {said}");
        }
    }
    let alone = ["plan", "--lacks", "goals"];
    let output = Command::new(BINARY).args(alone).output().expect("it starts");
    assert_eq!(output.status.code(), Some(64), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_warehouse_holds_all_that_an_account_shows() {
    for (name, options) in accounts() {
        let shown = usual(&options);
        let account = sandbox(options);
        for format in ["ndjson", "parquet"] {
            let warehouse = WarehouseFixture::of(&account, format, &[]);
            let first = warehouse.sync(&[]).succeeded();
            let second = warehouse.sync(&[]).succeeded();
            assert_eq!(second.code, first.code, "{name}");
            warehouse.holding(&shown).assert_once(&account);
        }
    }
}

#[test]
fn a_backup_holds_all_that_an_account_shows_and_stays_verifiable() {
    for (_, options) in accounts() {
        let shown = usual(&options);
        let account = sandbox(options);
        let mut backups = BackupFixture::of(&account, &[]);
        for _ in 0..2 {
            backups.run(&[]).succeeded();
        }
        backups.resources = shown;
        backups.assert_whole(&account);
        let mut verify = Command::new(BINARY);
        let verify = verify.args(["backup", "verify", "-o", "json"]).arg(backups.dir()).output();
        let verify = verify.expect("the binary starts");
        let said = String::from_utf8_lossy(&verify.stdout);
        assert_eq!(verify.status.code(), Some(0), "{said}");
    }
}

#[test]
fn a_bundle_holds_every_row_of_its_arrays() {
    let resources = ["organizations", "persons", "deals", "leads", "activities"];
    for (name, options) in accounts() {
        let account = sandbox(options);
        let bundles = BundleFixture::new().account(&account);
        bundles.export("a.json");
        let bundle = bundles.bundle("a.json");
        for (array, resource) in ARRAYS.into_iter().zip(resources) {
            let truth = account.state(|account| account.truth(resource).len());
            assert_eq!(rows(&bundle, array).len(), truth, "{name}: {array}");
        }
        let said = bundles.run(&["validate", "a.json"]).json();
        assert_eq!(said["total"], 0, "{name}: {said}");
    }
}

#[test]
fn streams_of_an_account_are_read_with_exit_code_0() {
    for (name, options) in accounts() {
        let shown = usual(&options);
        let account = sandbox(options);
        let folder = Folder::new();
        let config = folder.json("config.json", &account.config());
        let read = Command::new(BINARY).arg("read").arg("--config").arg(&config).output();
        let session = Session::of(&read.expect("the binary starts")).succeeded();
        let tap = Command::new(&*TAP).arg("--config").arg(&config).output();
        let tap = tap.expect("the binary starts");
        assert_eq!(tap.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&tap.stderr));
        let lines = String::from_utf8_lossy(&tap.stdout).into_owned();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for stream in shown {
            let truth = crate::support::truth(&account, stream).len();
            assert_eq!(session.records(stream).len(), truth, "{name}: {stream}");
            let records = lines.iter().filter(|line| line["type"] == "RECORD");
            let records = records.filter(|line| line["stream"] == stream).count();
            assert_eq!(records, truth, "{name}: {stream} of the tap");
        }
    }
}
