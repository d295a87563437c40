//! Rows that people deleted, converted or edited in the target, and fields they renamed or deleted: a
//! push finds what is there, names what is gone, and creates nothing twice.

use crate::bundle::kill::{INTO, RESOURCES, account, company, little};
use crate::support::bundle::{ARRAYS, BundleFixture, rows};
use crate::support::{sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Edit, FieldEdit, Options, Sandbox};

const DICTIONARIES: [&str; 3] = ["organization_fields", "person_fields", "deal_fields"];

/// The key of the newest row of a resource.
fn newest(sandbox: &Sandbox, resource: &str) -> String {
    sandbox.state(|account| account.truth(resource).pop().expect("it has rows").key)
}

fn edit(sandbox: &Sandbox, edit: Edit) -> Vec<String> {
    sandbox.state(|account| account.edit(edit))
}

/// An account into which the little bundle was pushed, and the folder it was pushed from.
fn pushed(bundle: &Value) -> (Sandbox, BundleFixture) {
    let sandbox = company(Vec::new());
    let bundles = BundleFixture::new().account(&sandbox);
    bundles.put("a.json", &bundle.to_string());
    bundles.run(INTO).json();
    (sandbox, bundles)
}

/// Codes of the custom fields of this name, by dictionary.
fn codes(sandbox: &Sandbox, name: &str) -> Vec<(&'static str, String)> {
    let find = |dictionary: &'static str| {
        let fields = sandbox.state(|account| account.truth(dictionary));
        let named = fields.into_iter().filter(|row| {
            let json: Value = serde_json::from_slice(&row.json).expect("a row is JSON");
            json["field_name"] == name
        });
        named.map(move |row| (dictionary, row.key)).collect::<Vec<_>>()
    };
    DICTIONARIES.into_iter().flat_map(find).collect()
}

fn fields(sandbox: &Sandbox) -> usize {
    sandbox.state(|account| DICTIONARIES.map(|name| account.truth(name).len()).iter().sum())
}

/// Does this to the fields that keep public ids.
fn to_markers(sandbox: &Sandbox, what: &FieldEdit) {
    let codes = codes(sandbox, "Portable id");
    assert_eq!(codes.len(), 3);
    for (dictionary, code) in codes {
        edit(sandbox, Edit::Field { dictionary, code, edit: what.clone() });
    }
}

fn writes(sandbox: &Sandbox) -> usize {
    sandbox.request_log().requests.iter().filter(|entry| entry.method != "GET").count()
}

#[test]
fn a_row_that_was_deleted_in_pipedrive_is_named_and_not_brought_back_unasked() {
    for (place, (array, resource)) in ARRAYS.into_iter().zip(RESOURCES).enumerate() {
        let (sandbox, bundles) = pushed(&little());
        let whole = account(&sandbox);
        let key = newest(&sandbox, resource);
        edit(&sandbox, Edit::Delete { resource, key: key.clone() });
        let left = account(&sandbox);
        let dry = bundles.run(&[INTO, &["--dry-run"]].concat()).json();
        assert_eq!(dry["gone_total"], 1, "{array}: {dry}");
        let said = bundles.run(INTO);
        assert_eq!(said.code, Some(3), "{array}: {}", said.stderr);
        assert!(said.stderr.contains("1 rows were deleted in the target"), "{}", said.stderr);
        let said = said.object();
        assert_eq!(said["plan"], dry["plan"]);
        assert_eq!((&said["plan"][array]["gone"], &said["missing"]), (&json!(1), &json!(0)));
        let gone = &said["gone"][0];
        assert_eq!((&gone["array"], &gone["id"]), (&json!(array), &json!(key)), "{said}");
        let id = little()[array].as_array().and_then(|rows| rows.last()?.get("public_id").cloned());
        assert_eq!(gone["public_id"], id.unwrap_or_default());
        assert_eq!(account(&sandbox), left, "{array}: nothing is created");
        let said = bundles.run(&[INTO, &["--recreate-deleted"]].concat()).json();
        assert_eq!(said["verified"], 6, "{array}: {said}");
        // A deleted deal stays listed for a while, beside the one that lives.
        let expected = if resource == "deals" { whole[place] + 1 } else { whole[place] };
        assert_eq!(account(&sandbox)[place], expected, "{array}");
        let said = bundles.run(INTO).json();
        assert_eq!(
            (&said["pushed"], &said["gone_total"]),
            (&json!(0), &json!(0)),
            "{array}: {said}"
        );
        // A fresh export has each row once, under the id it was pushed with.
        let fresh = BundleFixture::new().account(&sandbox);
        fresh.export("b.json");
        let bundle = fresh.bundle("b.json");
        for row in little()[array].as_array().into_iter().flatten() {
            let id = row["public_id"].as_str().expect("an id");
            assert!(rows(&bundle, array)[id]["deleted_at"].is_null(), "{array}: {id}");
        }
    }
}

