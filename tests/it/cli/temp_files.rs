//! Two commands that write the same file, and what commands that ended leave beside it.

#![cfg(unix)]

use crate::support::bundle::BundleFixture;
use crate::support::{BINARY, Folder, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Fault, Options};
use std::process::Command;

/// Ends a process with this signal, and waits for its end.
fn end(mut child: std::process::Child, signal: &str) {
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(killed.expect("kill starts").success());
    child.wait().expect("it ends");
}

/// One export hangs in the middle of its rows, and another one to the same file finishes.
#[test]
fn a_second_export_harms_no_bundle() {
    for signal in ["-TERM", "-KILL"] {
        let faults = vec!["hang@activities".parse::<Fault>().expect("a fault")];
        let slow = sandbox(Options { faults, ..small() });
        // Of other rows, so that those of the first show in it.
        let quick = sandbox(Options { seed: 2, ..small() });
        let bundles = BundleFixture::new().account(&slow);
        let first = bundles.command(&["export", "--out", "a.json"]).spawn().expect("it starts");
        slow.wait_for_hang();
        let bundles = bundles.account(&quick);
        bundles.export("a.json");
        let whole = std::fs::read(bundles.path("a.json")).expect("it is there");
        assert_eq!(bundles.run(&["validate", "a.json"]).json()["total"], 0);
        end(first, signal);
        assert_eq!(std::fs::read(bundles.path("a.json")).expect("it is there"), whole);
        assert_eq!(bundles.run(&["validate", "a.json"]).json()["total"], 0);
        // What the killed one left goes with the next.
        bundles.export("a.json");
        assert_eq!(bundles.names(), ["a.json", "a.json.context.json", "config.json"], "{signal}");
    }
}

/// Files of other programs with names like ours stay, and obstruct nothing.
#[test]
fn names_beside_a_bundle_are_not_ours() {
    let account = sandbox(small());
    let bundles = BundleFixture::new().account(&account).crm(&account, 0);
    let mine = [
        "a.json.partial",
        "a.json.context.json.partial",
        "a.json.target",
        "a.json.target.partial",
        "a.json.events",
        "a.json.0123456789ABCDEF.partial",
    ];
    for name in mine {
        bundles.put(name, "mine");
    }
    bundles.export("a.json");
    bundles.run(&["push", "a.json", "--dry-run"]).json();
    bundles.run(&["pull", "--out", "a.json"]).json();
    for name in mine {
        assert_eq!(std::fs::read(bundles.path(name)).expect("it is there"), b"mine", "{name}");
    }
    assert_eq!(bundles.names().len(), mine.len() + 3, "{:?}", bundles.names());
}

/// A file of one line that is no journal would have been cut off as a torn entry.
#[test]
fn a_file_that_is_no_journal_is_not_cut() {
    let account = sandbox(small());
    let bundles = BundleFixture::new().account(&account).crm(&account, 0);
    bundles.export("a.json");
    for content in ["years of work", "years of work\n", "{\"years\":\"of work\"}"] {
        bundles.put("thesis.txt", content);
        let (code, _) = bundles.run(&["push", "a.json", "--journal", "thesis.txt"]).error();
        assert_eq!(code, 65);
        let left = std::fs::read_to_string(bundles.path("thesis.txt")).expect("it is there");
        assert_eq!(left, content);
    }
}

/// The name that a process of the same number once left a new configuration under.
#[test]
fn a_stale_configuration_loses_no_token() {
    let account = sandbox(Options { rotate_refresh_tokens: true, ..small() });
    let folder = Folder::new();
    let config = account.oauth_config();
    let old = config["credentials"]["refresh_token"].clone();
    let path = folder.json("config.json", &config);
    folder.file("config.json.0123456789abcdef.new", "{}");
    let script = format!(
        "echo '{{}}' > config.json.$$.new; exec {BINARY} plan --resources stages --config config.json"
    );
    let output = Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output();
    let output = output.expect("there is bash");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("cannot be kept"), "{said}");
    let kept = std::fs::read(&path).expect("it is there");
    let kept: Value = serde_json::from_slice(&kept).expect("it is JSON");
    assert!(kept["credentials"]["refresh_token"].is_string());
    assert_ne!(kept["credentials"]["refresh_token"], old);
    assert!(!folder.path().join("config.json.0123456789abcdef.new").exists());
    let left = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 2, "the configuration, and the file that is not ours");
}

/// Several at the same time: one of them is there in the end, whole, with its own side-car.
#[test]
fn commands_side_by_side_leave_one_whole_bundle() {
    let account = sandbox(small());
    let exporter = BundleFixture::new().account(&account);
    let puller = BundleFixture::new().account(&account).crm(&account, 0);
    puller.export("b.json");
    puller.run(&["push", "b.json"]).json();
    for (bundles, arguments) in
        [(&exporter, ["export", "--out", "a.json"]), (&puller, ["pull", "--out", "a.json"])]
    {
        bundles.command(&arguments).output().expect("it starts");
        let before = bundles.names();
        // Of a command that was killed.
        bundles.put("a.json.0123456789abcdef.partial", "half");
        // The configuration is written with each, before the first one reads it.
        let commands = [(); 3].map(|()| bundles.command(&arguments));
        for child in commands.map(|mut command| command.spawn().expect("it starts")) {
            assert!(child.wait_with_output().expect("it ends").status.success());
        }
        assert_eq!(bundles.run(&["validate", "a.json"]).json()["total"], json!(0));
        assert_eq!(bundles.names(), before);
    }
}
