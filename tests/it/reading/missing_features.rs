//! What a company has not: a feature of a plan, an add-on, a list, one parent's list.

use crate::support::backup::BackupFixture;
use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{
    BINARY, Folder, Read, Session, assert_equals_truth, key, profiles, sandbox, small, truth,
};
use serde_json::Value;
use source_pipedrive::model::{Paging, Resource};
use source_pipedrive::sandbox::{Fault, FaultKind, Features, Options, Sandbox};
use std::process::{Command, Output};

/// Features that are lacking, each as an account says so: status, part of the path, resources.
const LACKING: &[(u16, &str, &[&str])] = &[
    (402, "/projects", &["projects"]),
    (402, "/tasks", &["tasks"]),
    (402, "/boards", &["boards", "phases"]),
    (402, "/projectTemplates", &["project_templates"]),
    (402, "/projectFields", &["project_fields"]),
    (403, "/legacyTeams", &["legacy_teams"]),
    (415, "/goals/find", &["goals"]),
    (410, "/callLogs", &["call_logs"]),
    (404, "/mailThreads", &["mail_threads"]),
    (402, "/installments", &["deal_installments"]),
    (403, "/variations", &["product_variations"]),
];

fn faults() -> Vec<Fault> {
    let fault = |(status, path, _): &(u16, &str, _)| format!("{status}@{path}x*").parse();
    LACKING.iter().map(fault).collect::<Result<_, _>>().expect("they are faults")
}

fn everything() -> Options {
    Options { scale: 0.02, features: Features::all(), ..small() }
}

/// An account that lacks all of them.
fn lacking() -> Sandbox {
    sandbox(Options { faults: faults(), ..everything() })
}

fn whole() -> Sandbox {
    sandbox(everything())
}

fn lacks(name: &str) -> bool {
    LACKING.iter().any(|(.., names)| names.contains(&name))
}

fn usual() -> Vec<&'static str> {
    Resource::all().filter(|resource| !resource.on_request).map(|resource| resource.name).collect()
}

#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said:.3000}\n{told:.3000}");
    format!("{said}\n{told}")
}

fn run(arguments: &[&str], account: &Sandbox) -> Output {
    let folder = Folder::new();
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--config").arg(folder.json("config.json", &account.config()));
    command.output().expect("the binary starts")
}

#[track_caller]
fn assert_named(said: &str, names: &[&str]) {
    for name in names.iter().filter(|name| lacks(name)) {
        let is_told =
            said.lines().any(|line| line.contains("not available") && line.contains(name));
        assert!(is_told, "{name} is not named: {said:.4000}");
    }
}

#[test]
fn what_a_company_lacks_stops_no_default_command() {
    let account = lacking();
    let warehouse = WarehouseFixture::of(&account, "ndjson", &[]);
    let synced = warehouse.sync(&["--deletes", "sweep"]);
    assert_eq!(synced.code, Some(0), "{}", synced.stderr);
    let manifest = warehouse.manifest();
    let backups = BackupFixture::of(&account, &[]);
    let made = backups.run(&[]).succeeded();
    assert_eq!(made.summary["complete"], true);
    for name in usual() {
        let resource = Resource::named(name).expect("it exists");
        let stem = resource.file;
        let said = backups.manifest()["unavailable"][stem].clone();
        assert_eq!(said.is_string(), lacks(name), "{name}: {said}");
        assert_eq!(manifest["unavailable"][name].is_string(), lacks(name), "{name}");
        let rows = if lacks(name) { 0 } else { truth(&account, name).len() };
        assert_eq!(warehouse.rows(&account, resource.name).len(), rows, "{name}");
        let counted = backups.manifest()["counts"][stem].as_u64().unwrap_or(0);
        assert_eq!(counted, rows as u64, "{name}");
    }
    let verified = Command::new(BINARY).args(["backup", "verify"]).arg(backups.dir()).output();
    ended(&verified.expect("the binary starts"), 0);
    assert_named(&ended(&run(&["discover"], &account), 0), &["project_fields"]);
}

