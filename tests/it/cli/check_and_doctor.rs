//! Commands that tell people how things stand, and what command lines are answered with.

use crate::cli::terminal::{on_terminal, said, stays};
use crate::support::{BINARY, Folder, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Feature, Features, Options, Sandbox};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs a command in a folder, with nothing of the environment but these variables.
fn run(folder: &Path, line: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PIPEDRIVE_") {
            command.env_remove(name);
        }
    }
    let words: Vec<&str> = line.split(' ').collect();
    command.args(words).envs(environment.iter().copied());
    command.current_dir(folder).stdin(Stdio::null());
    command.output().expect("the binary starts")
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(&output.stderr)))
}

fn account(options: Options) -> (Sandbox, Folder) {
    let (account, folder) = (sandbox(Options { scale: 0.02, ..options }), Folder::new());
    let path = folder.json("c.json", &account.config());
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).expect("it is ours");
    let mut wrong = account.config();
    wrong["credentials"]["api_token"] = "wrong".into();
    folder.json("wrong.json", &wrong);
    (account, folder)
}

#[test]
fn check_answers_people_and_orchestrators_each_in_their_words() {
    let features = Features::all().without(Feature::Goals);
    let (sandbox, folder) = account(Options { features, limits: true, ..small() });
    let folder = folder.path();
    let (shown, code) = on_terminal(folder, 80, "check --config c.json");
    assert_eq!(code, 0, "{shown}");
    let words =
        ["company", "tokens left today", "not available to this company: goals", "the token works"];
    assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
    assert!(!shown.contains("CONNECTION_STATUS"), "{shown}");
    let (shown, code) = on_terminal(folder, 80, "check --config wrong.json");
    assert_eq!(code, 77, "{shown}");
    let output = run(folder, "check --config wrong.json -o table", &[]);
    assert_eq!(output.status.code(), Some(77), "{}", said(&output.stderr));
    assert!(output.stdout.is_empty() && said(&output.stderr).contains("error: "));
    // As an orchestrator asks.
    for (config, status) in [("c.json", "SUCCEEDED"), ("wrong.json", "FAILED")] {
        let output = run(folder, &format!("check --config {config}"), &[]);
        assert_eq!(output.status.code(), Some(0));
        let last: Value = serde_json::from_str(said(&output.stdout).lines().last().unwrap_or("{}"))
            .expect("each line is JSON");
        assert_eq!(last["connectionStatus"]["status"], status, "{last}");
    }
    let config = sandbox.config();
    let token = config["credentials"]["api_token"].as_str().expect("it is text");
    let origin = sandbox.origin();
    let environment = [("PIPEDRIVE_API_TOKEN", token), ("PIPEDRIVE_BASE_URL", &*origin)];
    let told = object(&run(folder, "check -o json", &environment));
    assert_eq!((&told["ok"], &told["user"]["admin"]), (&json!(true), &json!(true)));
    assert!(told["unavailable"]["goals"].is_string(), "{told}");
    assert_eq!(run(folder, "check -o table", &[]).status.code(), Some(78));
}

#[test]
fn resources_lists_all_with_cost_and_what_the_account_has() {
    let features = Features::all().without(Feature::Goals);
    let (sandbox, folder) = account(Options { features, admin: false, ..small() });
    let folder = folder.path();
    let rows = object(&run(folder, "resources -o json", &[]));
    let rows = rows.as_array().expect("a list");
    assert_eq!(rows.len(), Resource::all().count());
    for (row, resource) in rows.iter().zip(Resource::all()) {
        assert_eq!(row["resource"], resource.name);
        assert_eq!(row["default"], !resource.on_request);
        assert!(row["tokens_per_request"].as_u64() > Some(0), "{row}");
        assert_eq!(row["available"], Value::Null);
    }
    let asked = sandbox.request_log().requests.len();
    let rows = object(&run(folder, "resources --config c.json -o json", &[]));
    assert!(sandbox.request_log().requests.len() > asked);
    for row in rows.as_array().expect("a list") {
        let resource = Resource::named(row["resource"].as_str().unwrap_or_default());
        let resource = resource.expect("it exists");
        let there = resource.name != "goals" && !resource.admin;
        assert_eq!(row["available"], there, "{row}");
        assert_eq!(row["why_not"].is_string(), !there, "{row}");
    }
    let asked = sandbox.request_log().requests.len();
    for line in ["resources --config c.json --offline -o table", "resources -o table"] {
        let output = run(folder, line, &[]);
        let table = said(&output.stdout);
        for resource in Resource::all() {
            let row = format!(" {} ", resource.name);
            assert!(table.lines().any(|line| line.starts_with(&row)), "{}: {table}", resource.name);
        }
        assert!(!table.contains(" here"), "{table}");
    }
    assert_eq!(sandbox.request_log().requests.len(), asked, "--offline asks nobody");
}

