//! The key sweep: rows that vanish without a word.

use crate::support::warehouse::WarehouseFixture;
use crate::support::{sandbox, small};
use source_pipedrive::dataset::warehouse::Sweep;
use source_pipedrive::sandbox::{Edit, Options, Sandbox};

const SWEEP: &[&str] = &["--deletes", "sweep"];

/// The keys the account lists, first ones first.
fn keys(account: &Sandbox, resource: &'static str) -> Vec<String> {
    let rows = account.state(|account| account.truth(resource));
    rows.into_iter().map(|row| row.key).collect()
}

fn after_an_hour(account: &Sandbox, edits: Vec<Edit>) {
    account.state(|account| {
        account.advance(3_600);
        for edit in edits {
            account.edit(edit);
        }
        account.advance(90);
    });
}

#[test]
fn deleted_rows_get_a_tombstone_once() {
    for format in ["ndjson", "parquet"] {
        let account = sandbox(small());
        let warehouse = WarehouseFixture::of(&account, format, Sweep::RESOURCES);
        warehouse.sync(SWEEP).succeeded();
        warehouse.assert_once(&account);
        let vanishing = ["persons", "organizations", "activities", "products", "leads", "notes"];
        let edits = vanishing
            .map(|resource| Edit::Delete { resource, key: keys(&account, resource)[1].clone() });
        after_an_hour(&account, edits.to_vec());
        warehouse.sync(&[]).succeeded();
        assert!(warehouse.current(&account, "persons").len() > keys(&account, "persons").len());
        let swept = warehouse.sync(SWEEP).succeeded();
        warehouse.assert_current(&account);
        warehouse.assert_tidy();
        for row in swept.summary["resources"].as_array().expect("rows") {
            let gone = u64::from(vanishing.iter().any(|name| row["resource"] == *name));
            assert_eq!(row["deleted"], gone, "{row}");
        }
        let again = warehouse.sync(SWEEP).succeeded();
        assert_eq!(again.summary["rows"], 0, "a tombstone is written once");
    }
}

#[test]
fn a_tombstone_says_why_and_when() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["persons"]);
    warehouse.sync(&[]).succeeded();
    let key = keys(&account, "persons")[0].clone();
    after_an_hour(&account, vec![Edit::Delete { resource: "persons", key: key.clone() }]);
    warehouse.sync(SWEEP).succeeded();
    let text =
        std::fs::read_to_string(warehouse.dir().join("persons.ndjson")).expect("it is there");
    let last: serde_json::Value =
        serde_json::from_str(text.lines().last().expect("a line")).expect("it is JSON");
    assert_eq!(last["id"].to_string(), key);
    assert_eq!(last["_deleted"], true);
    assert_eq!(last["reason"], "deleted");
    assert!(last["detected_between"][0].as_str() < last["detected_between"][1].as_str(), "{last}");
}

#[test]
fn merged_rows_and_rows_archived_silently_come_to_light() {
    for format in ["ndjson", "parquet"] {
        let account = sandbox(small());
        let warehouse = WarehouseFixture::of(&account, format, &["deals", "persons", "leads"]);
        warehouse.sync(&[]).succeeded();
        let persons = keys(&account, "persons");
        let lead = keys(&account, "leads")[0].clone();
        after_an_hour(
            &account,
            vec![
                Edit::Merge {
                    resource: "persons",
                    from: persons[3].clone(),
                    into: persons[4].clone(),
                },
                Edit::ArchiveSilently {
                    resource: "deals",
                    key: keys(&account, "deals")[0].clone(),
                },
                Edit::ArchiveSilently { resource: "leads", key: lead },
            ],
        );
        warehouse.sync(SWEEP).succeeded();
        warehouse.assert_current(&account);
    }
}

