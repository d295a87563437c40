//! `sync warehouse`: what a run writes, and what the next one adds.

use crate::support::warehouse::WarehouseFixture;
use crate::support::{change, sandbox, small};
use serde_json::json;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Options, Sandbox};

const FORMATS: &[&str] = &["ndjson", "parquet"];

/// Every way of walking, and lists per parent.
const SOME: &[&str] =
    &["deals", "persons", "leads", "notes", "files", "stages", "users", "deal_products"];

fn advance(sandbox: &Sandbox, edits: Vec<Edit>) {
    sandbox.state(|account| {
        account.advance(3_600);
        for edit in edits {
            account.edit(edit);
        }
        account.advance(90);
    });
}

#[test]
fn a_first_run_takes_every_row_of_every_resource() {
    for format in FORMATS {
        let account = sandbox(small());
        let all: Vec<_> = Resource::all().map(|resource| resource.name).collect();
        let warehouse = WarehouseFixture::of(&account, format, &all);
        let first = warehouse.sync(&[]).succeeded();
        warehouse.assert_once(&account);
        warehouse.assert_tidy();
        let resources = first.summary["resources"].as_array().expect("a row per resource");
        assert_eq!(resources.len(), all.len());
        for row in resources {
            assert_eq!(row["complete"], true);
            assert!(row["rows"] == 0 || row["files"].as_u64() > Some(0), "{row}");
            // Field lists were asked for already, to name custom fields.
            let is_shared = row["resource"].as_str().is_some_and(|name| name.ends_with("_fields"));
            assert!(is_shared || row["tokens"].as_u64() > Some(0), "{row}");
        }
    }
}

#[test]
fn later_runs_append_only_what_changed() {
    for format in FORMATS {
        let account = sandbox(small());
        let warehouse = WarehouseFixture::of(&account, format, SOME);
        warehouse.sync(&[]).succeeded();
        let second = warehouse.sync(&[]).succeeded();
        for resource in SOME {
            assert_eq!(second.rows(resource), 0, "{resource} in {format}");
        }
        warehouse.assert_once(&account);
        let changed = change(&account, &[("deals", 5), ("persons", 3), ("notes", 2), ("leads", 4)]);
        advance(
            &account,
            vec![Edit::Change {
                resource: "stages",
                key: "2".to_owned(),
                set: vec![("name", json!("Renamed"))],
            }],
        );
        let third = warehouse.sync(&[]).succeeded();
        for (resource, keys) in &changed {
            assert_eq!(third.rows(resource), keys.len() as u64, "{resource} in {format}");
        }
        assert_eq!(third.rows("stages"), 1);
        assert_eq!(third.rows("users"), 0);
        warehouse.assert_current(&account);
        warehouse.assert_tidy();
        let manifest = warehouse.manifest();
        assert_eq!(manifest["counts"]["deals"], 5);
        assert_eq!(manifest["complete"], true);
        assert!(manifest["watermarks"]["deals"].is_string());
        assert_eq!(manifest["account"]["company_id"], 900);
    }
}

#[test]
fn packed_lines_are_files_of_their_own_kind() {
    for (packing, ending) in [("zstd", "ndjson.zst"), ("gzip", "ndjson.gz")] {
        let account = sandbox(small());
        let warehouse = WarehouseFixture::of(&account, "ndjson", &["deals", "stages"]);
        warehouse.sync(&["--compression", packing]).succeeded();
        change(&account, &[("deals", 5)]);
        // The packing is remembered.
        let second = warehouse.sync(&["--deletes", "sweep"]).succeeded();
        assert_eq!(second.rows("deals"), 5);
        assert_eq!(warehouse.files("deals"), [warehouse.dir().join(format!("deals.{ending}"))]);
        warehouse.sync(&["--compression", "none"]).failed(64, &["--compression", packing]);
    }
}

#[test]
fn a_rebuild_replaces_what_is_there_when_it_is_complete() {
    for format in FORMATS {
        let account = sandbox(small());
        let warehouse = WarehouseFixture::of(&account, format, SOME);
        warehouse.sync(&[]).succeeded();
        change(&account, &[("deals", 5), ("persons", 3)]);
        warehouse.sync(&[]).succeeded();
        let before = warehouse.names();
        warehouse.sync(&["--full"]).succeeded();
        warehouse.assert_once(&account);
        warehouse.assert_tidy();
        if *format == "parquet" {
            assert!(
                warehouse
                    .names()
                    .iter()
                    .all(|name| !name.ends_with("parquet") || !before.contains(name))
            );
        }
        let after = warehouse.sync(&[]).succeeded();
        assert_eq!(after.rows("deals") + after.rows("persons"), 0);
    }
}

