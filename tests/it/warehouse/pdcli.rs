//! Switching from pdcli: its warehouse is taken over, and its variables are named.

use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, masked_truth, sandbox, small};
use serde_json::{Map, Value, json};
use source_pipedrive::model::Time;
use source_pipedrive::sandbox::{Edit, Options, Sandbox};
use std::path::Path;
use std::process::{Command, Stdio};

/// What pdcli syncs.
const ENTITIES: [&str; 5] = ["deals", "persons", "organizations", "activities", "products"];

/// Which version of pdcli wrote a warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// 0.18: `manifest.json`, a second after the newest row.
    Early,
    /// Later ones: `warehouse-manifest.json`, the newest row's own second.
    Later,
}

fn small_account() -> Sandbox {
    sandbox(Options { scale: 0.02, ..small() })
}

/// Appends what pdcli would read now: rows since its watermark, oldest first, no archived and no
/// deleted deals.
fn sync(account: &Sandbox, dir: &Path, by: By) {
    std::fs::create_dir_all(dir).expect("it can be made");
    let manifest = dir.join(match by {
        By::Early => "manifest.json",
        By::Later => "warehouse-manifest.json",
    });
    let before = std::fs::read(&manifest).unwrap_or_default();
    let before: Value = serde_json::from_slice(&before).unwrap_or_default();
    let (mut watermarks, mut counts) = (Map::new(), Map::new());
    for entity in ENTITIES {
        let since = before["watermarks"][entity].as_str().and_then(Time::parse);
        let mut rows: Vec<(Time, String)> = masked_truth(account, entity)
            .into_values()
            .filter_map(|row| {
                let json: Value = serde_json::from_str(&row).expect("a row is JSON");
                let hidden = json["is_archived"] == true || json["is_deleted"] == true;
                // A row without a time comes with the first run only.
                let time = json["update_time"].as_str().and_then(Time::parse);
                let wanted = !hidden && since.is_none_or(|since| time >= Some(since));
                let time = time.unwrap_or(Time::EPOCH);
                wanted.then_some((time.whole_second(), row))
            })
            .collect();
        rows.sort();
        let lines: Vec<String> = rows.iter().map(|(_, row)| format!("{row}\n")).collect();
        let lines = lines.concat();
        let path = dir.join(format!("{entity}.ndjson"));
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, old + &lines).expect("it can be written");
        let newest = rows.last().map(|(time, _)| time.plus_seconds(i64::from(by == By::Early)));
        let mark = newest.max(since).expect("there are rows").to_string();
        watermarks.insert(entity.to_owned(), mark.into());
        counts.insert(entity.to_owned(), rows.len().into());
    }
    let text = json!({"watermarks": watermarks, "counts": counts, "updated_at": "2026-10-31T02:00:00.000Z"});
    std::fs::write(manifest, text.to_string()).expect("it can be written");
}

/// Returns a warehouse of pdcli over an account that was edited while it was written and after.
fn written(account: &Sandbox, by: By) -> WarehouseFixture {
    let warehouse = WarehouseFixture::of(account, "ndjson", &ENTITIES);
    sync(account, &warehouse.dir(), by);
    account.state(|account| {
        account.advance(3_600);
        // Deleted before the watermark: pdcli has it as it was.
        let deals = account.truth("deals");
        let live = deals.iter().find(|row| {
            let json: Value = serde_json::from_slice(&row.json).expect("a row is JSON");
            json["is_archived"] != true && json["is_deleted"] != true
        });
        let key = live.expect("there are live deals").key.clone();
        account.edit(Edit::Delete { resource: "deals", key });
        account.advance(3_600);
        for resource in ENTITIES {
            account.edit(Edit::Bulk { resource, rows: 2 });
        }
        account.advance(60);
    });
    sync(account, &warehouse.dir(), by);
    account.state(|account| {
        // Written in the watermark's own second, after pdcli read it.
        for resource in ENTITIES {
            let rows = account.truth(resource).into_iter();
            let time = |json: &[u8]| {
                let json: Value = serde_json::from_slice(json).expect("a row is JSON");
                json["update_time"].as_str().and_then(Time::parse)
            };
            let newest = rows.max_by_key(|row| time(&row.json)).expect("there are rows");
            account.edit(Edit::Touch { resource, key: newest.key });
        }
        account.advance(60);
        account.edit(Edit::Bulk { resource: "persons", rows: 3 });
        account.advance(60);
    });
    warehouse
}

