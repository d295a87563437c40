//! The key sweep: rows that vanish without a word.

use crate::depot::WarehouseFixture;
use crate::support::{sandbox, small};
use source_pipedrive::dataset::warehouse::Sweep;
use source_pipedrive::sandbox::{Edit, Options, Sandbox};

const SWEEP: &[&str] = &["--deletes", "sweep"];

/// The keys the account lists, first ones first.
fn keys(account: &Sandbox, resource: &'static str) -> Vec<String> {
    let rows = account.world(|world| world.truth(resource));
    rows.into_iter().map(|row| row.key).collect()
}

fn after_an_hour(account: &Sandbox, edits: Vec<Edit>) {
    account.world(|world| {
        world.advance(3_600);
        for edit in edits {
            world.edit(edit);
        }
        world.advance(90);
    });
}

#[test]
fn deleted_rows_get_a_tombstone_once() {
    for format in ["ndjson", "parquet"] {
        let account = sandbox(small());
        let depot = WarehouseFixture::of(&account, format, Sweep::RESOURCES);
        depot.sync(SWEEP).succeeded();
        depot.assert_once(&account);
        let vanishing = ["persons", "organizations", "activities", "products", "leads", "notes"];
        let edits = vanishing
            .map(|resource| Edit::Delete { resource, key: keys(&account, resource)[1].clone() });
        after_an_hour(&account, edits.to_vec());
        depot.sync(&[]).succeeded();
        assert!(depot.current(&account, "persons").len() > keys(&account, "persons").len());
        let swept = depot.sync(SWEEP).succeeded();
        depot.assert_current(&account);
        depot.assert_tidy();
        for row in swept.summary["resources"].as_array().expect("rows") {
            let gone = u64::from(vanishing.iter().any(|name| row["resource"] == *name));
            assert_eq!(row["deleted"], gone, "{row}");
        }
        let again = depot.sync(SWEEP).succeeded();
        assert_eq!(again.summary["rows"], 0, "a tombstone is written once");
    }
}

#[test]
fn a_tombstone_says_why_and_when() {
    let account = sandbox(small());
    let depot = WarehouseFixture::of(&account, "ndjson", &["persons"]);
    depot.sync(&[]).succeeded();
    let key = keys(&account, "persons")[0].clone();
    after_an_hour(&account, vec![Edit::Delete { resource: "persons", key: key.clone() }]);
    depot.sync(SWEEP).succeeded();
    let text = std::fs::read_to_string(depot.dir().join("persons.ndjson")).expect("it is there");
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
        let depot = WarehouseFixture::of(&account, format, &["deals", "persons", "leads"]);
        depot.sync(&[]).succeeded();
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
        depot.sync(SWEEP).succeeded();
        depot.assert_current(&account);
    }
}

#[test]
fn without_archived_rows_an_archived_one_is_gone() {
    let account = sandbox(small());
    let depot =
        WarehouseFixture::of(&account, "ndjson", &["deals", "leads"]).with("archived", false);
    depot.sync(&[]).succeeded();
    let live = |resource: &'static str| {
        depot.current(&account, resource).keys().next().expect("there are rows").clone()
    };
    let edits =
        ["deals", "leads"].map(|resource| Edit::ArchiveSilently { resource, key: live(resource) });
    after_an_hour(&account, edits.to_vec());
    depot.sync(SWEEP).succeeded();
    for resource in ["deals", "leads"] {
        let name = depot.dir().join(format!("{resource}.ndjson"));
        let text = std::fs::read_to_string(name).expect("it is there");
        let last = text.lines().last().expect("a line");
        assert!(last.contains(r#""reason":"archived""#), "{resource}: {last}");
    }
}

#[test]
fn mass_deletion_is_not_believed() {
    let account = sandbox(small());
    let depot = WarehouseFixture::of(&account, "parquet", &["organizations", "stages"]);
    depot.sync(&[]).succeeded();
    let all = keys(&account, "organizations");
    let gone = all.iter().take(all.len() / 4);
    let edits = gone.map(|key| Edit::Delete { resource: "organizations", key: key.clone() });
    after_an_hour(&account, edits.collect());
    let refused = depot.sync(SWEEP);
    refused.failed(3, &["organizations", "more than 20 %", "--force"]);
    assert_eq!(refused.summary["complete"], false);
    assert_eq!(refused.rows("organizations"), 0);
    depot.sync(&["--deletes", "sweep", "--force"]).succeeded();
    depot.assert_current(&account);
}

#[test]
fn a_token_that_sees_less_buries_nothing() {
    let account = sandbox(small());
    let mut depot = WarehouseFixture::of(&account, "ndjson", &["persons"]);
    depot.sync(SWEEP).succeeded();
    let lesser = sandbox(Options { admin: false, ..small() });
    depot.pointed_at(&lesser);
    depot.sync(SWEEP).failed(3, &["not an admin", "--force"]);
    // It stays so: the manifest goes on to know what the widest token saw.
    depot.sync(SWEEP).failed(3, &["not an admin"]);
    depot.sync(&["--deletes", "sweep", "--force"]).succeeded();
    depot.sync(SWEEP).succeeded();
}

#[test]
fn an_answer_that_is_none_buries_nothing() {
    for fault in ["cutjson", "failure", "null", "html"] {
        let faults = vec![format!("{fault}@leads/x2").parse().expect("a fault")];
        let account = sandbox(Options { faults, ..small() });
        let depot = WarehouseFixture::of(&account, "ndjson", &["leads"]).with("archived", false);
        depot.sync(&[]).succeeded();
        let key = depot.current(&account, "leads").keys().next().expect("a lead").clone();
        after_an_hour(&account, vec![Edit::ArchiveSilently { resource: "leads", key }]);
        depot.sync(SWEEP).succeeded();
        let text = std::fs::read_to_string(depot.dir().join("leads.ndjson")).expect("it is there");
        let last = text.lines().last().expect("a line");
        assert!(last.contains(r#""reason":"archived""#), "{fault}: {last}");
    }
}

#[test]
fn more_missing_rows_than_a_page_are_all_asked_for() {
    let account = sandbox(Options { page_max: Some(4), ..small() });
    let depot = WarehouseFixture::of(&account, "ndjson", &["deals"]).with("archived", false);
    depot.sync(&[]).succeeded();
    let live: Vec<_> = depot.current(&account, "deals").into_keys().take(7).collect();
    let edits = live.into_iter().map(|key| Edit::ArchiveSilently { resource: "deals", key });
    after_an_hour(&account, edits.collect());
    depot.sync(&["--deletes", "sweep", "--force"]).succeeded();
    let text = std::fs::read_to_string(depot.dir().join("deals.ndjson")).expect("it is there");
    assert_eq!(text.matches(r#""reason":"archived""#).count(), 7);
    assert_eq!(text.matches(r#""reason":"deleted""#).count(), 0);
}
