//! An export never writes what a validation refuses, whatever Pipedrive sends.

use crate::support::bundle::{ARRAYS, BundleFixture};
use crate::support::{Folder, profiles, sandbox, small};
use serde_json::{Map, Value, json};
use source_pipedrive::bundle::map::{AccountSetup, Pins, RESOURCES, SETUP};
use source_pipedrive::bundle::{Entity, Export, Sidecar, Source, validate};
use source_pipedrive::model::{Resource, Time};
use source_pipedrive::sandbox::{Options, Sandbox};
use std::path::Path;

/// Values that are somewhere else than they belong, empty, or none at all.
fn odd() -> Vec<Value> {
    let long = "x".repeat(300);
    vec![
        Value::Null,
        json!(""),
        json!(" "),
        json!("x"),
        json!("7"),
        json!("12.50"),
        json!("eur"),
        json!("deleted"),
        json!("won"),
        json!("0000-00-00"),
        json!("0000-00-00 00:00:00"),
        json!("2026-02-30"),
        json!("2026-05-04 03:02:01"),
        json!("25:61"),
        json!(0),
        json!(1),
        json!(-1.5),
        json!(1e300),
        json!(true),
        json!([]),
        json!([null, 1, "x", {}]),
        json!({}),
        json!({"value": 1, "label": 7, "amount": "x", "currency": "€"}),
        json!([{"value": 5, "primary": "yes"}]),
        json!(long),
    ]
}

/// The set-up of the sandbox's account.
fn set_up(sandbox: &Sandbox, pins: Pins) -> AccountSetup {
    let mut setup = AccountSetup::of(900, pins);
    for name in SETUP {
        let resource = Resource::named(name).expect("it exists");
        for row in sandbox.state(|account| account.truth(name)) {
            setup.add_row(resource, std::str::from_utf8(&row.json).expect("it is UTF-8"));
        }
    }
    setup.ready()
}

/// What a validation says of a bundle of these records, and how many rows it has.
fn checked(path: &Path, setup: AccountSetup, records: &[Vec<String>]) -> (Vec<String>, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let time = Time::from_seconds(1_793_534_400);
    let mut export = Export::start(path, "partial", setup, Source::default(), time)
        .expect("the folder can be written to");
    for ((name, _), records) in RESOURCES.iter().zip(records) {
        let resource = Resource::named(name).expect("it exists");
        for record in records {
            export.add_row(resource, record).expect("it is taken");
        }
    }
    let (written, context) = export.finish().expect("it is written");
    let read = Sidecar::read(path).expect("it can be read").expect("it is there");
    let mut found = Vec::new();
    for context in [None, Some(&context), Some(&read)] {
        let validation = runtime.block_on(validate(path, context, |_, _| false));
        let validation = validation.expect("it is a bundle");
        found.extend(validation.findings.iter().map(|f| format!("{}: {}", f.pointer, f.message)));
    }
    (found, written.rows.iter().sum())
}

/// The records of each resource of a bundle.
fn records(sandbox: &Sandbox) -> Vec<Vec<Value>> {
    let of = |name: &str| {
        let rows = sandbox.state(|account| account.truth(name)).into_iter();
        rows.map(|row| serde_json::from_slice(&row.json).expect("a row is JSON")).collect()
    };
    RESOURCES.iter().map(|(name, _)| of(name)).collect()
}

