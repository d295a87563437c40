//! `export`: the same current rows, whatever they come from, and in every form.

use crate::support::backup::BackupFixture;
use crate::support::bucket::Bucket;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, change, sandbox, small, truth};
use rusqlite::Connection;
use rusqlite::types::Value as Stored;
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Edit, Options, Sandbox};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};

/// With their dictionaries, so that a backup knows the options of custom fields.
const TABLES: &[&str] = &["deals", "leads", "notes", "deal_fields", "lead_fields"];
/// What a spreadsheet must not run, and what is longer than a cell.
const FORMULA: &str = "=HYPERLINK(\"http://evil.example.test\")";
const LONG_CHARS: usize = 40_000;

fn account() -> Sandbox {
    sandbox(Options { scale: 0.02, ..small() })
}

/// Rows change, one deal is deleted and one lead gone; some texts are awkward.
fn edit(account: &Sandbox) {
    change(account, &[("deals", 6), ("leads", 2)]);
    let note = truth(account, "notes").into_keys().next().expect("there is a note");
    let live = truth(account, "deals").into_iter().filter(|(_, row)| {
        row["status"] == "open" && row["is_archived"] == false && row["is_deleted"] == false
    });
    let mut live = live.map(|(key, _)| key);
    let (deal, gone) = (live.next().expect("a deal"), live.next().expect("another one"));
    account.state(|account| {
        let mut set = |resource, key: &str, column, value: Value| {
            let set = vec![(column, value)];
            account.edit(Edit::Change { resource, key: key.to_owned(), set });
        };
        set("deals", &deal, "title", FORMULA.into());
        set("notes", &note, "content", "long ".repeat(LONG_CHARS / 5).into());
        account.edit(Edit::Delete { resource: "deals", key: gone });
        account.advance(3_600);
    });
}

fn export(from: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("export").arg(from).args(more);
    command.output().expect("the binary starts")
}

#[track_caller]
fn exported(from: &Path, more: &[&str]) -> Value {
    let output = export(from, more);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the outcome is JSON")
}

#[track_caller]
fn refused(from: &Path, more: &[&str], code: i32, words: &str) {
    let output = export(from, more);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{more:?}: {stderr}");
    assert!(stderr.contains(words), "{more:?}: {stderr}");
}

/// Rows of a table by key, each by the names of its columns, nulls left out.
fn rows(database: &Connection, table: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut query = database.prepare(&format!("SELECT * FROM \"{table}\"")).expect("there is one");
    let names: Vec<String> = query.column_names().map(str::to_owned).collect();
    let mut found = query.query([]).expect("it can be read");
    let mut rows = BTreeMap::new();
    while let Some(row) = found.next().expect("it can be read") {
        let value = |place: usize| match row.get(place).expect("there is a column") {
            Stored::Null => Value::Null,
            Stored::Integer(number) => number.into(),
            Stored::Real(number) => number.into(),
            Stored::Text(text) => text.into(),
            Stored::Blob(_) => panic!("a blob"),
        };
        let cells = names.iter().enumerate().map(|(place, name)| (name.clone(), value(place)));
        let cells: BTreeMap<_, _> = cells.filter(|(_, value)| !value.is_null()).collect();
        let key = cells["id"].as_str().map_or_else(|| cells["id"].to_string(), str::to_owned);
        assert!(rows.insert(key, cells).is_none(), "{table}: a key twice");
    }
    rows
}