#[test]
fn a_warehouse_of_pdcli_is_taken_over_without_a_gap() {
    for by in [By::Early, By::Later] {
        let account = small_account();
        let warehouse = written(&account, by);
        let before =
            std::fs::read(warehouse.dir().join("organizations.ndjson")).expect("it is there");
        // A run that was killed while it wrote.
        let torn = warehouse.dir().join("persons.ndjson");
        let text = std::fs::read_to_string(&torn).expect("it is there") + "{\"id\":7,\"na";
        std::fs::write(torn, text).expect("it can be written");
        let run = warehouse.sync(&[]).succeeded();
        for said in ["taking over a warehouse of pdcli", "persons.ndjson: 11 bytes"] {
            assert!(run.stderr.contains(said), "{by:?}: {}", run.stderr);
        }
        warehouse.assert_current(&account);
        let after =
            std::fs::read(warehouse.dir().join("organizations.ndjson")).expect("it is there");
        assert!(after.starts_with(&before), "{by:?}: what was there stays");
        // Only what changed since the watermark, not everything.
        assert!(run.rows("organizations") < 10, "{by:?}: {}", run.rows("organizations"));
        assert_eq!(warehouse.manifest()["version"], 1);
        // From then on it is a warehouse of ours.
        let again = warehouse.sync(&[]).succeeded();
        for entity in ENTITIES {
            assert_eq!(again.rows(entity), 0, "{by:?}: {entity}");
        }
    }
}

#[test]
fn what_has_no_watermark_or_no_file_is_read_as_a_whole() {
    let account = small_account();
    let warehouse = written(&account, By::Early);
    std::fs::remove_file(warehouse.dir().join("activities.ndjson")).expect("it is there");
    let path = warehouse.dir().join("manifest.json");
    let mut manifest = warehouse.manifest();
    manifest["watermarks"].as_object_mut().expect("an object").remove("products");
    std::fs::write(path, manifest.to_string()).expect("it can be written");
    let run = warehouse.sync(&[]).succeeded();
    for said in ["activities.ndjson is not there", "products.ndjson has no watermark"] {
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
    warehouse.assert_current(&account);
}

#[test]
fn a_takeover_that_is_broken_off_is_gone_on_with() {
    for step in 1..=8 {
        let account = small_account();
        let warehouse = written(&account, By::Early);
        warehouse.crash(step, &[]);
        warehouse.sync(&[]).succeeded();
        warehouse.assert_current(&account);
    }
}

#[test]
fn what_cannot_be_taken_over_says_how_and_is_left_alone() {
    let account = small_account();
    let warehouse = written(&account, By::Early);
    let manifest = std::fs::read(warehouse.dir().join("manifest.json")).expect("it is there");
    warehouse.sync(&["--compression", "zstd"]).failed(64, &["--compression none"]);
    let path = warehouse.dir().join("deals.ndjson");
    let text = std::fs::read_to_string(&path).expect("it is there");
    // An incomplete line after which a later run of pdcli continued.
    let (first, rest) = text.split_once('\n').expect("there are lines");
    std::fs::write(&path, format!("{first}\n{{\"id\":7,\"ti{rest}")).expect("it can be written");
    warehouse.sync(&[]).failed(65, &["deals.ndjson", "line 2 is no row", "empty --dir"]);
    std::fs::write(&path, &text).expect("it can be written");
    std::fs::write(warehouse.dir().join("notes.ndjson"), "{}\n").expect("it can be written");
    warehouse.sync(&[]).failed(65, &["notes.ndjson", "move it away"]);
    assert_eq!(
        std::fs::read(warehouse.dir().join("manifest.json")).expect("it is there"),
        manifest
    );
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), text);

    let both = written(&account, By::Later);
    let backup = json!({"completed": ["deals"], "counts": {"deals": 3}});
    std::fs::write(both.dir().join("manifest.json"), backup.to_string()).expect("it can be");
    both.sync(&[]).failed(65, &["a backup and a warehouse of pdcli", "a folder of their own"]);
}

#[test]
fn variables_of_pdcli_are_named_when_ours_are_missing() {
    let folder = Folder::new();
    for command in [&["backup"][..], &["sync", "warehouse"], &["plan"]] {
        let run = |set: &[(&str, &str)]| {
            let mut run = Command::new(BINARY);
            run.args(command).current_dir(folder.path()).stdin(Stdio::null());
            for (name, _) in std::env::vars_os() {
                let name = name.to_string_lossy().into_owned();
                if name.starts_with("PIPEDRIVE_") || name.starts_with("PDCLI_") {
                    run.env_remove(name);
                }
            }
            run.envs(set.iter().copied());
            let output = run.output().expect("the binary starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{said}");
            said
        };
        let token = ("PDCLI_API_TOKEN", "made-up-secret");
        let said = run(&[token, ("PDCLI_COMPANY_DOMAIN", "acme")]);
        assert!(said.contains("PDCLI_API_TOKEN and PDCLI_COMPANY_DOMAIN are set"), "{said}");
        assert!(said.contains("set PIPEDRIVE_API_TOKEN and PIPEDRIVE_COMPANY_DOMAIN"), "{said}");
        assert!(!said.contains("made-up-secret"), "{said}");
        assert!(!run(&[]).contains("PDCLI"));
    }
}
