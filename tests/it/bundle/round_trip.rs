//! A push takes nothing away: an account goes into a CRM, comes back, and goes into the account it came
//! from. What was not edited on the way stays byte for byte; what was edited arrives.

use crate::bundle::kill::RESOURCES;
use crate::support::bundle::{ARRAYS, BundleFixture, rows};
use crate::support::{profiles, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{CrmOptions, Options, Sandbox, UnknownFields};
use std::collections::{BTreeMap, BTreeSet};

/// Into the account that the bundle came from.
const BACK: &[&str] = &["push", "b.json", "--to", "pipedrive"];

/// Every row of the account, byte for byte, by resource and key.
fn account(sandbox: &Sandbox) -> BTreeMap<(&'static str, String), String> {
    let more = ["organization_fields", "person_fields", "deal_fields"];
    let all = RESOURCES.into_iter().chain(more);
    let rows = all.flat_map(|resource| {
        let rows = sandbox.state(|account| account.truth(resource)).into_iter();
        let text = |json: &[u8]| String::from_utf8_lossy(json).into_owned();
        rows.map(move |row| ((resource, row.key), text(&row.json))).collect::<Vec<_>>()
    });
    rows.collect()
}

/// Requests that wrote something into the account.
fn writes(sandbox: &Sandbox) -> Vec<String> {
    let request_log = sandbox.request_log();
    let writes = request_log
        .requests
        .iter()
        .filter(|entry| entry.method != "GET" && !entry.path_and_query.contains("/crm/"));
    writes.map(|entry| format!("{} {}", entry.method, entry.path_and_query)).collect()
}

/// The account is in the CRM, and what the CRM has of it in `b.json`.
fn there_and_back(sandbox: &Sandbox, more: &[&str]) -> BundleFixture {
    let bundles = BundleFixture::new().account(sandbox).crm(sandbox, 0);
    bundles.export("a.json");
    bundles.put("map.json", r#"{"Sales/Demo": "Default pipeline/Proposal"}"#);
    // A CRM that does not keep all it gets says so, and that is all.
    let said = bundles.run(&[&["push", "a.json"], more].concat());
    assert!(matches!(said.code, Some(0 | 3)), "{}{}", said.stdout, said.stderr);
    assert_eq!(said.object()["missing"], 0, "{}", said.stdout);
    bundles.run(&["pull", "--out", "b.json"]).json();
    bundles
}

/// What an account goes through: its options, what the CRM is like, and how it is pushed there.
fn trips() -> Vec<(String, Options, &'static [&'static str])> {
    let mut trips: Vec<(String, Options, &'static [&'static str])> = Vec::new();
    for (name, options) in profiles() {
        trips.push((name.to_owned(), Options { scale: 0.03, ..options }, &[]));
    }
    let parents = vec!["account".to_owned(), "contact".to_owned()];
    let habits = [
        CrmOptions { unknown_fields: UnknownFields::Drop, ..CrmOptions::default() },
        CrmOptions { keep_stamps: false, export_deleted: false, ..CrmOptions::default() },
        CrmOptions { activity_parents: parents, ..CrmOptions::default() },
    ];
    let flags: [&'static [&'static str]; 3] =
        [&[], &["--map-stages", "map.json"], &["--activity-parents", "contact,account"]];
    for (crm, flags) in habits.into_iter().zip(flags) {
        trips.push((format!("{crm:?}"), Options { scale: 0.03, crm, ..small() }, flags));
    }
    trips
}

#[test]
fn what_nobody_edited_on_the_way_stays_byte_for_byte() {
    for (name, options, flags) in trips() {
        let sandbox = sandbox(options);
        let bundles = there_and_back(&sandbox, flags);
        let before = account(&sandbox);
        let said = bundles.run(BACK);
        assert_eq!(said.code, Some(0), "{name}: {}{}", said.stdout, said.stderr);
        let said = said.object();
        assert_eq!(said["pushed"], 0, "{name}: {}", said["differences"]);
        assert_eq!(account(&sandbox), before, "{name}");
        assert_eq!(writes(&sandbox), [""; 0], "{name}");
    }
}

/// An edit on the way: the field of the bundle, its value, the column of Pipedrive, and its value
/// afterwards.
struct Edited {
    array: &'static str,
    field: &'static str,
    value: Value,
    column: &'static str,
    holds: Value,
}

fn edited(
    array: &'static str,
    field: &'static str,
    value: Value,
    column: &'static str,
    holds: Value,
) -> Edited {
    Edited { array, field, value, column, holds }
}

/// Edits of every kind. References go to the rows of these public ids and ids.
fn edits(account: (&str, i64), contact: (&str, i64)) -> Vec<Edited> {
    let same = |array, field, value: Value, column| {
        let holds = value.clone();
        edited(array, field, value, column, holds)
    };
    vec![
        same("accounts", "name", json!("Renamed Ltd"), "name"),
        same("accounts", "website", json!("https://new.example.test"), "website"),
        same("accounts", "annual_revenue", json!(12_345), "annual_revenue"),
        edited(
            "accounts",
            "address",
            json!("New Street 1"),
            "address",
            json!({"value": "New Street 1"}),
        ),
        edited("accounts", "custom.Reference", json!("A-17"), "custom_fields", json!("A-17")),
        same("contacts", "first_name", json!("Adele"), "first_name"),
        edited("contacts", "email", json!("new@example.test"), "emails", json!("new@example.test")),
        edited("contacts", "account_public_id", json!(account.0), "org_id", json!(account.1)),
        edited("opportunities", "name", json!("Renamed deal"), "title", json!("Renamed deal")),
        edited("opportunities", "amount", json!(77.5), "value", json!(77.5)),
        edited(
            "opportunities",
            "close_date",
            json!("2027-02-03"),
            "expected_close_date",
            json!("2027-02-03"),
        ),
        edited(
            "opportunities",
            "contact_public_id",
            json!(contact.0),
            "person_id",
            json!(contact.1),
        ),
        same("leads", "title", json!("Renamed lead"), "title"),
        edited(
            "leads",
            "close_date",
            json!("2027-02-04"),
            "expected_close_date",
            json!("2027-02-04"),
        ),
        same("activities", "subject", json!("Renamed call"), "subject"),
        edited("activities", "body", json!("<p>new</p>"), "note", json!("<p>new</p>")),
        edited("activities", "due_at", json!("2027-03-04"), "due_date", json!("2027-03-04")),
        edited("activities", "contact_public_id", json!(contact.0), "person_id", json!(contact.1)),
    ]
}

