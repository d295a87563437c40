//! `backup verify`: each kind of damage is found and named, and nothing else is.

use crate::backup::pdcli;
use crate::support::backup::{BackupFixture, sha256};
use crate::support::{BINARY, documented, sandbox};
use serde_json::{Value, json};
use source_pipedrive::dataset::snapshot::Manifest;
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Options, Sandbox};
use std::path::Path;
use std::process::Command;

/// What `backup verify` says of a folder.
struct Verdict {
    code: Option<i32>,
    report: Value,
    stderr: String,
}

fn verify(dir: &Path, flags: &[&str]) -> Verdict {
    let mut command = Command::new(BINARY);
    command.args(["backup", "verify", "-o", "json"]).arg(dir).args(flags);
    let output = command.output().expect("the binary starts");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Verdict { code: output.status.code(), report, stderr }
}

/// Findings as `kind file row: message`.
fn findings(verdict: &Verdict) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows = verdict.report["findings"].as_array().into_iter().flatten();
    rows.map(|row| {
        let [kind, file, key, message] = ["kind", "file", "row", "message"].map(|n| text(&row[n]));
        format!("{kind} {file} {key}: {message}")
    })
    .collect()
}

/// Requires these findings, all of them damage.
#[track_caller]
fn check(dir: &Path, flags: &[&str], expected: &[&str]) {
    judge(dir, flags, expected, true);
}

/// Requires these findings, none of them damage.
#[track_caller]
fn observed(dir: &Path, flags: &[&str], expected: &[&str]) {
    judge(dir, flags, expected, false);
}

#[track_caller]
fn judge(dir: &Path, flags: &[&str], expected: &[&str], damage: bool) {
    let verdict = verify(dir, flags);
    for finding in verdict.report["findings"].as_array().into_iter().flatten() {
        assert_eq!(finding["damage"], damage, "{finding}");
    }
    let found = findings(&verdict);
    assert_eq!(found.len(), expected.len(), "{found:#?} {}", verdict.stderr);
    for (found, expected) in found.iter().zip(expected) {
        let mut rest = found.as_str();
        for part in expected.split('…') {
            let place = rest.find(part);
            let place = place.unwrap_or_else(|| panic!("{part:?} is not in {found:?}"));
            rest = &rest[place + part.len()..];
        }
    }
    let whole = expected.is_empty() || !damage;
    assert_eq!(verdict.code, Some(if whole { 0 } else { 65 }));
    assert_eq!(verdict.report["ok"], whole);
}

fn kept() -> (Sandbox, BackupFixture) {
    let account = sandbox(documented());
    let backups = BackupFixture::of(&account, &[]);
    backups.run(&[]).succeeded();
    (account, backups)
}

fn edit(backups: &BackupFixture, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let path = backups.dir().join(name);
    let bytes = std::fs::read(&path).expect("the file is there");
    std::fs::write(path, change(bytes)).expect("it can be written");
}

/// Changes the rows of a file and fixes the manifest, so that only the content is wrong.
fn doctor(backups: &BackupFixture, stem: &str, change: impl FnOnce(String) -> String) {
    edit(backups, &format!("{stem}.json"), |bytes| {
        change(String::from_utf8(bytes).expect("it is text")).into_bytes()
    });
    let text = backups.text(&format!("{stem}.json"));
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    edit(backups, "manifest.json", |bytes| {
        let mut manifest: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        let file = &mut manifest["files"][stem];
        file["bytes"] = text.len().into();
        file["rows"] = rows.len().into();
        file["sha256"] = sha256(text.as_bytes()).into();
        sealed(&manifest)
    });
}

/// A manifest with its own SHA-256, as a run writes it.
fn sealed(manifest: &Value) -> Vec<u8> {
    let manifest = Manifest::from_json(manifest.to_string().as_bytes(), "");
    manifest.expect("it is a manifest").to_json()
}

#[test]
fn a_whole_backup_is_whole() {
    let (_, backups) = kept();
    let verdict = verify(&backups.dir(), &[]);
    assert_eq!(verdict.code, Some(0), "{:#?}", findings(&verdict));
    assert_eq!(verdict.report["unchecked"], json!([]));
    assert_eq!((&verdict.report["files"], &verdict.report["complete"]), (&json!(42), &json!(true)));
    for sample in ["0%", "10%", "33.3"] {
        check(&backups.dir(), &["--sample", sample], &[]);
    }
}

#[test]
fn the_sandbox_at_full_size_is_whole() {
    let account = sandbox(Options { scale: 1.0, page_max: None, ..documented() });
    let backups = BackupFixture::of(&account, &[]);
    backups.run(&["--include", "file_contents,histories"]).succeeded();
    check(&backups.dir(), &[], &[]);
}