#[test]
fn without_archived_rows_an_archived_one_is_gone() {
    let account = sandbox(small());
    let warehouse =
        WarehouseFixture::of(&account, "ndjson", &["deals", "leads"]).with("archived", false);
    warehouse.sync(&[]).succeeded();
    let live = |resource: &'static str| {
        warehouse.current(&account, resource).keys().next().expect("there are rows").clone()
    };
    let edits =
        ["deals", "leads"].map(|resource| Edit::ArchiveSilently { resource, key: live(resource) });
    after_an_hour(&account, edits.to_vec());
    warehouse.sync(SWEEP).succeeded();
    for resource in ["deals", "leads"] {
        let name = warehouse.dir().join(format!("{resource}.ndjson"));
        let text = std::fs::read_to_string(name).expect("it is there");
        let last = text.lines().last().expect("a line");
        assert!(last.contains(r#""reason":"archived""#), "{resource}: {last}");
    }
}

#[test]
fn mass_deletion_is_not_believed() {
    let account = sandbox(small());
    let warehouse = WarehouseFixture::of(&account, "parquet", &["organizations", "stages"]);
    warehouse.sync(&[]).succeeded();
    let all = keys(&account, "organizations");
    let gone = all.iter().take(all.len() / 4);
    let edits = gone.map(|key| Edit::Delete { resource: "organizations", key: key.clone() });
    after_an_hour(&account, edits.collect());
    let refused = warehouse.sync(SWEEP);
    refused.failed(3, &["organizations", "more than 20 %", "--force"]);
    assert_eq!(refused.summary["complete"], false);
    assert_eq!(refused.rows("organizations"), 0);
    warehouse.sync(&["--deletes", "sweep", "--force"]).succeeded();
    warehouse.assert_current(&account);
}

#[test]
fn a_token_that_sees_less_buries_nothing() {
    let account = sandbox(small());
    let mut warehouse = WarehouseFixture::of(&account, "ndjson", &["persons"]);
    warehouse.sync(SWEEP).succeeded();
    let lesser = sandbox(Options { admin: false, ..small() });
    warehouse.pointed_at(&lesser);
    warehouse.sync(SWEEP).failed(3, &["not an admin", "--force"]);
    // The result stays: the manifest still records what the widest token saw.
    warehouse.sync(SWEEP).failed(3, &["not an admin"]);
    warehouse.sync(&["--deletes", "sweep", "--force"]).succeeded();
    warehouse.sync(SWEEP).succeeded();
}

#[test]
fn an_answer_that_is_none_buries_nothing() {
    for fault in ["cutjson", "failure", "null", "html"] {
        let faults = vec![format!("{fault}@leads/x2").parse().expect("a fault")];
        let account = sandbox(Options { faults, ..small() });
        let warehouse =
            WarehouseFixture::of(&account, "ndjson", &["leads"]).with("archived", false);
        warehouse.sync(&[]).succeeded();
        let key = warehouse.current(&account, "leads").keys().next().expect("a lead").clone();
        after_an_hour(&account, vec![Edit::ArchiveSilently { resource: "leads", key }]);
        warehouse.sync(SWEEP).succeeded();
        let text =
            std::fs::read_to_string(warehouse.dir().join("leads.ndjson")).expect("it is there");
        let last = text.lines().last().expect("a line");
        assert!(last.contains(r#""reason":"archived""#), "{fault}: {last}");
    }
}

#[test]
fn more_missing_rows_than_a_page_are_all_asked_for() {
    let account = sandbox(Options { page_max: Some(4), ..small() });
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["deals"]).with("archived", false);
    warehouse.sync(&[]).succeeded();
    let live: Vec<_> = warehouse.current(&account, "deals").into_keys().take(7).collect();
    let edits = live.into_iter().map(|key| Edit::ArchiveSilently { resource: "deals", key });
    after_an_hour(&account, edits.collect());
    warehouse.sync(&["--deletes", "sweep", "--force"]).succeeded();
    let text = std::fs::read_to_string(warehouse.dir().join("deals.ndjson")).expect("it is there");
    assert_eq!(text.matches(r#""reason":"archived""#).count(), 7);
    assert_eq!(text.matches(r#""reason":"deleted""#).count(), 0);
}
