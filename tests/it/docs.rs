//! The pages of `docs/` are what the code makes of itself.

use crate::depot::Depot;
use crate::support::{BINARY, Folder, sandbox, small};
use crate::tap::TAP;
use crate::vault::Vault;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Files of a folder and below, by their path in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if path.is_dir() {
            let below = files(&path).into_iter();
            found.extend(below.map(|(below, text)| (format!("{name}/{below}"), text)));
        } else {
            found.insert(name, std::fs::read_to_string(&path).expect("a page is text"));
        }
    }
    found
}

#[test]
fn the_reference_is_as_the_code_makes_it() {
    let folder = Folder::new();
    let status = Command::new(BINARY).arg("reference").arg(folder.path()).status();
    assert!(status.expect("the binary starts").success());
    let made = files(folder.path());
    let kept = files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")));
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    let hint = "run: cargo run -- reference docs";
    assert_eq!(names(&made), names(&kept), "{hint}");
    for (name, page) in &made {
        assert!(*page == kept[name], "docs/{name} is not what the code says; {hint}");
    }
}

/// Keys in the first column of the table that follows a sentence.
fn keys(page: &str, after: &str) -> BTreeSet<String> {
    let (_, rest) = page.split_once(after).expect("the page has the table");
    let rows = rest.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.filter_map(|row| Some(row.split('`').nth(1)?.to_owned())).collect()
}

#[test]
fn the_page_of_files_names_every_key_of_a_manifest() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/files.md"));
    let page = page.expect("there is a page");
    let (backup, warehouse) = page.split_once("## Warehouse").expect("it has two parts");
    let of = |manifest: &Value| -> BTreeSet<String> {
        manifest.as_object().expect("an object").keys().cloned().collect()
    };
    let account = sandbox(small());
    let vault = Vault::of(&account, &[]);
    vault.run(&[]).succeeded();
    let manifest = serde_json::from_str(&vault.text("manifest.json")).expect("it is JSON");
    assert_eq!(keys(backup, "In `manifest.json`"), of(&manifest));
    let depot = Depot::of(&account, "parquet", &["deals", "stages"]);
    depot.sync(&[]).succeeded();
    assert_eq!(keys(warehouse, "In `manifest.json`"), of(&depot.manifest()));
}

#[test]
fn shells_complete_both_programs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        for program in ["source-pipedrive", "tap-pipedrive"] {
            let command = ["completions", shell, "--program", program];
            let output = Command::new(BINARY).args(command).output().expect("the binary starts");
            let script = String::from_utf8(output.stdout).expect("it is text");
            assert!(output.status.success() && script.contains(program), "{shell} {program}");
        }
    }
    assert!(Path::new(TAP).exists());
}
