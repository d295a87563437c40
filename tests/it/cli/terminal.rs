//! What people see on a terminal: tables that fit it, and nothing twice.

use crate::support::tap::{TAP, Tap};
use crate::support::{BINARY, Folder, sandbox, small};
use serde_json::Value;
use source_pipedrive::sandbox::{Options, Sandbox};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A command on a terminal of so many columns, by `script`, which every Linux has. Its output and its
/// exit code.
pub(crate) fn on_terminal(folder: &Path, columns: u16, line: &str) -> (String, i32) {
    let inner = format!("stty cols {columns} rows 24; {BINARY} {line}");
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).current_dir(folder).stdin(Stdio::null());
    command.env("TERM", "xterm").env("SHELL", "/bin/sh");
    let output = command.output().expect("script(1) is there");
    let text = String::from_utf8(output.stdout).expect("it is UTF-8").replace('\r', "");
    (text, output.status.code().expect("it ends by itself"))
}

/// What stays on the screen: without the live lines, which are steered away.
pub(crate) fn stays(shown: &str) -> Vec<&str> {
    shown.lines().filter(|line| !line.contains('\u{1b}') && !line.trim().is_empty()).collect()
}

fn run(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.args(line.split(' ')).current_dir(folder).stdin(Stdio::null());
    command.output().expect("the binary starts")
}

pub(crate) fn said(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it is UTF-8")
}

fn account(options: Options) -> (Sandbox, Folder) {
    let (account, folder) = (sandbox(options), Folder::new());
    let path = folder.json("c.json", &account.config());
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).expect("it is ours");
    (account, folder)
}

#[test]
fn tables_and_help_fit_a_terminal_of_eighty_columns_and_more() {
    let (_account, folder) = account(Options { scale: 0.02, ..small() });
    for (columns, lines) in [
        (
            80,
            &[
                "plan --config c.json",
                "sync warehouse --config c.json --dir w --format parquet",
                "backup --config c.json --dir a --resources deals,persons,lead_labels",
                "backup verify a",
                "bundle export --config c.json --out a.bundle",
                "bundle validate a.bundle",
                "backup --help",
                "sync warehouse --help",
                "bundle push --help",
            ][..],
        ),
        (120, &["plan --config c.json", "backup verify a", "backup diff a a", "--help"]),
    ] {
        for line in lines {
            let (shown, code) = on_terminal(folder.path(), columns, line);
            assert_eq!(code, 0, "{line}: {shown}");
            for row in stays(&shown) {
                // Sentences are wrapped by the terminal; what is a table or help is not.
                let table = row.starts_with([' ', '│', '┌', '└', '├']);
                let width = row.chars().count();
                assert!(!table || width <= usize::from(columns), "{line}: {width}: {row}");
                assert!(!row.ends_with(' '), "{line}: {row:?}");
            }
        }
    }
}

#[test]
fn a_second_run_without_changes_is_one_line() {
    let (_account, folder) = account(Options { scale: 0.02, limits: true, ..small() });
    let line = "sync warehouse --config c.json --dir w -o table";
    let first = run(folder.path(), line);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first.stderr));
    assert_eq!(said(&first.stderr), "new warehouse in w: everything is read\n");
    let table = said(&first.stdout);
    assert!(table.contains("\n deals "), "{table}");
    assert!(table.lines().last().is_some_and(|line| line.starts_with("complete: ")), "{table}");
    let second = run(folder.path(), line);
    assert_eq!(said(&second.stderr), "");
    let text = said(&second.stdout);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(": nothing changed since 2"), "{text}");
    assert!(text.contains(" tokens spent, ") && text.contains(" left today"), "{text}");
    // JSON output has each resource all the same, and a verbose log has it too.
    let json: Value =
        serde_json::from_slice(&run(folder.path(), &line.replace("table", "json")).stdout)
            .expect("it is JSON");
    assert!(json["resources"].as_array().is_some_and(|rows| rows.len() > 30));
    assert!(said(&run(folder.path(), &format!("{line} -v")).stdout).contains("\n deals "));
}

