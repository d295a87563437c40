//! Tests of architecture rules that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

/// Which room may use which.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("api", &["model"]),
    ("sandbox", &["model"]),
    ("extract", &["model", "api"]),
    ("dataset", &["model"]),
    ("bundle", &["model", "api", "dataset"]),
    ("protocol", &["model"]),
    ("cli", &["model", "api", "sandbox", "extract", "dataset", "protocol", "bundle"]),
];

/// What the vocabulary must not know: clocks, waiting, the network, files.
const NOT_IN_MODEL: &[&str] = &[
    "Instant",
    "SystemTime",
    "async ",
    ".await",
    "reqwest",
    "tokio",
    "arrow",
    "std::fs",
    "std::net",
];

/// Longest source file, in lines; a file that outgrows it has two subjects.
const LINES_MAX: usize = 470;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Rooms named after `crate::` in a text, also inside `crate::{a, b::c}`.
fn rooms_used(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (place, _) in text.match_indices("crate::") {
        let rest = &text[place + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => {
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
            }
        };
        for name in names.split(',') {
            rooms.push(name.trim().split("::").next().unwrap_or_default().to_owned());
        }
    }
    rooms
}

#[test]
fn rooms_only_import_downwards() {
    let mut broken = Vec::new();
    for (room, allowed) in MAY_IMPORT {
        for file in sources(&root().join(room)) {
            let text = fs::read_to_string(&file).expect("a source is text");
            for used in rooms_used(&text) {
                if used != *room && !allowed.contains(&used.as_str()) {
                    broken.push(format!("{} uses crate::{used}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    let entries = fs::read_dir(root()).expect("the sources are there");
    let rooms = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    let rooms: Vec<_> = rooms.map(|r| r.file_name().to_string_lossy().into_owned()).collect();
    for room in &rooms {
        assert!(MAY_IMPORT.iter().any(|(name, _)| name == room), "room {room} is not in the table");
    }
    assert_eq!(rooms.len(), MAY_IMPORT.len());
}

#[test]
fn the_vocabulary_is_pure() {
    for file in sources(&root().join("model")) {
        let text = fs::read_to_string(&file).expect("a source is text");
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        for word in NOT_IN_MODEL {
            assert!(!code.contains(word), "{} uses {word}", file.display());
        }
    }
}

#[test]
fn only_the_client_knows_the_http_library() {
    for file in sources(&root()) {
        let text = fs::read_to_string(&file).expect("a source is text");
        let known = ["client", "auth", "crm", "download", "http", "request"];
        let known = known.iter().any(|name| file.ends_with(format!("api/{name}.rs")));
        assert!(known || !text.contains("reqwest::"), "{} uses reqwest", file.display());
    }
}

/// What writes where people look, and the one module each may be named in. Whatever goes through
/// these is made plain there; the tests of `screen` show it of every command.
const OUTPUTS: &[(&str, &[&str])] = &[
    ("io::stdout", &["cli/stdout.rs"]),
    ("io::stderr", &["cli/stderr.rs"]),
    ("io::{stdout", &[]),
    ("io::{stderr", &[]),
    ("/dev/std", &[]),
    ("/dev/tty", &[]),
    ("print!(", &[]),
    ("dbg!(", &[]),
    (".print()", &["cli/stdout.rs"]),
    ("stdout::protocol", &["cli/airbyte.rs", "cli/tap/sync.rs"]),
    ("stderr::log", &["cli/progress.rs", "cli/tap/sync.rs"]),
    ("comfy_table", &["cli/text.rs"]),
    ("indicatif", &["cli/progress.rs"]),
    (".render()", &["cli/error_output.rs"]),
];

#[test]
fn only_the_named_modules_write_to_a_terminal() {
    let root = root();
    let mut broken = Vec::new();
    for file in sources(&root) {
        let text = fs::read_to_string(&file).expect("a source is text");
        let place = file.strip_prefix(&root).expect("it is below").to_string_lossy().into_owned();
        for (word, allowed) in OUTPUTS {
            let used = text
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            if used && !allowed.contains(&place.as_str()) {
                broken.push(format!("{place} uses {word}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_have_one_subject_each() {
    for file in sources(&root()) {
        let lines = fs::read_to_string(&file).expect("a source is text").lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        for vague in ["utils", "util", "common", "types", "manager", "handler", "helpers"] {
            assert_ne!(name.as_deref(), Some(vague), "{} says nothing by its name", file.display());
        }
    }
}

/// Sources that may write with `{:?}`: the key of a request, words that are searched, a name of an
/// `enum`, and `Debug` itself.
const MAY_DEBUG: &[&str] = &[
    "api/request.rs",
    "dataset/store/refusal.rs",
    "dataset/warehouse/layout.rs",
    "model/error.rs",
];

/// `{:?}` turns letters of many scripts into escapes.
#[test]
fn text_for_people_is_written_as_it_is() {
    let mut found = Vec::new();
    for path in sources(&root()) {
        let name = path.strip_prefix(root()).expect("it is below").display().to_string();
        let text = fs::read_to_string(&path).expect("a source can be read");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let debug = code.lines().any(|line| line.contains(":?}") || line.contains(":#?}"));
        if debug && !name.contains("/tests/") && !name.ends_with("/tests.rs") {
            found.push(name);
        }
    }
    assert_eq!(found, MAY_DEBUG);
}
