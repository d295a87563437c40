//! Bundles of an account: what they hold, that they are always the same, and what is found in bad
//! ones.

use crate::support::backup::BackupFixture;
use crate::support::bundle::{ARRAYS, BundleFixture, assert_same, rows};
use crate::support::{documented, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Edit, Options};

#[test]
fn an_account_becomes_a_bundle_and_nothing_is_dropped_in_silence() {
    let sandbox = sandbox(small());
    let bundles = BundleFixture::new().account(&sandbox);
    let said = bundles.export("a.json");
    let bundle = bundles.bundle("a.json");
    let resources = ["organizations", "persons", "deals", "leads", "activities"];
    let prefixes = ["acct", "cnt", "opp", "lead", "act"];
    for ((array, resource), prefix) in ARRAYS.into_iter().zip(resources).zip(prefixes) {
        let truth = sandbox.state(|account| account.truth(resource));
        let rows = rows(&bundle, array);
        assert_eq!(rows.len(), truth.len(), "{array}");
        for row in truth {
            let record: Value = serde_json::from_slice(&row.json).expect("a record is JSON");
            let made = &rows[&format!("{prefix}_pd900_{}", row.key)];
            assert_eq!(made["created_at"], record["add_time"], "{array} {}", row.key);
            let name = ["name", "title", "subject"].iter().find_map(|name| record.get(*name));
            let own = ["name", "title", "subject"].iter().find_map(|name| made.get(*name));
            assert_eq!(own, name, "{array} {}", row.key);
        }
    }
    let context = bundles.context("a.json");
    assert_eq!(context["bundle"]["sha256"], said["sha256"]);
    assert_eq!(context["source"]["company_id"], 900);
    assert_eq!(context["pipelines"][0]["stages"].as_array().map(Vec::len), Some(6));
    let lost = |resource: &str, field: &str| {
        let all = context["unmapped"].as_array().expect("a list").iter();
        all.into_iter().find(|row| row["resource"] == resource && row["field"] == field).cloned()
    };
    let deals = sandbox.state(|account| account.truth("deals")).len();
    assert_eq!(lost("deals", "visible_to").expect("it is counted")["rows"], deals);
    assert!(lost("deals", "title").is_none());
    let (deleted, archived) = (
        &context["counts"]["opportunities"]["deleted"],
        &context["counts"]["opportunities"]["archived"],
    );
    assert!(deleted.as_u64() > Some(0) && archived.as_u64() > Some(0), "{context}");
    let gone = rows(&bundle, "opportunities");
    let gone = gone.values().filter(|row| !row["deleted_at"].is_null());
    assert_eq!(gone.count() as u64, deleted.as_u64().unwrap_or(0));
    // The bundle is its owner's alone.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = std::fs::metadata(bundles.path("a.json")).expect("it is there");
        assert_eq!(found.permissions().mode() & 0o77, 0);
    }
    let said = bundles.run(&["validate", "a.json"]).json();
    assert_eq!(said["total"], 0, "{said}");
}

#[test]
fn values_of_an_account_are_as_people_say_them() {
    let sandbox = sandbox(Options { scale: 0.3, ..documented() });
    let bundles = BundleFixture::new().account(&sandbox);
    bundles.export("a.json");
    let bundle = bundles.bundle("a.json");
    let emails: Vec<Value> = sandbox
        .state(|account| account.truth("users"))
        .iter()
        .map(|user| serde_json::from_slice::<Value>(&user.json).expect("JSON")["email"].clone())
        .collect();
    let mut kinds = std::collections::BTreeSet::new();
    for array in ARRAYS {
        for row in rows(&bundle, array).values() {
            if !row["owner"].is_null() {
                assert!(emails.contains(&row["owner"]), "{row}");
            }
            for (name, value) in row["custom"].as_object().into_iter().flatten() {
                assert!(name.len() < 40, "{name} is a hash");
                let name = name.split(" (").next().unwrap_or_default();
                let fits = match name {
                    "Tier" => ["gold", "Silber ✨", "ブロンズ", "low, \"very\" low"]
                        .contains(&value.as_str().unwrap_or_default()),
                    "Budget" => value["amount"].is_number(),
                    "Campaign" => value["from"].is_string() && value["until"].is_string(),
                    "Partner" => value.as_str().is_some_and(|id| id.starts_with("acct_pd900_")),
                    "Referrer" => value.as_str().is_some_and(|id| id.starts_with("cnt_pd900_")),
                    "Second owner" => emails.contains(value),
                    "Delivery address" => value["value"].is_string(),
                    "Region" => value.is_array() || value.is_string(),
                    _ => true,
                };
                assert!(fits, "{array} {name}: {value}");
                kinds.insert((array, name.to_owned()));
            }
        }
    }
    for array in ["accounts", "contacts", "opportunities", "leads"] {
        assert_eq!(kinds.iter().filter(|(of, _)| *of == array).count(), 16, "{array}: {kinds:?}");
    }
}

