//! The pages of `docs/` are what the code makes of itself.

use crate::support::backup::BackupFixture;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, sandbox, small};
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
    let mut kept = files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")));
    // These are written by people.
    let written = ["internals/", "guide/", "concepts/"];
    let pages =
        ["README", "benchmarks", "comparison", "destinations", "engines", "glossary", "guarantees"];
    kept.retain(|name, _| {
        let page = name.strip_suffix(".md").is_some_and(|page| pages.contains(&page));
        !page && !written.iter().any(|folder| name.starts_with(folder))
    });
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
    let (backup_page, warehouse_page) = page.split_once("## Warehouse").expect("it has two parts");
    let of = |manifest: &Value| -> BTreeSet<String> {
        manifest.as_object().expect("an object").keys().cloned().collect()
    };
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &[]);
    backups.run(&[]).succeeded();
    let manifest = serde_json::from_str(&backups.text("manifest.json")).expect("it is JSON");
    let told = |page: &str, manifest: &Value| {
        let sometimes = keys(page, "and, where there is something to tell:");
        let always = of(manifest).difference(&sometimes).cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(page, "In `manifest.json`"), always);
    };
    told(backup_page, &manifest);
    let warehouse = WarehouseFixture::of(&account, "parquet", &["deals", "stages"]);
    warehouse.sync(&[]).succeeded();
    told(warehouse_page, &warehouse.manifest());
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
}

/// The limits of a source: `(name, value, meaning)`, those of its own tests left out.
fn limits_of(source: &str) -> Vec<(String, String, String)> {
    let (mut found, mut about) = (Vec::new(), String::new());
    for line in source.lines().map(str::trim) {
        if line == "mod tests {" {
            break;
        }
        if let Some(text) = line.strip_prefix("///") {
            about.push_str(text);
            continue;
        }
        let constant = line.split_once("const ").and_then(|(_, rest)| rest.split_once(": "));
        let limit = constant.filter(|(name, _)| {
            ["_MAX", "_TIMEOUT"].iter().any(|ending| name.ends_with(ending)) && !name.contains(' ')
        });
        if let Some((name, rest)) = limit {
            let (_, value) = rest.split_once(" = ").expect("a limit stands on one line");
            let meaning = about.trim().split_once(". ").map_or(about.trim(), |(first, _)| first);
            let meaning = meaning.trim_end_matches('.').replace('|', "\\|");
            found.push((name.to_owned(), readable(value.trim_end_matches(';')), meaning));
        }
        about.clear();
    }
    found
}

/// A value as people write it.
fn readable(value: &str) -> String {
    for (start, end, unit) in [
        ("", " << 20", "MiB"),
        ("", " << 10", "KiB"),
        ("Duration::from_millis(", ")", "ms"),
        ("Duration::from_secs(", ")", "s"),
        ("Duration::from_mins(", ")", "min"),
        ("Duration::from_hours(", ")", "h"),
    ] {
        let number = value.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        if let Some(number) = number.filter(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
        {
            return format!("{} {unit}", number.replace('_', ","));
        }
    }
    value.replace('_', ",")
}

#[test]
fn the_page_of_threats_names_all_limits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut table = String::from("\n| limit | where | value | what |\n| --- | --- | --- | --- |\n");
    for (place, source) in files(&root.join("src")) {
        let rust = Path::new(&place).extension().is_some_and(|ending| ending == "rs");
        if place.starts_with("sandbox/") || !rust {
            continue;
        }
        for (name, value, meaning) in limits_of(&source) {
            table +=
                &["| `", &name, "` | `", &place, "` | ", &value, " | ", &meaning, " |\n"].concat();
        }
    }
    let path = root.join("docs/internals/threats.md");
    let page = std::fs::read_to_string(&path).expect("there is a page");
    let marker = "<!-- limits -->\n";
    let (prose, kept) = page.split_once(marker).expect("the page has a place for limits");
    if std::env::var_os("UPDATE_LIMITS").is_some() {
        let page = format!("{prose}{marker}{table}");
        std::fs::write(&path, page).expect("the page can be written");
        return;
    }
    let hint = "run: UPDATE_LIMITS=1 cargo test --test it limits";
    assert!(
        kept == table,
        "docs/internals/threats.md does not name the limits of the sources; {hint}"
    );
    assert!(table.lines().count() > 50);
}
