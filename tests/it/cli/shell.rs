//! What all standalone commands share, and `plan`: configuration, errors, costs.

use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, Read, change, documented, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::api::{Account, Client};
use source_pipedrive::extract::{Backpressure, Mode, Reader, Selected, plan};
use source_pipedrive::model::{Cost, Event, Resource, Settings};
use source_pipedrive::sandbox::{Fault, FaultKind, Options, Plan, Sandbox};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

/// A standalone command with no environment but this.
fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PIPEDRIVE_") {
            command.env_remove(name);
        }
    }
    for (name, value) in environment {
        command.env(format!("PIPEDRIVE_{name}"), value);
    }
    command.args(arguments);
    command
}

/// Runs a command, and returns its output.
#[track_caller]
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().expect("the binary starts")
}

/// A plan as JSON.
#[track_caller]
fn planned(arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let output = run(&[&["plan"], arguments].concat(), environment);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// The error object of a command that fails, its exit code checked against the process's.
#[track_caller]
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let output = run(arguments, environment);
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let error: Value = serde_json::from_str(&stderr).expect("stderr is one JSON object");
    assert_eq!(error["exitCode"], json!(output.status.code()));
    error
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

fn token(sandbox: &Sandbox) -> String {
    sandbox.config()["credentials"]["api_token"].as_str().expect("there is a token").to_owned()
}

fn cost(plan: &Value, resource: &str) -> (u64, String) {
    let rows = plan["resources"].as_array().expect("it lists resources");
    let row = rows.iter().find(|row| row["resource"] == resource);
    let row = row.unwrap_or_else(|| panic!("{resource} is planned"));
    let tokens = row["tokens"].as_u64().expect("tokens are a number");
    (tokens, row["exactness"].as_str().expect("it is a word").to_owned())
}

#[test]
fn the_environment_alone_is_a_configuration() {
    let sandbox = sandbox(small());
    let (token, origin) = (token(&sandbox), sandbox.origin().clone());
    let base = ("BASE_URL", origin.as_str());
    let plan = planned(&["--resources", "stages"], &[base, ("API_TOKEN", &token)]);
    assert_eq!(cost(&plan, "stages"), (5, "guess".to_owned()));

    let grant = sandbox.oauth_config();
    let of = |key: &str| grant["credentials"][key].as_str().expect("it is text").to_owned();
    let (id, secret, refresh) = (of("client_id"), of("client_secret"), of("refresh_token"));
    let oauth = [("CLIENT_ID", &*id), ("CLIENT_SECRET", &*secret), ("REFRESH_TOKEN", &*refresh)];
    planned(&["--resources", "stages"], &[&[base], &oauth[..]].concat());

    // An empty variable is none.
    let error = refused(&["plan"], &[base, ("API_TOKEN", " ")]);
    assert_eq!(error["error"], "config");
    assert_eq!(error["exitCode"], 78);
    let message = error["message"].as_str().expect("it is text");
    for way in ["--config", "PIPEDRIVE_API_TOKEN", "PIPEDRIVE_COMPANY_DOMAIN", "--sandbox"] {
        assert!(message.contains(way), "{message}");
    }
}

#[test]
fn the_environment_goes_before_the_file_and_the_sandbox_before_both() {
    let (one, other) = (sandbox(small()), sandbox(small()));
    let folder = Folder::new();
    let path = folder.json("config.json", &one.config());
    let config = ["--resources", "stages", "--config", text(&path)];
    planned(&config, &[]);
    assert_eq!((one.request_log().requests.len(), other.request_log().requests.len()), (1, 0));
    let origin = other.origin().clone();
    planned(&config, &[("BASE_URL", &origin)]);
    assert_eq!((one.request_log().requests.len(), other.request_log().requests.len()), (1, 1));

    let wrong = "0123456789abcdef";
    let error = refused(&[&["plan"], &config[..]].concat(), &[("API_TOKEN", wrong)]);
    assert_eq!((&error["error"], &error["exitCode"]), (&json!("auth"), &json!(77)));
    assert_eq!((&error["statusCode"], &error["path"]), (&json!(401), &json!("/api/v1/users/me")));
    assert!(!error.to_string().contains(wrong));

    planned(&["--resources", "stages", "--sandbox"], &[("API_TOKEN", wrong), ("BASE_URL", "x")]);
}

#[test]
fn a_replaced_refresh_token_is_kept_where_it_came_from() {
    let sandbox = sandbox(Options { rotate_refresh_tokens: true, ..small() });
    let folder = Folder::new();
    let mut config = sandbox.oauth_config();
    config["_note"] = "mine".into();
    let old = config["credentials"]["refresh_token"].clone();
    let path = folder.json("config.json", &config);
    #[cfg(unix)]
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let owner = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&path, owner).expect("the file is ours");
    }
    for _ in 0..2 {
        planned(&["--resources", "stages", "--config", text(&path)], &[]);
    }
    let kept = std::fs::read_to_string(&path).expect("the file is there");
    let mut kept: Value = serde_json::from_str(&kept).expect("it is JSON");
    let new = kept["credentials"]["refresh_token"].take();
    assert!(new.is_string() && new != old);
    kept["credentials"]["refresh_token"] = old;
    assert_eq!(kept, config);
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o640);
    let files = std::fs::read_dir(path.parent().expect("it lies in a folder"));
    assert_eq!(files.expect("the folder is there").count(), 1, "nothing is left beside it");

    // The environment cannot be updated: the user is informed, without the token.
    let of = |key: &str| config["credentials"][key].as_str().expect("it is text").to_owned();
    let (id, secret, origin) = (of("client_id"), of("client_secret"), sandbox.origin().clone());
    let new = new.as_str().expect("it is text");
    let environment = [
        ("BASE_URL", &*origin),
        ("CLIENT_ID", &id),
        ("CLIENT_SECRET", &secret),
        ("REFRESH_TOKEN", new),
    ];
    let output = run(&["plan", "-q", "--resources", "stages"], &environment);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("PIPEDRIVE_REFRESH_TOKEN") && said.contains("--config"), "{said}");
    let current = sandbox.oauth_config()["credentials"]["refresh_token"].clone();
    for secret in [new, current.as_str().expect("it is text"), &secret] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn errors_are_objects_for_programs_and_sentences_for_people() {
    let error = refused(&["plan", "--sandbox", "--resources", "deals,persns"], &[]);
    assert_eq!(
        error,
        json!({"error": "usage", "exitCode": 64, "path": "--resources", "message":
            "--resources: there is no resource \"persns\" (did you mean persons?); \
             `source-pipedrive resources` lists them all"})
    );
    for arguments in [
        &["plan", "--nonsense"][..],
        &["plan", "-o", "yaml"],
        &["plan", "--sandbox", "--config", "x"],
        &["plan", "-q", "-v"],
        &["dance", "--output=json"],
        &["sandbox", "--scale", "0"],
        &[],
    ] {
        let error = refused(arguments, &[]);
        assert_eq!((&error["error"], &error["exitCode"]), (&json!("usage"), &json!(64)));
    }
    let output = run(&["plan", "-o", "table", "--config", "/no/such/file"], &[]);
    assert_eq!(output.status.code(), Some(74));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("error: --config /no/such/file: file cannot be read"), "{said}");
    let folder = Folder::new();
    let cut = folder.file("cut.json", "{");
    assert_eq!(refused(&["plan", "--config", text(&cut)], &[])["exitCode"], 78);
}

