//! One condition, one outcome: condition × command → exit code and first line of text.

use crate::support::{BINARY, Folder, Read, catalog, ended_at_hang, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Fault, FaultKind, Options, Sandbox};
use std::process::{Command, Output, Stdio};

/// A command of the table, by the name it has there.
const COMMANDS: [&str; 6] = ["sync", "backup", "export", "plan", "read", "tap"];
/// Those that write a folder which belongs to an account.
const WRITERS: [&str; 2] = ["sync", "backup"];

/// A condition that commands meet: an account, a configuration, resources, and a folder for them.
struct Condition {
    account: Sandbox,
    config: Value,
    resources: &'static str,
    folder: Folder,
}

impl Condition {
    fn of(options: Options, resources: &'static str) -> Self {
        let account = sandbox(options);
        let config = account.config();
        Self { account, config, resources, folder: Folder::new() }
    }

    /// Requests whose path contains this text are answered with this status.
    fn refused(status: u16, path: &str, resources: &'static str) -> Self {
        let faults = vec![Fault::on(FaultKind::Status(status), path, 1, u32::MAX)];
        Self::of(Options { faults, ..small() }, resources)
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    fn command(&self, name: &str, more: &[&str]) -> Command {
        let config = self.folder.json("config.json", &self.config);
        let streams: Vec<&str> = self.resources.split(',').collect();
        let mut command = Command::new(BINARY);
        command.current_dir(self.folder.path());
        match name {
            "sync" => command.args(["sync", "warehouse", "--dir", name]),
            "backup" => command.args(["backup", "--dir", name]),
            "export" => command.args(["bundle", "export", "--out", "bundle.json"]),
            other => command.arg(other),
        };
        command.arg("--config").arg(config);
        if name == "read" {
            let chosen = catalog(&streams, "incremental");
            command.arg("--catalog").arg(self.folder.json("catalog.json", &chosen));
        } else if name == "tap" {
            let chosen = streams.iter().map(|name| {
                let schema = json!({"type": "object", "properties": {"id": {"type": "integer"}}});
                json!({"tap_stream_id": name, "stream": name, "schema": schema,
                    "metadata": [{"breadcrumb": [], "metadata": {"selected": true}}]})
            });
            let chosen = json!({"streams": chosen.collect::<Vec<_>>()});
            command.arg("--catalog").arg(self.folder.json("singer.json", &chosen));
        } else if !more.contains(&"-o") {
            command.args(["-q", "-o", "table"]);
        }
        if ["sync", "backup", "plan"].contains(&name) {
            command.args(["--resources", self.resources]);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PIPEDRIVE_") {
                command.env_remove(name);
            }
        }
        command.args(more);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What a command comes to, as a line of the table.
    fn row(&self, name: &str, more: &[&str]) -> String {
        self.told(name, &self.command(name, more).output().expect("the binary starts"))
    }

    fn told(&self, name: &str, output: &Output) -> String {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let line = match name {
            // The last TRACE is the run's.
            "read" => {
                let lines = stdout.lines().filter_map(|line| serde_json::from_str(line).ok());
                let mut errors = lines.filter(|line: &Value| line["trace"]["type"] == "ERROR");
                let last = errors.next_back().unwrap_or_default();
                last["trace"]["error"]["message"].as_str().unwrap_or_default().to_owned()
            }
            "tap" => {
                let mut lines = stderr.lines().filter(|line| line.starts_with("CRITICAL"));
                lines.next().unwrap_or_default().to_owned()
            }
            _ => stderr.lines().next().unwrap_or_default().to_owned(),
        };
        let line = line.replace(&self.folder.path().display().to_string(), "DIR");
        let line = line.replace(&self.account.origin(), "ORIGIN");
        let code = output.status.code().map_or("killed".to_owned(), |code| code.to_string());
        format!("{name} {code} {line}")
    }
}

/// Compares what commands come to with the lines of the table. `…` at the end of a line is any text.
#[track_caller]
fn check(rows: &[String], expected: &[String]) {
    let fits = |row: &String, expected: &String| match expected.strip_suffix('…') {
        Some(start) => row.starts_with(start),
        None => row == expected,
    };
    let all = rows.len() == expected.len()
        && rows.iter().zip(expected).all(|(row, expected)| fits(row, expected));
    assert!(all, "it is\n{}\nand should be\n{}", rows.join("\n"), expected.join("\n"));
}

/// The outcome of one condition for every command: this code and text, in the protocols 1.
fn same(code: u8, text: &str) -> Vec<String> {
    let row = |name: &&str| match *name {
        "read" => format!("read 1 {text}"),
        "tap" => format!("tap 1 CRITICAL {text}"),
        name => format!("{name} {code} error: {text}"),
    };
    COMMANDS.iter().map(row).collect()
}

fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}