#[test]
fn what_was_never_begun_is_one_sentence() {
    let (account, folder) = account(Options { scale: 0.02, ..small() });
    let mut config = account.config();
    config["concurrency"] = 1.into();
    config["max_tokens"] = 300.into();
    folder.json("c.json", &config);
    for line in ["sync warehouse --dir w -o table", "backup --dir b -o table"] {
        let output = run(folder.path(), &format!("{line} --config c.json"));
        assert_eq!(output.status.code(), Some(75), "{}", said(&output.stderr));
        let (text, error) = (said(&output.stdout), said(&output.stderr));
        let unbegun = text.lines().filter(|line| line.ends_with(" were not begun")).count();
        assert_eq!(unbegun, 1, "{line}: {text}");
        let incomplete = text.matches("INCOMPLETE: ").count();
        assert!(incomplete <= 2, "{line}: {text}");
        assert!(error.lines().last().is_some_and(|line| line.len() < 400), "{error}");
    }
    let mut tap = Tap::of(&account);
    tap.config = config;
    let spoken = tap.run();
    let errors = spoken.0.stderr.lines().filter(|line| line.starts_with("ERROR")).count();
    assert!(errors <= 2, "{}", spoken.0.stderr);
    assert!(spoken.0.stderr.contains(" were not begun"), "{}", spoken.0.stderr);
}

#[test]
fn columns_that_went_to_extra_are_named() {
    let habits = source_pipedrive::sandbox::Habits::all();
    let (_account, folder) = account(Options { habits, ..small() });
    let line = "sync warehouse --config c.json --dir w --format parquet -o";
    let text = run(folder.path(), &format!("{line} table"));
    let text = said(&text.stdout).to_owned();
    let json = run(folder.path(), &format!("{line} json --full"));
    let json: Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    let rows = json["resources"].as_array().expect("a list");
    let misfits = rows.iter().filter_map(|row| Some((row, row["misfits"].as_object()?)));
    let mut checked = 0;
    for (row, fields) in misfits {
        let name = row["resource"].as_str().unwrap_or_default();
        let shown = text.lines().find(|line| line.trim().starts_with(&format!("{name} ")));
        let shown = shown.unwrap_or_else(|| panic!("{name} is in {text}"));
        let (field, count) = fields.iter().next().expect("there is one");
        assert!(shown.contains(" values in _extra ("), "{shown}");
        let hashed = |field: &String| field.rsplit('.').next().is_some_and(|key| key.len() >= 40);
        if fields.len() == 1 && !hashed(field) {
            assert!(shown.contains(&format!("({field} {count})")), "{shown}");
        }
        // Custom fields are named by their columns.
        assert!(fields.keys().filter(|key| hashed(key)).all(|key| !shown.contains(key)), "{shown}");
        checked += 1;
    }
    assert!(checked > 0, "an account with odd habits has odd values");
}

#[test]
fn the_tap_ends_with_a_line_and_is_quiet_when_told_or_left() {
    let account = sandbox(Options { scale: 0.02, ..small() });
    let tap = Tap::of(&account).selecting(&["deals", "stages", "users"]);
    let spoken = tap.run();
    let last = spoken.0.stderr.lines().last().unwrap_or_default();
    let start = "INFO complete: ";
    assert!(last.starts_with(start) && last.contains(" records of 3 streams, "), "{last}");
    assert!(spoken.0.stderr.contains(" (3 of 3)\n"), "{}", spoken.0.stderr);
    let config = tap.folder.json("q.json", &tap.config);
    let mut command = Command::new(&*TAP);
    command.arg("-q").arg("--config").arg(&config).stdin(Stdio::null());
    let output = command.output().expect("the tap starts");
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<_> = said(&output.stderr).lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("WARNING ")), "{lines:?}");
    // The reader hangs up after a line.
    let mut command = Command::new(&*TAP);
    command.arg("--config").arg(&config).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tap starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    assert!(!said(&output.stderr).contains("ERROR"), "{}", said(&output.stderr));
}
