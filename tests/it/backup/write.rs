//! Backups: what lies there, what a run says, and what it refuses.

use crate::support::backup::{self, BackupFixture};
use crate::support::{raw_truth, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Feature, Features, Options};
use std::os::unix::fs::PermissionsExt as _;

fn edited(account: &source_pipedrive::sandbox::Sandbox) {
    account.state(|account| {
        account.advance(3_600);
        for resource in ["deals", "persons", "leads"] {
            account.edit(Edit::Bulk { resource, rows: 5 });
        }
        let keys = account.truth("persons");
        let key = keys.last().expect("there are persons").key.clone();
        account.edit(Edit::Delete { resource: "persons", key });
        account.advance(90);
    });
}

#[test]
fn a_backup_holds_every_row_as_pipedrive_sent_it() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &[]);
    let run = backups.run(&[]).succeeded();
    backups.assert_whole(&account);
    let (exported, total) = (&run.summary["exported"], &run.summary["total"]);
    assert_eq!((exported, total, &run.summary["skipped"]), (&json!(42), &json!(42), &json!(0)));
    let manifest = backups.manifest();
    assert_eq!(manifest["account"]["company_id"], 900);
    assert_eq!(manifest["version"], 2);
    assert_eq!(manifest["files"]["deals"]["endpoint"][1], "/api/v2/deals/archived");
    assert_eq!(manifest["counts"]["deals"], backups.rows("deals").len());
}

#[test]
fn only_the_owner_may_look() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["deals", "files"]);
    backups.run(&["--include", "file_contents"]).succeeded();
    let mode = |name: &str| {
        let meta = std::fs::metadata(backups.dir().join(name)).expect("it is there");
        meta.permissions().mode() & 0o777
    };
    assert_eq!([mode(""), mode("files")], [0o700; 2]);
    let content = std::fs::read_dir(backups.dir().join("files")).expect("it is a folder").next();
    let content = content.expect("there is one").expect("it can be read").file_name();
    let content = format!("files/{}", content.to_string_lossy());
    for name in ["manifest.json", "manifest.lock", "deals.json", "fileContents.json", &content] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn secrets_in_rows_are_masked_unless_they_are_asked_for() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["webhooks"]);
    backups.run(&[]).succeeded();
    assert!(backups.text("webhooks.json").contains(r#""http_auth_password":"****""#));
    assert!(!backups.text("webhooks.json").contains("invented"));
    backups.run(&["--include", "secrets"]).succeeded();
    assert!(backups.text("webhooks.json").contains(r#""http_auth_password":"invented""#));
}

#[test]
fn a_new_run_replaces_a_backup_when_it_is_whole() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &[]);
    backups.run(&[]).succeeded();
    edited(&account);
    backups.run(&[]).succeeded();
    backups.assert_whole(&account);
}

#[test]
fn a_nightly_backup_never_goes_stale() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["deals", "persons", "stages"]);
    // Older scripts pass --resume.
    for flags in [&[][..], &["--resume"], &["--restart"]] {
        let run = backups.run(flags).succeeded();
        assert_eq!(run.summary["exported"], 3);
        backups.assert_whole(&account);
        edited(&account);
    }
    let said = backups.run(&[]).stderr;
    assert!(said.contains("the last backup is finished"), "{said}");
}

#[test]
fn the_backup_that_stands_is_whole_until_it_is_replaced() {
    let account = sandbox(Options {
        // The second page of the second run: each asks for the newest row first, and the first run
        // for what changed meanwhile after its ten pages.
        faults: vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 15, 1)],
        ..small()
    });
    let backups = BackupFixture::of(&account, &["deals", "persons", "activities"]);
    backups.run(&[]).succeeded();
    let before = backups.text("deals.json");
    edited(&account);
    backups.killed_at_hang(&account, &["--sequential"]);
    assert_eq!(backups.text("deals.json"), before);
    backups.assert_proven();
    assert!(!backups.manifest()["next"].is_null());
    let run = backups.run(&[]).succeeded();
    assert_eq!((&run.summary["exported"], &run.summary["skipped"]), (&json!(1), &json!(2)));
    backups.assert_whole(&account);
}

