//! The process ends at every request and around every operation on files, and is started again.

use crate::support::warehouse::WarehouseFixture;
use crate::support::{profile, sandbox};
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Options, Sandbox};

/// Every way of walking, and lists per parent.
const RESOURCES: &[&str] =
    &["deals", "persons", "leads", "notes", "files", "users", "mail_threads", "deal_products"];

/// Fewer, where every step is a run.
const FEW: &[&str] = &["deals", "leads", "stages"];

fn tiny() -> Options {
    Options { scale: 0.01, page_max: Some(8), ..profile("default") }
}

/// The same edits in every account.
fn edit(account: &Sandbox) {
    account.state(|account| {
        account.advance(3_600);
        for resource in ["deals", "leads", "stages"] {
            account.advance(40);
            account.edit(Edit::Bulk { resource, rows: 12 });
        }
        account.edit(Edit::Delete { resource: "leads", key: String::new() });
        account.advance(90);
    });
}

fn killed_at_every_request(format: &str) {
    let whole = sandbox(tiny());
    WarehouseFixture::of(&whole, format, RESOURCES).sync(&[]).succeeded();
    let requests = whole.request_log().requests.len() as u64;
    assert!(requests > 40, "a run of only {requests} requests shows little");
    for request in 1..=requests {
        let faults = vec![Fault::at(FaultKind::Hang, request)];
        let account = sandbox(Options { faults, ..tiny() });
        let warehouse = WarehouseFixture::of(&account, format, RESOURCES);
        warehouse.killed_at_hang(&account);
        warehouse.sync(&[]).succeeded();
        warehouse.assert_once(&account);
        warehouse.assert_tidy();
    }
}

#[test]
fn lines_survive_a_kill_at_every_request() {
    killed_at_every_request("ndjson");
}

#[test]
fn parquet_survives_a_kill_at_every_request() {
    killed_at_every_request("parquet");
}

/// Runs that crash at step after step of their storage, until one finishes. `prepared` creates the
/// warehouse and returns how to sync it; `check` examines it after the following run.
fn crashed_at_every_step(
    prepared: impl Fn() -> (Sandbox, WarehouseFixture),
    flags: &[&str],
    check: impl Fn(&Sandbox, &WarehouseFixture),
) {
    crashed_and_resumed_with(prepared, flags, &[], check);
}

/// The same, with flags for the run that comes after the crash.
fn crashed_and_resumed_with(
    prepared: impl Fn() -> (Sandbox, WarehouseFixture),
    flags: &[&str],
    then: &[&str],
    check: impl Fn(&Sandbox, &WarehouseFixture),
) {
    let mut steps = 0;
    loop {
        steps += 1;
        let (account, warehouse) = prepared();
        if let Some(run) = warehouse.crash(steps, flags) {
            run.succeeded();
            assert!(steps > 15, "a run of only {steps} steps shows little");
            return;
        }
        // Once more at the same step, then for good.
        warehouse.crash(steps, then);
        warehouse.sync(then).succeeded();
        check(&account, &warehouse);
        warehouse.assert_tidy();
    }
}

fn first_runs(format: &str) {
    let prepared = || {
        let account = sandbox(tiny());
        let warehouse = WarehouseFixture::of(&account, format, FEW).with("concurrency", 1);
        (account, warehouse)
    };
    crashed_at_every_step(prepared, &[], |account, warehouse| warehouse.assert_once(account));
}

#[test]
fn a_first_run_of_lines_survives_a_crash_at_every_step() {
    first_runs("ndjson");
}

#[test]
fn a_first_run_of_parquet_survives_a_crash_at_every_step() {
    first_runs("parquet");
}

fn second_runs(format: &str) {
    let prepared = || {
        let account = sandbox(tiny());
        let warehouse = WarehouseFixture::of(&account, format, FEW).with("concurrency", 1);
        warehouse.sync(&[]).succeeded();
        edit(&account);
        (account, warehouse)
    };
    let (account, whole) = prepared();
    whole.sync(&[]).succeeded();
    let rows = |account: &Sandbox, warehouse: &WarehouseFixture| {
        FEW.iter().map(|resource| warehouse.rows(account, resource).len()).collect::<Vec<_>>()
    };
    let expected = rows(&account, &whole);
    crashed_at_every_step(prepared, &[], |account, warehouse| {
        warehouse.assert_current(account);
        assert_eq!(rows(account, warehouse), expected, "no change came twice, none is lost");
    });
}

#[test]
fn a_second_run_of_lines_survives_a_crash_at_every_step() {
    second_runs("ndjson");
}

#[test]
fn a_second_run_of_parquet_survives_a_crash_at_every_step() {
    second_runs("parquet");
}

fn rebuilds(format: &str) {
    let prepared = || {
        let account = sandbox(tiny());
        let warehouse = WarehouseFixture::of(&account, format, FEW).with("concurrency", 1);
        warehouse.sync(&[]).succeeded();
        (account, warehouse)
    };
    crashed_at_every_step(prepared, &["--full"], |account, warehouse| {
        warehouse.assert_once(account);
    });
}

#[test]
fn a_rebuild_of_lines_survives_a_crash_at_every_step() {
    rebuilds("ndjson");
}

#[test]
fn a_rebuild_of_parquet_survives_a_crash_at_every_step() {
    rebuilds("parquet");
}

/// Whatever is asked for after a crash, no row is missing in the end.
fn resumed_in_another_way(flags: &[&str], then: &[&str]) {
    let prepared = || {
        let account = sandbox(tiny());
        let warehouse =
            WarehouseFixture::of(&account, "parquet", &["deals", "stages"]).with("concurrency", 1);
        if !flags.is_empty() {
            warehouse.sync(&[]).succeeded();
            edit(&account);
        }
        (account, warehouse)
    };
    crashed_and_resumed_with(prepared, flags, then, |account, warehouse| {
        warehouse.sync(&[]).succeeded();
        // A crash before the first commit leaves nothing: then it is a first run since a time.
        if warehouse.manifest()["starts"]["deals"].is_null() {
            warehouse.assert_current(account);
        }
    });
}

#[test]
fn a_first_run_that_crashed_goes_on_whatever_since_says() {
    resumed_in_another_way(&[], &["--since", "2026-10-31"]);
}

#[test]
fn a_rebuild_that_crashed_goes_on_whatever_since_says() {
    resumed_in_another_way(&["--full"], &["--since", "2026-10-31"]);
}

#[test]
fn a_rebuild_that_crashed_can_be_asked_for_again() {
    resumed_in_another_way(&["--full"], &["--full"]);
}