#[test]
fn what_a_company_lacks_stops_no_protocol() {
    let account = lacking();
    let read = Read::of(&account, &usual());
    // With a catalog of everything, and with none.
    for catalog in [true, false] {
        let session = if catalog { read.run() } else { Session::of(&run(&["read"], &account)) };
        assert_eq!(session.code, Some(0), "{:?}", session.errors());
        assert_named(&session.logs().join("\n"), &usual());
        for name in usual() {
            let status = session.statuses(name);
            assert_eq!(status.last().map(String::as_str), Some("COMPLETE"), "{name}");
            let of_all = session.of_type("STATE");
            let stated = of_all
                .filter(|state| state["state"]["stream"]["stream_descriptor"]["name"] == name);
            assert_eq!(stated.count() == 0, lacks(name), "{name}");
            if !lacks(name) {
                assert_equals_truth(name, &session.records(name), &truth(&account, name));
            }
        }
    }
    let tap = Tap::of(&account).run();
    assert_eq!(tap.0.code, Some(0), "{}", tap.0.stderr);
    assert_named(&tap.0.stderr, &usual());
}

/// Real-life accounts: Pipedrive's message about a feature is reported verbatim, and every row that
/// exists is read.
#[test]
fn an_account_is_read_whole_whatever_it_has_bought() {
    for (name, options) in profiles() {
        let account = sandbox(Options { scale: 0.02, ..options });
        let probe = Read::of(&account, &usual()).run();
        assert_eq!(probe.code, Some(0), "{name}: {:?}", probe.errors());
        let logs = probe.logs().join("\n");
        let lacking = |stream: &str| {
            logs.contains(&format!("{stream}: /api/")) || {
                let mut logs = logs.lines();
                logs.any(|log| log.contains("not available") && log.contains(stream))
            }
        };
        let tap = Tap::of(&account).run();
        assert_eq!(tap.0.code, Some(0), "{name}: {}", tap.0.stderr);
        let warehouse = WarehouseFixture::of(&account, "parquet", &[]);
        warehouse.sync(&["--deletes", "sweep"]).succeeded();
        warehouse.sync(&["--deletes", "sweep"]).succeeded();
        let backups = BackupFixture::of(&account, &[]);
        backups.run(&[]).succeeded();
        for stream in usual().into_iter().filter(|stream| !lacking(stream)) {
            let rows = truth(&account, stream).len();
            assert_eq!(probe.records(stream).len(), rows, "{name}: {stream}");
            assert_eq!(tap.records(stream).len(), rows, "{name}: {stream}");
            assert_eq!(warehouse.rows(&account, stream).len(), rows, "{name}: {stream}");
            let stem = Resource::named(stream).expect("it exists").file;
            assert_eq!(backups.manifest()["counts"][stem], rows, "{name}: {stream}");
        }
        let lacks = logs.contains("not available to this company");
        assert!(!lacks || name != "everything", "{name}: {logs}");
        assert!(lacks || name != "barest", "{name}: {logs}");
        for command in ["check", "discover", "plan"] {
            let said = ended(&run(&[command], &account), 0);
            let told = said.contains("not available to this company") || said.contains("402 Req");
            assert_eq!(told, lacks, "{name}: {command}: {said:.2000}");
        }
        let folder = Folder::new();
        let out = folder.path().join("bundle.json");
        let out = out.to_str().expect("UTF-8");
        ended(&run(&["bundle", "export", "--out", out], &account), 0);
    }
}

#[test]
fn what_was_named_and_is_lacking_is_an_error() {
    for (status, _, names) in LACKING {
        let account = lacking();
        let list = names.join(",");
        let about = |value: &Value| value.to_string();
        let alone = WarehouseFixture::of(&account, "ndjson", &[]).sync(&["--resources", &list]);
        assert_eq!(alone.code, Some(77), "{list}: {}", alone.stderr);
        assert!(alone.stderr.contains(&status.to_string()), "{list}: {}", alone.stderr);
        let beside =
            BackupFixture::of(&account, &[]).run(&["--resources", &format!("{list},stages")]);
        assert_eq!(beside.code, Some(3), "{list}: {}", about(&beside.summary));
    }
}