#[test]
fn since_reads_again_once_and_gives_nothing_up() {
    for format in FORMATS {
        let account = sandbox(small());
        let warehouse = WarehouseFixture::of(&account, format, &["deals", "leads", "products"]);
        warehouse.sync(&[]).succeeded();
        let watermark = warehouse.manifest()["watermarks"]["deals"].clone();
        let again = warehouse.sync(&["--since", "2025-01-01"]).succeeded();
        assert!(again.rows("deals") > 0);
        assert_eq!(warehouse.manifest()["watermarks"]["deals"], watermark);
        let changed = change(&account, &[("deals", 4)]);
        let next = warehouse.sync(&[]).succeeded();
        assert_eq!(next.rows("deals"), changed["deals"].len() as u64, "the watermark was kept");
        warehouse.assert_current(&account);
        warehouse.sync(&["--since", "soon"]).failed(64, &["--since soon", "30d"]);
        warehouse.sync(&["--since", "2040-01-01"]).failed(64, &["--since", "future"]);
        // Later than what was read: nothing in between is left out.
        let changed = change(&account, &[("deals", 3)]);
        let late = warehouse.sync(&["--since", "2026-11-01T14:01:00Z"]).succeeded();
        assert_eq!(late.rows("deals"), changed["deals"].len() as u64);
        assert!(late.stderr.contains("nothing is left out"), "{}", late.stderr);
    }
}

#[test]
fn a_first_run_since_a_time_takes_only_later_rows() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["deals"]);
    let changed = change(&account, &[("deals", 4)]);
    let first = warehouse.sync(&["--since", "2026-11-01T12:30:00Z"]).succeeded();
    assert_eq!(first.rows("deals"), changed["deals"].len() as u64);
    assert_eq!(first.summary["resources"][0]["from"], "2026-11-01T12:30:00Z");
    // A sweep looks for what vanished; older rows stay left out.
    let swept = warehouse.sync(&["--deletes", "sweep"]).succeeded();
    assert_eq!(swept.rows("deals"), 0);
}

#[test]
fn readable_keys_of_lines_are_mapped_back() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["deals"]);
    warehouse.sync(&["--custom-fields", "name"]).succeeded();
    let text = std::fs::read(warehouse.dir().join("_fields.json")).expect("it is there");
    let fields: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
    let tier = fields["deals"].as_array().and_then(|f| f.iter().find(|f| f["column"] == "tier"));
    assert_eq!(tier.map(|field| field["name"].clone()), Some(json!("Tier")));
}

#[test]
fn names_stay_when_a_field_is_renamed() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "parquet", &["deals"]);
    warehouse.sync(&[]).succeeded();
    let columns = warehouse.manifest()["columns"]["deals"].clone();
    let hash = columns.as_object().and_then(|c| c.iter().find(|(_, name)| *name == "tier"));
    let hash = hash.map(|(hash, _)| hash.clone()).expect("deals have a tier");
    advance(
        &account,
        vec![
            Edit::Change {
                resource: "deal_fields",
                key: hash,
                set: vec![("field_name", json!("Rank"))],
            },
            Edit::Bulk { resource: "deals", rows: 3 },
        ],
    );
    let second = warehouse.sync(&[]).succeeded();
    assert!(second.stderr.contains("was renamed"), "{}", second.stderr);
    assert_eq!(warehouse.manifest()["columns"]["deals"], columns);
    warehouse.assert_current(&account);
}

#[test]
fn lines_by_name_have_readable_keys() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["deals"]);
    warehouse.sync(&["--custom-fields", "name"]).succeeded();
    let text = std::fs::read_to_string(warehouse.dir().join("deals.ndjson")).expect("it is there");
    assert!(text.contains("\"tier_label\":"), "{text:.500}");
}

#[test]
fn a_spent_budget_stops_cleanly_and_the_next_run_goes_on() {
    for format in FORMATS {
        let account = sandbox(Options { scale: 0.1, ..small() });
        let mut warehouse =
            WarehouseFixture::of(&account, format, &["deals", "persons", "activities"]);
        warehouse.config["max_tokens"] = 150.into();
        let mut runs = 0;
        loop {
            runs += 1;
            assert!(runs < 50, "the runs get on");
            let run = warehouse.sync(&[]);
            if run.code == Some(0) {
                break;
            }
            run.failed(75, &["max_tokens", "run again"]);
            assert_eq!(run.summary["complete"], false);
        }
        assert!(runs > 2);
        warehouse.assert_once(&account);
    }
}

#[test]
fn an_interrupt_commits_what_was_taken() {
    let faults = vec!["hang@persons#4".parse().expect("a fault")];
    let account = sandbox(Options { faults, ..small() });
    let mut warehouse = WarehouseFixture::of(&account, "parquet", &["persons"]);
    warehouse.config["commit_seconds"] = 3_600.into();
    let mut child = warehouse.command(&[]).spawn().expect("the binary starts");
    account.wait_for_hang();
    let signalled = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("there is kill");
    assert!(signalled.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(warehouse.manifest()["complete"], false);
    // The first request looked for the newest row, the second and third brought pages. Whoever asks for
    // another one has handed the first of them over; the second may still be on its way.
    let rows = warehouse.rows(&account, "persons").len();
    assert!(rows == 20 || rows == 40, "{rows} rows");
    warehouse.sync(&[]).succeeded();
    warehouse.assert_once(&account);
}