/// What events say of costs is what the account counted, retries included.
#[test]
fn events_tell_what_each_resource_cost() {
    let faults = vec![Fault::at(FaultKind::Status(503), 4), Fault::at(FaultKind::Truncate, 9)];
    let sandbox = sandbox(Options { faults, ..small() });
    let settings = Settings::from_json(&sandbox.config()).expect("it is a configuration");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let costs = runtime.block_on(async {
        let (client, _rotations) = Client::new(&settings).expect("the client starts");
        let client = Arc::new(client);
        let account = Account::of(&client, &settings).await.expect("it answers");
        let selected = ["deals", "stages", "deal_products", "product_variations"].map(|name| {
            let resource = Resource::named(name).expect("it exists");
            Selected::new(resource, Mode::Incremental, None)
        });
        let jobs = plan(&settings, selected.to_vec());
        let mut reader =
            Reader::start(&client, &settings, jobs, account.date, Backpressure::Buffered);
        let mut costs: BTreeMap<&str, Cost> = BTreeMap::new();
        while let Some(event) = reader.next().await {
            if let Event::Answered { resource, cost } = event {
                *costs.entry(resource.name).or_default() += cost;
            }
        }
        costs
    });
    let request_log = sandbox.request_log();
    let requests: u64 = costs.values().map(|cost| cost.requests).sum();
    let tokens: u64 = costs.values().map(|cost| cost.tokens).sum();
    assert_eq!((requests + 1, tokens + 2), (request_log.requests.len() as u64, request_log.tokens));
    assert_eq!(costs.len(), 4);
    assert_eq!(costs["stages"].tokens, costs["stages"].requests * 5);
}