#[test]
fn what_is_excluded_is_not_asked_for() {
    let account = whole();
    let names = LACKING.iter().flat_map(|(.., names)| names.iter().copied());
    let exclude = names.collect::<Vec<_>>().join(",");
    for command in [&["sync", "warehouse"][..], &["backup"], &["plan"]] {
        let folder = Folder::new();
        let dir = folder.path().join("dir");
        let dir = dir.to_str().expect("UTF-8");
        let mut arguments = command.to_vec();
        arguments.extend(["--exclude", &exclude, "-o", "json"]);
        if command != ["plan"] {
            arguments.extend(["--dir", dir]);
        }
        ended(&run(&arguments, &account), 0);
    }
    let asked = account.request_log().requests;
    for (_, path, _) in LACKING.iter().filter(|(_, path, _)| *path != "/projectFields") {
        let found = asked.iter().find(|request| request.path_and_query.contains(path));
        assert!(found.is_none(), "{path}: {found:?}");
    }
    let unknown = ["sync", "warehouse", "--exclude", "projekts"];
    ended(&run(&unknown, &account), 64);
}

#[test]
fn a_feature_that_goes_and_comes_loses_no_row() {
    let (with, without) = (whole(), lacking());
    for format in ["ndjson", "parquet"] {
        // It was there, and goes: its rows stay.
        let mut warehouse = WarehouseFixture::of(&with, format, &[]);
        warehouse.sync(&[]).succeeded();
        warehouse.pointed_at(&without);
        warehouse.sync(&["--deletes", "sweep"]).succeeded();
        let manifest = warehouse.manifest();
        for name in usual() {
            let rows = warehouse.rows(&with, name);
            assert!(rows.iter().all(|row| !row.gone), "{format}: {name}");
            assert_eq!(rows.len(), truth(&with, name).len(), "{format}: {name}");
            // Of parents that did not change nothing is asked.
            let asked = !Resource::named(name).expect("it exists").incremental();
            let named = manifest["unavailable"][name].is_string();
            assert_eq!(named, lacks(name) && asked, "{name}");
        }
        // It was lacking from the start, and comes: all of it is taken.
        let mut warehouse = WarehouseFixture::of(&without, format, &[]);
        warehouse.sync(&[]).succeeded();
        warehouse.pointed_at(&with);
        warehouse.sync(&[]).succeeded();
        assert_eq!(warehouse.manifest()["unavailable"], Value::Null);
        for name in usual() {
            let rows = warehouse.rows(&with, name);
            assert_eq!(rows.len(), truth(&with, name).len(), "{format}: {name}");
        }
    }
    let mut backups = BackupFixture::of(&with, &[]);
    backups.run(&[]).succeeded();
    backups.pointed_at(&without);
    backups.run(&[]).succeeded();
    for name in usual().into_iter().filter(|name| lacks(name)) {
        let stem = Resource::named(name).expect("it exists").file;
        assert_eq!(backups.manifest()["files"][stem]["kept"], true, "{name}");
    }
    backups.assert_proven();
}

/// The same over states: a stream that was lacking begins when it comes.
#[test]
fn a_stream_that_comes_is_read_from_its_beginning() {
    let (with, without) = (whole(), lacking());
    let first = Read::of(&without, &usual()).run().succeeded();
    let second = Read::of(&with, &usual()).from(&first).run().succeeded();
    for name in usual().into_iter().filter(|name| lacks(name)) {
        assert_equals_truth(name, &second.records(name), &truth(&with, name));
    }
}

/// Lists per parent, and a parent of each.
const PER_PARENT: &[(&str, &str, &str)] = &[
    ("product_variations", "products", "/products/3/variations"),
    ("deal_changelog", "deals", "/deals/7/changelog"),
    ("deal_followers", "deals", "/deals/7/followers"),
    ("deal_participants", "deals", "/deals/7/participants"),
    ("person_changelog", "persons", "/persons/7/changelog"),
    ("note_comments", "notes", "/notes/7/comments"),
    ("phases", "boards", "board_id=1"),
    ("organization_relationships", "organizations", "org_id=7"),
];