/// Warehouses of every kind and a backup hold the same rows: so do their exports.
#[test]
fn an_export_is_the_same_whatever_it_is_made_of() {
    let account = account();
    let backups = BackupFixture::of(&account, TABLES);
    let mut places = vec![("backup", backups.dir())];
    let mut depots = Vec::new();
    for (format, keys) in
        [("parquet", "name"), ("parquet", "hash"), ("ndjson", "hash"), ("ndjson", "name")]
    {
        let warehouse = WarehouseFixture::of(&account, format, TABLES);
        warehouse.sync(&["--custom-fields", keys]).succeeded();
        places.push((keys, warehouse.dir()));
        depots.push((warehouse, keys));
    }
    edit(&account);
    backups.run(&[]).succeeded();
    for (warehouse, keys) in &depots {
        warehouse.sync(&["--custom-fields", keys]).succeeded();
    }
    let folder = Folder::new();
    let mut first: Option<BTreeMap<&str, _>> = None;
    for (number, (what, place)) in places.iter().enumerate() {
        let out = folder.path().join(format!("{number}.sqlite")).display().to_string();
        let outcome = exported(place, &["--to", "sqlite", "--out", &out]);
        let database = Connection::open(&out).expect("it is a database");
        let mut held = BTreeMap::new();
        for table in ["deals", "leads", "notes"] {
            let mut found = rows(&database, table);
            let mut truth = truth(&account, table);
            truth.retain(|_, row| row["is_deleted"] != true && row["status"] != "deleted");
            let keys =
                |keys: &[&String]| keys.iter().map(|k| (*k).clone()).collect::<BTreeSet<_>>();
            let (there, here) =
                (found.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>());
            assert_eq!(keys(&there), keys(&here), "{what}: {table}");
            let title = if table == "notes" { "content" } else { "title" };
            for (key, row) in &mut found {
                assert_eq!(row[title], truth[key][title], "{what}: {table} {key}");
                // When a row was read is no part of it; what did not fit stands as it came.
                row.remove("_synced_at");
                row.remove("_extra");
            }
            held.insert(table, found);
        }
        let deals = &outcome["tables"].as_array().expect("tables")[0];
        assert_eq!(deals["table"], "deals");
        assert!(deals["deleted"].as_u64() > Some(0), "{deals}");
        let labelled = held["deals"].values().filter(|row| row.contains_key("tier_label")).count();
        assert!(labelled > 0, "{what}: {labelled} labels");
        let sql = "SELECT label_column FROM _columns WHERE \"table\" = 'deals' AND field = 'Tier'";
        let label: String = database.query_row(sql, [], |row| row.get(0)).expect("it is described");
        assert_eq!(label, "tier_label", "{what}");
        match &first {
            None => first = Some(held),
            Some(first) => {
                for (table, expected) in first {
                    for (key, row) in expected {
                        assert_eq!(held[table][key], *row, "{what}: {table} {key}");
                    }
                }
            }
        }
    }
}

/// The cells of a file of comma-separated values, by title.
fn sheet(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = ::csv::Reader::from_path(path).expect("it is there");
    let rows = reader.deserialize().map(|row| row.expect("each row has a cell for each title"));
    rows.collect()
}

#[test]
fn people_read_names_labels_and_no_formulas() {
    let account = account();
    edit(&account);
    let warehouse = WarehouseFixture::of(&account, "parquet", &["deals", "persons", "notes"]);
    warehouse.sync(&[]).succeeded();
    let folder = Folder::new();
    let out = folder.path().join("sheets").display().to_string();
    let outcome = exported(&warehouse.dir(), &["--to", "csv", "--out", &out]);
    let notes = outcome["tables"][0]["notes"].to_string();
    assert!(notes.contains("would run as a formula"), "{notes}");
    let deals = sheet(&folder.path().join("sheets/deals.csv"));
    assert!(deals.iter().any(|row| row["title"] == format!("'{FORMULA}")));
    assert!(
        deals.iter().any(|row| !row["Tier"].is_empty() && row["Tier (id)"].parse::<u32>().is_ok())
    );
    assert!(deals.iter().all(|row| row.keys().all(|title| title.len() < 40)), "no hashes");
    let owners = deals.iter().filter(|row| row["person_name"].contains(' ')).count();
    assert!(owners > 3, "{:?}", deals[0]);
    let persons = sheet(&folder.path().join("sheets/persons.csv"));
    assert!(persons.iter().any(|row| row["emails"].contains('@') && !row["emails"].contains('{')));
    // As it is, on request; and one table as one file.
    let one = folder.path().join("deals.csv").display().to_string();
    let more = ["--to", "csv", "--resources", "deals", "--raw", "--out", &one];
    exported(&warehouse.dir(), &more);
    assert!(sheet(Path::new(&one)).iter().any(|row| row["title"] == FORMULA));
    // Nothing is left beside it, and nothing is replaced in silence.
    let before = std::fs::read(&one).expect("it is there");
    std::fs::write(&one, "mine").expect("it can be written");
    refused(&warehouse.dir(), &more, 64, "is there already");
    assert_eq!(std::fs::read(&one).expect("it is there"), b"mine");
    exported(&warehouse.dir(), &[&more[..], &["--overwrite"]].concat());
    assert_eq!(std::fs::read(&one).expect("it is there"), before);
    let left = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 2);
}