#[test]
fn a_deal_is_known_to_be_deleted_with_and_without_a_journal() {
    for (days, journal) in [(0, false), (31, true)] {
        let (sandbox, bundles) = pushed(&little());
        let key = newest(&sandbox, "deals");
        edit(&sandbox, Edit::Delete { resource: "deals", key });
        edit(&sandbox, Edit::Advance(days * 86_400));
        if !journal {
            for name in ["a.json.journal.ndjson", "a.json.context.json"] {
                std::fs::remove_file(bundles.path(name)).expect("it is there");
            }
        }
        let said = bundles.run(INTO);
        assert_eq!(said.code, Some(3), "{days} {journal}: {}", said.stderr);
        assert_eq!(said.object()["gone"][0]["public_id"], "opp_a");
    }
}

#[test]
fn rows_of_the_account_itself_are_not_brought_back_unasked_either() {
    let sandbox = sandbox(Options { scale: 0.02, ..small() });
    let bundles = BundleFixture::new().account(&sandbox);
    bundles.export("a.json");
    for resource in RESOURCES {
        let key = sandbox.state(|account| account.truth(resource).swap_remove(0).key);
        edit(&sandbox, Edit::Delete { resource, key });
    }
    let before = account(&sandbox);
    let said = bundles.run(INTO);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let said = said.object();
    let counts = |what: &str| ARRAYS.map(|array| said["plan"][array][what].clone());
    assert_eq!(counts("gone"), [1, 1, 1, 1, 1].map(|n| json!(n)), "{said}");
    assert_eq!(counts("create"), [0, 0, 0, 0, 0].map(|n| json!(n)), "{said}");
    assert_eq!(account(&sandbox), before);
}

#[test]
fn a_lead_that_became_a_deal_is_that_row() {
    let mut bundle = little();
    let of_lead = json!({"public_id": "act_b", "subject": "Ask", "activity_type": "call", "record_type": "lead", "record_public_id": "lead_a"});
    bundle["activities"].as_array_mut().expect("a list").push(of_lead);
    let (sandbox, bundles) = pushed(&bundle);
    let lead = newest(&sandbox, "leads");
    let deal = edit(&sandbox, Edit::Convert { lead });
    let before = (account(&sandbox), writes(&sandbox));
    for _ in 0..2 {
        let said = bundles.run(INTO).json();
        assert_eq!(said["plan"]["leads"]["moved"], 1, "{said}");
        assert_eq!((&said["pushed"], &said["gone_total"]), (&json!(0), &json!(0)), "{said}");
        assert_eq!(said["arrays"]["leads"]["moved"], 1);
        assert_eq!((account(&sandbox), writes(&sandbox)), before);
    }
    // Its activities may still be changed, and new ones are the deal's.
    bundle["activities"][1]["subject"] = "Ask again".into();
    let more = json!({"public_id": "act_c", "subject": "More", "activity_type": "call", "lead_public_id": "lead_a"});
    bundle["activities"].as_array_mut().expect("a list").push(more);
    bundles.put("a.json", &bundle.to_string());
    let said = bundles.run(INTO).json();
    assert_eq!(said["pushed"], 2, "{said}");
    let key = newest(&sandbox, "activities");
    let made = sandbox.state(|account| account.truth("activities").pop().expect("it is there"));
    let made: Value = serde_json::from_slice(&made.json).expect("a row is JSON");
    assert_eq!(made["deal_id"].to_string(), deal[0], "{key}: {made}");
}