fn rows(condition: &Condition) -> Vec<String> {
    COMMANDS.iter().map(|name| condition.row(name, &[])).collect()
}

#[test]
fn a_wrong_token() {
    let mut condition = Condition::of(small(), "notes");
    condition.config["credentials"]["api_token"] = "0000000000".into();
    let text = "/api/v1/users/me: Pipedrive does not accept the token; create a new one (Personal \
        preferences, API) or authorize the app again (HTTP 401: unauthorized access)";
    check(&rows(&condition), &same(77, text));
}

#[test]
fn a_closed_account() {
    let text = "/api/v1/users/me: the company's account is not open, see its billing settings (HTTP 402: \
        Something went wrong)";
    check(&rows(&Condition::refused(402, "/", "notes")), &same(78, text));
}

/// A bundle holds no notes, a plan tells what a run would read, and platforms select whatever there is.
#[test]
fn everything_that_is_asked_for_is_forbidden() {
    let text = "error: incomplete: 1 of 1 streams were not read to their end (notes): /api/v1/notes: not \
        available to this company: it is not open to the token's user (HTTP 403: Something went wrong); …";
    let (sync, backup) = (format!("sync 77 {text}"), format!("backup 77 {text}"));
    let expected = lines(&[&sync, &backup, "export 0 ", "plan 0 ", "read 0 ", "tap 0 "]);
    check(&rows(&Condition::refused(403, "/notes", "notes")), &expected);
}

/// What a bundle cannot do without.
#[test]
fn what_a_bundle_is_made_of_is_forbidden() {
    let condition = Condition::refused(403, "/persons", "persons");
    let rows: Vec<_> =
        ["sync", "backup", "export"].iter().map(|name| condition.row(name, &[])).collect();
    let text = "error: incomplete: 1 of 1 streams were not read to their end (persons): /api/v2/persons: …";
    let (sync, backup) = (format!("sync 77 {text}"), format!("backup 77 {text}"));
    check(&rows, &lines(&[&sync, &backup, "export 77 error: /api/v2/persons: …"]));
}

/// Where only admins may read, it is a matter of permission.
#[test]
fn everything_that_is_asked_for_is_for_admins() {
    let condition = Condition::of(Options { admin: false, ..small() }, "webhooks");
    let text =
        "incomplete: 1 of 1 streams were not read to their end (webhooks): /api/v1/webhooks: …";
    let mut expected = same(77, text);
    expected[2] = "export 0 ".to_owned();
    expected[3] = "plan 0 ".to_owned();
    check(&rows(&condition), &expected);
}

#[test]
fn one_of_several_is_forbidden() {
    let text = "error: incomplete: 1 of 2 streams were not read to their end (notes): /api/v1/notes: not \
        available to this company: it is not open to the token's user (HTTP 403: Something went wrong); …";
    let (sync, backup) = (format!("sync 3 {text}"), format!("backup 3 {text}"));
    let expected = lines(&[&sync, &backup, "export 0 ", "plan 0 ", "read 0 ", "tap 0 "]);
    check(&rows(&Condition::refused(403, "/notes", "notes,users")), &expected);
}

#[test]
fn the_daily_budget_is_spent() {
    let spent = COMMANDS.iter().map(|name| {
        let faults = vec![Fault::on(FaultKind::Daily, "/", 2, u32::MAX)];
        Condition::of(Options { faults, ..small() }, "persons").row(name, &[])
    });
    let code = |row: String| row.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let spent: Vec<_> = spent.collect();
    assert!(spent.iter().all(|row| row.contains("daily token budget is spent")), "{spent:?}");
    let codes: Vec<_> = spent.into_iter().map(code).collect();
    assert_eq!(codes, ["sync 75", "backup 75", "export 75", "plan 75", "read 1", "tap 1"]);
}

/// What a plan asks is no part of the limit.
#[test]
fn the_token_limit_is_too_small() {
    let condition = Condition::of(small(), "notes,persons").with("max_tokens", 5);
    let small =
        "max_tokens of 5 is too small to read anything: 2 are spent before the first list, and …";
    let mut expected = same(75, small);
    expected[2] = "export 75 error: users: max_tokens of 5 is spent (2 tokens used); …".to_owned();
    expected[3] = "plan 0 ".to_owned();
    check(&rows(&condition), &expected);
}

