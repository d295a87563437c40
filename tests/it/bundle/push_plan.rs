//! What a push says before it writes, whom it asks, and what it leaves as it is.

use crate::bundle::kill::{INTO, account, little};
use crate::support::bundle::{ARRAYS, BundleFixture, CommandOutput, held, rows};
use crate::support::{sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Edit, Options, Sandbox};
use std::path::Path;

/// Rows of all arrays.
fn count(bundle: &Value) -> usize {
    ARRAYS.iter().map(|array| rows(bundle, array).len()).sum()
}

/// An account with a bundle of its own.
fn exported() -> (Sandbox, BundleFixture) {
    let sandbox = sandbox(Options { scale: 0.03, ..small() });
    let bundles = BundleFixture::new().account(&sandbox).crm(&sandbox, 0);
    bundles.export("a.json");
    (sandbox, bundles)
}

/// Reasons of a list of a report, with their fields and rows.
fn told(said: &Value, list: &str) -> Vec<String> {
    let all = said[list].as_array().into_iter().flatten();
    all.map(|one| {
        let part = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        format!("{}.{}: {}", part("array"), part("field"), one["rows"])
    })
    .collect()
}

#[test]
fn a_push_that_nobody_can_say_yes_to_is_refused_before_anything_is_asked() {
    let sandbox = sandbox(small());
    let bundles = BundleFixture::new().account(&sandbox).crm(&sandbox, 0);
    bundles.put("a.json", &little().to_string());
    for more in [&[][..], &["--to", "pipedrive"]] {
        let push = [&["push", "a.json"], more].concat();
        let said = CommandOutput::of(&bundles.unattended(&push).output().expect("it starts"));
        let (code, message) = said.error();
        assert_eq!(code, 64, "{message}");
        assert!(message.contains("--yes") && message.contains("--dry-run"), "{message}");
        assert_eq!(sandbox.request_log().requests.len(), 0);
        assert!(!bundles.path("a.json.journal.ndjson").exists());
    }
    // A plan needs no yes.
    for more in [&["--foreign"][..], &["--to", "pipedrive"]] {
        let push = [&["push", "a.json", "--dry-run"], more].concat();
        CommandOutput::of(&bundles.unattended(&push).output().expect("it starts")).json();
    }
}

