//! Tests of the cost of runs against the request log: no request is repeated, and costs are reported.

use crate::support::backup::BackupFixture;
use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Read, assert_whole, change, sandbox, small};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Oddity, Options, Sandbox};
use std::collections::BTreeSet;
use std::process::Command;

/// What was asked for since the ledger had so many entries: paths, and tokens together.
fn asked(account: &Sandbox, since: usize) -> (Vec<String>, u64) {
    let requests = account.request_log().requests;
    let tokens = requests[since..].iter().map(|entry| u64::from(entry.tokens)).sum();
    (requests[since..].iter().map(|entry| entry.path_and_query.clone()).collect(), tokens)
}

/// Streams that watch the same list ask it once for what changed.
#[test]
fn a_list_is_asked_once_for_all_streams_that_watch_it() {
    let account = sandbox(small());
    let streams = ["deals", "deal_products", "deal_installments"];
    let first = Read::of(&account, &streams).run().succeeded();
    account.state(|account| account.advance(90));
    let before = account.request_log().requests.len();
    let quiet = Read::of(&account, &streams).from(&first).run().succeeded();
    let (paths, tokens) = asked(&account, before);
    assert_eq!(tokens, 2 + 10 + 20, "{paths:?}");
    let changed = change(&account, &[("deals", 30)]);
    let second = Read::of(&account, &streams).from(&quiet).run().succeeded();
    crate::support::assert_exactly(&account, &second, "deals", &changed["deals"]);
    let expected = crate::support::truth(&account, "deal_products");
    let expected = expected.values().filter(|row| {
        changed["deals"].iter().any(|key| row["deal_id"].as_u64() == key.parse().ok())
    });
    assert_eq!(second.records("deal_products").len(), expected.count());
}

/// Field lists are asked for once a run, by what names custom fields and by their own stream.
#[test]
fn a_field_list_is_asked_once() {
    let account = sandbox(small());
    let streams = ["deals", "deal_fields", "persons", "person_fields"];
    for format in ["ndjson", "parquet"] {
        let before = account.request_log().requests.len();
        WarehouseFixture::of(&account, format, &streams).sync(&[]).succeeded();
        let (paths, _) = asked(&account, before);
        let fields: Vec<_> = paths.iter().filter(|path| path.contains("Fields")).collect();
        let mut once = fields.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), fields.len(), "{fields:?}");
    }
}

/// A page that is larger than what is taken is asked for again with fewer rows.
#[test]
fn a_page_that_is_too_large_is_asked_for_in_smaller_ones() {
    let large = FaultKind::OddRows(Oddity::TextEach, 3 << 20);
    for (stream, path) in [("persons", "/persons"), ("notes", "/notes")] {
        let faults = vec![Fault::on(large, path, 1, u32::MAX)];
        let account = sandbox(Options { faults, scale: 0.03, page_max: None, ..small() });
        let session = Read::of(&account, &[stream]).run().succeeded();
        let rows = session.records(stream).len();
        assert_eq!(rows, crate::support::truth(&account, stream).len(), "{stream}");
        assert!(rows > 22, "{stream}: {rows} rows of 3 MiB make no answer that is too large");
    }
}

/// Whoever shares the token fills its window: a run waits, as long as the company has tokens.
#[test]
fn a_limit_is_waited_out_while_tokens_are_left() {
    let account =
        sandbox(Options { faults: vec![Fault::on(FaultKind::Left, "/persons", 1, 7)], ..small() });
    let session = Read::of(&account, &["persons"]).run().succeeded();
    assert_whole(&account, &session, &["persons"]);
}

#[test]
fn a_start_in_the_future_is_told() {
    let account = sandbox(small());
    let start = "2031-01-01T00:00:00Z";
    let told = |text: &str| text.contains("lies in the future");
    let read = Read::of(&account, &["persons"]).with("start_date", start).run().succeeded();
    assert!(read.logs().iter().any(|log| told(log)), "{:?}", read.logs());
    let tap = Tap::of(&account).with("start_date", start).selecting(&["persons"]).run().succeeded();
    assert!(told(&tap.0.stderr), "{}", tap.0.stderr);
    let warehouse =
        WarehouseFixture::of(&account, "ndjson", &["persons"]).with("start_date", start);
    let output = warehouse.command(&[]).output().expect("the binary starts");
    assert!(told(&String::from_utf8_lossy(&output.stderr)));
}

/// The time of the last run decides, not that of the last change.
#[test]
fn a_quiet_account_is_no_long_pause() {
    let account = sandbox(small());
    let mut last = Read::of(&account, &["deals"]).run().succeeded();
    for _ in 0..3 {
        account.state(|account| account.advance(20 * 86_400));
        last = Read::of(&account, &["deals"]).from(&last).run().succeeded();
        assert!(last.logs().iter().all(|log| !log.contains("30 days")), "{:?}", last.logs());
    }
    account.state(|account| account.advance(31 * 86_400));
    last = Read::of(&account, &["deals"]).from(&last).run().succeeded();
    assert!(last.logs().iter().any(|log| log.contains("more than 30 days ago")));
}

