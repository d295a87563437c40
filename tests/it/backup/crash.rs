//! A backup is interrupted at every request and around every operation on files, and resumed.

use crate::support::backup::BackupFixture;
use crate::support::{profile, raw_truth, sandbox, small};
use source_pipedrive::model::{Resource, Time};
use source_pipedrive::sandbox::{Edit, Entry, Fault, FaultKind, Options, Sandbox};
use std::collections::BTreeMap;

/// Every way of walking, and lists per parent.
const RESOURCES: &[&str] = &[
    "deals",
    "persons",
    "leads",
    "notes",
    "files",
    "users",
    "mail_threads",
    "deal_products",
    "phases",
    "product_variations",
];

/// Fewer, where every step is a run.
const FEW: &[&str] = &["deals", "leads", "stages"];

/// Requests for lists per parent between two checkpoints.
const UNDER_WAY: u64 = 4;

/// Requests for a list that is resumed: the page that was in progress, and the changes since a completed
/// list. An empty list of changes is requested twice.
const GONE_ON_WITH: u64 = 3;

fn tiny() -> Options {
    Options { scale: 0.01, page_max: Some(8), ..profile("everything") }
}

/// How often each list was asked for what.
fn asked(requests: &[Entry]) -> BTreeMap<String, u64> {
    let mut asked = BTreeMap::new();
    for entry in requests {
        *asked.entry(entry.path_and_query.clone()).or_insert(0) += 1;
    }
    asked
}

/// Requires that no resource paid for more than one page twice, and for what changed meanwhile; of lists
/// per parent, for more requests than are made between two checkpoints.
fn assert_thrifty(whole: &BTreeMap<String, u64>, broken: &BTreeMap<String, u64>, request: u64) {
    let mut again: BTreeMap<String, u64> = BTreeMap::new();
    for (place, times) in broken.iter().filter(|(place, _)| !place.contains("/users/me")) {
        let expected = whole.get(place).copied().unwrap_or(0);
        let path = place.split('?').next().unwrap_or_default();
        let path: Vec<_> =
            path.split('/').map(|part| part.parse::<u64>().map_or(part, |_| "{id}")).collect();
        *again.entry(path.join("/")).or_insert(0) += times.saturating_sub(expected);
    }
    for (path, times) in again {
        let walks = |resource: &Resource| {
            let watched = resource.parent_resource().unwrap_or(resource);
            let own = resource.parent.is_some() && resource.listings.iter().any(|l| l.path == path);
            let walked = watched.listings.iter().any(|listing| listing.path == path);
            if own { UNDER_WAY } else { u64::from(walked) * GONE_ON_WITH }
        };
        let resources = RESOURCES.iter().filter_map(|name| Resource::named(name));
        let most: u64 = resources.map(walks).sum();
        assert!(
            times <= most,
            "killed at request {request}: {path} was asked {times} times too often"
        );
    }
}

#[test]
fn a_backup_survives_a_kill_at_every_request() {
    let whole = sandbox(tiny());
    BackupFixture::of(&whole, RESOURCES).run(&[]).succeeded();
    let requests = whole.request_log().requests;
    assert!(requests.len() > 30, "a run of only {} requests shows little", requests.len());
    let expected = asked(&requests);
    for request in 1..=requests.len() as u64 {
        let faults = vec![Fault::at(FaultKind::Hang, request)];
        let account = sandbox(Options { faults, ..tiny() });
        let backups = BackupFixture::of(&account, RESOURCES);
        backups.killed_at_hang(&account, &[]);
        backups.run(&[]).succeeded();
        backups.assert_whole(&account);
        backups.assert_verified();
        assert_thrifty(&expected, &asked(&account.request_log().requests), request);
    }
}

/// Runs that crash at step after step of their storage, until one finishes.
fn crashed_at_every_step(
    prepared: impl Fn() -> (Sandbox, BackupFixture),
    flags: &[&str],
    check: impl Fn(&Sandbox, &BackupFixture),
) {
    let mut steps = 0;
    loop {
        steps += 1;
        let (account, backups) = prepared();
        if let Some(run) = backups.crash(steps, flags) {
            run.succeeded();
            assert!(steps > 15, "a run of only {steps} steps shows little");
            return;
        }
        check(&account, &backups);
        // Once more at the same step, then for good.
        if backups.crash(steps, flags).is_none() {
            check(&account, &backups);
            backups.run(flags).succeeded();
        }
        backups.assert_whole(&account);
        backups.assert_verified();
    }
}