#[test]
fn a_new_run_over_a_broken_one_leaves_nothing_of_it_behind() {
    let faults = vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 3, 1)];
    let account = sandbox(Options { faults, ..small() });
    let backups = BackupFixture::of(&account, &["deals", "activities"]);
    backups.killed_at_hang(&account, &["--sequential"]);
    assert!(backups.names().contains(&"activities.json.part".to_owned()));
    let run = backups.run(&["--restart"]).succeeded();
    assert_eq!((&run.summary["exported"], &run.summary["skipped"]), (&json!(2), &json!(0)));
    assert!(run.stderr.contains("the unfinished one is discarded"), "{}", run.stderr);
    backups.assert_whole(&account);
    backups.assert_verified();
}

/// An interrupted run, whatever the cause, is resumed by the same command. Its last message and the first
/// message of the next run say so, and how to start over.
#[test]
fn a_backup_that_was_broken_off_goes_on_by_itself() {
    let resources = ["deals", "persons", "activities"];
    for how in ["killed", "interrupted", "spent", "refused"] {
        let account = sandbox(small());
        let mut backups = BackupFixture::of(&account, &resources);
        let hang = Fault::on(FaultKind::Hang, "/api/v2/activities", 3, 1);
        let refusal = Fault::on(FaultKind::Status(500), "/api/v2/activities", 3, u32::MAX);
        match how {
            "killed" => {
                account.replace_faults(vec![hang], Vec::new());
                backups.killed_at_hang(&account, &["--sequential"]);
            }
            "interrupted" => {
                account.replace_faults(vec![hang], Vec::new());
                let run = backups.interrupted_at_hang(&account, &["--sequential"]);
                run.failed(130, &["the same command continues from there", "--restart"]);
            }
            "spent" => {
                backups = backups.with("max_tokens", 250);
                backups.run(&["--sequential"]).failed(75, &["max_tokens"]);
                backups.config["max_tokens"] = Value::Null;
            }
            _ => {
                account.replace_faults(vec![refusal], Vec::new());
                backups.run(&["--sequential"]).failed(3, &["activities"]);
            }
        }
        account.replace_faults(Vec::new(), Vec::new());
        let run = backups.run(&[]).succeeded();
        assert!(run.summary["skipped"].as_u64() > Some(0), "{how}: {}", run.summary);
        for said in ["continuing the backup that was interrupted", "--restart starts over"] {
            assert!(run.stderr.contains(said), "{how}: no {said:?} in {}", run.stderr);
        }
        backups.assert_whole(&account);
    }
}

#[test]
fn what_is_asked_for_beyond_is_added_to_a_backup_that_is_gone_on_with() {
    let faults = vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 3, 1)];
    let account = sandbox(Options { faults, ..small() });
    let mut backups = BackupFixture::of(&account, &["deals", "activities"]);
    backups.killed_at_hang(&account, &["--sequential"]);
    backups.resources.clear();
    let run = backups.run(&["--include", "histories"]).succeeded();
    // Both, and the resources that are read on request only and are no part of every backup.
    assert_eq!(run.summary["total"], 22);
    backups.assert_verified();
}

#[test]
fn what_was_not_asked_for_again_stays() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &[]);
    backups.run(&[]).succeeded();
    backups.run(&["--resources", "deals"]).succeeded();
    let manifest = backups.manifest();
    assert_eq!(manifest["completed"], json!(["deals"]));
    assert_eq!(manifest["files"]["persons"]["kept"], true);
    assert!(manifest["files"]["deals"]["kept"].is_null());
    backups.assert_whole(&account);
}

#[test]
fn what_the_token_may_not_see_is_named_and_ends_with_3() {
    let account = sandbox(Options {
        admin: false,
        features: Features::all().without(Feature::Installments),
        ..small()
    });
    let backups = BackupFixture::of(&account, &["deals", "webhooks", "roles", "deal_installments"]);
    let run = backups.run(&[]);
    run.failed(
        3,
        &["3 of 4 streams", "deal_installments", "roles", "webhooks", "/api/v1/webhooks: "],
    );
    assert_eq!(run.summary["finished"], true);
    assert_eq!(run.summary["failed"]["roles"]["error"], "permission");
    assert_eq!(backups.manifest()["failed"]["webhooks"]["error"], "permission");
    assert_eq!(backups.manifest()["complete"], false);
    // A permanent refusal does not keep the other resources from being read again.
    let again = backups.run(&[]);
    assert_eq!((again.code, &again.summary["exported"]), (Some(3), &json!(1)));
}