/// What the summary of every command says that it cost is what the account charged.
#[test]
fn what_is_charged_is_told() {
    for faults in [
        Vec::new(),
        vec![
            // A failed request counts as charged, because the documentation does not say
            // (pipedrive-api.md 4.3).
            Fault::on(FaultKind::Truncate, "/deals", 2, 1),
            Fault::on(FaultKind::NoPaging, "/products", 1, 1),
        ],
    ] {
        let account = sandbox(Options { scale: 0.03, ..small() });
        let mut before = 0;
        let mut charged = || {
            let all = account.request_log().requests.len();
            let tokens = asked(&account, before).1;
            before = all;
            account.replace_faults(faults.clone(), Vec::new());
            tokens
        };
        charged();
        let said = |text: &str| -> u64 {
            let place = text.find(" tokens spent").unwrap_or_else(|| panic!("{text}"));
            let number = text[..place].rsplit(' ').next().expect("a number");
            number.replace(',', "").parse().expect("a number")
        };
        let streams = ["deals", "persons", "products", "leads", "notes", "deal_products", "users"];
        let read = Read::of(&account, &streams).run().succeeded();
        let log = read.logs().last().map(|log| said(log));
        assert_eq!(log, Some(charged()), "read");
        for format in ["ndjson", "parquet"] {
            let warehouse = WarehouseFixture::of(&account, format, &streams);
            for flags in [&[][..], &["--deletes", "sweep"]] {
                let synced = warehouse.sync(flags).succeeded();
                assert_eq!(synced.summary["tokens"], charged(), "sync {flags:?}");
            }
        }
        let backups = BackupFixture::of(&account, &["deals", "files", "products", "notes"]);
        let backup = backups.run(&["--include", "file_contents"]).succeeded();
        assert_eq!(backup.summary["tokens"], charged(), "backup");
        let config = backups.dir().with_file_name("config.json");
        let plan = Command::new(BINARY)
            .args(["plan", "-o", "json", "--config"])
            .arg(&config)
            .output()
            .expect("the binary starts");
        let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect("it is JSON");
        assert_eq!(plan["spent"], charged(), "plan");
    }
}

/// Resources that cost one request per row are read only when they are named.
#[test]
fn lists_of_a_request_per_row_are_named() {
    for resource in Resource::all() {
        use source_pipedrive::model::PerParent;
        let dear = resource.parent.as_ref().is_some_and(|parent| {
            // The boards of an account are few.
            !matches!(parent.ask, PerParent::Batch(_)) && resource.name != "phases"
        });
        assert_eq!(resource.on_request, dear, "{}", resource.name);
    }
}

/// Requests for the variations of one product.
fn variations_asked(account: &Sandbox, since: usize) -> usize {
    asked(account, since).0.iter().filter(|path| path.contains("/variations")).count()
}

/// Products without a time of change: they may have changed.
fn undated(account: &Sandbox) -> usize {
    let products = crate::support::truth(account, "products");
    products.values().filter(|product| product["update_time"].is_null()).count()
}

/// A backup asks for the variations of products that are new or have changed, and takes those of all
/// others from the backup before.
#[test]
fn rows_of_products_that_did_not_change_are_carried_over() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["products", "product_variations"]);
    let mark = || account.request_log().requests.len();
    account.state(|account| account.advance(600));
    backups.run(&[]).succeeded();
    let products = crate::support::truth(&account, "products").len();
    assert_eq!(variations_asked(&account, 0), products);
    assert!(backups.manifest()["files"]["productVariations"]["carried"].is_null());
    account.state(|account| account.advance(600));
    // Nothing changed: nothing more is asked for, and all is there.
    let before = mark();
    backups.run(&[]).succeeded();
    assert_eq!(variations_asked(&account, before), undated(&account));
    backups.assert_whole(&account);
    backups.assert_verified();
    let carried = backups.manifest()["files"]["productVariations"]["carried"].clone();
    assert_eq!(carried["parents"], products - undated(&account));
    assert!(carried["rows"].as_u64() > Some(0), "{carried}");
    // A product that changed, a new one, and one that is gone.
    let changed = account.state(|account| {
        account.advance(600);
        let mut keys = account.edit(Edit::Create { resource: "products", parent: None });
        keys.extend(account.edit(Edit::Create { resource: "product_variations", parent: Some(3) }));
        account.edit(Edit::Delete { resource: "products", key: "2".to_owned() });
        account.advance(600);
        keys
    });
    assert!(!changed.is_empty());
    let before = mark();
    backups.run(&[]).succeeded();
    assert_eq!(variations_asked(&account, before), 2 + undated(&account));
    backups.assert_whole(&account);
    backups.assert_verified();
    // And all of them when that is wanted.
    let before = mark();
    backups.run(&["--fresh"]).succeeded();
    assert_eq!(variations_asked(&account, before), products);
    backups.assert_whole(&account);
    // Into a new folder: from the backup that is named, if it is whole.
    let other = BackupFixture::of(&account, &["products", "product_variations"]);
    account.state(|account| account.advance(600));
    let (before, dir) = (mark(), backups.dir().display().to_string());
    other.run(&["--since-backup", &dir]).succeeded();
    assert_eq!(variations_asked(&account, before), undated(&account));
    other.assert_whole(&account);
    let path = backups.dir().join("productVariations.json");
    let mut bytes = std::fs::read(&path).expect("it is there");
    let place = bytes.windows(6).position(|six| six == b"\"name\"").expect("a name");
    bytes[place + 9] ^= 1;
    std::fs::write(&path, bytes).expect("it can be written");
    let third = BackupFixture::of(&account, &["products", "product_variations"]);
    let before = mark();
    third.run(&["--since-backup", &dir]).succeeded();
    assert_eq!(variations_asked(&account, before), products);
    third.assert_whole(&account);
}

