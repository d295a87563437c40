//! Few tokens: runs that are limited get on, those that cannot say so, and costly ones are announced.

use crate::reading::kill::merged;
use crate::support::backup::BackupFixture;
use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{Folder, Read, latest, sandbox, small, truth, usual};
use serde_json::Value;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Options, Plan, Sandbox};

/// An account of some hundred requests.
fn account() -> Options {
    Options { scale: 0.03, page_max: Some(8), ..small() }
}

/// Tokens that were spent since the ledger had so many entries.
fn spent(account: &Sandbox, since: usize) -> u64 {
    account.request_log().requests[since..].iter().map(|entry| u64::from(entry.tokens)).sum()
}

fn asked(account: &Sandbox) -> usize {
    account.request_log().requests.len()
}

/// Runs that may spend a quarter of what the account needs read all of it, within twenty.
#[test]
fn twenty_small_runs_read_a_whole_account() {
    let usual = usual(&account());
    for format in ["ndjson", "parquet"] {
        let account = sandbox(account());
        WarehouseFixture::of(&account, format, &[]).sync(&[]).succeeded();
        let (limit, mut runs) = (spent(&account, 0) / 4, 0);
        let warehouse = WarehouseFixture::of(&account, format, &[]).with("max_tokens", limit);
        loop {
            runs += 1;
            assert!(runs <= 20, "{format}: runs of {limit} tokens do not get on");
            let before = asked(&account);
            let run = warehouse.sync(&[]);
            assert!(spent(&account, before) <= limit);
            if run.code == Some(0) {
                break;
            }
            run.failed(75, &["max_tokens", "run again"]);
        }
        assert!(runs > 3, "{format}: {runs} runs show little");
        warehouse.holding(&usual).assert_once(&account);
    }
}

/// The same over Airbyte's protocol, whose platform keeps the states.
#[test]
fn twenty_small_reads_read_a_whole_account() {
    let usual = usual(&account());
    let account = sandbox(account());
    Read::of(&account, &usual).run().succeeded();
    let limit = spent(&account, 0) / 4;
    let mut read = Read::of(&account, &usual).with("max_tokens", limit);
    let mut sessions = Vec::new();
    loop {
        let session = read.run();
        read.state = Some(merged(read.state.as_ref(), &session.state()));
        let code = session.code;
        sessions.push(session);
        if code == Some(0) {
            break;
        }
        assert!(sessions.len() < 20, "runs of {limit} tokens do not get on");
    }
    let off = sessions.iter().flat_map(crate::support::Session::logs);
    assert!(off.into_iter().any(|log| log.contains("not read again while other lists")));
    let all: Vec<_> = sessions.iter().collect();
    for stream in usual {
        let resource = Resource::named(stream).expect("it exists");
        let keys: std::collections::BTreeSet<_> = latest(stream, &all)
            .into_iter()
            .map(|row| crate::support::key(resource, row))
            .collect();
        let truth = truth(&account, stream).into_keys().collect();
        assert_eq!(keys, truth, "{stream}");
    }
}

/// A run that would bring nothing spends nothing on lists, and tells how few tokens are enough. So few are.
#[test]
fn too_few_tokens_are_told_and_the_least_suffices() {
    const STREAMS: &[&str] =
        &["deals", "persons", "leads", "goals", "call_logs", "deal_products", "product_variations"];
    let account = sandbox(Options { page_max: None, ..account() });
    let mut warehouse = WarehouseFixture::of(&account, "ndjson", STREAMS).with("max_tokens", 12);
    let run = warehouse.sync(&[]);
    run.failed(75, &["max_tokens of 12 is too small to read anything"]);
    assert_eq!(spent(&account, 0), 2, "whose account it is");
    let message = run.error()["message"].as_str().expect("it is text").to_owned();
    let least =
        message.split(" is the smallest limit").next().and_then(|text| text.rsplit(' ').next());
    let least: u64 = least.and_then(|text| text.parse().ok()).expect("a number");

    let folder = Folder::new();
    let config = folder.json("config.json", &warehouse.config);
    let output = std::process::Command::new(crate::support::BINARY)
        .args(["plan", "-o", "json", "--resources", &STREAMS.join(",")])
        .arg("--config")
        .arg(config)
        .output()
        .expect("the binary starts");
    let plan: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(plan["least_tokens"], least, "{plan}");
    assert!(plan["shortfalls"][0].as_str().expect("text").contains("too small to read anything"));

    warehouse.config["max_tokens"] = least.into();
    let read = |warehouse: &WarehouseFixture| {
        let said = std::process::Command::new(crate::support::BINARY)
            .args(["status", "-o", "json"])
            .arg(warehouse.dir())
            .output()
            .expect("the binary starts");
        let said: Value = serde_json::from_slice(&said.stdout).expect("it is JSON");
        let begun = said["resources"].as_array().map_or(0, Vec::len);
        begun == STREAMS.len() && said["unfinished"] == serde_json::json!([])
    };
    let mut runs = 0;
    while !read(&warehouse) {
        runs += 1;
        assert!(runs < 20, "runs of {least} tokens do not get on");
        assert!(matches!(warehouse.sync(&[]).code, Some(0 | 75)));
    }
    warehouse.assert_once(&account);
}