#[test]
fn one_parent_that_is_refused_is_one_parent() {
    for (stream, parents, path) in PER_PARENT {
        for status in [403, 404, 410] {
            let fault = format!("{status}@{path}x*").parse().expect("a fault");
            let account = sandbox(Options { faults: vec![fault], ..everything() });
            let session = Read::of(&account, &[stream]).run();
            let about = format!("{status}@{path}: {:?}", session.errors());
            assert_eq!(session.code, Some(0), "{about}");
            let struck = account.request_log().requests.iter().any(|r| r.status == status);
            assert!(struck, "{about}");
            let logs = session.logs().join("\n");
            let said = format!("refuses the lists of 1 rows of {parents}, which are left out: ");
            assert!(logs.contains(&said), "{about}: {logs}");
        }
    }
}

/// The keys of a stream's records, sorted.
fn keys_of(session: &Session, stream: &str) -> Vec<String> {
    let resource = Resource::named(stream).expect("it exists");
    let mut keys: Vec<_> =
        session.records(stream).into_iter().map(|row| key(resource, row)).collect();
    keys.sort();
    keys
}

fn true_keys(account: &Sandbox, stream: &str) -> Vec<String> {
    truth(account, stream).into_keys().collect()
}

/// A batch of deals is refused while one of them is in it.
#[test]
fn a_batch_that_is_refused_is_halved_until_the_guilty_one_is_alone() {
    for stream in ["deal_products", "deal_installments"] {
        let rows: Vec<_> = truth(&whole(), stream).into_values().collect();
        let guilty = rows[rows.len() / 2]["deal_id"].to_string();
        for status in [400, 403, 404] {
            let parts = [("%2C", "%2C"), ("deal_ids=", "%2C"), ("%2C", "&"), ("deal_ids=", "&")];
            let faults = parts.map(|(before, after)| {
                let part = format!("{before}{guilty}{after}");
                Fault::on(FaultKind::Status(status), &part, 1, u32::MAX)
            });
            let account = sandbox(Options { faults: faults.to_vec(), ..everything() });
            let session = Read::of(&account, &[stream]).run();
            assert_eq!(session.code, Some(0), "{stream}, {status}: {:?}", session.errors());
            let ids: Vec<_> =
                session.records(stream).into_iter().map(|row| row["id"].clone()).collect();
            let expected: Vec<_> =
                rows.iter().filter(|row| row["deal_id"].as_u64() != guilty.parse().ok()).collect();
            assert_eq!(ids.len(), expected.len(), "{stream}, {status}");
            assert!(expected.iter().all(|row| ids.contains(&row["id"])), "{stream}, {status}");
            let logs = session.logs().join("\n");
            let said =
                format!("refuses the lists of 1 rows of deals, which are left out: {guilty} (");
            assert!(logs.contains(&said), "{stream}, {status}: {logs}");
            let asked = account.request_log().requests;
            let batches = asked.iter().filter(|r| r.path_and_query.contains("deal_ids=")).count();
            assert!(batches < 40, "{stream}, {status}: {batches} requests");
        }
    }
}

/// Lists with parameters that an account may refuse, and a part of the query that names each.
const REFUSABLE: &[(&str, &str)] = &[
    ("deals", "include_fields"),
    ("persons", "include_fields"),
    ("organizations", "include_fields"),
    ("activities", "include_fields"),
    ("deals", "status=open%2Cwon%2Clost%2Cdeleted"),
    ("projects", "status=open%2Ccompleted%2Ccanceled%2Cdeleted"),
    ("products", "updated_since"),
    ("deal_fields", "include_fields"),
    ("activity_fields", "include_fields"),
    ("goals", "assignee.type"),
];

