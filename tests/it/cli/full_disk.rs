//! Disks that are full, and terminals that go away.

use crate::support::backup::BackupFixture;
use crate::support::tap::{TAP, Tap};
use crate::support::warehouse::{CommandOutput, WarehouseFixture};
use crate::support::{BINARY, Folder, ended_at_hang, sandbox, small};
use source_pipedrive::sandbox::{Options, Sandbox};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Whatever is printed onto a full disk: the command says so, and fails.
#[cfg(target_os = "linux")]
#[test]
fn every_command_says_that_its_output_cannot_be_written() {
    let account = sandbox(Options { scale: 0.01, ..small() });
    let folder = Folder::new();
    folder.json("a.json", &account.config());
    let run = |line: &str, stdout: Stdio| -> Output {
        let mut words = line.split(' ');
        let program = if words.next() == Some("tap") { &*TAP } else { BINARY };
        let mut command = Command::new(program);
        command.args(words).current_dir(folder.path()).stdin(Stdio::null());
        command.env("DRIPPULSE_BASE_URL", account.origin());
        command.env("DRIPPULSE_API_KEY", account.crm_key(0));
        command.stdout(stdout).stderr(Stdio::piped()).output().expect("the binary starts")
    };
    for line in [
        "main backup --config a.json --dir b --resources deals,stages",
        "main bundle export --config a.json --out a.bundle",
        "main bundle push a.bundle --foreign --yes",
    ] {
        let output = run(line, Stdio::piped());
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
    }
    let standalone = [
        "--help",
        "--version",
        "plan --help",
        "plan --config a.json --resources stages",
        "sync warehouse --config a.json --dir w --resources stages",
        "backup --config a.json --dir b --resources deals,stages",
        "backup verify b",
        "backup diff b b",
        "bundle export --config a.json --out b.bundle",
        "bundle validate a.bundle",
        "bundle diff a.bundle a.bundle",
        "bundle push a.bundle --foreign --yes",
        "bundle pull --out p.bundle",
        "bundle changes",
    ];
    let forms = standalone
        .iter()
        .skip(3)
        .flat_map(|line| ["table", "json"].map(|form| format!("main {line} -o {form}")));
    let plain = standalone.iter().take(3).map(|line| format!("main {line}"));
    let more =
        ["backup diff b b -o ndjson", "backup diff b b -o html", "completions bash", "sandbox"];
    let more = more.iter().map(|line| format!("main {line}"));
    let airbyte = [
        "spec",
        "spec --help",
        "check --config a.json",
        "discover --config a.json",
        "read --config a.json",
    ];
    let airbyte = airbyte.iter().map(|line| format!("main {line}"));
    let tap = [
        "--about",
        "--about --format json",
        "--help",
        "--version",
        "--discover --config a.json",
        "--config a.json",
    ];
    let tap = tap.iter().map(|line| format!("tap {line}"));
    let protocols = airbyte.chain(tap).map(|line| (line, 1));
    for (line, code) in plain.chain(forms).chain(more).map(|line| (line, 74)).chain(protocols) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = run(&line, full.expect("there is /dev/full").into());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains("cannot write to standard output"), "{line}: {said}");
        assert!(said.contains("No space left"), "{line}: {said}");
    }
}

/// Runs a command while no file may grow beyond so many KiB, which stands for a full disk.
fn confined(command: &Command, kib: u32) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec {command:?}");
    Command::new("bash").args(["-c", &script]).output().expect("there is bash")
}

/// A limit in KiB that every file below a folder keeps to, but for those of one resource.
fn all_but(folder: &Path, resource: &str) -> u32 {
    fn largest(folder: &Path, of: &dyn Fn(&str) -> bool) -> u64 {
        let entries = std::fs::read_dir(folder).expect("the folder is there");
        let sizes = entries.map(|entry| {
            let entry = entry.expect("it can be read");
            let name = entry.path().display().to_string();
            match entry.metadata().expect("it is there") {
                folder if folder.is_dir() => largest(&entry.path(), of),
                file if of(&name) => file.len(),
                _ => 0,
            }
        });
        sizes.max().unwrap_or(0)
    }
    let name = folder.display().to_string();
    let its = |path: &str| path.trim_start_matches(&name).contains(resource);
    let (its, others) = (largest(folder, &its), largest(folder, &|path| !its(path)));
    let limit = others.div_ceil(1_024) + 1;
    assert!(its > limit * 1_024, "{resource}: {its} bytes, others up to {others}");
    limit.try_into().expect("small files")
}