#[test]
fn the_same_record_has_the_same_id_for_ever_and_in_no_other_company() {
    let sandbox = sandbox(small());
    let bundles = BundleFixture::new().account(&sandbox);
    bundles.export("a.json");
    sandbox.state(|account| {
        for (resource, key) in [("organizations", "3"), ("deals", "4"), ("activities", "5")] {
            account.edit(Edit::Change { resource, key: key.to_owned(), set: Vec::new() });
        }
        account.edit(Edit::Delete { resource: "persons", key: "6".to_owned() });
        account.edit(Edit::Create { resource: "deals", parent: None });
    });
    bundles.export("b.json");
    let (before, after) = (bundles.bundle("a.json"), bundles.bundle("b.json"));
    for array in ARRAYS {
        let (before, after) = (rows(&before, array), rows(&after, array));
        for (id, row) in &before {
            if id != "cnt_pd900_6" {
                assert_eq!(after[id]["external_id"], row["external_id"]);
            }
        }
    }
    // Whoever referred to the person that is gone says so now.
    let dangling = rows(&after, "opportunities");
    let dangling = dangling.values().filter(|row| row["contact_external_id"] == "900:person:6");
    assert!(dangling.into_iter().all(|row| row["contact_public_id"].is_null()));
    assert_eq!(bundles.run(&["validate", "b.json"]).json()["total"], 0);
    let other = crate::support::sandbox(Options { company_id: 901, ..small() });
    let bundles = BundleFixture::new().account(&other);
    bundles.export("c.json");
    let other = bundles.bundle("c.json");
    for array in ARRAYS {
        let (one, other) = (rows(&after, array), rows(&other, array));
        assert!(one.keys().all(|id| !other.contains_key(id)), "{array}");
    }
}

#[test]
fn a_backup_makes_the_same_bundle_as_the_account() {
    let sandbox = sandbox(small());
    let bundles = BundleFixture::new().account(&sandbox);
    bundles.export("a.json");
    let backups = BackupFixture::of(&sandbox, &[]);
    assert_eq!(backups.run(&[]).code, Some(0));
    let dir = backups.dir().display().to_string();
    let offline = BundleFixture::new();
    offline.run(&["export", "--from", &dir, "--out", "b.json"]).json();
    assert_same(&bundles.bundle("a.json"), &offline.bundle("b.json"));
    let one = bundles.path("a.json").display().to_string();
    let said = offline.run(&["diff", &one, "b.json", "--exit-code"]).json();
    assert_eq!(said["changes"], json!([]));
    let some = BackupFixture::of(&sandbox, &["deals", "persons"]);
    assert_eq!(some.run(&[]).code, Some(0));
    let dir = some.dir().display().to_string();
    let (code, message) = offline.run(&["export", "--from", &dir, "--out", "c.json"]).error();
    assert_eq!(code, 65);
    assert!(message.contains("holds no organizations, leads, activities"), "{message}");
    assert_eq!(offline.names(), ["b.json", "b.json.context.json"]);
}