#[test]
fn doctor_looks_at_everything_a_run_needs() {
    let (sandbox, folder) = account(small());
    let folder = folder.path();
    run(folder, "sync warehouse --config c.json --dir w --resources stages", &[]);
    run(folder, "backup --config c.json --dir b --resources stages", &[]);
    let told = object(&run(folder, "doctor --config c.json --dir w --dir b --dir n -o json", &[]));
    assert_eq!(told["ok"], true, "{told}");
    let found = |told: &Value, what: &str| -> Vec<String> {
        let rows = told["findings"].as_array().cloned().unwrap_or_default();
        let rows = rows.iter().filter(|row| row["what"] == what);
        rows.map(|row| format!("{} {}", row["verdict"], row["text"]).replace('"', "")).collect()
    };
    for what in
        ["configuration", "company", "user", "token", "budget", "features", "clock", "proxy"]
    {
        assert_eq!(found(&told, what).len(), 1, "{what}: {told}");
    }
    let stores = found(&told, "store");
    for (store, words) in stores.iter().zip(["w: a warehouse", "b: a backup", "n: not there yet"]) {
        assert!(store.starts_with("ok ") && store.contains(words), "{store}");
    }
    // All problems are reported, and the exit code is that of the first.
    let output = run(folder, "doctor --config wrong.json -o json", &[]);
    assert_eq!(output.status.code(), Some(77), "{}", said(&output.stderr));
    let told = object(&output);
    assert!(found(&told, "account")[0].starts_with("BAD "), "{told}");
    assert!(found(&told, "configuration")[1].contains("chmod 600 wrong.json"), "{told}");
    let line = "doctor --config wrong.json --offline -o json";
    let output = run(folder, line, &[("HTTPS_PROXY", "socks5://x")]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output.stderr));
    assert!(found(&object(&output), "proxy")[0].starts_with("BAD HTTPS_PROXY"));
    let asked = sandbox.request_log().requests.len();
    let output = run(folder, "doctor --config wrong.json --offline -o table", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    assert_eq!(sandbox.request_log().requests.len(), asked);
    let output = run(folder, "doctor -o table", &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        said(&output.stdout).contains("BAD  configuration  there is no configuration"),
        "{}",
        said(&output.stdout)
    );
}