#[test]
fn a_first_backup_survives_a_crash_at_every_step() {
    let prepared = || {
        let account = sandbox(tiny());
        let backups = BackupFixture::of(&account, FEW).with("concurrency", 1);
        (account, backups)
    };
    crashed_at_every_step(prepared, &[], |_, backups| {
        if backups.dir().join("manifest.json").exists() {
            backups.assert_proven();
        }
    });
}

#[test]
fn a_later_backup_survives_a_crash_at_every_step_and_so_does_the_one_before() {
    let prepared = || {
        let account = sandbox(tiny());
        let backups = BackupFixture::of(&account, FEW).with("concurrency", 1);
        backups.run(&[]).succeeded();
        account.state(|account| {
            account.advance(3_600);
            for resource in FEW {
                account.edit(Edit::Bulk { resource, rows: 7 });
            }
            account.advance(90);
        });
        (account, backups)
    };
    crashed_at_every_step(prepared, &[], |_, backups| backups.assert_proven());
}

#[test]
fn attachments_survive_a_crash_at_every_step() {
    let prepared = || {
        let account = sandbox(tiny());
        let backups = BackupFixture::of(&account, &["files"]).with("concurrency", 1);
        (account, backups)
    };
    crashed_at_every_step(prepared, &["--include", "file_contents"], |_, _| {});
}

#[test]
fn rows_that_came_twice_survive_a_crash_at_every_step() {
    let archived = Edit::Archive { resource: "deals", key: "1".to_owned() };
    let prepared = || {
        let account = sandbox(Options { script: vec![(4, archived.clone())], ..tiny() });
        let backups = BackupFixture::of(&account, &["deals"]).with("concurrency", 1);
        (account, backups)
    };
    crashed_at_every_step(prepared, &[], |_, _| {});
}

#[test]
fn what_changed_before_a_broken_backup_goes_on_is_in_it() {
    for list in ["v2/deals/archived", "v1/leads/archived"] {
        let faults = vec![Fault::on(FaultKind::Hang, list, 2, 1)];
        let account = sandbox(Options { faults, ..tiny() });
        let backups = BackupFixture::of(&account, &["deals", "leads"]).with("concurrency", 1);
        backups.killed_at_hang(&account, &[]);
        account.state(|account| {
            account.advance(60);
            account.edit(Edit::Bulk { resource: "deals", rows: 3 });
            account.edit(Edit::Bulk { resource: "leads", rows: 3 });
            account.advance(60);
        });
        backups.run(&[]).succeeded();
        let resource = if list.contains("deals") { "deals" } else { "leads" };
        let truth = raw_truth(&account, resource);
        for (key, row) in backups.rows(resource) {
            assert!(truth[&key] == row, "{resource}: row {key} is not as it was at read_until");
        }
    }
}

#[test]
fn one_wrong_clock_does_not_say_until_when_a_backup_was_read() {
    for seconds in [-86_400, 86_400] {
        let fault = format!("date:{seconds}@1").parse().expect("it is a fault");
        let account = sandbox(Options { faults: vec![fault], ..tiny() });
        let now = account.state(|account| account.now());
        let backups = BackupFixture::of(&account, &["deals", "persons"]);
        backups.run(&[]).succeeded();
        for file in ["deals", "persons"] {
            let file = &backups.manifest()["files"][file];
            let time = |name: &str| file[name].as_str().and_then(Time::parse).expect("a time");
            assert!(time("read_from") <= now && time("read_until") <= now, "{file}");
        }
    }
}

#[test]
fn projects_are_read_where_their_states_may_not_be_asked_for_together() {
    let account = sandbox(Options { refuse_combined_status: true, ..small() });
    let backups = BackupFixture::of(&account, &["projects"]);
    backups.run(&[]).succeeded();
    backups.assert_whole(&account);
}