#[test]
fn one_flipped_byte_is_found_wherever_it_is() {
    let (_, backups) = kept();
    let size = backups.text("persons.json").len();
    for place in [0, size / 3, size / 2, size - 3] {
        let before = std::fs::read(backups.dir().join("persons.json")).expect("it is there");
        edit(&backups, "persons.json", |mut bytes| {
            bytes[place] ^= 1;
            bytes
        });
        for sample in ["0%", "10%", "100%"] {
            let found = findings(&verify(&backups.dir(), &["--sample", sample]));
            let hash = found.iter().filter(|one| one.starts_with("hash persons.json")).count();
            assert_eq!(hash, 1, "byte {place}: {found:?}");
        }
        edit(&backups, "persons.json", |_| before);
    }
    check(&backups.dir(), &[], &[]);
}

#[test]
fn a_missing_file_is_named() {
    let (_, backups) = kept();
    std::fs::remove_file(backups.dir().join("callLogs.json")).expect("it is there");
    check(&backups.dir(), &[], &["missing callLogs.json -: the manifest names it"]);
    check(&backups.dir(), &["--sample", "0"], &["missing callLogs.json"]);
}

#[test]
fn a_truncated_file_is_named() {
    let (_, backups) = kept();
    edit(&backups, "mailThreads.json", |bytes| bytes[..bytes.len() / 2].to_vec());
    let expected = &[
        "size mailThreads.json",
        "hash mailThreads.json",
        "torn mailThreads.json -: ends at byte … cut off",
    ];
    check(&backups.dir(), &[], expected);
}

#[test]
fn a_duplicated_record_is_named() {
    let (_, backups) = kept();
    doctor(&backups, "deals", |text| {
        let row = text.lines().nth(3).expect("there are rows").trim_end_matches(',').to_owned();
        text.replacen("[\n", &format!("[\n{row},\n"), 1)
    });
    check(&backups.dir(), &[], &["key deals.json 3: is there twice: at byte 2 and at byte"]);
}

#[test]
fn a_row_without_a_key_is_named() {
    let (_, backups) = kept();
    doctor(&backups, "roles", |text| text.replacen("{\"id\":2,", "{\"id\":null,", 1));
    let roles = ["key roles.json -: the row at byte … has no key", "reference roles.json"];
    let found = findings(&verify(&backups.dir(), &[]));
    assert!(found.iter().any(|one| one.contains("has no key")), "{found:?} {roles:?}");
}

#[test]
fn a_dangling_reference_is_named() {
    let (_, backups) = kept();
    doctor(&backups, "deals", |text| {
        let (before, rest) = text.split_once("\"stage_id\":").expect("deals have stages");
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{before}\"stage_id\":9999{rest}")
    });
    check(
        &backups.dir(),
        &[],
        &["reference deals.json 1: stage_id names 9999 of stages, which is not there"],
    );
    check(&backups.dir(), &["--ignore", "reference"], &[]);
    check(&backups.dir(), &["--sample", "0%"], &[]);
}

#[test]
fn unknown_options_and_fields_are_named() {
    let (_, backups) = kept();
    let fields: Vec<Value> =
        serde_json::from_str(&backups.text("dealFields.json")).expect("it is an array");
    let custom = |field: &&Value| field["is_custom_field"] == true;
    let chosen = |ty: &str| {
        let found = fields.iter().filter(custom).find(|field| field["field_type"] == ty);
        found.expect("there is such a field")["field_code"].as_str().expect("a code").to_owned()
    };
    let (one, unknown) = (chosen("enum"), "f".repeat(40));
    doctor(&backups, "deals", |text| {
        let (before, rest) = text.split_once(&format!("\"{one}\":")).expect("deals carry it");
        let end = rest.find([',', '}']).expect("a value ends");
        format!("{before}\"{unknown}\":1,\"{one}\":77777{}", &rest[end..])
    });
    let field = format!("field deals.json 1: custom field {unknown} is in no field file");
    observed(
        &backups.dir(),
        &[],
        &[&field, "option deals.json 1: option 77777 of field … is in no field file"],
    );
}

#[test]
fn a_wrong_count_is_named() {
    let (_, backups) = kept();
    edit(&backups, "manifest.json", |bytes| {
        let mut manifest: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        let rows = manifest["files"]["notes"]["rows"].as_u64().expect("rows");
        manifest["files"]["notes"]["rows"] = (rows + 1).into();
        sealed(&manifest)
    });
    check(&backups.dir(), &[], &["rows notes.json -: holds … where the manifest says"]);
}

#[test]
fn what_is_not_json_is_named() {
    let (_, backups) = kept();
    doctor(&backups, "leadSources", |text| text.replacen("{\"name\":", "{\"name\"=", 1));
    check(
        &backups.dir(),
        &[],
        &["json leadSources.json -: is not well-formed at byte 9, in row 1"],
    );
    doctor(&backups, "leadSources", |_| "{}".to_owned());
    check(&backups.dir(), &[], &["json leadSources.json -: is not a JSON array"]);
}

