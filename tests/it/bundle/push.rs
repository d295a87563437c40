//! Bundles go into a CRM and into Pipedrive, and come out again.

use crate::support::bundle::{ARRAYS, BundleFixture, assert_same, held, portable, rows};
use crate::support::{profiles, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{CrmOptions, Edit, Options, Sandbox, UnknownFields};
use std::collections::BTreeSet;

fn with(crm: CrmOptions) -> Sandbox {
    sandbox(Options { crm, ..small() })
}

/// Rows of all arrays.
fn count(bundle: &Value) -> u64 {
    ARRAYS.iter().map(|array| rows(bundle, array).len() as u64).sum()
}

/// A bundle of the sandbox's own account, in a folder whose commands talk to its CRM.
fn prepared(sandbox: &Sandbox) -> BundleFixture {
    let bundles = BundleFixture::new().account(sandbox).crm(sandbox, 0);
    bundles.export("a.json");
    bundles
}

#[test]
fn an_account_goes_through_the_crm_and_comes_back_as_it_was() {
    let sandbox = sandbox(small());
    let bundles = prepared(&sandbox);
    let bundle = bundles.bundle("a.json");
    let dry = bundles.run(&["push", "a.json", "--dry-run"]).json();
    assert_eq!(dry["plan"]["accounts"]["create"], rows(&bundle, "accounts").len());
    assert_eq!(sandbox.crm_events(0), 0);
    assert!(!bundles.path("a.json.journal.ndjson").exists());
    let said = bundles.run(&["push", "a.json"]).json();
    assert_eq!(said["pushed"], count(&bundle));
    assert_eq!(said["verified"], count(&bundle));
    assert_eq!(
        said["change_events"],
        json!({"imported": count(&bundle), "unaccounted": 0, "by_row": true})
    );
    assert_same(&bundle, &held(&sandbox, 0));
    bundles.run(&["pull", "--out", "b.json"]).json();
    assert_same(&bundle, &bundles.bundle("b.json"));
    let ignored =
        ["diff", "a.json", "b.json", "--ignore", "pipeline_id,pipeline_stage_id", "--exit-code"];
    assert_eq!(bundles.run(&ignored).json()["changes"], json!([]));
    // Won stays won and lost stays lost, in stages of that type.
    let context = bundles.context("b.json");
    let stages = context["pipelines"][0]["stages"].as_array().expect("a list");
    for row in rows(&bundles.bundle("b.json"), "opportunities").values() {
        let stage = stages.iter().find(|stage| stage["id"] == row["pipeline_stage_id"]);
        assert_eq!(stage.expect("a stage of the CRM")["stage_type"], row["status"], "{row}");
    }
    assert_eq!(bundles.run(&["validate", "b.json"]).json()["total"], 0);
    // The same bundle twice changes nothing.
    let events = sandbox.crm_events(0);
    let said = bundles.run(&["push", "a.json"]).json();
    assert_eq!((said["pushed"].as_u64(), said["requests"].as_u64()), (Some(0), Some(0)));
    assert_eq!(sandbox.crm_events(0), events);
    for name in bundles.names() {
        assert!(!name.ends_with(".target") && !name.ends_with(".events"), "{name}");
    }
}

#[test]
fn only_what_changed_is_pushed_again() {
    let sandbox = sandbox(small());
    let bundles = prepared(&sandbox);
    bundles.run(&["push", "a.json"]).json();
    let events = sandbox.crm_events(0);
    sandbox.state(|account| {
        let set = vec![("title", json!("Renamed")), ("value", json!(12.5))];
        account.edit(Edit::Change { resource: "deals", key: "3".to_owned(), set });
        // A touch is no change: both systems stamp rows by themselves.
        account.edit(Edit::Change {
            resource: "persons",
            key: "4".to_owned(),
            set: vec![("visible_to", json!(1))],
        });
        account.edit(Edit::Delete { resource: "deals", key: "5".to_owned() });
    });
    bundles.export("a.json");
    let said = bundles.run(&["push", "a.json"]).json();
    assert_eq!(said["plan"]["opportunities"]["update"], 2, "{said}");
    assert_eq!(said["pushed"], 2);
    assert_eq!(sandbox.crm_events(0), events + 2);
    let held = held(&sandbox, 0);
    let deals = rows(&held, "opportunities");
    assert_eq!(deals["opp_pd900_3"]["name"], "Renamed");
    assert!(!deals["opp_pd900_5"]["deleted_at"].is_null());
}

#[test]
fn two_organizations_see_nothing_of_each_other() {
    let sandbox = sandbox(small());
    let first = prepared(&sandbox);
    first.run(&["push", "a.json"]).json();
    let before = (held(&sandbox, 0), sandbox.crm_events(0));
    let second = BundleFixture::new().crm(&sandbox, 1);
    assert_eq!(second.run(&["pull", "--out", "b.json"]).json()["rows"], 0);
    assert_eq!(second.run(&["changes"]).stdout, "");
    // Public ids are unique across the product: not one of these rows gets in, and none is touched.
    std::fs::copy(first.path("a.json"), second.path("a.json")).expect("a copy");
    let said = second.run(&["push", "a.json"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let said = said.object();
    assert_eq!(said["pushed"], 0);
    assert_eq!(said["refused_total"], count(&before.0));
    assert!(said["refused"][0]["error"].as_str().is_some_and(|e| e.contains("already been taken")));
    assert_eq!(count(&held(&sandbox, 1)), 0);
    assert_eq!(before, (held(&sandbox, 0), sandbox.crm_events(0)));
    // Rows that refer across are refused too.
    let across = json!({"contacts": [{"public_id": "cnt_x", "account_public_id": "acct_pd900_1"}]});
    second.put("c.json", &across.to_string());
    let (code, _) = second.run(&["push", "c.json"]).error();
    assert_eq!(code, 65);
    // An event of the other's row is not to be had by its id.
    let event: Value = first
        .run(&["changes"])
        .stdout
        .lines()
        .next()
        .map_or(Value::Null, |line| serde_json::from_str(line).expect("an event is JSON"));
    let id = event["record_id"].as_str().expect("an id").to_owned();
    assert_eq!(first.run(&["changes", "--record-id", &id]).stdout.lines().count(), 1);
    assert_eq!(second.run(&["changes", "--record-id", &id]).stdout, "");
    assert_eq!(
        first.run(&["changes", "--record-type", "lead"]).stdout.lines().count(),
        rows(&before.0, "leads").len()
    );
    let (code, _) = first.run(&["changes", "--record-type", "deal"]).error();
    assert_eq!(code, 64);
}

#[test]
fn a_key_of_another_organization_does_not_go_unnoticed() {
    let sandbox = sandbox(small());
    let first = prepared(&sandbox);
    first.run(&["push", "a.json"]).json();
    // The journal knows where the bundle went.
    let second = first.crm(&sandbox, 1);
    let (code, message) = second.run(&["push", "a.json"]).error();
    assert_eq!(code, 78);
    assert!(message.contains("was pushed to 0f1c5a52-6a0e-4c2e-9d5a-000000000001"), "{message}");
    assert_eq!(sandbox.crm_events(1), 0);
    // A bundle that was pulled from one organization is not pushed into another by mistake.
    let first = second.crm(&sandbox, 0);
    first.run(&["pull", "--out", "b.json"]).json();
    let second = first.crm(&sandbox, 1);
    let (code, message) = second.run(&["push", "b.json"]).error();
    assert_eq!(code, 65);
    assert!(message.contains("--foreign pushes it as it is"), "{message}");
    assert!(message.contains("--as-copy"), "{message}");
    let stranger = BundleFixture::new().crm(&sandbox, 0).key("adcrm_test_nobody");
    let (code, message) = stranger.run(&["pull", "--out", "c.json"]).error();
    assert_eq!(code, 77, "{message}");
    assert!(!message.contains("nobody") && !stranger.path("c.json").exists());
    let (code, message) =
        BundleFixture::new().crm(&sandbox, 0).key("").run(&["pull", "--out", "c.json"]).error();
    assert_eq!(code, 78, "{message}");
}

#[test]
fn a_crm_with_other_habits_gets_the_rows_all_the_same() {
    let habits = [
        CrmOptions { atomic: true, ..CrmOptions::default() },
        CrmOptions { ids: false, ..CrmOptions::default() },
        CrmOptions { report: false, event_times: false, ..CrmOptions::default() },
        CrmOptions { keep_stamps: false, ..CrmOptions::default() },
        CrmOptions { rows_max: 7, ..CrmOptions::default() },
        CrmOptions { body_bytes_max: 8_000, atomic: true, ..CrmOptions::default() },
    ];
    for crm in habits {
        let shown = format!("{crm:?}");
        let sandbox = with(crm);
        let bundles = prepared(&sandbox);
        let said = bundles.run(&["push", "a.json"]);
        assert_eq!(said.code, Some(0), "{shown}: {}", said.stderr);
        let said = said.object();
        assert_eq!(said["verified"], count(&bundles.bundle("a.json")), "{shown}");
        assert_eq!(said["change_events"]["unaccounted"], 0, "{shown}");
        assert_eq!(bundles.run(&["push", "a.json"]).json()["pushed"], 0, "{shown}");
    }
}

#[test]
fn rows_that_a_crm_refuses_are_told_one_by_one() {
    for (crm, atomic) in [
        (CrmOptions::default(), false),
        (CrmOptions { atomic: true, ..CrmOptions::default() }, true),
    ] {
        let sandbox = with(crm);
        let bundles = BundleFixture::new().crm(&sandbox, 0);
        let own = json!({"accounts": [{"public_id": "taken", "name": "T"}]});
        let other = BundleFixture::new().crm(&sandbox, 1);
        other.put("a.json", &own.to_string());
        other.run(&["push", "a.json"]).json();
        let bundle = json!({
            "accounts": [{"public_id": "a", "name": "A"}, {"public_id": "taken", "name": "M"}, {"public_id": "b", "name": "B"}],
            "contacts": [{"public_id": "c", "account_public_id": "taken"}, {"public_id": "d", "account_public_id": "a"}],
        });
        bundles.put("a.json", &bundle.to_string());
        let said = bundles.run(&["push", "a.json"]);
        assert_eq!(said.code, Some(3));
        let said = said.object();
        let refused: Vec<_> = said["refused"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| {
                format!(
                    "/{}/{} {}: {}",
                    row["array"].as_str().unwrap_or_default(),
                    row["index"],
                    row["public_id"].as_str().unwrap_or_default(),
                    row["error"].as_str().unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(
            refused,
            [
                "/accounts/1 taken: public_id has already been taken",
                "/contacts/0 c: account_public_id refers to no account of this organization",
            ],
            "atomic: {atomic}"
        );
        assert_eq!(said["pushed"], 3);
        assert_eq!(said["missing_rows"], json!(["taken", "c"]));
        assert_eq!(rows(&held(&sandbox, 0), "accounts").len(), 2);
        assert_eq!(held(&sandbox, 1)["accounts"][0]["name"], "T");
    }
}

#[test]
fn fields_that_a_crm_refuses_can_be_left_out() {
    let refuse_fields = vec!["custom".to_owned(), "contacts.title".to_owned()];
    let sandbox = with(CrmOptions { refuse_fields, ..CrmOptions::default() });
    let bundles = prepared(&sandbox);
    let said = bundles.run(&["push", "a.json"]);
    assert_eq!(said.code, Some(3));
    let errors: BTreeSet<_> = said.object()["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["error"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(errors.contains("unpermitted parameter: custom"), "{errors:?}");
    let said = bundles.run(&["push", "a.json", "--drop", "custom,contacts.title"]).json();
    assert_eq!(said["verified"], count(&bundles.bundle("a.json")));
    let crm = CrmOptions { unknown_fields: UnknownFields::Refuse, ..CrmOptions::default() };
    let strict = with(crm);
    let bundles = prepared(&strict);
    assert_eq!(bundles.run(&["push", "a.json"]).code, Some(3));
    bundles.run(&["push", "a.json", "--strict-fields"]).json();
    let crm = CrmOptions { unknown_fields: UnknownFields::Drop, ..CrmOptions::default() };
    let forgetful = with(crm);
    let bundles = prepared(&forgetful);
    let said = bundles.run(&["push", "a.json"]);
    assert_eq!(said.code, Some(3));
    let fields = said.object()["different_fields"].to_string();
    assert!(fields.contains("\"field\":\"labels\""), "{fields}");
    let (code, message) = bundles.run(&["push", "a.json", "--drop", "public_id"]).error();
    assert_eq!(
        (code, message.as_str()),
        (64, "--drop: public_id cannot be dropped: rows are known by it")
    );
}

#[test]
fn activities_belong_to_what_the_crm_knows() {
    let activity_parents = vec!["account".to_owned(), "contact".to_owned()];
    let sandbox = with(CrmOptions { activity_parents, ..CrmOptions::default() });
    let bundles = prepared(&sandbox);
    assert_eq!(bundles.run(&["push", "a.json"]).code, Some(3));
    let said = bundles.run(&["push", "a.json", "--activity-parents", "contact,account"]).json();
    assert_eq!(said["verified"], count(&bundles.bundle("a.json")));
    let held = rows(&held(&sandbox, 0), "activities");
    for row in rows(&bundles.bundle("a.json"), "activities").values() {
        let made = &held[row["public_id"].as_str().unwrap_or_default()];
        let expected = ["contact", "account"].into_iter().find_map(|kind| {
            let id = &row[format!("{kind}_public_id")];
            (!id.is_null()).then(|| (json!(kind), id.clone()))
        });
        let expected = expected.unwrap_or((Value::Null, Value::Null));
        assert_eq!((made["record_type"].clone(), made["record_public_id"].clone()), expected);
    }
}

#[test]
fn stages_go_where_they_are_told() {
    let mut crm = CrmOptions::default();
    let stages = [("Demo", "open"), ("Contact", "open"), ("Closed", "won")];
    let stages = stages.map(|(name, ty)| (name.to_owned(), ty.to_owned())).to_vec();
    crm.tenants[0].pipelines.push(("Renewals".to_owned(), stages));
    let sandbox = with(crm);
    let bundles = prepared(&sandbox);
    bundles
        .put("map.json", r#"{"Sales/Demo": "Default pipeline/Proposal", "Lead in": "Prospect"}"#);
    let said = bundles.run(&["push", "a.json", "--map-stages", "map.json"]).json();
    let used = said["stages"].as_array().expect("a list").clone();
    let to = |from: &str, status: &str| {
        let row = used.iter().find(|row| row["from"] == from && row["status"] == status);
        row.map(|row| {
            format!(
                "{} {}",
                row["to"].as_str().unwrap_or_default(),
                row["how"].as_str().unwrap_or_default()
            )
        })
    };
    let check = |from: &str, status: &str, expected: &str| {
        if let Some(found) = to(from, status) {
            assert_eq!(found, expected, "{from} ({status})");
        }
    };
    check("Sales/Demo", "open", "Default pipeline/Proposal given");
    check("Renewals/Demo", "open", "Renewals/Demo name");
    check("Renewals/Lead in", "open", "Default pipeline/Prospect given");
    check("Renewals/Demo", "won", "Renewals/Closed type");
    check("Renewals/Demo", "lost", "Default pipeline/Lost type");
    check("Sales/Contact", "open", "Renewals/Contact stage_name");
    assert!(used.len() > 10);
    bundles.put("map.json", r#"{"Sales/Demo": "Nowhere"}"#);
    let (code, message) = bundles.run(&["push", "a.json", "--map-stages", "map.json"]).error();
    assert_eq!(code, 64);
    assert!(message.contains("\"Nowhere\" names no stage of the target"), "{message}");
}

#[test]
fn a_crm_that_does_not_say_its_stages_decides_by_itself() {
    let fault = "404@opportunity_pipelinesx*".parse().expect("a fault");
    let sandbox = sandbox(Options { faults: vec![fault], ..small() });
    let bundles = BundleFixture::new().crm(&sandbox, 0);
    bundles.put("a.json", r#"{"opportunities":[{"public_id":"o","name":"O","pipeline_id":"p","pipeline_stage_id":"s"}]}"#);
    let said = bundles.run(&["push", "a.json"]).json();
    assert_eq!((&said["verified"], &said["stages"][0]["how"]), (&json!(1), &json!("target")));
    let held = held(&sandbox, 0);
    assert!(held["opportunities"][0]["pipeline_stage_id"].is_string(), "{held}");
    assert_eq!(bundles.run(&["push", "a.json"]).json()["pushed"], 0);
}

#[test]
fn a_bundle_with_findings_is_not_pushed_at_all() {
    let sandbox = sandbox(small());
    let bundles = BundleFixture::new().crm(&sandbox, 0).account(&sandbox);
    bundles.put(
        "a.json",
        r#"{"accounts":[{"public_id":"a","name":"A"},{"public_id":"a","name":"B"}]}"#,
    );
    for target in [&["push", "a.json"][..], &["push", "a.json", "--to", "pipedrive"]] {
        let said = bundles.run(target);
        assert_eq!(said.code, Some(65));
        assert_eq!(said.object()["findings"][0]["pointer"], "/accounts/1/public_id");
    }
    assert_eq!(sandbox.crm_events(0), 0);
    assert!(!bundles.path("a.json.journal.ndjson").exists());
    // A subset may refer to what the target has.
    bundles.put("b.json", r#"{"accounts":[{"public_id":"a","name":"A"}]}"#);
    bundles.run(&["push", "b.json"]).json();
    bundles.put("c.json", r#"{"contacts":[{"public_id":"c","account_public_id":"a"}]}"#);
    bundles.run(&["push", "c.json"]).json();
}

#[test]
fn a_crm_goes_into_pipedrive_and_comes_back_up_to_what_is_lost() {
    for (_, options) in profiles() {
        comes_back(options);
    }
}

fn comes_back(options: Options) {
    let target = Options { scale: 0.01, company_id: 901, page_max: Some(50), ..options.clone() };
    let target = sandbox(target);
    let source = sandbox(options);
    let bundles = prepared(&source);
    bundles.run(&["push", "a.json"]).json();
    bundles.run(&["pull", "--out", "b.json"]).json();
    let bundles = bundles.account(&target);
    let before = target.state(|account| account.truth("deals")).len();
    let dry = bundles.run(&["push", "b.json", "--to", "pipedrive", "--dry-run"]).json();
    assert_eq!(target.state(|account| account.truth("deals")).len(), before);
    let said = bundles.run(&["push", "b.json", "--to", "pipedrive"]).json();
    assert_eq!(said["plan"], dry["plan"]);
    assert_eq!(said["missing"].as_u64().zip(said["different"].as_u64()), Some((0, 0)));
    assert_eq!(said["fields_created"][0]["name"], "Portable id");
    let writes: u64 = target
        .request_log()
        .requests
        .iter()
        .filter(|entry| entry.method != "GET")
        .map(|entry| u64::from(entry.tokens))
        .sum();
    let planned = dry["tokens"].as_u64().unwrap_or(0);
    // Rows that refer forward, and archived leads, are written twice.
    assert!(writes >= planned && writes < planned * 3 / 2, "{writes} of {planned} planned");
    // The side-car says what was lost; nothing else is.
    bundles.export("c.json");
    let (old, new) = (bundles.bundle("b.json"), bundles.bundle("c.json"));
    let lost = bundles.context("b.json")["lost"]["pipedrive:901"].clone();
    let lost = |array: &str, field: &str| {
        let own =
            ["external_id", "pipeline_id", "pipeline_stage_id", "pipeline_name", "stage_name"];
        own.contains(&field)
            || lost.as_array().is_some_and(|all| {
                all.iter().any(|row| {
                    let name = row["field"].as_str().unwrap_or_default();
                    // Parent and kind of parent go together.
                    let field = if field == "record_type" { "record_public_id" } else { field };
                    row["resource"] == array && name.split('.').next() == Some(field)
                })
            })
    };
    for array in ARRAYS {
        let (old, new) = (portable(&rows(&old, array)), portable(&rows(&new, array)));
        for (id, row) in &old {
            let Some(made) = new.get(id) else {
                let left = !row["deleted_at"].is_null() || array == "leads";
                assert!(left, "{id} is missing");
                continue;
            };
            for (field, value) in row.as_object().expect("an object") {
                let same = &made[field] == value;
                assert!(same || lost(array, field), "{id}.{field}: {value} → {}", made[field]);
            }
        }
    }
    // Again: nothing is written, nothing is there twice.
    let deals = target.state(|account| account.truth("deals")).len();
    let said = bundles.run(&["push", "b.json", "--to", "pipedrive"]).json();
    assert_eq!(said["pushed"], 0, "{said}");
    assert_eq!(said["fields_created"], json!([]));
    assert_eq!(target.state(|account| account.truth("deals")).len(), deals);
    // And a change arrives as one.
    let text = std::fs::read_to_string(bundles.path("b.json")).expect("the bundle is there");
    let name = format!("\"name\":{}", old["accounts"][0]["name"]);
    bundles.put("b.json", &text.replacen(&name, "\"name\":\"Renamed\"", 1));
    let said = bundles.run(&["push", "b.json", "--to", "pipedrive"]).json();
    assert_eq!(said["plan"]["accounts"]["update"], 1);
    assert_eq!(said["pushed"], 1);
}

#[test]
fn a_bundle_of_another_company_is_pushed_when_that_is_meant() {
    let source = sandbox(small());
    let bundles = prepared(&source);
    let target = sandbox(Options { company_id: 901, ..small() });
    let bundles = bundles.account(&target);
    let (code, message) = bundles.run(&["push", "a.json", "--to", "pipedrive"]).error();
    assert_eq!(code, 65);
    assert!(
        message.contains("bundle is of Pipedrive company 900, and the token of company 901"),
        "{message}"
    );
    assert!(target.request_log().requests.iter().all(|entry| entry.method == "GET"));
    let (code, message) =
        bundles.run(&["push", "a.json", "--to", "pipedrive", "--drop", "custom"]).error();
    assert_eq!(code, 64, "{message}");
}

#[test]
fn events_are_followed_until_somebody_stops() {
    use std::io::{BufRead as _, BufReader};
    let sandbox = sandbox(small());
    let bundles = BundleFixture::new().crm(&sandbox, 0);
    bundles.put("a.json", r#"{"accounts":[{"public_id":"a","name":"A"}]}"#);
    bundles.run(&["push", "a.json"]).json();
    let mut command = bundles.command(&["changes", "--follow", "--every-millis", "1"]);
    let mut child = command.env("TMPDIR", bundles.path("")).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert!(next().contains("\"imported\""));
    // What it keeps meanwhile is its owner's alone.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let files = std::fs::read_dir(bundles.path("")).expect("a folder").flatten();
        let mut kept =
            files.filter(|file| file.file_name().to_string_lossy().contains("-changes."));
        let kept = kept.next().expect("it keeps the answer").metadata().expect("it is there");
        assert_eq!(kept.permissions().mode() & 0o77, 0);
    }
    bundles.put("b.json", r#"{"accounts":[{"public_id":"b","name":"B"}]}"#);
    bundles.run(&["push", "b.json"]).json();
    let second = next();
    assert!(second.contains("\"imported\""), "{second}");
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}
