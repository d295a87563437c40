//! `views.sql`: the current rows of a Parquet warehouse, for `DuckDB`.

use crate::support::bucket::Bucket;
use crate::support::warehouse::{CommandOutput, WarehouseFixture};
use crate::support::{BINARY, Folder, change, sandbox, small};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Options, Sandbox};
use std::process::Command;

/// A table with a key of several columns, and one without rows at first.
const TABLES: &[&str] = &["deals", "stages", "deal_followers", "filters"];

fn account() -> Sandbox {
    sandbox(Options { scale: 0.02, ..small() })
}

fn text(warehouse: &WarehouseFixture) -> String {
    std::fs::read_to_string(warehouse.dir().join("views.sql")).expect("there are views")
}

#[test]
fn each_table_has_a_view_of_its_committed_files_by_its_key() {
    let account = account();
    let warehouse = WarehouseFixture::of(&account, "parquet", TABLES);
    for flags in [&[][..], &[], &["--full"]] {
        warehouse.sync(flags).succeeded();
        warehouse.assert_tidy();
        let text = text(&warehouse);
        for table in warehouse.viewed().expect("there are views").keys() {
            let resource = Resource::named(table).expect("it is one of ours");
            let key: Vec<_> = resource.key.iter().map(|column| format!("\"{column}\"")).collect();
            let by = format!("PARTITION BY {} ORDER BY _synced_at DESC", key.join(", "));
            let view = format!("CREATE OR REPLACE VIEW \"{table}\" AS");
            let view = text.split(&view).nth(1).expect("there is a view");
            assert!(view.split(';').next().is_some_and(|view| view.contains(&by)), "{view}");
        }
        assert!(!text.contains(&warehouse.dir().display().to_string()), "the folder can be moved");
        change(&account, &[("deals", 5), ("stages", 2)]);
    }
    let lines = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    lines.sync(&[]).succeeded();
    assert_eq!(lines.viewed(), None);
}

#[test]
fn somebody_elses_file_stays_and_that_is_told() {
    let account = account();
    let warehouse = WarehouseFixture::of(&account, "parquet", &["stages"]);
    warehouse.sync(&[]).succeeded();
    let path = warehouse.dir().join("views.sql");
    std::fs::write(&path, "select 1;").expect("it can be written");
    let run = warehouse.sync(&[]).succeeded();
    assert!(run.stderr.contains("views.sql was not written by this program"), "{}", run.stderr);
    assert_eq!(text(&warehouse), "select 1;");
    // A file of ours that is older or incomplete is written again.
    std::fs::write(&path, "-- Made by source-pipedrive sync warehouse").expect("it is written");
    warehouse.sync(&[]).succeeded();
    warehouse.assert_tidy();
}

#[test]
fn a_bucket_has_views_of_whole_addresses() {
    let account = account();
    let bucket = Bucket::start(0);
    let folder = Folder::new();
    let mut command = Command::new(BINARY);
    command.args(["sync", "warehouse", "--format", "parquet", "--resources", "stages"]);
    command.arg("--config").arg(folder.json("config.json", &account.config()));
    command.args(["-o", "json", "--dir", &Bucket::url("lake")]);
    let output = bucket.used_by(command).output().expect("the binary starts");
    CommandOutput::of(&output).succeeded();
    assert!(bucket.names().iter().any(|name| name == "lake/views.sql"), "{:?}", bucket.names());
}