/// What costs much more than the default is announced before it is read, at little cost, wherever it is
/// asked for; the default is not.
#[test]
fn a_costly_selection_is_announced() {
    let options = || Options { scale: 0.1, page_max: None, ..small() };
    let usual = usual(&options());
    let mut costly = usual.clone();
    let histories = Resource::all().filter(|resource| resource.is_history());
    costly.extend(histories.map(|resource| resource.name));
    // Enough to announce it, and not to read it.
    let limit = 2_000;
    let said = |text: &str| text.contains("this run is expected to cost about");
    let way_out = |text: &str, way: &str| {
        let sentence = text.lines().find(|line| said(line)).expect("it is announced").to_owned();
        assert!(sentence.contains("times what the default selection costs"), "{sentence}");
        assert!(sentence.contains("deal_changelog") && sentence.contains(way), "{sentence}");
    };
    let probes = |account: &Sandbox| {
        let requests = account.request_log().requests;
        let probes = requests.iter().filter(|entry| {
            let mut query = entry.path_and_query.split(['?', '&']);
            let highest = entry.path_and_query.contains("sort");
            highest
                && query.any(|part| part == "limit=1")
                && !entry.path_and_query.contains("update")
        });
        probes.map(|entry| u64::from(entry.tokens)).sum::<u64>()
    };
    for costs in [true, false] {
        let streams = if costs { &costly } else { &usual };
        let account = sandbox(options());
        let read = Read::of(&account, streams).with("max_tokens", limit).run();
        assert_eq!(read.logs().iter().any(|log| said(log)), costs, "read: {:?}", read.logs());
        let cost = probes(&account);
        assert!(cost <= if costs { 150 } else { 0 }, "{cost} for the estimate");
        let tap = Tap::of(&account).with("max_tokens", limit).selecting(streams).run();
        assert_eq!(said(&tap.0.stderr), costs, "tap: {}", tap.0.stderr);
        let warehouse =
            WarehouseFixture::of(&account, "ndjson", streams).with("max_tokens", limit).sync(&[]);
        assert_eq!(said(&warehouse.stderr), costs, "sync: {}", warehouse.stderr);
        let backups = BackupFixture::of(&account, &[]).with("max_tokens", limit);
        let more: &[&str] = if costs { &["--include", "histories"] } else { &[] };
        let backup = backups.run(more);
        assert_eq!(said(&backup.stderr), costs, "backup: {}", backup.stderr);
        if costs {
            way_out(&read.logs().join("\n"), "deselecting");
            way_out(&tap.0.stderr, "deselecting");
            way_out(&warehouse.stderr, "--exclude");
            way_out(&backup.stderr, "--exclude");
        }
    }
}

/// So is what costs a large part of the company's day; once it was read, it does not.
#[test]
fn a_large_part_of_a_day_is_announced() {
    let account = sandbox(Options {
        limits: true,
        plan: Plan::Ultimate,
        daily_budget: Some(12_000),
        page_max: None,
        scale: 1.0,
        ..account()
    });
    let warehouse = WarehouseFixture::of(&account, "ndjson", &[]);
    let run = warehouse.sync(&[]).succeeded();
    let said = "% of the company's tokens of a day";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let asked = |account: &Sandbox| {
        let requests = account.request_log().requests;
        let by_id =
            requests.iter().filter(|e| e.path_and_query.contains("sort_by=id&sort_direction=desc"));
        by_id.map(|entry| u64::from(entry.tokens)).sum::<u64>()
    };
    assert_eq!(asked(&account), 50, "five lists");
    let again = warehouse.sync(&[]).succeeded();
    assert_eq!(asked(&account), 50, "none of them again");
    assert!(!again.stderr.contains(said), "{}", again.stderr);
}

/// Standalone commands leave a tenth of the day to others and say so; orchestrators are not limited
/// unless they are configured.
#[test]
fn a_tenth_of_the_day_is_left_to_others() {
    let with_limits = || Options {
        limits: true,
        plan: Plan::Ultimate,
        daily_budget: Some(1_000),
        scale: 0.1,
        ..account()
    };
    let streams = ["deals", "persons", "organizations", "activities", "notes", "leads", "files"];
    let left = |account: &Sandbox| 1_000_u64.saturating_sub(spent(account, 0));
    let (kept, no_reserve) = ("reserve_percent 10 keeps 100 for others", "reserve_percent");

    let account = sandbox(with_limits());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &streams);
    let run = warehouse.sync(&[]);
    run.failed(75, &[kept, "set reserve_percent to 0"]);
    assert_eq!(run.summary["reserve_percent"], 10);
    assert!(left(&account) >= 100);
    let account = sandbox(with_limits());
    BackupFixture::of(&account, &streams).run(&[]).failed(75, &[kept]);
    assert!(left(&account) >= 100);

    let account = sandbox(with_limits());
    let table = BackupFixture::of(&account, &["deals"]).command(&["-o", "table"]).output();
    let table = String::from_utf8_lossy(&table.expect("the binary starts").stdout).into_owned();
    assert!(table.contains("left today (10 % kept for others)"), "{table}");
    for config in [Some(0), None] {
        let account = sandbox(with_limits());
        let error = match config {
            Some(percent) => {
                let warehouse = WarehouseFixture::of(&account, "ndjson", &streams);
                warehouse.with("reserve_percent", percent).sync(&[]).error().to_string()
            }
            None => Read::of(&account, &streams).run().errors().join(" "),
        };
        assert!(!error.contains(no_reserve), "{error}");
        assert!(left(&account) < 100, "{error}");
    }
}