const RESOURCE_OF: [(&str, &str); 5] = [
    ("accounts", "organizations"),
    ("contacts", "persons"),
    ("opportunities", "deals"),
    ("leads", "leads"),
    ("activities", "activities"),
];

/// What Pipedrive stamps by itself, or says of a value once more.
const STAMPED: &[&str] = &["update_time", "participants", "name", "local_close_date", "due_time"];

#[test]
fn what_somebody_edited_on_the_way_arrives_and_nothing_else() {
    for (round, (name, options, flags)) in trips().into_iter().enumerate() {
        if name.contains("Drop") {
            continue;
        }
        let sandbox = sandbox(options);
        let bundles = there_and_back(&sandbox, flags);
        let bundle = bundles.bundle("b.json");
        let free = |array: &str| {
            // Archived and deleted rows cannot be edited, in either system.
            let live = rows(&bundle, array)
                .into_iter()
                .filter(|(_, row)| row["deleted_at"].is_null() && row["archived_at"].is_null());
            live.map(|(id, row)| (id, row["external_id"].as_str().unwrap_or_default().to_owned()))
                .collect::<Vec<_>>()
        };
        let rows_of: BTreeMap<&str, Vec<(String, String)>> =
            ARRAYS.into_iter().map(|array| (array, free(array))).collect();
        let target = |array: &str| {
            let (id, external) = rows_of[array][round].clone();
            let own = external.rsplit(':').next().and_then(|id| id.parse().ok()).unwrap_or(0);
            (id, own)
        };
        let (account_to, contact_to) = (target("accounts"), target("contacts"));
        let edits = edits((&account_to.0, account_to.1), (&contact_to.0, contact_to.1));
        let mut expected: BTreeMap<(&str, String), &Edited> = BTreeMap::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for edit in &edits {
            let place = places.entry(edit.array).or_insert(round);
            let free = &rows_of[edit.array];
            // The next row that has another value, and of a name that has two halves.
            let (id, external) = loop {
                *place += 1;
                assert!(*place < free.len(), "{name}: too few rows of {}", edit.array);
                let (id, external) = free[*place].clone();
                let row = &rows(&bundle, edit.array)[&id];
                let halves =
                    ["first_name", "last_name"].map(|half| row[half].as_str().unwrap_or(""));
                let whole = row["name"].as_str() == Some(&halves.join(" "));
                let email = row["emails"].as_array().is_some_and(|all| !all.is_empty());
                let usable = edit.array != "contacts"
                    || halves.iter().all(|half| !half.is_empty()) && whole && email;
                let alive = edit.array != "activities"
                    || row["participants"].is_null() && row["record_type"] != "contact";
                if usable && alive && row[edit.field] != edit.value {
                    break (id, external);
                }
            };
            bundles.edit("b.json", edit.array, &id, edit.field, &edit.value);
            let resource = RESOURCE_OF.iter().find(|(array, _)| *array == edit.array);
            let key = external.rsplit(':').next().unwrap_or_default().to_owned();
            expected.insert((resource.expect("it is one").1, key), edit);
        }
        let before = self::account(&sandbox);
        let said = bundles.run(BACK);
        assert_eq!(said.code, Some(0), "{name}: {}{}", said.stdout, said.stderr);
        let said = said.object();
        assert_eq!(said["pushed"], expected.len(), "{name}: {}", said["differences"]);
        let after = self::account(&sandbox);
        for (key, row) in &before {
            let Some(edit) = expected.get(&(key.0, key.1.clone())) else {
                assert_eq!(&after[key], row, "{name}: {key:?}");
                continue;
            };
            let parse = |text: &str| serde_json::from_str::<Value>(text).expect("a row is JSON");
            let (old, new) = (parse(row), parse(&after[key]));
            let columns: BTreeSet<_> = new.as_object().expect("an object").keys().collect();
            let touched = columns.into_iter().filter(|column| old[*column] != new[*column]);
            let touched: Vec<_> = touched.map(String::as_str).collect();
            let (column, holds) = (edit.column, &edit.holds);
            let what = format!("{name}: {key:?} {}: {touched:?}: {}", edit.field, new[column]);
            assert!(touched.iter().all(|one| *one == column || STAMPED.contains(one)), "{what}");
            assert!(touched.contains(&column), "{what}");
            let held = match column {
                "custom_fields" => {
                    let all = new[column].as_object().expect("an object");
                    let mut changed =
                        all.iter().filter(|(code, value)| **value != old[column][code.as_str()]);
                    changed.next().map(|(_, value)| value.clone()).unwrap_or_default()
                }
                "emails" => new[column][0]["value"].clone(),
                "address" => json!({"value": new[column]["value"]}),
                _ => new[column].clone(),
            };
            assert_eq!(&held, holds, "{what}");
        }
        assert_eq!(before.len(), after.len(), "{name}");
        // Once more: all of it has arrived.
        assert_eq!(bundles.run(BACK).json()["pushed"], 0, "{name}");
    }
}
