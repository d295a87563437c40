//! Damage is distinguished from the untidiness of real accounts.
//!
//! References to missing rows, files of other programs and interrupted runs are no failure; one flipped bit is.

use crate::support::backup::BackupFixture;
use crate::support::{BINARY, profiles, sandbox, small};
use serde_json::Value;
use source_pipedrive::dataset::Location;
use source_pipedrive::dataset::snapshot::{BackupReader, Manifest};
use source_pipedrive::dataset::verify::{Options as Checks, verify};
use source_pipedrive::model::Kind;
use source_pipedrive::sandbox::{Edit, Options, Sandbox};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An account whose deals, leads, notes and activities name persons, organizations and products that
/// were deleted.
fn untidy() -> Sandbox {
    made_untidy(small())
}

fn made_untidy(options: Options) -> Sandbox {
    let account = sandbox(Options { scale: 0.02, ..options });
    account.state(|account| {
        for resource in ["persons", "organizations", "products"] {
            let rows = account.truth(resource);
            for row in rows.iter().take(rows.len() / 2) {
                account.edit(Edit::Delete { resource, key: row.key.clone() });
            }
        }
        account.advance(3_600);
    });
    account
}

/// The exit code and the report of `backup verify`.
fn verified(dir: &Path, flags: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(BINARY);
    command.args(["backup", "verify", "-o", "json"]).arg(dir).args(flags);
    let output = command.output().expect("the binary starts");
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn number(report: &Value, key: &str) -> u64 {
    report[key].as_u64().expect("a number")
}

#[test]
fn the_nightly_recipe_stays_green_on_an_untidy_account() {
    let account = untidy();
    let backups = BackupFixture::of(&account, &[]);
    for night in 0..3 {
        backups.run(&[]).succeeded();
        std::fs::write(backups.dir().join(".DS_Store"), "x").expect("it can be written");
        let (code, report) = verified(&backups.dir(), &[]);
        assert_eq!(code, Some(0), "night {night}: {report:#}");
        assert_eq!((&report["ok"], number(&report, "damage")), (&true.into(), 0));
        // More of them than files of other programs.
        assert!(number(&report["counts"], "reference") > 0, "{report:#}");
        assert_eq!(number(&report["counts"], "foreign"), 1);
        let (code, strict) = verified(&backups.dir(), &["--strict"]);
        assert_eq!((code, &strict["ok"]), (Some(65), &false.into()));
        assert_eq!(number(&strict, "observations"), number(&report, "observations"));
        account.state(|account| {
            account.advance(86_400);
            let key = account.truth("persons").last().expect("there are persons").key.clone();
            account.edit(Edit::Delete { resource: "persons", key });
        });
    }
}

#[test]
fn an_untidy_account_is_no_damage_whatever_it_has_bought() {
    for (name, options) in profiles() {
        let account = made_untidy(options);
        let backups = BackupFixture::of(&account, &[]);
        let run = backups.run(&[]);
        assert_eq!(run.summary["finished"], true, "{name}: {}", run.stderr);
        let (code, report) = verified(&backups.dir(), &[]);
        assert_eq!((code, number(&report, "damage")), (Some(0), 0), "{name}: {report:#}");
        assert!(number(&report["counts"], "reference") > 0, "{name}");
    }
}

#[test]
fn what_is_odd_is_listed_and_counted_and_no_damage() {
    let account = untidy();
    let backups = BackupFixture::of(&account, &[]);
    backups.run(&[]).succeeded();
    let dir = backups.dir();
    let (_, before) = verified(&dir, &[]);
    std::fs::create_dir_all(dir.join("_next")).expect("it can be made");
    let odd: [(&str, &str, &str); 4] = [
        ("Thumbs.db", "foreign", "is no part of this backup"),
        ("deals (copy).json", "foreign", "is no part of this backup"),
        ("_next/deals.json", "torn", "left over from an interrupted run"),
        ("deals.json.part", "torn", "was never written to its end"),
    ];
    for (name, kind, said) in odd {
        std::fs::write(dir.join(name), "x").expect("it can be written");
        let (code, report) = verified(&dir, &[]);
        assert_eq!(code, Some(0), "{name}: {report:#}");
        let findings = report["findings"].as_array().expect("a list");
        let found = findings.iter().find(|finding| finding["file"] == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!((&found["kind"], &found["damage"]), (&kind.into(), &false.into()));
        assert!(found["message"].as_str().is_some_and(|text| text.contains(said)), "{found}");
        assert_eq!(number(&report, "observations"), number(&before, "observations") + 1, "{name}");
        std::fs::remove_file(dir.join(name)).expect("it is there");
    }
}

/// Returns whether a check reports damage, or cannot continue because of damage: exit code 65 either way.
fn is_red(runtime: &tokio::runtime::Runtime, dir: &Path, sample: f64) -> bool {
    runtime.block_on(async {
        match BackupReader::open(&Location::Folder(dir.to_owned())).await {
            Err(error) => error.kind() == Kind::Data,
            Ok(snapshot) => {
                let checks = Checks { sample, ..Checks::default() };
                match verify(&snapshot, &checks).await {
                    Err(error) => error.kind() == Kind::Data,
                    Ok(report) => report.tally.damage > 0,
                }
            }
        }
    })
}

/// All files below a folder but the lock, which holds no data.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("one").path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.file_name().is_some_and(|name| name != "manifest.lock"))
        .collect();
    found.sort();
    found
}

#[test]
fn one_flipped_bit_anywhere_is_damage() {
    let account = untidy();
    let backups = BackupFixture::of(&account, &[]);
    backups.run(&["--include", "file_contents"]).succeeded();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let dir = backups.dir();
    assert!(!is_red(&runtime, &dir, 100.0));
    let all = files(&dir);
    assert!(all.len() > 40, "{all:?}");
    for (number, path) in all.iter().enumerate() {
        let whole = std::fs::read(path).expect("it can be read");
        let manifest = path.ends_with("manifest.json");
        let places = if manifest { 200 } else { 4 };
        for place in (0..places).map(|nth| nth * whole.len() / places).chain([whole.len() - 1]) {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << ((number + place) % 8);
            std::fs::write(path, flipped).expect("it can be written");
            for sample in if manifest { &[0.0][..] } else { &[0.0, 100.0][..] } {
                let red = is_red(&runtime, &dir, *sample);
                assert!(red, "byte {place} of {}, sample {sample}", path.display());
            }
        }
        std::fs::write(path, whole).expect("it can be written");
    }
    assert!(!is_red(&runtime, &dir, 100.0));
}

/// Changes a file and the manifest accordingly, as someone who hides the change would.
fn doctor(backups: &BackupFixture, stem: &str, change: impl FnOnce(String) -> String) {
    let text = change(backups.text(&format!("{stem}.json")));
    std::fs::write(backups.dir().join(format!("{stem}.json")), &text).expect("it can be written");
    let bytes = std::fs::read(backups.dir().join("manifest.json")).expect("it is there");
    let mut manifest = Manifest::from_json(&bytes, "").expect("it is a manifest");
    let file = manifest.backup.files.get_mut(stem).expect("the file is named");
    (file.bytes, file.sha256) =
        (text.len() as u64, crate::support::backup::sha256(text.as_bytes()));
    let sealed = manifest.to_json();
    std::fs::write(backups.dir().join("manifest.json"), sealed).expect("it can be written");
}

#[test]
fn other_dangling_references_than_those_it_was_written_with_are_damage() {
    let account = untidy();
    let backups = BackupFixture::of(&account, &["deals", "persons", "organizations", "stages"]);
    backups.run(&[]).succeeded();
    let record = backups.manifest()["dangling"]["deals"]["persons"]["keys"].as_u64();
    assert!(record.is_some_and(|keys| keys > 0), "{}", backups.manifest()["dangling"]);
    let (code, report) = verified(&backups.dir(), &[]);
    assert_eq!((code, number(&report, "damage")), (Some(0), 0), "{report:#}");
    // One more: the first deal names a stage that never was.
    let before = backups.text("deals.json");
    doctor(&backups, "deals", |text| {
        let (head, rest) = text.split_once("\"stage_id\":").expect("deals have stages");
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{head}\"stage_id\":9999{rest}")
    });
    let (code, report) = verified(&backups.dir(), &[]);
    assert_eq!((code, number(&report, "damage")), (Some(65), 1), "{report:#}");
    // A sample of the rows does not show this.
    assert_eq!(verified(&backups.dir(), &["--sample", "50%"]).0, Some(0));
    // None at all: every person is gone from the deals.
    doctor(&backups, "deals", |_| {
        let mut rows: Vec<Value> = serde_json::from_str(&before).expect("an array");
        for row in &mut rows {
            row["person_id"] = Value::Null;
        }
        serde_json::to_string(&rows).expect("values are JSON")
    });
    let (code, report) = verified(&backups.dir(), &[]);
    assert_eq!((code, number(&report["counts"], "rows")), (Some(65), 1), "{report:#}");
}