/// The files in a workbook, which is a ZIP archive, by name.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(path).expect("it is there");
    let number = |at: usize, length: usize| {
        bytes[at..at + length].iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let end = (0..bytes.len() - 4).rfind(|at| bytes[*at..].starts_with(b"PK\x05\x06"));
    let end = end.expect("it is an archive");
    let (files, mut at) = (number(end + 10, 2), number(end + 16, 4));
    let mut unpacked = BTreeMap::new();
    for _ in 0..files {
        let (packed, names, more) = (number(at + 20, 4), number(at + 28, 2), number(at + 30, 2));
        let (comment, local) = (number(at + 32, 2), number(at + 42, 4));
        let name = String::from_utf8_lossy(&bytes[at + 46..at + 46 + names]).into_owned();
        let data = local + 30 + number(local + 26, 2) + number(local + 28, 2);
        let mut text = String::new();
        let mut inflated = flate2::read::DeflateDecoder::new(&bytes[data..data + packed]);
        if inflated.read_to_string(&mut text).is_ok() {
            unpacked.insert(name, text);
        }
        at += 46 + names + more + comment;
    }
    unpacked
}

#[test]
fn a_workbook_has_a_sheet_a_table_and_says_what_was_cut() {
    let account = account();
    edit(&account);
    let backups = BackupFixture::of(&account, &["deals", "notes", "deal_fields"]);
    backups.run(&[]).succeeded();
    let folder = Folder::new();
    let out = folder.path().join("crm.xlsx").display().to_string();
    let outcome =
        exported(&backups.dir(), &["--to", "xlsx", "--out", &out, "--exclude", "deal_fields"]);
    let notes = &outcome["tables"][1];
    assert_eq!(notes["table"], "notes");
    assert!(notes["notes"].to_string().contains("content (1)"), "{notes}");
    let files = unpacked(Path::new(&out));
    let book = &files["xl/workbook.xml"];
    assert!(book.contains("name=\"deals\"") && book.contains("name=\"notes\""), "{book}");
    let deals = &files["xl/worksheets/sheet1.xml"];
    assert!(deals.contains("Tier (id)") && deals.contains("=HYPERLINK(") && !deals.contains("<f>"));
    assert_eq!(
        deals.matches("<row ").count() as u64,
        outcome["tables"][0]["rows"].as_u64().expect("rows") + 1
    );
    let cut = &files["xl/worksheets/sheet2.xml"];
    assert!(cut.contains("long long") && !cut.contains(&"long ".repeat(6_554)));
}

#[test]
fn what_cannot_be_exported_is_named() {
    let account = account();
    let warehouse = WarehouseFixture::of(&account, "parquet", &["stages", "pipelines"]);
    warehouse.sync(&[]).succeeded();
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (book, csv) = (path("a.xlsx"), path("a.csv"));
    let empty = Folder::new();
    let lost = folder.path().join("lost");
    for (from, line, code, words) in [
        (lost.as_path(), &["--to", "xlsx", "--out", &book][..], 64, "no such folder"),
        (empty.path(), &["--to", "xlsx", "--out", &book], 64, "neither a warehouse nor a backup"),
        (&warehouse.dir(), &["--to", "csv", "--out", &csv], 64, "or one table with --resources"),
        (
            &warehouse.dir(),
            &["--to", "xlsx", "--out", &path("no/a.xlsx")],
            64,
            "there is no such folder",
        ),
        (&warehouse.dir(), &["--to", "sqlite", "--out", &path("")], 64, "no regular file"),
        (
            &warehouse.dir(),
            &["--to", "xlsx", "--out", &book, "--resources", "deals"],
            64,
            "no rows of deals",
        ),
        (
            &warehouse.dir(),
            &["--to", "xlsx", "--out", &book, "--resources", "stagez"],
            64,
            "stages",
        ),
    ] {
        refused(from, line, code, words);
    }
    // A damaged part is no empty table, and leaves nothing behind.
    let part = warehouse.files("stages").remove(0);
    std::fs::write(&part, "PAR1").expect("it can be written");
    refused(&warehouse.dir(), &["--to", "xlsx", "--out", &book], 65, "cannot be read back");
    assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn a_bucket_is_exported_as_a_folder_is() {
    let account = account();
    let bucket = Bucket::start(0);
    let folder = Folder::new();
    let config = folder.json("config.json", &account.config());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["-o", "json"]);
        let output = bucket.used_by(command).output().expect("the binary starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        serde_json::from_slice::<Value>(&output.stdout).expect("it is JSON")
    };
    let stages = truth(&account, "stages").len();
    let config = config.display().to_string();
    for format in ["parquet", "ndjson"] {
        let url = Bucket::url(format);
        run(&[
            "sync",
            "warehouse",
            "--format",
            format,
            "--resources",
            "stages",
            "--config",
            &config,
            "--dir",
            &url,
        ]);
        let out = folder.path().join(format!("{format}.csv")).display().to_string();
        let outcome = run(&["export", &url, "--to", "csv", "--out", &out]);
        assert_eq!(outcome["rows"], json!(stages));
        assert_eq!(sheet(Path::new(&out)).len(), stages);
    }
}