#[test]
fn a_file_that_can_no_longer_be_read_stays_as_it_was() {
    let full = sandbox(small());
    let mut backups = BackupFixture::of(&full, &["deals", "webhooks"]);
    backups.run(&[]).succeeded();
    let before = backups.text("webhooks.json");
    let less = sandbox(Options { admin: false, ..small() });
    backups.pointed_at(&less);
    backups.run(&[]).failed(78, &["not an admin", "--force"]);
    backups.run(&["--force"]).failed(3, &["webhooks"]);
    assert_eq!(backups.text("webhooks.json"), before);
    assert_eq!(backups.manifest()["files"]["webhooks"]["kept"], true);
    assert_eq!(backups.manifest()["failed"]["webhooks"]["error"], "permission");
    backups.assert_proven();
}

#[test]
fn a_resource_that_keeps_failing_is_given_up_in_the_second_run() {
    let faults = vec![Fault::on(FaultKind::Status(500), "/api/v1/notes", 1, u32::MAX)];
    let account = sandbox(Options { faults, ..small() });
    let backups = BackupFixture::of(&account, &["deals", "notes"]);
    let first = backups.run(&[]);
    first.failed(3, &["notes"]);
    assert_eq!(first.summary["finished"], false);
    let second = backups.run(&[]);
    assert_eq!(
        (&second.summary["finished"], &second.summary["skipped"]),
        (&json!(true), &json!(1))
    );
    let third = backups.run(&[]);
    assert_eq!(third.summary["exported"], 1, "deals are read again: {}", third.stderr);
}

#[test]
fn another_companys_folder_is_refused() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["stages"]);
    backups.run(&[]).succeeded();
    let path = backups.dir().join("manifest.json");
    let manifest =
        backups.text("manifest.json").replace("\"company_id\": 900", "\"company_id\": 7");
    std::fs::write(path, manifest).expect("it can be written");
    for flags in [&[][..], &["--restart"]] {
        backups.run(flags).failed(78, &["belongs to company", "id 7", "use another --dir"]);
    }
}

#[test]
fn what_is_no_backup_of_ours_is_left_alone() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["stages"]);
    std::fs::create_dir_all(backups.dir()).expect("it can be made");
    let write = |name: &str, text: &str| {
        std::fs::write(backups.dir().join(name), text).expect("it can be written");
    };
    write("holiday.txt", "x");
    backups.run(&[]).failed(65, &["holiday.txt", "empty or new --dir"]);
    write("manifest.json", "{\"completed\": [");
    backups.run(&[]).failed(65, &["manifest is not JSON", "bring it back from a copy"]);
    write("manifest.json", "{\"watermarks\": {}}");
    backups.run(&[]).failed(65, &["of a warehouse", "another --dir"]);
    write("manifest.json", "{\"completed\": [], \"version\": 99}");
    backups.run(&[]).failed(65, &["version 99", "upgrade it"]);
    assert!(!backups.dir().join("stages.json").exists());
}

#[test]
fn a_damaged_file_is_read_again_with_a_warning() {
    let faults = vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 3, 1)];
    let account = sandbox(Options { faults, ..small() });
    let backups = BackupFixture::of(&account, &["deals", "persons", "activities"]);
    backups.killed_at_hang(&account, &["--sequential"]);
    let path = backups.dir().join("deals.json");
    let mut bytes = std::fs::read(&path).expect("deals were read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("it can be written");
    std::fs::remove_file(backups.dir().join("persons.json")).expect("persons were read");
    let run = backups.run(&[]).succeeded();
    assert!(run.stderr.contains("deals.json is damaged and is read again"), "{}", run.stderr);
    assert!(run.stderr.contains("persons.json is damaged and is read again"), "{}", run.stderr);
    assert_eq!(run.summary["exported"], 3);
    backups.assert_whole(&account);
}

#[test]
fn rows_that_move_between_lists_while_they_are_read_are_there_once() {
    let script = |key: &str| {
        let archive = Edit::Archive { resource: "deals", key: key.to_owned() };
        (4, archive)
    };
    let account = sandbox(Options { script: vec![script("1"), script("2")], ..small() });
    let backups = BackupFixture::of(&account, &["deals"]);
    let run = backups.run(&[]).succeeded();
    assert!(run.stderr.contains("2 rows came twice"), "{}", run.stderr);
    backups.assert_whole(&account);
}