#[test]
fn torn_and_foreign_files_are_named() {
    let (_, backups) = kept();
    let write = |name: &str| {
        std::fs::create_dir_all(backups.dir().join("_next")).expect("it can be made");
        std::fs::write(backups.dir().join(name), "x").expect("it can be written");
    };
    write("deals.json.part");
    write("_next/deals.json");
    write("holiday.jpg");
    observed(
        &backups.dir(),
        &[],
        &[
            "torn _next/deals.json -: is left over from an interrupted run",
            "torn deals.json.part -: was never written to its end",
            "foreign holiday.jpg -: is no part of this backup",
        ],
    );
    check(&backups.dir(), &["--ignore", "torn,foreign"], &[]);
}

#[test]
fn attachments_prove_themselves() {
    let account = sandbox(documented());
    let backups = BackupFixture::of(&account, &["files"]);
    backups.run(&["--include", "file_contents"]).succeeded();
    check(&backups.dir(), &[], &[]);
    let mut contents: Vec<_> = std::fs::read_dir(backups.dir().join("files"))
        .expect("it is a folder")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    contents.sort();
    std::fs::write(&contents[0], "other").expect("it can be written");
    std::fs::rename(&contents[1], contents[1].with_file_name("0".repeat(64))).expect("it can");
    let found = findings(&verify(&backups.dir(), &["--sample", "0"]));
    let has = |words: &str| {
        found.iter().any(|one| one.starts_with("content files/") && one.contains(words))
    };
    assert!(
        has("not what it is called after")
            && has("is not there")
            && has("no attachment is called so"),
        "{found:?}"
    );
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn an_unfinished_backup_says_so() {
    let faults = vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 3, 1)];
    let account = sandbox(Options { faults, ..documented() });
    let backups = BackupFixture::of(&account, &["deals", "activities"]);
    backups.killed_at_hang(&account, &["--sequential"]);
    check(
        &backups.dir(),
        &[],
        &["unfinished activities.json -: was not read to its end; the next backup run"],
    );
    backups.run(&[]).succeeded();
    check(&backups.dir(), &["--ignore", "reference"], &[]);
}

#[test]
fn the_backup_that_stands_is_verified_while_a_newer_one_is_written() {
    let faults = vec![Fault::on(FaultKind::Hang, "/api/v2/activities", 15, 1)];
    let account = sandbox(Options { faults, ..documented() });
    let backups = BackupFixture::of(&account, &["deals", "activities"]);
    backups.run(&[]).succeeded();
    account.state(|account| {
        account.advance(60);
        account.edit(Edit::Bulk { resource: "deals", rows: 3 });
    });
    backups.killed_at_hang(&account, &["--sequential"]);
    let verdict = verify(&backups.dir(), &[]);
    let next =
        "unfinished _next/ -: a newer backup is not finished: the next backup run continues it";
    assert_eq!(findings(&verdict), [next]);
    assert_eq!((verdict.code, &verdict.report["observations"]), (Some(0), &json!(1)));
    let said = verdict.report["unchecked"].to_string();
    assert!(said.contains("a newer backup is not finished"), "{said}");
}

#[test]
fn what_the_token_may_not_see_is_no_damage() {
    let account = sandbox(Options { admin: false, ..documented() });
    let backups = BackupFixture::of(&account, &["stages", "pipelines", "webhooks"]);
    backups.run(&[]).failed(3, &["webhooks"]);
    let verdict = verify(&backups.dir(), &[]);
    assert_eq!(findings(&verdict), Vec::<String>::new());
    let said = verdict.report["unchecked"].to_string();
    assert!(said.contains("webhooks: could not be read"), "{said}");
}

#[test]
fn a_backup_of_the_seeds_tool_is_checked_as_far_as_it_can_be() {
    let account = sandbox(documented());
    let backups = BackupFixture::of(&account, &[]);
    pdcli::write(&account, &backups.dir(), 18);
    let verdict = verify(&backups.dir(), &[]);
    assert_eq!(findings(&verdict), Vec::<String>::new());
    assert_eq!(verdict.report["seed"], true);
    let said = verdict.report["unchecked"].to_string();
    assert!(said.contains("no sizes and hashes"), "{said}");
    edit(&backups, "notes.json", |bytes| bytes[..bytes.len() / 2].to_vec());
    check(&backups.dir(), &[], &["torn notes.json"]);
    // Without its manifest, the files that are there are the backup.
    std::fs::remove_file(backups.dir().join("manifest.json")).expect("it is there");
    check(&backups.dir(), &[], &["torn notes.json"]);
}

#[test]
fn what_is_no_backup_is_a_usage_error() {
    let folder = crate::support::Folder::new();
    let verdict = verify(folder.path(), &[]);
    assert_eq!(verdict.code, Some(64), "{}", verdict.stderr);
    assert!(verdict.stderr.contains("this is no backup"), "{}", verdict.stderr);
    assert_eq!(verify(&folder.path().join("nowhere"), &[]).code, Some(64));
    let verdict = verify(folder.path(), &["--ignore", "everything"]);
    assert_eq!(verdict.code, Some(64));
    assert!(verdict.stderr.contains("missing, size, hash"), "{}", verdict.stderr);
}