/// A product whose variations were refused is asked again, whether or not it has changed.
#[test]
fn what_was_refused_is_not_carried() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["products", "product_variations"]);
    account.state(|account| account.advance(600));
    let fault = Fault::on(FaultKind::Status(403), "/products/3/variations", 1, 1);
    account.replace_faults(vec![fault], Vec::new());
    backups.run(&[]);
    assert_eq!(backups.manifest()["files"]["productVariations"]["refused"][0], "3");
    account.state(|account| account.advance(600));
    let before = account.request_log().requests.len();
    backups.run(&[]).succeeded();
    assert_eq!(variations_asked(&account, before), 1 + undated(&account));
    backups.assert_whole(&account);
}

/// An interrupted backup continues to copy unchanged rows where it stopped.
#[test]
fn a_broken_off_backup_goes_on_carrying() {
    let account = sandbox(small());
    let backups = BackupFixture::of(&account, &["products", "product_variations"]);
    account.state(|account| account.advance(600));
    backups.run(&[]).succeeded();
    account.state(|account| account.advance(600));
    account.replace_faults(vec![Fault::on(FaultKind::Hang, "/v2/products", 4, 1)], Vec::new());
    backups.killed_at_hang(&account, &[]);
    account.replace_faults(Vec::new(), Vec::new());
    let before = account.request_log().requests.len();
    backups.run(&[]).succeeded();
    assert_eq!(variations_asked(&account, before), undated(&account));
    backups.assert_whole(&account);
    let carried = backups.manifest()["files"]["productVariations"]["carried"].clone();
    assert!(carried["parents"].as_u64() > Some(0), "{carried}");
}

/// A run in which nothing changed asks each list once, and for no names of custom fields.
#[test]
fn a_quiet_sync_asks_each_list_once() {
    let account = sandbox(small());
    let streams = ["deals", "persons", "organizations", "activities", "products"];
    for format in ["ndjson", "parquet"] {
        for naming in ["hash", "name"] {
            let warehouse =
                WarehouseFixture::of(&account, format, &streams).with("custom_fields", naming);
            warehouse.sync(&[]).succeeded();
            account.state(|account| account.advance(90));
            let (before, fields) = (account.request_log().requests.len(), sidecar(&warehouse));
            let quiet = warehouse.sync(&[]).succeeded();
            let (paths, tokens) = asked(&account, before);
            assert!(tokens <= 72, "{tokens}: {paths:?}");
            assert_eq!(quiet.summary["tokens"], tokens);
            assert_eq!(sidecar(&warehouse), fields);
            // Rows that come have their names.
            change(&account, &[("deals", 3), ("persons", 2)]);
            let before = account.request_log().requests.len();
            warehouse.sync(&[]).succeeded();
            let (paths, _) = asked(&account, before);
            let fields = paths.iter().filter(|path| path.contains("Fields"));
            let fields: BTreeSet<_> = fields.map(|path| path.split('?').next()).collect();
            assert_eq!(fields.len(), 2, "{paths:?}");
            // Under names the rows are others than the account's.
            let is_as_sent = naming == "hash";
            if is_as_sent {
                warehouse.assert_current(&account);
            }
            // So do rows that a sweep brings to light.
            let key = crate::support::truth(&account, "organizations").keys().next().cloned();
            account.state(|account| {
                account.advance(600);
                let key = key.expect("there is one");
                account.edit(Edit::Delete { resource: "organizations", key });
                account.advance(90);
            });
            let swept = warehouse.sync(&["--deletes", "sweep"]).succeeded();
            assert_eq!(swept.rows("organizations"), 1);
            if is_as_sent {
                warehouse.assert_current(&account);
            }
            warehouse.assert_tidy();
        }
    }
}

fn sidecar(warehouse: &WarehouseFixture) -> String {
    std::fs::read_to_string(warehouse.dir().join("_fields.json")).expect("it is there")
}