#[test]
fn a_warehouse_keeps_what_other_streams_had_read() {
    for format in ["ndjson", "parquet"] {
        // At every commit, and at the last one only.
        for commit_seconds in [0, 3_600] {
            let account = sandbox(small());
            let streams = &["deal_products", "stages", "currencies"];
            // The set-up first, one after the other.
            let warehouse = |commit_seconds: i64| {
                WarehouseFixture::of(&account, format, streams)
                    .with("commit_seconds", commit_seconds)
                    .with("max_tokens", 1_000_000)
                    .with("concurrency", 1)
            };
            let whole = warehouse(3_600);
            whole.sync(&[]).succeeded();
            let limit = all_but(&whole.dir(), "deal_products");
            let warehouse = warehouse(commit_seconds);
            let run = CommandOutput::of(&confined(&warehouse.command(&[]), limit));
            if run.code == Some(0) {
                // Small parts, one for each page.
                assert_eq!((format, commit_seconds), ("parquet", 0));
                continue;
            }
            run.failed(74, &["deal_products"]);
            assert_eq!(run.summary["complete"], false, "{format}");
            let rows = run.summary["resources"].as_array().expect("rows");
            let products =
                rows.iter().find(|row| row["resource"] == "deal_products").expect("it is there");
            assert_eq!(
                (&products["complete"], &products["error"]),
                (&false.into(), &"storage".into())
            );
            assert!(
                products["message"].as_str().is_some_and(|text| text.contains("deal_products"))
            );
            let manifest = warehouse.manifest();
            assert_eq!(manifest["complete"], false);
            let committed = |name: &str| {
                let files = manifest["files"][name].as_array().into_iter().flatten();
                files.filter_map(|file| file["rows"].as_u64()).sum::<u64>()
            };
            assert_eq!(
                run.rows("deal_products"),
                committed("deal_products"),
                "what is not committed is not counted"
            );
            for other in ["stages", "currencies"] {
                assert!(committed(other) > 0, "{format}: {other}");
                assert_eq!(run.rows(other), committed(other));
            }
            warehouse.sync(&[]).succeeded();
            warehouse.assert_once(&account);
        }
    }
}

#[test]
fn a_backup_keeps_what_other_resources_had_read() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["stages", "notes"]);
    let whole = BackupFixture::of(&account, &["stages", "notes"]);
    whole.run(&[]).succeeded();
    let limit = all_but(&whole.dir(), "notes");
    let run = CommandOutput::of(&confined(&backups.command(&["--sequential"]), limit));
    run.failed(74, &["notes.json"]);
    let resources = run.summary["resources"].to_string();
    assert!(resources.contains("notes.json"), "{resources}");
    assert_eq!((&run.summary["finished"], &run.summary["exported"]), (&false.into(), &1.into()));
    let manifest = backups.text("manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("it is JSON");
    assert!(manifest["files"]["stages"]["rows"].as_u64() > Some(0));
    let went_on = backups.run(&[]).succeeded();
    assert_eq!(went_on.summary["skipped"], 1);
}

#[cfg(unix)]
fn hang_up(child: &mut Child) {
    let arguments = ["-HUP".to_owned(), child.id().to_string()];
    let status = Command::new("kill").args(arguments).status();
    assert!(status.expect("there is kill").success());
}

/// The command, hearing hangups whatever the tests were started by: what is ignored is inherited.
fn hearing(command: &Command) -> Command {
    let mut hearing = Command::new("env");
    hearing.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => hearing.env(name, value),
            None => hearing.env_remove(name),
        };
    }
    hearing.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    hearing
}

fn hanging() -> Sandbox {
    sandbox(Options { faults: vec!["hang@deals#4".parse().expect("a fault")], ..small() })
}

/// Who closes the terminal ends the run as Ctrl-C does.
#[cfg(target_os = "linux")]
#[test]
fn a_hangup_keeps_what_was_read() {
    let account = hanging();
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["deals", "stages"])
        .with("commit_seconds", 3_600);
    let output = ended_at_hang(hearing(&warehouse.command(&[])), &account, hang_up);
    let run = CommandOutput::of(&output);
    run.failed(130, &["all rows received are committed"]);
    assert!(warehouse.manifest()["files"]["deals"][0]["rows"].as_u64() > Some(0));
    warehouse.sync(&[]).succeeded();
    warehouse.assert_once(&account);

    let account = hanging();
    let backups = BackupFixture::of(&account, &["deals", "stages"]);
    let output = ended_at_hang(hearing(&backups.command(&[])), &account, hang_up);
    CommandOutput::of(&output).failed(130, &["what was taken is safe"]);
    backups.run(&[]).succeeded();

    let account = hanging();
    let tap = Tap::of(&account).selecting(&["deals", "stages"]);
    let output = ended_at_hang(hearing(&tap.command(&[])), &account, hang_up);
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stdout).trim_end().contains("\"STATE\""));
}

/// `nohup` is respected: the run continues.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let account = hanging();
    let warehouse =
        WarehouseFixture::of(&account, "ndjson", &["deals"]).with("timeout_millis", 300);
    let mut command = Command::new("bash");
    command.args(["-c", &format!("trap '' HUP; exec {:?}", warehouse.command(&[]))]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = ended_at_hang(command, &account, hang_up);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    warehouse.assert_once(&account);
}