#[test]
fn the_first_lines_say_what_will_not_arrive_and_what_changes_of_ones_own() {
    let (sandbox, bundles) = exported();
    let leads = rows(&bundles.bundle("a.json"), "leads");
    let nobodys = leads.values().filter(|lead| {
        ["account_public_id", "contact_public_id"].iter().all(|link| lead[*link].is_null())
    });
    let nobodys = nobodys.count();
    assert!(nobodys > 0);
    let lines = |bundles: &BundleFixture, arguments: &[&str]| -> Vec<String> {
        let said = bundles.run(&[arguments, &["--dry-run", "-o", "table"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout.lines().map(str::to_owned).collect()
    };
    let other = crate::support::sandbox(Options { scale: 0.01, company_id: 901, ..small() });
    let bundles = bundles.account(&other);
    let said = lines(&bundles, &["push", "a.json", "--to", "pipedrive", "--foreign"]);
    let expected =
        format!("will not arrive: {nobodys} leads: a lead needs a contact or an account");
    let warned = said.iter().position(|line| *line == expected);
    let table = said.iter().position(|line| line.contains("unchanged"));
    assert!(warned.is_some() && warned < table, "{said:#?}");
    // Into the account it came from.
    let bundles = bundles.account(&sandbox);
    bundles.edit("a.json", "accounts", "acct_pd900_1", "name", &json!("Renamed"));
    let said = lines(&bundles, &["push", "a.json", "--to", "pipedrive"]);
    let own = "changes 1 rows that came from this very account: make a backup first \
               (source-pipedrive backup --dir DIR)";
    assert_eq!(said.iter().position(|line| line == own), Some(1), "{said:#?}");
    assert!(said.iter().all(|line| !line.starts_with("lost:")), "{said:#?}");
    // And into the CRM it was pulled from.
    bundles.put("c.json", &little().to_string());
    bundles.run(&["push", "c.json", "--foreign"]).json();
    bundles.run(&["pull", "--out", "d.json"]).json();
    bundles.edit("d.json", "accounts", "acct_a", "name", &json!("Renamed"));
    let said = lines(&bundles, &["push", "d.json"]);
    assert!(
        said[1].starts_with("changes 1 rows that came from this very organization"),
        "{said:#?}"
    );
}

#[test]
fn archived_deals_that_would_change_stand_in_the_plan_with_the_reason() {
    let (sandbox, bundles) = exported();
    let deals = rows(&bundles.bundle("a.json"), "opportunities");
    let archived =
        deals.iter().find(|(_, row)| !row["archived_at"].is_null() && row["deleted_at"].is_null());
    let id = archived.expect("some deal is archived").0.clone();
    bundles.edit("a.json", "opportunities", &id, "name", &json!("Renamed"));
    let before = sandbox.state(|account| account.truth("deals")).len();
    let back = ["push", "a.json", "--to", "pipedrive"];
    let dry = bundles.run(&[&back[..], &["--dry-run"]].concat()).json();
    let said = bundles.run(&back);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stderr.contains("1 rows cannot be changed in the target"), "{}", said.stderr);
    let said = said.object();
    for said in [&dry, &said] {
        assert_eq!(said["plan"]["opportunities"]["locked"], 1);
        assert_eq!(said["locked"][0]["public_id"], *id);
        let why = said["locked"][0]["error"].as_str().unwrap_or_default();
        assert!(why.contains("archived deals"), "{why}");
    }
    assert_eq!((&said["pushed"], &said["refused_total"]), (&json!(0), &json!(0)));
    assert_eq!(sandbox.state(|account| account.truth("deals")).len(), before);
    assert!(sandbox.request_log().requests.iter().all(|entry| entry.method == "GET"));
}

#[test]
fn an_organization_is_cloned_into_another_of_the_same_crm() {
    let (sandbox, bundles) = exported();
    bundles.run(&["push", "a.json"]).json();
    bundles.run(&["pull", "--out", "b.json"]).json();
    let before = (held(&sandbox, 0), sandbox.crm_events(0));
    let all = count(&before.0);
    let bundles = bundles.crm(&sandbox, 1);
    let said = bundles.run(&["push", "b.json", "--as-copy"]).json();
    assert_eq!((&said["pushed"], &said["verified"]), (&json!(all), &json!(all)), "{said}");
    assert_eq!((held(&sandbox, 0), sandbox.crm_events(0)), before);
    // Every reference leads to the copy of the row that it led to.
    let copies = held(&sandbox, 1);
    assert_eq!(count(&copies), all);
    for array in ARRAYS {
        let (one, other) = (rows(&before.0, array), rows(&copies, array));
        for row in other.values() {
            let own = one.values().find(|own| own["external_id"] == row["external_id"]);
            let own = own.expect("it is a copy of one");
            for (field, value) in own.as_object().expect("an object") {
                if let (true, Some(id)) = (field.ends_with("public_id"), value.as_str()) {
                    let (prefix, rest) = id.split_once('_').expect("ids have prefixes");
                    let copy = row[field].as_str().unwrap_or_default();
                    assert!(copy.starts_with(&format!("{prefix}_c")), "{field}: {copy}");
                    assert!(copy.ends_with(&format!("_{rest}")), "{field}: {copy}");
                }
            }
            // A custom field may name a row that is nowhere: there is no copy of it.
            let accounts = rows(&before.0, "accounts");
            for value in row["custom"].as_object().into_iter().flatten().map(|(_, value)| value) {
                assert!(value.as_str().is_none_or(|id| !accounts.contains_key(id)), "{value}");
            }
        }
    }
    // Twice changes nothing, and no scrap stays.
    assert_eq!(bundles.run(&["push", "b.json", "--as-copy"]).json()["pushed"], 0);
    let scrap = |name: &String| Path::new(name).extension().is_some_and(|what| what == "copy");
    assert!(!bundles.names().iter().any(scrap), "{:?}", bundles.names());
    bundles.run(&["pull", "--out", "c.json"]).json();
    assert_eq!(bundles.run(&["validate", "c.json"]).json()["total"], 0);
}

#[test]
fn copies_go_into_an_account_beside_what_was_copied() {
    let sandbox = sandbox(Options { scale: 0.01, company_id: 901, ..small() });
    let bundles = BundleFixture::new().account(&sandbox);
    bundles.put("a.json", &little().to_string());
    bundles.run(INTO).json();
    let once = account(&sandbox);
    let said = bundles.run(&[INTO, &["--as-copy"]].concat()).json();
    assert_eq!((&said["pushed"], &said["verified"]), (&json!(6), &json!(6)), "{said}");
    let twice: Vec<_> = once.iter().zip([2, 1, 1, 1, 1]).map(|(n, more)| n + more).collect();
    assert_eq!(account(&sandbox), twice);
    for more in [&[][..], &["--as-copy"]] {
        assert_eq!(bundles.run(&[INTO, more].concat()).json()["pushed"], 0);
    }
}

/// The CRM's own stage of this name.
fn stage(bundles: &BundleFixture, name: &str) -> Value {
    let context = bundles.context("b.json");
    let stages = context["pipelines"][0]["stages"].as_array().expect("a list").clone();
    let stage = stages.into_iter().find(|stage| stage["name"] == name);
    stage.expect("the CRM has it")["id"].clone()
}

/// Two open deals in the pipeline "Sales", in no stage that the CRM knows by name.
fn nameless(bundles: &BundleFixture) -> Vec<String> {
    let deals = rows(&bundles.bundle("a.json"), "opportunities");
    let some = deals.iter().filter(|(_, row)| {
        // Nor the one that a guess would lead to.
        let known = ["Proposal", "Negotiation", "Lead in"]
            .contains(&row["stage_name"].as_str().unwrap_or(""));
        row["pipeline_name"] == "Sales"
            && row["status"] == "open"
            && !known
            && row["deleted_at"].is_null()
            && row["archived_at"].is_null()
    });
    some.map(|(id, _)| id.clone()).take(2).collect()
}

#[test]
fn a_deal_that_is_moved_in_the_crm_is_moved_where_the_account_has_a_stage_of_that_name() {
    let (sandbox, bundles) = exported();
    bundles.run(&["push", "a.json"]).json();
    bundles.run(&["pull", "--out", "b.json"]).json();
    let ids = nameless(&bundles);
    let [named, guessed] = &ids[..] else { panic!("too few deals: {ids:?}") };
    let stages = |id: &str| {
        let key = id.rsplit('_').next().unwrap_or_default().to_owned();
        let rows = sandbox.state(|account| account.truth("deals"));
        let row = rows.into_iter().find(|row| row.key == key).expect("it is there");
        serde_json::from_slice::<Value>(&row.json).expect("JSON")["stage_id"].clone()
    };
    let before = (stages(named), stages(guessed));
    bundles.edit(
        "b.json",
        "opportunities",
        named,
        "pipeline_stage_id",
        &stage(&bundles, "Negotiation"),
    );
    bundles.edit(
        "b.json",
        "opportunities",
        guessed,
        "pipeline_stage_id",
        &stage(&bundles, "Prospect"),
    );
    let said = bundles.run(&["push", "b.json", "--to", "pipedrive"]).json();
    assert_eq!(said["pushed"], 1, "{said}");
    assert_eq!(told(&said, "kept"), ["opportunities.pipeline_stage_id: 1"], "{said}");
    assert_ne!(stages(named), before.0);
    assert_eq!(stages(guessed), before.1);
    assert_eq!(said["stages"][0]["to"], "Sales/Negotiation", "{said}");
}

#[test]
fn a_guessed_stage_of_a_crm_replaces_none() {
    let (sandbox, bundles) = exported();
    bundles.run(&["push", "a.json"]).json();
    bundles.run(&["pull", "--out", "b.json"]).json();
    let ids = nameless(&bundles);
    // A user moves a deal there.
    let moved = json!({"opportunities": [{"public_id": ids[0], "name": "Moved", "status": "open", "pipeline_stage_id": stage(&bundles, "Prospect")}]});
    bundles.put("c.json", &moved.to_string());
    bundles.run(&["push", "c.json", "--journal", "c.journal"]).json();
    let stage_of =
        || rows(&held(&sandbox, 0), "opportunities")[&ids[0]]["pipeline_stage_id"].clone();
    assert_eq!(stage_of(), stage(&bundles, "Prospect"));
    let said = bundles.run(&["push", "a.json"]).json();
    assert_eq!(told(&said, "kept"), ["opportunities.pipeline_stage_id: 1"], "{said}");
    assert_eq!(stage_of(), stage(&bundles, "Prospect"));
    assert_eq!((&said["pushed"], &said["different"]), (&json!(1), &json!(0)), "{said}");
    // The move is an edit, and no form that the CRM gave a stage.
    bundles.run(&["pull", "--out", "b.json"]).json();
    let dry = bundles.run(&["push", "b.json", "--to", "pipedrive", "--dry-run"]).json();
    assert_eq!(told(&dry, "kept"), ["opportunities.pipeline_stage_id: 1"], "{dry}");
    // One that is won goes where won deals are.
    bundles.edit("a.json", "opportunities", &ids[0], "status", &json!("won"));
    bundles.run(&["push", "a.json"]).json();
    assert_eq!(stage_of(), stage(&bundles, "Won"));
}

#[test]
fn a_list_that_a_bundle_says_a_part_of_is_not_replaced() {
    let (sandbox, bundles) = exported();
    let person = rows(&bundles.bundle("a.json"), "contacts");
    let (id, row) =
        person.iter().find(|(_, row)| !row["labels"].is_null()).expect("some has labels");
    let key = id.rsplit('_').next().unwrap_or_default().to_owned();
    let person = |sandbox: &Sandbox| {
        let rows = sandbox.state(|account| account.truth("persons"));
        rows.into_iter().find(|row| row.key == key).expect("it is there").json
    };
    let ids: Value = serde_json::from_slice(&person(&sandbox)).expect("JSON");
    let mut ids = ids["label_ids"].as_array().expect("a list").clone();
    // A label without a known name.
    ids.push(json!(987_654));
    let set_labels = vec![("label_ids", Value::from(ids))];
    let edit = Edit::Change { resource: "persons", key: key.clone(), set: set_labels };
    sandbox.state(|account| account.edit(edit));
    let before = person(&sandbox);
    let fewer = Value::from(Vec::<Value>::new());
    assert_ne!(row["labels"], fewer);
    bundles.edit("a.json", "contacts", id, "labels", &fewer);
    let said = bundles.run(&["push", "a.json", "--to", "pipedrive"]).json();
    assert_eq!(told(&said, "kept"), ["contacts.labels: 1"], "{said}");
    assert_eq!((&said["pushed"], person(&sandbox)), (&json!(0), before));
}

#[test]
fn a_reference_that_the_bundle_could_not_hold_empties_none() {
    let (sandbox, bundles) = exported();
    let deals = rows(&bundles.bundle("a.json"), "opportunities");
    let free = |row: &Value| row["deleted_at"].is_null() && row["archived_at"].is_null();
    let linked = deals.iter().filter(|(_, row)| free(row) && !row["contact_public_id"].is_null());
    let ids: Vec<_> = linked.map(|(id, _)| id.clone()).take(2).collect();
    let [outside, emptied] = &ids[..] else { panic!("too few deals: {ids:?}") };
    for id in [outside, emptied] {
        bundles.edit("a.json", "opportunities", id, "contact_public_id", &Value::Null);
    }
    let external = json!("900:person:9999");
    bundles.edit("a.json", "opportunities", outside, "contact_external_id", &external);
    let said = bundles.run(&["push", "a.json", "--to", "pipedrive"]).json();
    assert_eq!(said["pushed"], 1, "{said}");
    assert_eq!(told(&said, "kept"), ["opportunities.contact_public_id: 1"], "{said}");
    let person = |id: &str| {
        let key = id.rsplit('_').next().unwrap_or_default().to_owned();
        let rows = sandbox.state(|account| account.truth("deals"));
        let row = rows.into_iter().find(|row| row.key == key).expect("it is there");
        serde_json::from_slice::<Value>(&row.json).expect("JSON")["person_id"].clone()
    };
    assert!(person(outside).is_number() && person(emptied).is_null());
}