#[test]
fn a_flag_that_does_not_exist() {
    let condition = Condition::of(small(), "notes");
    let rows: Vec<_> =
        COMMANDS.iter().map(|name| condition.row(name, &["--no-such-flag"])).collect();
    check(&rows, &same(64, "unexpected argument '--no-such-flag' found…"));
}

#[test]
fn a_value_of_the_configuration_that_is_wrong() {
    let condition = Condition::of(small(), "notes").with("concurrency", "many");
    check(&rows(&condition), &same(78, "concurrency: must be a whole number from 1 to 64"));
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let condition = Condition::of(small(), "notes");
    let rows = COMMANDS.iter().map(|name| {
        let mut command = condition.command(name, &[]);
        // Written again by the next command.
        std::fs::write(condition.folder.path().join("config.json"), "{\"api_token\":")
            .expect("the test's folder can be written");
        condition.told(name, &command.output().expect("the binary starts"))
    });
    let text = "--config DIR/config.json: file is not JSON (EOF while parsing a value at line 1 column 13)";
    check(&rows.collect::<Vec<_>>(), &same(78, text));
}

#[test]
fn a_folder_of_another_account() {
    let mut condition = Condition::of(small(), "users");
    let other = sandbox(Options { company_id: 7_000_001, ..small() });
    let mut rows: Vec<_> = WRITERS.iter().map(|name| condition.row(name, &[])).collect();
    condition.config = other.config();
    rows.extend(WRITERS.iter().map(|name| condition.row(name, &[])));
    let text = "this belongs to company \"sandbox\" (id 900), the token to \"sandbox\" (id 7000001): use \
        another --dir";
    let (sync, backup) =
        (format!("sync 78 error: sync: {text}"), format!("backup 78 error: backup: {text}"));
    check(&rows, &lines(&["sync 0 ", "backup 0 ", &sync, &backup]));
}

#[test]
fn a_manifest_that_is_damaged() {
    let condition = Condition::of(small(), "users");
    let mut rows: Vec<_> = WRITERS.iter().map(|name| condition.row(name, &[])).collect();
    for name in WRITERS {
        let path = condition.folder.path().join(name).join("manifest.json");
        let manifest = std::fs::read_to_string(&path).expect("there is a manifest");
        std::fs::write(&path, &manifest[..manifest.len() / 2]).expect("it can be written");
    }
    rows.extend(WRITERS.iter().map(|name| condition.row(name, &[])));
    let expected = [
        "sync 0 ",
        "backup 0 ",
        "sync 65 error: sync/manifest.json: manifest is not JSON (…",
        "backup 65 error: backup/manifest.json: manifest is not JSON (…",
    ];
    check(&rows, &lines(&expected));
}

/// Of the protocols, Airbyte knows no such outcome: its platform ends the process.
#[test]
fn an_interrupt() {
    let rows = ["sync", "backup", "export", "plan", "tap"].into_iter().map(|name| {
        let faults = vec![Fault::at(FaultKind::Hang, 2)];
        let condition = Condition::of(Options { faults, ..small() }, "persons");
        let output = ended_at_hang(condition.command(name, &[]), &condition.account, |child| {
            let id = child.id().to_string();
            let told = Command::new("kill").args(["-INT", &id]).status().expect("there is kill");
            assert!(told.success());
        });
        condition.told(name, &output)
    });
    let expected = [
        "sync 130 error: interrupted…",
        "backup 130 error: interrupted…",
        "export 130 error: interrupted…",
        "plan 130 error: interrupted…",
        "tap 130 …",
    ];
    check(&rows.collect::<Vec<_>>(), &lines(&expected));
}

/// The object says what the sentence says.
#[test]
fn the_reason_is_in_the_object_too() {
    let condition = Condition::of(Options { admin: false, ..small() }, "webhooks");
    for name in WRITERS {
        let mut command = condition.command(name, &["-o", "json"]);
        let output = command.output().expect("the binary starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let error: Value = stderr
            .lines()
            .last()
            .and_then(|line| serde_json::from_str(line).ok())
            .unwrap_or_else(|| panic!("{name}: no object in {stderr}"));
        assert_eq!((&error["error"], &error["exitCode"]), (&json!("permission"), &json!(77)));
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains("/api/v1/webhooks: "), "{name}: {message}");
    }
    // What reads for a platform names it in the stream's status as well.
    let session = Read::of(&condition.account, &["webhooks"]).run();
    assert_eq!(session.statuses("webhooks").last().map(String::as_str), Some("INCOMPLETE"));
}