#[test]
fn the_field_of_public_ids_is_found_whatever_it_is_called() {
    for forgotten in [
        &[][..],
        &["a.json.journal.ndjson"],
        &["a.json.context.json"],
        &["a.json.journal.ndjson", "a.json.context.json"],
    ] {
        let (sandbox, bundles) = pushed(&little());
        to_markers(&sandbox, &FieldEdit::Rename("Kennung".to_owned()));
        for name in forgotten {
            std::fs::remove_file(bundles.path(name)).expect("it is there");
        }
        let before = (account(&sandbox), fields(&sandbox), writes(&sandbox));
        for _ in 0..2 {
            let said = bundles.run(INTO).json();
            assert_eq!((&said["pushed"], &said["verified"]), (&json!(0), &json!(6)), "{said}");
            assert_eq!((account(&sandbox), fields(&sandbox), writes(&sandbox)), before);
        }
        // Another field may get the old name.
        let other = codes(&sandbox, "Reference").swap_remove(0);
        let (dictionary, code) = (other.0, other.1);
        let name = FieldEdit::Rename("Portable id".to_owned());
        edit(&sandbox, Edit::Field { dictionary, code, edit: name });
        let said = bundles.run(INTO).json();
        assert_eq!((&said["pushed"], &said["verified"]), (&json!(0), &json!(6)), "{said}");
        // An export finds it, too, by what is in it.
        let (sandbox, _) = pushed(&little());
        to_markers(&sandbox, &FieldEdit::Rename("Kennung".to_owned()));
        let fresh = BundleFixture::new().account(&sandbox);
        for _ in 0..2 {
            fresh.export("b.json");
            let bundle = fresh.bundle("b.json");
            for array in ARRAYS {
                for row in little()[array].as_array().into_iter().flatten() {
                    let id = row["public_id"].as_str().expect("an id");
                    assert!(rows(&bundle, array).contains_key(id), "{array}: {id}");
                }
            }
        }
    }
}

#[test]
fn without_the_field_of_public_ids_nothing_is_created() {
    for (what, words) in
        [(FieldEdit::Delete, "is gone"), (FieldEdit::Retype("double"), "has become another type")]
    {
        for forgotten in ["a.json.journal.ndjson", "a.json.context.json"] {
            let (sandbox, bundles) = pushed(&little());
            to_markers(&sandbox, &what);
            std::fs::remove_file(bundles.path(forgotten)).expect("it is there");
            let before = (account(&sandbox), fields(&sandbox), writes(&sandbox));
            for more in [&[][..], &["--dry-run"], &["--recreate-deleted"]] {
                let (code, message) = bundles.run(&[INTO, more].concat()).error();
                assert_eq!(code, 65, "{message}");
                assert!(message.contains(words) && message.contains("--journal"), "{message}");
            }
            assert_eq!((account(&sandbox), fields(&sandbox), writes(&sandbox)), before);
        }
    }
}

#[test]
fn a_custom_field_that_was_renamed_is_not_created_again() {
    for name in ["Grade", "Score", "Partner of"] {
        let (sandbox, bundles) = pushed(&little());
        for (dictionary, code) in codes(&sandbox, name) {
            // One of the account's own may have the name, too.
            let edit = FieldEdit::Rename(format!("{name}, renamed"));
            sandbox.state(|account| account.edit(Edit::Field { dictionary, code, edit }));
        }
        let before = (fields(&sandbox), writes(&sandbox));
        let said = bundles.run(INTO).json();
        assert_eq!((&said["pushed"], &said["fields_created"]), (&json!(0), &json!([])), "{said}");
        assert_eq!((fields(&sandbox), writes(&sandbox)), before, "{name}");
    }
}

#[test]
fn a_row_whose_public_id_was_taken_away_is_known_by_its_own() {
    let (sandbox, bundles) = pushed(&little());
    let before = account(&sandbox);
    for resource in ["organizations", "persons", "deals", "activities"] {
        let key = newest(&sandbox, resource);
        let set = match resource {
            "activities" => vec![("note", json!("<p>rewritten</p>"))],
            _ => vec![("custom_fields", json!({}))],
        };
        edit(&sandbox, Edit::Change { resource, key, set });
    }
    let said = bundles.run(INTO).json();
    assert_eq!(said["verified"], 6, "{said}");
    assert_eq!(account(&sandbox), before);
    assert_eq!(bundles.run(INTO).json()["pushed"], 0);
}

#[test]
fn a_row_that_was_deleted_in_a_crm_comes_back_when_that_is_said() {
    let sandbox = sandbox(small());
    let bundles = BundleFixture::new().crm(&sandbox, 0);
    let push = |row: Value, more: &[&str]| {
        bundles.put("a.json", &json!({"accounts": [row]}).to_string());
        bundles.run(&[&["push", "a.json"], more].concat())
    };
    let dead = || json!({"public_id": "a", "name": "A", "deleted_at": "2026-05-01T00:00:00Z"});
    push(dead(), &[]).json();
    let said = push(json!({"public_id": "a", "name": "A"}), &[]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert_eq!(said.object()["gone"][0]["public_id"], "a");
    push(json!({"public_id": "a", "name": "A"}), &["--recreate-deleted"]).json();
    let said = push(json!({"public_id": "a", "name": "A"}), &[]).json();
    assert_eq!((&said["pushed"], &said["gone_total"]), (&json!(0), &json!(0)));
    push(dead(), &[]).json();
    // A row that says it lives says enough.
    let said = push(json!({"public_id": "a", "name": "A", "deleted_at": null}), &[]).json();
    assert_eq!(said["pushed"], 1);
}