#[test]
fn a_refused_parameter_costs_no_row_and_is_said_once() {
    for (stream, part) in REFUSABLE.iter().copied() {
        let listing = &Resource::named(stream).expect("it exists").listings[0];
        for status in [400, 403] {
            let fault = Fault::on(FaultKind::Status(status), part, 1, u32::MAX);
            let account = sandbox(Options { faults: vec![fault], ..everything() });
            let about = format!("{stream}, {status}@{part}");
            let first = Read::of(&account, &[stream]).run();
            assert_eq!(first.code, Some(0), "{about}: {:?}", first.errors());
            // Without a type of assignee, only the user's own goals are shown.
            let own = stream == "goals";
            if !own {
                assert_eq!(keys_of(&first, stream), true_keys(&account, stream), "{about}");
            }
            let refused = |session: &Session| {
                let logs = session.logs();
                logs.iter().filter(|log| log.contains("Pipedrive refuses")).count()
            };
            let lists = if own { 6 } else { 1 };
            assert!((1..=lists.max(2)).contains(&refused(&first)), "{about}: {:?}", first.logs());
            // The refusal is remembered: it is neither requested nor reported again.
            let before = account.request_log().requests.len();
            let second = Read::of(&account, &[stream]).from(&first).run();
            assert_eq!(second.code, Some(0), "{about}: {:?}", second.errors());
            assert_eq!(refused(&second), 0, "{about}: {:?}", second.logs());
            let asked = account.request_log().requests;
            let again = asked[before..]
                .iter()
                .filter(|r| r.path_and_query.starts_with(listing.path) && r.status == status);
            assert_eq!(again.count(), 0, "{about}");
        }
    }
}

/// Both at once, where nothing says which.
#[test]
fn two_refused_parameters_cost_no_row() {
    let fault = Fault::on(FaultKind::Status(400), "include_fields", 1, u32::MAX);
    let options = Options { faults: vec![fault], refuse_combined_status: true, ..everything() };
    let account = sandbox(options);
    let session = Read::of(&account, &["deals", "deal_products"]).run().succeeded();
    assert_eq!(keys_of(&session, "deals"), true_keys(&account, "deals"));
    assert_eq!(keys_of(&session, "deal_products"), true_keys(&account, "deal_products"));
}

/// A dictionary that refuses what is only decoration names its fields all the same.
#[test]
fn a_dictionary_is_read_without_what_it_refuses() {
    for status in [400, 403] {
        let fault = Fault::on(FaultKind::Status(status), "include_fields", 1, u32::MAX);
        let account = sandbox(Options { faults: vec![fault], ..everything() });
        let warehouse = WarehouseFixture::of(&account, "parquet", &["deals", "stages"]);
        warehouse.sync(&["--deletes", "sweep"]).succeeded();
        warehouse.sync(&["--deletes", "sweep"]).succeeded();
        let fields = std::fs::read_to_string(warehouse.dir().join("_fields.json"));
        assert!(fields.expect("it is there").contains("deals"));
        assert_eq!(warehouse.rows(&account, "deals").len(), truth(&account, "deals").len());
    }
}

/// A form that is wrong every time is asked for a few times and not nine.
#[test]
fn a_shape_that_cannot_change_is_not_asked_for_nine_times() {
    for (fault, stream) in [("morenowhere", "notes"), ("morenowhere", "note_fields")] {
        let path = Resource::named(stream).expect("it exists").listings[0].path;
        let fault = format!("{fault}@{path}x*").parse().expect("a fault");
        let account = sandbox(Options { faults: vec![fault], ..everything() });
        let session = Read::of(&account, &[stream]).run();
        assert_eq!(session.code, Some(1), "{stream}: {:?}", session.errors());
        let asked = account.request_log().requests;
        let asked = asked.iter().filter(|r| r.path_and_query.contains(path)).count();
        assert!((2..=3).contains(&asked), "{stream}: {asked} requests");
    }
}

/// Lists that come whole, as far as is documented, and are paged all the same.
#[test]
fn a_list_that_is_paged_after_all_is_followed() {
    let plain = |resource: &&'static Resource| {
        resource.listings.iter().all(|l| l.paging == Paging::Plain && l.path.contains("/v1/"))
    };
    let streams: Vec<_> = Resource::all().filter(plain).map(|resource| resource.name).collect();
    assert!(streams.contains(&"note_fields") && streams.contains(&"organization_relationships"));
    for size in [1, 3] {
        let account = sandbox(Options { plain_page: Some(size), ..everything() });
        let session = Read::of(&account, &streams).run().succeeded();
        for stream in &streams {
            assert_eq!(keys_of(&session, stream), true_keys(&account, stream), "{stream}");
        }
    }
}
