//! What is odd in size or form costs no more than its bytes, stops nothing else, and goes on as it
//! came: through every command, for every kind of it.

use crate::support::backup::BackupFixture;
use crate::support::bundle::BundleFixture;
use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Read, sandbox, small};
use source_pipedrive::sandbox::{Fault, FaultKind, Oddity, Options, Sandbox};
use std::process::{Command, Output};

/// A small account whose pages of this path are odd.
fn odd(oddity: Oddity, size: usize, path: &str) -> Sandbox {
    let faults = vec![Fault::on(FaultKind::OddRows(oddity, size), path, 1, u32::MAX)];
    sandbox(Options { faults, ..small() })
}

/// The oddities of rows, with a size for each, and a piece of what has to arrive.
fn of_rows() -> Vec<(Oddity, usize, String)> {
    vec![
        (Oddity::Keys, 3_000, r#""odd_2999":2999"#.to_owned()),
        (Oddity::KeyEach, 300, r#""odd_7_299":299"#.to_owned()),
        (Oddity::KeyAgain, 3_000, r#""odd":1,"odd":1}"#.to_owned()),
        (Oddity::Deep, 512, "[".repeat(512) + &"]".repeat(512)),
        (Oddity::DeepObject, 512, r#"{"a":"#.repeat(511) + "{}" + &"}".repeat(511)),
        (Oddity::Digits, 5_000, format!("\"odd\":{}", "7".repeat(5_000))),
        (Oddity::Huge, 300, "[1e999,1e999,".to_owned()),
        (Oddity::Text, 1 << 20, "x".repeat(1 << 20)),
        (Oddity::Key, 1 << 20, "k".repeat(1 << 20)),
        (Oddity::Nul, 5_000, r"\u0000".repeat(5_000)),
    ]
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn done(what: &str, oddity: Oddity, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    // Rows without a key are passed on, counted and named, and the run is incomplete.
    let expected: &[i32] = if oddity == Oddity::Empty { &[1, 3] } else { &[0] };
    let code = output.status.code().expect("it ends by itself");
    assert!(expected.contains(&code), "{what} of {oddity:?}: {code}: {said:.2000}");
}

#[test]
fn odd_rows_are_read_as_they_came() {
    for (oddity, size, piece) in of_rows() {
        let account = odd(oddity, size, "/deals");
        let output = Read::of(&account, &["deals"]).output();
        done("read", oddity, &output);
        assert!(text(&output).contains(&piece), "{oddity:?} was not passed on");
    }
}

#[test]
fn odd_rows_reach_targets_as_they_take_them() {
    for (oddity, size, _) in of_rows() {
        let account = odd(oddity, size, "/deals");
        let output =
            Tap::of(&account).selecting(&["deals"]).command(&[]).output().expect("it starts");
        done("tap", oddity, &output);
        let said = text(&output);
        let records = said.lines().filter(|line| line.contains(r#""type":"RECORD""#));
        let mut rows = 0;
        for line in records {
            rows += 1;
            // A strict reader takes no number that a double does not hold.
            let line: serde_json::Value = serde_json::from_str(line).expect("a strict reader");
            assert!(!line.to_string().contains("\\u0000"));
        }
        assert!(rows > 20, "{oddity:?}: the others came too");
    }
}

#[test]
fn odd_rows_are_kept_in_warehouses() {
    for (oddity, size, piece) in of_rows() {
        let account = odd(oddity, size, "/deals");
        for format in ["ndjson", "parquet"] {
            let warehouse = WarehouseFixture::of(&account, format, &["deals"]);
            let output = warehouse.command(&[]).output().expect("the binary starts");
            done(format, oddity, &output);
            let files = warehouse.files("deals");
            assert!(!files.is_empty());
            if format == "ndjson" {
                let kept = files.iter().any(|file| {
                    std::fs::read_to_string(file).expect("a file of lines").contains(&piece)
                });
                assert!(kept, "{oddity:?} is in no file");
            }
        }
    }
}

/// The resources that a bundle is made of.
const BUNDLED: &[&str] = &[
    "users",
    "pipelines",
    "stages",
    "organizations",
    "persons",
    "deals",
    "leads",
    "activities",
    "organization_fields",
    "person_fields",
    "deal_fields",
    "lead_labels",
    "activity_types",
];

#[test]
fn odd_rows_are_backed_up_verified_compared_and_exported() {
    let plain = sandbox(small());
    let before = BackupFixture::of(&plain, BUNDLED);
    done("backup", Oddity::Keys, &before.command(&[]).output().expect("the binary starts"));
    let old = before.dir().display().to_string();
    for (oddity, size, piece) in of_rows() {
        let account = odd(oddity, size, "/deals");
        let backups = BackupFixture::of(&account, BUNDLED);
        done("backup", oddity, &backups.command(&[]).output().expect("the binary starts"));
        assert!(backups.text("deals.json").contains(&piece), "{oddity:?} is not in the backup");
        let dir = backups.dir().display().to_string();
        let backup = |arguments: &[&str]| {
            let mut command = Command::new(BINARY);
            command.arg("backup").args(arguments).output().expect("the binary starts")
        };
        // Rows that came of one account are those of the other, but for what is odd.
        done("verify", oddity, &backup(&["verify", &dir]));
        for form in ["json", "ndjson", "table", "html"] {
            done(form, oddity, &backup(&["diff", &old, &dir, "-o", form]));
        }
        let bundles = BundleFixture::new();
        let arguments = ["export", "--from", &dir, "--out", "a.json"];
        done("export", oddity, &bundles.command(&arguments).output().expect("it starts"));
        let output = bundles.command(&["validate", "a.json"]).output().expect("it starts");
        done("validate", oddity, &output);
    }
}

#[test]
fn odd_definitions_and_empty_rows_stop_nobody() {
    for (oddity, size, path) in [
        (Oddity::Definitions, 3_000, "/dealFields"),
        (Oddity::Options, 3_000, "/dealFields"),
        (Oddity::Empty, 3_000, "/deals"),
        (Oddity::Keys, 3_000, "/dealFields"),
        (Oddity::Huge, 3_000, "/dealFields"),
    ] {
        let account = odd(oddity, size, path);
        done("read", oddity, &Read::of(&account, &["deals"]).output());
        let readable = Read::of(&account, &["deals"]).with("custom_fields", "name");
        done("read by name", oddity, &readable.output());
        for format in ["ndjson", "parquet"] {
            let warehouse = WarehouseFixture::of(&account, format, &["deals"]);
            done(format, oddity, &warehouse.command(&[]).output().expect("the binary starts"));
        }
    }
}

#[test]
fn what_is_nested_deeper_than_the_limit_is_named_everywhere() {
    let account = odd(Oddity::Deep, 513, "/deals");
    let limit = "nested deeper than 512 levels";
    let output = Read::of(&account, &["deals"]).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains(limit), "{}", text(&output));
    for format in ["ndjson", "parquet"] {
        let output = WarehouseFixture::of(&account, format, &["deals"]).command(&[]).output();
        let output = output.expect("the binary starts");
        assert_ne!(output.status.code(), Some(0));
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &text(&output);
        assert!(said.contains(limit), "{said}");
    }
}

#[test]
fn surprises_are_named_up_to_a_limit_and_counted_beyond() {
    let account = odd(Oddity::Keys, 3_000, "/deals");
    let output = Read::of(&account, &["deals"]).output();
    let said = text(&output);
    let warnings = said.lines().filter(|line| line.contains("WARN")).count();
    assert!(warnings <= 102, "{warnings} warnings");
    assert!(said.contains("2901 more fields of a page are not as documented"), "{warnings}");
}

#[test]
fn an_export_that_has_no_end_is_not_taken() {
    let account = sandbox(small());
    let bundles = BundleFixture::new().crm(&account, 0);
    let rows: Vec<_> = (0..100).map(|n| format!(r#"{{"public_id":"a{n}","name":"A"}}"#)).collect();
    bundles.put("a.json", &format!(r#"{{"version":"1","accounts":[{}]}}"#, rows.join(",")));
    bundles.run(&["push", "a.json"]).json();
    let (code, message) = bundles.run(&["pull", "--out", "b.json", "--max-bytes", "1000"]).error();
    assert_eq!(code, 65, "{message}");
    assert!(message.contains("/crm/export") && message.contains("--max-bytes"), "{message}");
    assert!(!bundles.path("b.json").exists() && !bundles.path("b.json.partial").exists());
    bundles.run(&["pull", "--out", "b.json"]).json();
}

#[test]
fn a_journal_of_more_rows_than_there_are_is_refused() {
    let account = sandbox(small());
    let bundles = BundleFixture::new().crm(&account, 0);
    bundles.put("a.json", r#"{"version":"1","accounts":[{"public_id":"a","name":"A"}]}"#);
    let begin = r#"{"entry":"begin","version":1,"tool":"x","bundle":"x","target":"x","organization":"x","at":"2026-01-01T00:00:00Z"}"#;
    for range in ["[0,9223372036854775808]", "[0,18446744073709551615]", "[7,3]"] {
        let send = format!(r#"{{"entry":"send","batch":1,"array":"accounts","rows":[{range}]}}"#);
        bundles.put("a.json.journal.ndjson", &format!("{begin}\n{send}\n"));
        let (code, message) = bundles.run(&["push", "a.json", "--resume"]).error();
        assert_eq!(code, 65, "{message}");
        assert!(message.contains("line 2 names the rows"), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_every_command() {
    use std::os::unix::process::ExitStatusExt as _;
    let hung =
        |request| sandbox(Options { faults: vec![Fault::at(FaultKind::Hang, request)], ..small() });
    let ends = |what: &str, account: &Sandbox, mut command: Command| {
        let mut child = command.spawn().expect("it starts");
        account.wait_for_hang();
        let killed = Command::new("kill").arg(child.id().to_string()).status();
        assert!(killed.expect("there is kill").success());
        let status = child.wait().expect("it ends");
        // The signal itself ends the process if there is nothing to finish.
        let told = status.code() == Some(130) || status.signal() == Some(15);
        assert!(told, "{what} ended with {status}");
    };
    let account = hung(2);
    ends("read", &account, Read::of(&account, &["deals"]).command());
    let account = hung(3);
    ends("sync", &account, WarehouseFixture::of(&account, "parquet", &["deals"]).command(&[]));
    let account = hung(3);
    ends("backup", &account, BackupFixture::of(&account, &["deals"]).command(&[]));
    let account = hung(5);
    ends(
        "export",
        &account,
        BundleFixture::new().account(&account).command(&["export", "--out", "a"]),
    );
    let account = hung(3);
    let tap = Tap::of(&account);
    ends("tap", &account, tap.command(&[]));
    let account = hung(2);
    let tap = Tap::of(&account);
    ends("discover", &account, tap.command(&["--discover"]));
}