#[test]
fn what_a_backup_does_not_know_is_counted() {
    let sandbox = sandbox(small());
    let of_seed = [
        "organizations",
        "persons",
        "deals",
        "leads",
        "activities",
        "users",
        "pipelines",
        "stages",
        "deal_fields",
    ];
    let backups = BackupFixture::of(&sandbox, &of_seed);
    assert_eq!(backups.run(&[]).code, Some(0));
    // As pdcli leaves it: without a word of the company.
    let manifest = backups.dir().join("manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let mut seeds: Value = serde_json::from_str(&text).expect("JSON");
    let kept = ["started_at", "completed", "counts", "updated_at"];
    seeds.as_object_mut().expect("an object").retain(|key, _| kept.contains(&key.as_str()));
    std::fs::write(&manifest, seeds.to_string()).expect("it can be written");
    let dir = backups.dir().display().to_string();
    let bundles = BundleFixture::new();
    let (code, message) = bundles.run(&["export", "--from", &dir, "--out", "a.json"]).error();
    assert_eq!(code, 64);
    assert!(message.contains("name its id with --company-id"), "{message}");
    let export = ["export", "--from", &dir, "--out", "a.json", "--company-id", "900"];
    let said = bundles.run(&export).json();
    let lost: Vec<_> = said["unmapped"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| row["field"] == "*")
        .map(|row| row["resource"].clone())
        .collect();
    assert_eq!(lost, ["activity_types", "lead_labels", "organization_fields", "person_fields"]);
    assert_eq!(bundles.run(&["validate", "a.json"]).json()["total"], 0);
}

#[test]
fn without_every_row_there_is_no_bundle() {
    let faults = vec!["404@leads".parse().expect("a fault")];
    let sandbox = sandbox(Options { faults, ..small() });
    let bundles = BundleFixture::new().account(&sandbox);
    let (code, message) = bundles.run(&["export", "--out", "a.json"]).error();
    assert_eq!(code, 69, "{message}");
    assert!(message.starts_with("/api/v1/leads"), "{message}");
    assert_eq!(bundles.names(), ["config.json"]);
}

#[test]
fn a_differing_bundle_says_where() {
    let bundles = BundleFixture::new();
    bundles.put("a.json", r#"{"accounts":[{"public_id":"acct_1","name":"A","custom":{"Tier":"gold"}},{"public_id":"acct_2","name":"B"}],"leads":[]}"#);
    bundles.put("b.json", r#"{"accounts":[{"public_id":"acct_3","name":"C"},{"id":"x","public_id":"acct_1","name":"A","custom":{"Tier":"silver"},"owner":null}]}"#);
    let said = bundles.run(&["diff", "a.json", "b.json", "--exit-code"]);
    assert_eq!(said.code, Some(1));
    let said = said.object();
    let rows: Vec<_> = said["changes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                row["id"].as_str().unwrap_or_default(),
                row["change"].as_str().unwrap_or_default(),
                row["field"].as_str().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(rows, ["acct_3 added ", "acct_1 modified custom.Tier", "acct_2 removed "]);
    assert_eq!(said["skipped"][0]["resource"], "leads");
    let said = bundles.run(&["diff", "a.json", "b.json", "--ignore", "custom.Tier"]).json();
    assert_eq!(said["summary"]["modified"], 0);
    let (code, message) = bundles.run(&["diff", "a.json", "nowhere.json"]).error();
    assert_eq!((code, message.as_str()), (64, "nowhere.json: there is no such bundle"));
}

/// Findings of a bundle, `pointer: message`.
fn findings(text: &str) -> Vec<String> {
    let bundles = BundleFixture::new();
    bundles.put("a.json", text);
    let said = bundles.run(&["validate", "a.json"]);
    let found = said.object();
    let total = found["total"].as_u64().unwrap_or(0);
    assert_eq!(said.code, Some(if total == 0 { 0 } else { 65 }), "{}", said.stderr);
    let all = found["findings"].as_array().expect("a list").iter();
    all.map(|finding| {
        format!(
            "{}: {}",
            finding["pointer"].as_str().unwrap_or_default(),
            finding["message"].as_str().unwrap_or_default()
        )
    })
    .collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(findings(text), expected, "{text}");
}

#[test]
fn what_is_wrong_with_a_bundle_is_named_by_pointer() {
    check(
        r#"{"version":1,"exported_at":"2026-01-01T00:00:00Z","organization_id":7,"note":"x"}"#,
        &[],
    );
    let contact = r#"{"public_id":"cnt_1","account_public_id":"acct_1"}"#;
    let account = r#"{"public_id":"acct_1","name":"A","anything":[1]}"#;
    check(&format!(r#"{{"contacts":[{contact}],"accounts":[{account}]}}"#), &[]);
    check(
        &format!(r#"{{"contacts":[{contact}]}}"#),
        &["/contacts/0/account_public_id: refers to \"acct_1\", which is no row of /accounts"],
    );
    check(
        &format!(r#"{{"accounts":[{account},{account}]}}"#),
        &["/accounts/1/public_id: is the public id of /accounts/0 too: ids are unique"],
    );
    check(
        &format!(r#"{{"accounts":[{account}],"leads":[{{"public_id":"acct_1"}}]}}"#),
        &["/leads/0/public_id: is the public id of /accounts/0 too: ids are unique"],
    );
    check(
        r#"{"accounts":[{"name":"A"},{"public_id":"","name":"A"},{"public_id":7,"name":"A"},"x"]}"#,
        &[
            "/accounts/0/public_id: is missing: every row needs one",
            "/accounts/1/public_id: is empty",
            "/accounts/2/public_id: is missing: every row needs one",
            "/accounts/2/public_id: is no text",
            "/accounts/3: is no object",
        ],
    );
    check(
        r#"{"opportunities":[{"public_id":"o","status":"maybe","amount":"7","currency":"euro","close_date":"soon","deleted_at":5}]}"#,
        &[
            "/opportunities/0/status: is \"maybe\", but open, won or lost",
            "/opportunities/0/amount: is no number",
            "/opportunities/0/currency: is \"euro\", no currency's code",
            "/opportunities/0/close_date: is \"soon\", no RFC 3339 time or date",
            "/opportunities/0/deleted_at: is 5, no RFC 3339 time or date",
            "/opportunities/0/name: is missing",
        ],
    );
    check(
        r#"{"activities":[{"public_id":"a","record_type":"account"},{"public_id":"b","record_public_id":"x"},{"public_id":"c","record_type":"deal","record_public_id":"x"},{"public_id":"d","record_type":"contact","record_public_id":"x"}]}"#,
        &[
            "/activities/0/record_public_id: is missing",
            "/activities/1/record_type: is missing",
            "/activities/2/record_type: is \"deal\", but account, contact, opportunity or lead",
            "/activities/3/record_public_id: refers to \"x\", which is no row of /contacts",
        ],
    );
    let deal = |pipeline: &str, stage: &str| {
        let id = format!("{pipeline}{stage}");
        format!(
            r#"{{"public_id":"{id}","name":"D","pipeline_id":"{pipeline}","pipeline_stage_id":"{stage}"}}"#
        )
    };
    check(
        &format!(
            r#"{{"opportunities":[{},{},{}]}}"#,
            deal("p", "s"),
            deal("q", "t"),
            deal("q", "s")
        ),
        &["/opportunities/2/pipeline_stage_id: is a stage of another pipeline in an earlier row"],
    );
    check(
        r#"{"version":"9","exported_at":"yesterday","organization_id":{},"leads":{}}"#,
        &[
            "/version: bundle is of version \"9\", this program knows version 1: export it again, or update source-pipedrive",
            "/exported_at: is no RFC 3339 time",
            "/organization_id: is neither text nor a number",
            "/leads: is no list of rows",
        ],
    );
    let large = format!(r#"{{"leads":[{{"public_id":"l","title":"{}"}}]}}"#, "x".repeat(1 << 20));
    check(
        &large,
        &["/leads/0: is 1048604 bytes long; rows of more than 1024 KiB are not imported"],
    );
}

#[test]
fn a_side_car_tells_more_of_stages() {
    let bundles = BundleFixture::new();
    let deal = |id: &str, pipeline: &str, stage: &str, status: &str| json!({"public_id": id, "name": "D", "status": status, "pipeline_id": pipeline, "pipeline_stage_id": stage});
    let bundle = json!({"opportunities": [
        deal("a", "p", "s", "open"), deal("b", "q", "s", "open"), deal("c", "p", "w", "open"),
        deal("d", "p", "none", "open"),
    ]});
    bundles.put("a.json", &bundle.to_string());
    let stage = |id: &str, ty: &str| json!({"id": id, "name": id, "stage_type": ty});
    let context = json!({
        "version": 1, "tool": "t", "bundle": {"sha256": "", "bytes": 0},
        "source": {"system": "crm", "from": "x"}, "counts": {},
        "pipelines": [{"id": "p", "name": "P", "stages": [stage("s", "open"), stage("w", "won")]}],
    });
    bundles.put("a.json.context.json", &context.to_string());
    let said = bundles.run(&["validate", "a.json"]).object();
    let pointers: Vec<_> =
        said["findings"].as_array().expect("a list").iter().map(|f| f["pointer"].clone()).collect();
    assert_eq!(
        pointers,
        [
            "/opportunities/1/pipeline_stage_id",
            "/opportunities/2/status",
            "/opportunities/3/pipeline_stage_id",
        ]
    );
    bundles.put("a.json.context.json", r#"{"version":2}"#);
    let (code, message) = bundles.run(&["validate", "a.json"]).error();
    assert_eq!(code, 65);
    assert!(message.contains("is of version 2, this program knows 1"), "{message}");
}

#[test]
fn what_is_no_bundle_is_refused() {
    for (text, expected) in [
        ("", "a.json: is empty"),
        ("[]", "a.json: is no bundle: no JSON object (byte 0)"),
        (
            r#"{"leads":[{"public_id":"l"}"#,
            "a.json: ends at byte 27, before the bundle does: it is cut off",
        ),
        (r#"{"leads":[],"leads":[]}"#, "a.json: has the array leads twice"),
    ] {
        let bundles = BundleFixture::new();
        bundles.put("a.json", text);
        let (code, message) = bundles.run(&["validate", "a.json"]).error();
        assert_eq!((code, message.as_str()), (65, expected));
    }
}