fn texts(records: &[Vec<Value>]) -> Vec<Vec<String>> {
    records.iter().map(|rows| rows.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn whatever_a_record_holds_the_bundle_is_valid() {
    let sandbox = sandbox(Options { scale: 0.01, ..small() });
    let folder = Folder::new();
    let path = folder.path().join("a.json");
    let plain = records(&sandbox);
    let mut all = plain.clone();
    let mut next = 1_000_000_u64;
    for (rows, ((_, array), of)) in all.iter_mut().zip(RESOURCES.iter().zip(&plain)) {
        let mut keys: Vec<String> = of
            .iter()
            .flat_map(|row| row.as_object().into_iter().flat_map(Map::keys))
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        let base = of[0].clone();
        for key in keys {
            for value in odd() {
                let mut row = base.clone();
                next += 1;
                row["id"] = if *array == Entity::Leads {
                    json!(format!("lead-{next}"))
                } else {
                    next.into()
                };
                row[&key] = value;
                rows.push(row);
            }
        }
    }
    let (found, rows) = checked(&path, set_up(&sandbox, Pins::default()), &texts(&all));
    assert!(rows > 3_000, "{rows} rows show little");
    assert_eq!(found, [""; 0], "of {rows} rows");
}

#[test]
fn an_account_of_every_profile_makes_a_valid_bundle() {
    for (profile, options) in profiles() {
        let sandbox = sandbox(Options { scale: 0.05, ..options });
        let bundles = BundleFixture::new().account(&sandbox);
        bundles.export("a.json");
        assert_eq!(bundles.run(&["validate", "a.json"]).json()["total"], 0, "{profile}");
        // It is what the account holds already.
        let said = bundles.run(&["push", "a.json", "--to", "pipedrive", "--dry-run"]).json();
        for array in ARRAYS {
            let plan = &said["plan"][array];
            assert_eq!(
                (&plan["create"], &plan["gone"]),
                (&json!(0), &json!(0)),
                "{profile} {array}"
            );
        }
    }
}

#[test]
fn birthdays_that_are_none_are_left_out() {
    let sandbox = sandbox(Options { scale: 0.01, ..small() });
    let folder = Folder::new();
    let path = folder.path().join("a.json");
    let mut all = records(&sandbox);
    let birthdays = ["", "0000-00-00", "1990-05-01", "tomorrow"];
    for (row, birthday) in all[1].iter_mut().zip(birthdays) {
        row["birthday"] = birthday.into();
    }
    let (found, _) = checked(&path, set_up(&sandbox, Pins::default()), &texts(&all));
    assert_eq!(found, [""; 0]);
    let bundle: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("it is there")).expect("JSON");
    let written: Vec<_> = bundle["contacts"]
        .as_array()
        .expect("a list")
        .iter()
        .take(birthdays.len())
        .map(|row| row["birthday"].clone())
        .collect();
    assert_eq!(written, [Value::Null, Value::Null, json!("1990-05-01"), Value::Null]);
    let context = Sidecar::read(&path).expect("it can be read").expect("it is there");
    let lost: Vec<_> = context.unmapped.iter().filter(|lost| lost.field == "birthday").collect();
    assert_eq!(lost.iter().map(|lost| lost.rows).sum::<u64>(), 1, "{lost:?}");
}

#[test]
fn rows_that_would_be_too_long_are_shortened() {
    let sandbox = sandbox(Options { scale: 0.01, ..small() });
    let folder = Folder::new();
    let path = folder.path().join("a.json");
    let mut all = records(&sandbox);
    let long = "ü".repeat(700_000);
    for (rows, key) in all.iter_mut().zip(["name", "name", "title", "title", "note"]) {
        rows[0][key] = long.as_str().into();
        rows[1]["custom_fields"] = json!({"x": long});
    }
    let code = all[0][2]["custom_fields"].as_object().and_then(|of| of.keys().next().cloned());
    all[0][2]["custom_fields"][code.expect("it has fields")] = json!(long);
    let (found, _) = checked(&path, set_up(&sandbox, Pins::default()), &texts(&all));
    assert_eq!(found, [""; 0]);
}

/// A custom field of an array that holds text.
fn text_field(sandbox: &Sandbox, array: Entity) -> String {
    let dictionary = match array {
        Entity::Accounts => "organization_fields",
        Entity::Contacts => "person_fields",
        _ => "deal_fields",
    };
    let fields = sandbox.state(|account| account.truth(dictionary)).into_iter();
    let fields =
        fields.map(|row| serde_json::from_slice::<Value>(&row.json).expect("a definition is JSON"));
    let mut fields =
        fields.filter(|field| field["is_custom_field"] == true && field["field_type"] == "varchar");
    let field = fields.next().expect("there is a field for text");
    field["field_code"].as_str().expect("it has a key").to_owned()
}

/// Public ids that people typed into the field that keeps them.
#[test]
fn no_two_rows_have_one_public_id() {
    let sandbox = sandbox(Options { scale: 0.02, ..small() });
    let folder = Folder::new();
    let path = folder.path().join("a.json");
    let mut all = records(&sandbox);
    let mut pins = Pins::default();
    let long = "ö".repeat(200);
    for (rows, array) in
        all.iter_mut().zip([Entity::Accounts, Entity::Contacts, Entity::Opportunities])
    {
        let code = text_field(&sandbox, array);
        pins.marker(array, &code);
        let company = format!("{}pd900_", array.prefix());
        let ids = [
            format!("{company}2"),
            format!("{company}1"),
            "same".to_owned(),
            "same".to_owned(),
            long.clone(),
            String::new(),
            format!("{company}99"),
        ];
        for (row, id) in rows.iter_mut().zip(ids) {
            row["custom_fields"][&code] = id.into();
        }
        // A deal that was deleted, and created again.
        if array == Entity::Opportunities {
            for (place, deleted) in [(8, true), (9, false)] {
                rows[place]["is_deleted"] = deleted.into();
                rows[place]["status"] = if deleted { "deleted" } else { "open" }.into();
                rows[place]["custom_fields"][&code] = "again".into();
            }
        }
    }
    let (found, _) = checked(&path, set_up(&sandbox, pins), &texts(&all));
    assert_eq!(found, [""; 0]);
    let bundle: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("it is there")).expect("JSON");
    let again = bundle["opportunities"].as_array().expect("a list").iter();
    let again: Vec<_> = again.filter(|row| row["public_id"] == "again").collect();
    assert!(again.len() == 1 && again[0]["deleted_at"].is_null(), "{again:?}");
}