#[test]
fn a_diff_calls_rows_by_name_and_a_page_goes_to_a_file() {
    let folder = Folder::new();
    let put = |name: &str, title: &str| {
        let dir = folder.path().join(name);
        std::fs::create_dir_all(&dir).expect("it can be made");
        let deal = json!([{"id": 42, "title": title}]).to_string();
        std::fs::write(dir.join("deals.json"), deal).expect("it can be written");
        let manifest = json!({"completed": ["deals"], "counts": {}}).to_string();
        std::fs::write(dir.join("manifest.json"), manifest).expect("it can be written");
    };
    put("a", "Small");
    put("b", "Big <deal>");
    let folder = folder.path();
    let table = run(folder, "backup diff a b -o table", &[]);
    assert!(
        said(&table.stdout).contains("│ 42 │ Big <deal> │ modified │"),
        "{}",
        said(&table.stdout)
    );
    let told = object(&run(folder, "backup diff a b -o json", &[]));
    assert_eq!(told["changes"][0]["name"], "Big <deal>");
    let line = run(folder, "backup diff a b -o ndjson", &[]);
    assert!(said(&line.stdout).contains("\"name\":\"Big <deal>\""));
    let (shown, code) = on_terminal(folder, 80, "backup diff a b -o html");
    assert_eq!(code, 64, "{shown}");
    assert!(shown.contains("--out FILE"), "{shown}");
    let (shown, code) = on_terminal(folder, 80, "backup diff a b -o html --out p.html");
    assert_eq!((code, shown.trim()), (0, ""));
    let page = std::fs::read_to_string(folder.join("p.html")).expect("it was written");
    assert!(page.contains(r#"["deals","42","Big \u003cdeal\u003e","modified""#), "{page}");
    assert_eq!(run(folder, "backup diff a b -o json --out p.html", &[]).status.code(), Some(64));
}

#[test]
fn command_lines_that_are_nearly_right_are_answered_with_the_right_one() {
    let folder = Folder::new();
    for (line, meant) in [
        ("sync -o table", "source-pipedrive sync warehouse -o table"),
        ("sync ./w", "source-pipedrive sync warehouse --dir ./w"),
        ("backup ./dir -o table", "source-pipedrive backup --dir ./dir -o table"),
    ] {
        let (shown, code) = on_terminal(folder.path(), 80, line);
        assert_eq!(code, 64, "{shown}");
        assert!(shown.contains(&format!("did you mean: {meant}\n")), "{shown}");
        let line = line.replace(" -o table", "");
        let output = run(folder.path(), &format!("{line} --output=json"), &[]);
        assert!(
            said(&output.stderr).contains("did you mean `source-pipedrive"),
            "{}",
            said(&output.stderr)
        );
    }
}

#[test]
fn causes_are_told_to_those_who_ask() {
    let folder = Folder::new();
    folder.file("c.json", "{");
    let line = "plan --sandbox --state c.json -o table";
    let output = run(folder.path(), line, &[]);
    assert_eq!(said(&output.stderr).lines().count(), 1, "{}", said(&output.stderr));
    let bundle = folder.file("a.bundle", "{\"contacts\":");
    let line = format!("bundle validate {} -o table", bundle.display());
    assert!(!said(&run(folder.path(), &line, &[]).stderr).contains("because"));
}

#[test]
fn credentials_that_others_can_read_are_warned_about_and_data_is_its_owners() {
    let (_sandbox, folder) = account(small());
    let folder = folder.path();
    let line = "sync warehouse --config c.json --dir w --resources stages,deals --format";
    let output = run(folder, &format!("{line} parquet"), &[]);
    assert!(!said(&output.stderr).contains("chmod"), "{}", said(&output.stderr));
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.join("c.json"), open).expect("it is ours");
    for (command, dir) in [
        (line.replace(" w ", " v ") + " ndjson", "v"),
        ("backup --config c.json --dir b --resources stages".to_owned(), "b"),
    ] {
        let output = run(folder, &command, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
        assert!(said(&output.stderr).contains("chmod 600 c.json"), "{}", said(&output.stderr));
        assert_private(&folder.join(dir));
    }
    assert_private(&folder.join("w"));
}

/// Asserts that only the owner can read a folder and its content.
fn assert_private(path: &Path) {
    let about = std::fs::symlink_metadata(path).expect("it is there");
    assert_eq!(about.permissions().mode() & 0o077, 0, "{}", path.display());
    if about.is_dir() {
        for entry in std::fs::read_dir(path).expect("it can be read") {
            assert_private(&entry.expect("it can be read").path());
        }
    }
}

#[test]
fn every_command_has_examples_exit_codes_and_completions() {
    let folder = Folder::new();
    let output = run(folder.path(), "reference pages", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path().join("pages/man")).expect("it was written") {
        let path = entry.expect("it can be read").path();
        let page = std::fs::read_to_string(&path).expect("it is text");
        let name = path.display();
        assert!(page.contains(".SH EXAMPLES") || page.contains("SUBCOMMANDS"), "{name}");
        if page.contains(".SH EXAMPLES") {
            assert!(page.contains(".SH \"EXIT STATUS\""), "{name}");
        }
        assert!(!page.contains("README"), "{name}");
        seen += usize::from(page.contains(".SH EXAMPLES"));
    }
    assert!(seen >= 22, "{seen} commands have examples");
    for shell in ["bash", "zsh", "fish"] {
        let output = run(folder.path(), &format!("completions {shell}"), &[]);
        let script = said(&output.stdout);
        assert!(Resource::all().all(|resource| script.contains(resource.name)), "{shell}");
    }
    // Help is wrapped between words, whatever the terminal.
    let (shown, _) = on_terminal(folder.path(), 80, "backup --help");
    assert!(stays(&shown).iter().all(|line| line.chars().count() <= 80), "{shown}");
    let (wide, _) = on_terminal(folder.path(), 120, "backup --help");
    assert!(stays(&wide).len() < stays(&shown).len());
}
