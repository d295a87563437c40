//! Backups in pdcli's exact form: pretty-printed arrays, no newline
//! at the end, a manifest of four keys.

use crate::support::backup::BackupFixture;
use crate::support::raw_truth;
use serde_json::{Map, Value, json};
use source_pipedrive::dataset::snapshot::{PDCLI_LAYOUT, resource_of};
use source_pipedrive::sandbox::{Fault, FaultKind, Options, Sandbox};
use std::path::Path;

/// Writes what pdcli would have: the first so many of its 18 resources.
///
/// Archived and deleted deals, archived leads and the fields of `include_fields` are not in it, as it
/// does not ask for them.
pub(crate) fn write(sandbox: &Sandbox, dir: &Path, resources: usize) {
    std::fs::create_dir_all(dir).expect("the folder can be made");
    let mut counts = Map::new();
    for stem in PDCLI_LAYOUT.iter().take(resources) {
        let resource = resource_of(stem).expect("the table has the resources of pdcli");
        let name = resource.name;
        let asked = resource.listings.iter().flat_map(|listing| listing.ask);
        let extras = asked.filter(|(name, _)| *name == "include_fields");
        let extras: Vec<&str> = extras.flat_map(|(_, fields)| fields.split(',')).collect();
        let rows: Vec<Value> = raw_truth(sandbox, name)
            .into_values()
            .map(|row| serde_json::from_str(&row).expect("the sandbox writes JSON"))
            .filter(|row: &Value| {
                let listed = !["deals", "leads"].contains(&name);
                listed || row["is_archived"] != true && row["is_deleted"] != true
            })
            .map(|mut row| {
                let keys = row.as_object_mut().expect("a row is an object");
                keys.retain(|key, _| !extras.contains(&key.as_str()));
                row
            })
            .collect();
        counts.insert((*stem).to_owned(), rows.len().into());
        let text = serde_json::to_string_pretty(&rows).expect("values are JSON");
        std::fs::write(dir.join(format!("{stem}.json")), text).expect("it can be written");
    }
    let manifest = json!({
        "started_at": "2026-10-31T02:00:00.000Z",
        "completed": counts.keys().cloned().collect::<Vec<_>>(),
        "counts": counts,
        "updated_at": "2026-10-31T02:01:12.000Z",
    });
    let text = serde_json::to_string_pretty(&manifest).expect("a value is JSON");
    std::fs::write(dir.join("manifest.json"), text).expect("it can be written");
}

/// What a command prints for people.
fn printed(backups: &BackupFixture, flags: &[&str]) -> String {
    let output =
        backups.command(&[flags, &["-o", "table"]].concat()).output().expect("the binary starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Requires that a resource's file holds every row of the account, archived and deleted ones too.
#[track_caller]
fn assert_all(backups: &BackupFixture, account: &Sandbox, name: &str) {
    let (rows, truth) = (backups.rows(name), raw_truth(account, name));
    let lost: Vec<_> = truth.keys().filter(|key| !rows.contains_key(*key)).collect();
    assert!(lost.is_empty(), "{name}: lost {lost:?}");
}

#[test]
fn a_broken_backup_of_the_seeds_tool_is_gone_on_with() {
    let account = crate::support::sandbox(crate::support::small());
    let backups = BackupFixture::of(&account, &[]);
    write(&account, &backups.dir(), 14);
    let before = backups.text("persons.json");
    let said = printed(&backups, &[]);
    let dir = backups.dir().display().to_string();
    // Deals and leads once more: pdcli has no archived and deleted ones.
    let expected = format!("Backup complete: 6/18 resources exported to {dir} (12 skipped)\n");
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(backups.text("persons.json"), before, "what was there is left as it is");
    for name in ["deals", "leads"] {
        assert_all(&backups, &account, name);
        assert_eq!(backups.manifest()["files"][name]["partial"], Value::Null);
    }
    backups.assert_proven();
    backups.assert_verified();
    // From then on it is a backup of ours.
    let again = backups.run(&[]).succeeded();
    assert_eq!(again.summary["total"], 42);
    backups.assert_whole(&account);
}

#[test]
fn what_the_seeds_tool_could_not_hold_is_marked_until_it_is_read() {
    let faults = vec![Fault::on(FaultKind::Status(500), "/api/v2/deals", 1, u32::MAX)];
    let account = crate::support::sandbox(Options { faults, ..crate::support::small() });
    let backups = BackupFixture::of(&account, &[]);
    write(&account, &backups.dir(), 14);
    let before = backups.text("deals.json");
    let run = backups.run(&[]);
    run.failed(3, &["deals"]);
    assert_eq!(backups.text("deals.json"), before);
    assert_eq!(backups.manifest()["files"]["deals"]["partial"], true);
    assert_eq!(backups.manifest()["complete"], false);
    assert_all(&backups, &account, "leads");

    // What is kept of it beside a backup of ours says so as well.
    let account = crate::support::sandbox(crate::support::small());
    let backups = BackupFixture::of(&account, &[]);
    write(&account, &backups.dir(), 18);
    backups.run(&["--resources", "persons"]).succeeded();
    let deals = &backups.manifest()["files"]["deals"];
    assert_eq!((&deals["partial"], &deals["kept"]), (&json!(true), &json!(true)));
    backups.assert_verified();
}

#[test]
fn a_file_the_seeds_tool_tore_is_read_again() {
    let account = crate::support::sandbox(crate::support::small());
    let backups = BackupFixture::of(&account, &[]);
    write(&account, &backups.dir(), 18);
    let path = backups.dir().join("deals.json");
    let text = backups.text("deals.json");
    std::fs::write(path, &text[..text.len() / 2]).expect("it can be written");
    std::fs::remove_file(backups.dir().join("notes.json")).expect("it is there");
    let said = backups.run(&[]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    backups.assert_proven();
    backups.assert_whole(&account);
}

#[test]
fn a_finished_backup_of_the_seeds_tool_is_replaced_and_never_stale() {
    let account = crate::support::sandbox(crate::support::small());
    let backups = BackupFixture::of(&account, &[]);
    write(&account, &backups.dir(), 18);
    let run = backups.run(&[]).succeeded();
    assert_eq!((&run.summary["exported"], &run.summary["total"]), (&json!(42), &json!(42)));
    backups.assert_whole(&account);
}