/// A plan of a first run against the account's own count of that run.
#[test]
fn a_first_run_costs_what_was_planned() {
    let options = || Options { scale: 0.3, limits: true, page_max: None, ..documented() };
    let account = || sandbox(options());
    let folder = Folder::new();
    let asked = account();
    let path = folder.json("config.json", &asked.config());
    let plan = planned(&["--config", text(&path)], &[]);
    assert_eq!(plan["spent"].as_u64(), Some(asked.request_log().tokens), "it says what it spent");
    let streams: Vec<_> = Resource::all().filter(|r| !r.on_request).map(|r| r.name).collect();
    let mut total = 0;
    for stream in streams {
        let account = account();
        Read::of(&account, &[stream]).run().succeeded();
        // Whose account it is, and what the run asks to know whether it is costly.
        let requests = account.request_log().requests;
        let asides = requests.iter().filter(|entry| {
            let query = &entry.path_and_query;
            query.ends_with("/users/me") || query.contains("sort_by=id&sort_direction=desc")
        });
        let asides: u64 = asides.map(|entry| u64::from(entry.tokens)).sum();
        let spent = account.request_log().tokens - asides;
        let (tokens, exactness) = cost(&plan, stream);
        if exactness == "at_most" {
            assert!(tokens >= spent, "{stream}: {tokens} planned, {spent} spent");
        }
        assert!(tokens <= 2 * spent + 20, "{stream}: {tokens} planned, {spent} spent");
        total += spent;
    }
    let planned = plan["tokens"].as_u64().expect("it is a number");
    assert!((total..=2 * total).contains(&planned), "{planned} planned, {total} spent");
    let share = plan["share_percent"].as_f64().expect("the account tells its budget");
    let limit = plan["daily_limit"].as_f64().expect("the account tells its budget");
    #[expect(clippy::cast_precision_loss, reason = "a few thousand tokens")]
    let expected = planned as f64 * 100.0 / limit;
    assert!((share - expected).abs() < 0.01);
    assert_eq!(plan["fits"], true);
}

#[test]
fn a_later_run_is_planned_by_what_changed() {
    let account = sandbox(Options { scale: 0.3, limits: true, page_max: None, ..small() });
    let streams = &["persons", "notes", "files", "deals", "stages"];
    let first = Read::of(&account, streams).run().succeeded();
    let warehouse = WarehouseFixture::of(&account, "ndjson", streams);
    warehouse.sync(&[]).succeeded();
    change(&account, &[("persons", 7), ("notes", 3)]);
    let folder = Folder::new();
    let config = folder.json("config.json", &account.config());
    let state = folder.json("state.json", &first.state());
    let list = streams.join(",");
    let arguments = ["--resources", &list, "--config", text(&config)];
    let plan = planned(&[&arguments[..], &["--state", text(&state)]].concat(), &[]);
    for (stream, tokens) in [("persons", 10), ("notes", 20), ("files", 20), ("deals", 30)] {
        assert_eq!(cost(&plan, stream), (tokens, "exact".to_owned()), "{stream}");
    }
    // A warehouse of the same account stands where the state does.
    let dir = warehouse.dir();
    let again = planned(&[&arguments[..], &["--dir", text(&dir)]].concat(), &[]);
    assert_eq!(again["resources"], plan["resources"]);
    let before = account.request_log().tokens;
    let second = Read::of(&account, streams).from(&first).run().succeeded();
    assert_eq!(second.records("persons").len(), 7);
    let spent = account.request_log().tokens - before;
    let tokens: u64 = streams.iter().map(|stream| cost(&plan, stream).0).sum();
    assert_eq!(spent, tokens + 2);
}