#[test]
fn attachments_are_stored_once_and_prove_themselves() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["files"]);
    let run = backups.run(&["--include", "file_contents"]).succeeded();
    let index: Vec<Value> =
        serde_json::from_str(&backups.text("fileContents.json")).expect("it is an array");
    assert_eq!(index.len(), raw_truth(&account, "files").len());
    let stored: Vec<_> = index.iter().filter_map(|row| row["sha256"].as_str()).collect();
    assert!(stored.len() > 5);
    for (sha256, row) in stored.iter().zip(index.iter().filter(|row| row["sha256"].is_string())) {
        let bytes = std::fs::read(backups.dir().join("files").join(sha256)).expect("it is there");
        assert_eq!(row["bytes"], bytes.len());
        assert_eq!(backup::sha256(&bytes), **sha256);
    }
    // They never change, so another run pays for none of them.
    let again = backups.run(&["--include", "file_contents"]).succeeded();
    let tokens = |run: &crate::support::warehouse::CommandOutput| {
        run.summary["tokens"].as_u64().expect("tokens")
    };
    assert_eq!(tokens(&run) - tokens(&again), 20 * stored.len() as u64);
}

#[test]
fn an_attachment_that_cannot_be_had_is_a_gap_that_is_named() {
    let faults = vec![Fault::on(FaultKind::Status(400), "/download", 2, 1)];
    let account = sandbox(Options { faults, ..small() });
    let backups = BackupFixture::of(&account, &["files"]);
    let run = backups.run(&["--include", "file_contents"]);
    run.failed(3, &["fileContents"]);
    assert_eq!(run.summary["finished"], true);
    let said = &run.summary["failed"]["fileContents"]["message"];
    assert_eq!(said, "1 attachments could not be had");
}

/// What Pipedrive lists and no longer has is no gap of the backup, however often it is asked for.
#[test]
fn an_attachment_that_is_gone_is_recorded_and_no_gap() {
    for (status, path) in [(404, "/download"), (410, "/download"), (404, "/_storage/")] {
        let account = sandbox(small());
        let backups = BackupFixture::of(&account, &["files"]);
        for _ in 0..2 {
            let fault = Fault::on(FaultKind::Status(status), path, 1, u32::MAX);
            account.replace_faults(vec![fault], Vec::new());
            let run = backups.run(&["--include", "file_contents"]).succeeded();
            assert!(run.stderr.contains("are gone for good"), "{}", run.stderr);
            let index: Vec<Value> =
                serde_json::from_str(&backups.text("fileContents.json")).expect("it is an array");
            let gone = index.iter().filter(|row| row["gone"] == true).count();
            assert!(gone > 2 && index.iter().all(|row| row["failed"].is_null()), "{status} {path}");
            assert_eq!(
                backups.manifest()["files"]["fileContents"]["gone"],
                gone,
                "{status} {path}"
            );
            backups.assert_verified();
        }
        // What was had once is kept.
        account.replace_faults(Vec::new(), Vec::new());
        backups.run(&["--include", "file_contents"]).succeeded();
        let fault = Fault::on(FaultKind::Status(404), "/download", 1, u32::MAX);
        account.replace_faults(vec![fault], Vec::new());
        backups.run(&["--include", "file_contents"]).succeeded();
        assert!(backups.manifest()["files"]["fileContents"]["gone"].is_null());
    }
}

#[test]
fn a_cut_attachment_is_asked_for_again() {
    for trouble in [FaultKind::Truncate, FaultKind::Status(503)] {
        let faults =
            vec![Fault::on(trouble, "/download", 1, 1), Fault::on(trouble, "/_storage/", 1, 1)];
        let account = sandbox(Options { faults, ..small() });
        let backups = BackupFixture::of(&account, &["files"]);
        backups.run(&["--include", "file_contents"]).succeeded();
    }
}

#[test]
fn a_spent_budget_keeps_what_was_taken() {
    let account = sandbox(small());
    let backups =
        BackupFixture::of(&account, &["deals", "persons", "activities"]).with("max_tokens", 150);
    backups.run(&[]).failed(75, &["max_tokens"]);
    let mut runs = 1;
    while backups.run(&[]).code == Some(75) {
        runs += 1;
        assert!(runs < 20, "it makes progress");
    }
    backups.assert_whole(&account);
}
