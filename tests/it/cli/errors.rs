//! Bad input, refused tokens, empty budgets: one clear message, the right exit code, nothing lost.

use crate::support::{BINARY, Folder, Read, Session, assert_equals_truth, sandbox, small, truth};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Fault, FaultKind, Feature, Features, Options, Plan, Sandbox};
use std::process::Command;

fn run(arguments: &[&str]) -> Session {
    Session::of(&Command::new(BINARY).args(arguments).output().expect("the binary starts"))
}

/// One TRACE error of this text, exit code 1, and nothing else on stdout.
#[track_caller]
fn check(arguments: &[&str], expected: &str) {
    let session = run(arguments);
    assert_eq!(session.code, Some(1));
    assert_eq!(session.errors(), [expected]);
    assert_eq!(session.lines.len(), 1);
}

#[test]
fn unusable_files_are_named() {
    let folder = Folder::new();
    let file = |name: &str, content: &str| folder.file(name, content).display().to_string();
    let good = file("good.json", r#"{"api_token":"0123456789"}"#);
    let cut = file("cut.json", r#"{"api_token":"#);
    let list = file("list.json", "[]");
    let empty = file("empty.json", r#"{"streams":[]}"#);
    let odd =
        file("odd.json", r#"{"streams":[{"stream":{"name":"deals"},"sync_mode":"INVALID"}]}"#);
    let ghost = file(
        "ghost.json",
        r#"{"streams":[{"stream":{"name":"__AIRBYTE__stream_that_does_not_exist"},"sync_mode":"full_refresh"}]}"#,
    );
    let deals = file(
        "deals.json",
        r#"{"streams":[{"stream":{"name":"deals"},"sync_mode":"incremental"}]}"#,
    );
    let twice = file(
        "twice.json",
        r#"{"streams":[{"stream":{"name":"deals"},"sync_mode":"incremental"},{"stream":{"name":"deals"},"sync_mode":"incremental"}]}"#,
    );
    let torn = file(
        "torn.json",
        r#"[{"type":"STREAM","stream":{"stream_descriptor":{"name":"deals"},"stream_state":{"version":1,"listings":{"live":{"since":"soon"}}}}}]"#,
    );
    let newer = file(
        "newer.json",
        r#"[{"type":"STREAM","stream":{"stream_descriptor":{"name":"deals"},"stream_state":{"version":2}}}]"#,
    );
    let words = file("words.json", r#"{"deals":1}"#);
    let global = file("global.json", r#"[{"type":"GLOBAL","global":{"shared_state":{}}}]"#);
    check(
        &["check", "--config", "/no/such/file"],
        "run: config_error: --config /no/such/file: file cannot be read (No such file or directory (os error 2))",
    );
    check(
        &["discover", "--config", &cut],
        &format!(
            "run: config_error: --config {cut}: file is not JSON (EOF while parsing a value at line 1 column 13)"
        ),
    );
    check(
        &["discover", "--config", &list],
        "run: config_error: configuration: configuration is not a JSON object",
    );
    check(
        &["read", "--config", &good, "--catalog", "/no/such/file"],
        "run: config_error: --catalog /no/such/file: file cannot be read (No such file or directory (os error 2))",
    );
    check(
        &["read", "--config", &good, "--catalog", &list],
        "run: config_error: catalog: is not a configured catalog, as a platform makes it from what discover prints",
    );
    check(
        &["read", "--config", &good, "--catalog", &empty],
        "run: config_error: catalog: selects no stream",
    );
    check(
        &["read", "--config", &good, "--catalog", &odd],
        "run: config_error: catalog, stream \"deals\": sync_mode must be \"full_refresh\" or \"incremental\"",
    );
    check(
        &["read", "--config", &good, "--catalog", &ghost],
        "run: config_error: catalog, stream \"__AIRBYTE__stream_that_does_not_exist\": there is no such stream; run discover and refresh the catalog",
    );
    check(
        &["read", "--config", &good, "--catalog", &twice],
        "run: config_error: catalog, stream \"deals\": is selected twice",
    );
    check(
        &["read", "--config", &good, "--catalog", &deals, "--state", &torn],
        "run: config_error: stream deals: state is corrupt; clear the state of this stream to read it from the beginning",
    );
    check(
        &["read", "--config", &good, "--catalog", &deals, "--state", &newer],
        "run: config_error: stream deals: state is of version 2, this program reads up to 1: upgrade it, or clear the state of this stream to read it from the beginning",
    );
    check(
        &["read", "--config", &good, "--catalog", &deals, "--state", &words],
        "run: config_error: state: is neither a list of state messages, nor has it bookmarks or streams; clear the connection's state to start over",
    );
    check(
        &["read", "--config", &good, "--catalog", &deals, "--state", &global],
        "run: config_error: state: holds a state that is not a stream's; clear the connection's state to start over",
    );
    check(
        &["read"],
        "run: config_error: the following required arguments were not provided: --config <FILE>",
    );
}

#[test]
fn standalone_commands_use_the_documented_codes() {
    for arguments in
        [&["sandbox", "--fault", "nonsense"][..], &["sandbox", "--scale", "0"], &["dance"], &[]]
    {
        let output = Command::new(BINARY).args(arguments).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty());
        assert!(output.stdout.is_empty());
    }
}

#[track_caller]
fn connection(config: &Value) -> String {
    let folder = Folder::new();
    let config = folder.json("config.json", config).display().to_string();
    let session = run(&["check", "--config", &config]);
    assert_eq!(session.code, Some(0), "a configuration that does not work is an answer");
    let status = session.of_type("CONNECTION_STATUS").next().expect("check answers");
    let status = &status["connectionStatus"];
    format!(
        "{}: {}",
        status["status"].as_str().unwrap_or_default(),
        status["message"].as_str().unwrap_or_default()
    )
}

#[test]
fn check_tells_whose_account_it_is() {
    let admin = sandbox(small());
    let said = connection(&admin.config());
    assert!(
        said.starts_with("SUCCEEDED: company \"Sandbox Ltd\" (sandbox, id 900), user "),
        "{said}"
    );
    assert!(said.ends_with("(id 1, admin)"), "{said}");

    let other = sandbox(Options { admin: false, ..small() });
    let said = connection(&other.config());
    assert!(said.starts_with("SUCCEEDED") && said.contains("is not an admin"), "{said}");
    assert!(said.contains("roles, permission_sets") && said.contains("webhooks"), "{said}");

    let mut wrong = admin.config();
    wrong["company_domain"] = "acme".into();
    assert_eq!(
        connection(&wrong),
        "FAILED: company_domain: the token belongs to company \"sandbox\", not to \"acme\""
    );
    let mut revoked = admin.config();
    revoked["credentials"]["api_token"] = "5ecre7".repeat(6).into();
    let said = connection(&revoked);
    assert!(
        said.starts_with("FAILED: /api/v1/users/me: Pipedrive does not accept the token"),
        "{said}"
    );
    assert_eq!(connection(&json!({"api_token": 5})), "FAILED: api_token: must be text");
    let mut stale = admin.oauth_config();
    stale["credentials"]["refresh_token"] = "stale-refresh-token".into();
    let said = connection(&stale);
    assert!(
        said.starts_with("FAILED: /api/v1/users/me: Pipedrive refused the refresh token"),
        "{said}"
    );
}

/// Whatever goes wrong, the token is never shown.
#[test]
fn no_secret_is_ever_shown() {
    let token = "5ecre70000000000000000000000000000000b0c";
    let sandbox = sandbox(Options {
        token: token.to_owned(),
        faults: vec![
            Fault::at(FaultKind::Status(500), 2),
            Fault::at(FaultKind::Html, 4),
            Fault { times: u32::MAX, ..Fault::on(FaultKind::Status(403), "/notes", 1, 1) },
        ],
        ..small()
    });
    let read = Read::of(&sandbox, &["deals", "notes"]);
    let mut denied = Read::of(&sandbox, &["deals"]);
    denied.config["credentials"]["api_token"] = "another5ecre7".into();
    // Notes are not available, which is no failure.
    for (session, code, secret) in [(read.run(), 0, token), (denied.run(), 1, "another5ecre7")] {
        assert_eq!(session.code, Some(code));
        let said = format!("{:?} {}", session.lines, session.stderr);
        assert!(!said.contains(secret), "{said:.2000}");
    }
    let request_log = sandbox.request_log();
    assert!(request_log.requests.iter().all(|request| !request.path_and_query.contains(token)));
}

#[test]
fn what_may_not_be_read_is_reported_and_stops_nothing() {
    let sandbox = sandbox(Options {
        admin: false,
        features: Features::all().without(Feature::Installments),
        ..small()
    });
    let streams = &["deals", "roles", "webhooks", "deal_installments"];
    let session = Read::of(&sandbox, streams).run();
    assert_eq!(session.code, Some(1));
    assert_equals_truth("deals", &session.records("deals"), &truth(&sandbox, "deals"));
    assert_eq!(session.statuses("deal_installments").last().map(String::as_str), Some("COMPLETE"));
    for stream in ["roles", "webhooks"] {
        assert_eq!(session.statuses(stream).last().map(String::as_str), Some("INCOMPLETE"));
        let errors = session.errors();
        let said =
            errors.iter().any(|error| error.starts_with(&format!("{stream}: config_error: ")));
        assert!(said, "{errors:?}");
    }
    let last = session.errors().pop().expect("there were errors");
    assert!(last.starts_with("run: config_error: incomplete: 2 of 4 streams"), "{last}");
}

fn limited(sandbox: &Sandbox) -> usize {
    sandbox.request_log().requests.iter().filter(|request| request.status == 429).count()
}

#[test]
fn the_burst_limit_of_the_smallest_plan_is_never_hit() {
    let sandbox = sandbox(Options { limits: true, plan: Plan::Lite, ..small() });
    let streams = &["deals", "persons", "organizations", "activities", "notes", "files"];
    let session = Read::of(&sandbox, streams).run().succeeded();
    for stream in streams {
        assert_equals_truth(stream, &session.records(stream), &truth(&sandbox, stream));
    }
    assert_eq!(limited(&sandbox), 0);
    assert!(sandbox.request_log().requests.len() > 30);
}

/// An empty budget ends the run cleanly: what was read is proven, and the next run brings the rest.
#[test]
fn an_empty_budget_loses_nothing() {
    let streams = &["deals", "persons", "activities", "notes"];
    let daily = sandbox(Options { limits: true, daily_budget: Some(200), ..small() });
    let spent = Read::of(&daily, streams).run();
    let own = sandbox(small());
    let capped = Read::of(&own, streams).with("max_tokens", 200).run();
    let reserved = sandbox(Options { limits: true, daily_budget: Some(400), ..small() });
    let kept = Read::of(&reserved, streams).with("reserve_percent", 50).run();
    for (session, said) in [
        (&spent, "the company's daily token budget is spent"),
        (&capped, "max_tokens of 200 is spent"),
        (&kept, "reserve_percent 50 keeps 200 for others"),
    ] {
        assert_eq!(session.code, Some(1));
        let errors = session.errors();
        assert!(
            errors.iter().any(|e| e.contains(said) && e.contains("transient_error")),
            "{errors:?}"
        );
        let healthy = sandbox(small());
        let rest = Read::of(&healthy, streams).from(session).run().succeeded();
        for stream in streams {
            let mut rows = session.records(stream);
            rows.extend(rest.records(stream));
            assert_equals_truth(stream, &rows, &truth(&healthy, stream));
        }
    }
    assert!(limited(&daily) <= 4, "no request loops against an empty budget");
    assert!(own.request_log().tokens <= 200);
    assert!(reserved.request_log().tokens <= 200);
}

/// A closed pipe is a quiet end.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = sandbox(small());
    let folder = Folder::new();
    let config = folder.json("config.json", &sandbox.config());
    let catalog = folder.json("catalog.json", &crate::support::catalog(&["deals"], "incremental"));
    let mut child = Command::new(BINARY)
        .args(["read", "--config"])
        .arg(config)
        .arg("--catalog")
        .arg(catalog)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_state_of_another_connector_is_taken_over() {
    let sandbox = sandbox(small());
    sandbox.state(|account| {
        account.advance(3600);
        account.edit(source_pipedrive::sandbox::Edit::Bulk { resource: "persons", rows: 4 });
        account.advance(90);
    });
    let mut read = Read::of(&sandbox, &["persons"]);
    read.state = Some(json!([{"type": "STREAM", "stream": {
        "stream_descriptor": {"name": "persons", "namespace": null},
        "stream_state": {"update_time": "2026-11-01T12:00:00Z"}}, "global_": null}]));
    let session = read.run().succeeded();
    assert_eq!(session.records("persons").len(), 4);
    let state = session.state_of("persons");
    assert_eq!(state["update_time"], "2026-11-01T13:00:00Z");
    assert_eq!(state["since"], "2026-11-01T12:59:00Z");
}

/// STATE lines as they were printed are a state too.
#[test]
fn whole_state_lines_are_taken_back() {
    let sandbox = sandbox(small());
    let first = Read::of(&sandbox, &["persons"]).run().succeeded();
    let mut again = Read::of(&sandbox, &["persons"]);
    again.state = Some(first.of_type("STATE").last().cloned().into_iter().collect());
    assert_eq!(again.run().succeeded().records("persons").len(), 0);
}

#[test]
fn a_start_date_leaves_older_rows_out() {
    let sandbox = sandbox(small());
    let streams = &["deals", "persons", "products", "leads", "notes", "files"];
    let session =
        Read::of(&sandbox, streams).with("start_date", "2026-06-01T00:00:00Z").run().succeeded();
    for stream in streams {
        let mut expected = truth(&sandbox, stream);
        expected.retain(|_, row| row["update_time"].as_str().is_some_and(|t| t >= "2026-06-01"));
        assert!(!expected.is_empty());
        assert_equals_truth(stream, &session.records(stream), &expected);
    }
}

#[test]
fn archived_rows_can_be_left_out() {
    let sandbox = sandbox(small());
    let session = Read::of(&sandbox, &["deals", "leads"]).with("archived", false).run().succeeded();
    for stream in ["deals", "leads"] {
        let mut expected = truth(&sandbox, stream);
        expected.retain(|_, row| row["is_archived"] == false);
        assert_equals_truth(stream, &session.records(stream), &expected);
    }
    let asked = sandbox.request_log().requests;
    assert!(asked.iter().all(|request| !request.path_and_query.contains("archived")));
}