#[test]
fn a_warehouse_that_is_none_is_named() {
    let folder = Folder::new();
    let file = folder.file("manifest.json", "{\"version\":");
    let here = text(file.parent().expect("it lies in a folder"));
    for (dir, code, said) in [
        ("/no/such/folder", 65, "/no/such/folder: there is no warehouse"),
        (here, 65, "manifest.json: manifest is not JSON"),
        ("gs://bucket/prefix", 64, "s3://bucket/prefix"),
    ] {
        let error = refused(&["plan", "--sandbox", "--dir", dir], &[]);
        assert_eq!(error["exitCode"], code, "{error}");
        assert!(error["message"].as_str().expect("it is text").contains(said), "{error}");
    }
}

#[test]
fn a_plan_says_what_would_stop_the_run() {
    let account = sandbox(Options { limits: true, daily_budget: Some(1_000), ..small() });
    let folder = Folder::new();
    let mut config = account.config();
    config["max_tokens"] = 5.into();
    config["reserve_percent"] = 90.into();
    let path = folder.json("config.json", &config);
    let plan = planned(&["--config", text(&path), "--resources", "deals,goals"], &[]);
    assert_eq!(plan["fits"], false);
    let shortfalls = plan["shortfalls"].to_string();
    for said in ["max_tokens is 5", "reserve_percent 90 keeps 900 for others", "may stop"] {
        assert!(shortfalls.contains(said), "{shortfalls}");
    }
    let spent = plan["spent"].as_u64().expect("it is a number");
    assert_eq!(plan["daily_remaining"], 1_000 - spent);
    assert!(spent <= 52, "two lists of deals, whether there are goals, whose account it is");
}

#[test]
fn a_plan_for_people_is_a_table() {
    let account = sandbox(Options { limits: true, admin: false, plan: Plan::Lite, ..small() });
    let folder = Folder::new();
    let path = folder.json("config.json", &account.config());
    let config = ["plan", "-o", "table", "--resources", "persons,stages", "--config", text(&path)];
    let output = run(&config, &[]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = said.lines().map(words).collect();
    assert_eq!(lines[0], "stream requests tokens of a day time", "{said}");
    assert_eq!(lines[1], "persons 3 30 <0.1 % 1 s at most", "{said}");
    assert_eq!(lines[2], "stages 1 5 <0.1 % 1 s a guess", "{said}");
    assert!(said.contains("this plan itself cost 12 tokens"), "{said}");
    assert!(said.ends_with("it fits\n"), "{said}");
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("is not an admin"), "{notes}");
    assert!(run(&[&config[..], &["-q"]].concat(), &[]).stderr.is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_plan() {
    for signal in ["-INT", "-TERM"] {
        let faults = vec![Fault::at(FaultKind::Hang, 2)];
        let account = sandbox(Options { faults, ..small() });
        let folder = Folder::new();
        let path = folder.json("config.json", &account.config());
        let child = command(&["plan", "--resources", "persons", "--config", text(&path)], &[])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary starts");
        account.wait_for_hang();
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(killed.expect("kill starts").success());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130));
        let error: Value = serde_json::from_slice(&output.stderr).expect("it is an object");
        assert_eq!(error["error"], "interrupted");
    }
}
