//! Custom fields that are renamed, deleted and retyped: who had a column keeps it, in every output.

use crate::support::tap::Tap;
use crate::support::warehouse::WarehouseFixture;
use crate::support::{Read, change, sandbox, small};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Edit, Sandbox};
use std::collections::{BTreeMap, BTreeSet};

/// The hash of a custom field of deals, by its name.
pub(crate) fn hash(account: &Sandbox, name: &str) -> String {
    let rows = account.state(|account| account.truth("deal_fields"));
    let rows = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.json).expect("JSON"));
    let mut rows = rows.filter(|row| row["field_name"] == name && row["is_custom_field"] == true);
    let row = rows.next().unwrap_or_else(|| panic!("deals have no field {name}"));
    row["field_code"].as_str().expect("a hash").to_owned()
}

/// Changes a definition, and some deals afterwards.
pub(crate) fn redefine(account: &Sandbox, hash: &str, set: Vec<(&'static str, Value)>) {
    account.state(|account| {
        account.advance(3_600);
        account.edit(Edit::Change { resource: "deal_fields", key: hash.to_owned(), set });
    });
    change(account, &[("deals", 6)]);
}

fn keys<'r>(rows: impl IntoIterator<Item = &'r Value>) -> BTreeSet<&'r str> {
    let fields = rows.into_iter().filter_map(|row| row["custom_fields"].as_object());
    fields.flat_map(|fields| fields.keys().map(String::as_str)).collect()
}

#[test]
fn a_renamed_field_keeps_its_key_on_the_wire() {
    let account = sandbox(small());
    let tier = hash(&account, "Tier");
    let tap = Tap::of(&account).with("custom_fields", "name").selecting(&["deals"]);
    let sung = tap.run().succeeded();
    assert_eq!(sung.state()["bookmarks"]["deals"]["names"][&tier], "tier");
    let read = || Read::of(&account, &["deals"]).with("custom_fields", "name");
    let told = read().run().succeeded();
    assert_eq!(told.state_of("deals")["names"][&tier], "tier");
    let before = keys(told.records("deals")).into_iter().map(str::to_owned);
    let before: BTreeSet<String> = before.collect();

    redefine(&account, &tier, vec![("field_name", json!("Rank"))]);

    // A new catalog has the new name; a field that was delivered under the old one keeps it.
    let tap = Tap::of(&account).with("custom_fields", "name").selecting(&["deals"]);
    let tap = tap.from(sung.state());
    let again = tap.run().succeeded();
    let schema = &again.schema("deals")["schema"]["properties"]["custom_fields"]["properties"];
    assert!(schema["tier"].is_object() && schema["tier_label"].is_object());
    assert!(schema["rank"].is_null(), "the column is not doubled");
    assert!(!again.records("deals").is_empty());
    assert!(keys(again.records("deals")).contains("tier"));
    assert!(again.logged("WARNING").iter().any(|line| line.contains("was renamed")));
    assert_eq!(again.state()["bookmarks"]["deals"]["names"][&tier], "tier");

    let second = read().from(&told).run().succeeded();
    let now = keys(second.records("deals")).into_iter().map(str::to_owned);
    assert_eq!(now.collect::<BTreeSet<String>>(), before);
    assert!(second.logs().iter().any(|log| log.contains("was renamed")));

    // If the destination has the new column, that one is filled; it is reported.
    let mut moved = read().from(&told);
    let about = format!("custom field of type enum, key {tier}");
    moved.catalog["streams"][0]["stream"]["json_schema"]["properties"]["custom_fields"] =
        json!({"properties": {"rank": {"title": "Rank", "description": about}}});
    let moved = moved.run().succeeded();
    assert!(keys(moved.records("deals")).contains("rank"));
    assert!(moved.logs().iter().any(|log| log.contains("goes out as \"rank\"")));
}

/// Versions that do not know the names in a state pass them over, and so does a state without them.
#[test]
fn a_state_without_names_goes_on_all_the_same() {
    let account = sandbox(small());
    let tap = || Tap::of(&account).with("custom_fields", "name").selecting(&["deals"]);
    let mut state = tap().run().succeeded().state();
    let bookmark = state["bookmarks"]["deals"].as_object_mut().expect("there is a bookmark");
    assert!(bookmark.remove("names").is_some());
    let again = tap().from(state).run().succeeded();
    assert_eq!(again.records("deals").len(), 0);
    assert!(!again.0.stderr.contains("renamed"), "{}", again.0.stderr);
}

pub(crate) fn columns(
    warehouse: &WarehouseFixture,
    resource: &str,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in warehouse.files(resource) {
        let file = std::fs::File::open(file).expect("it is there");
        let file = ParquetRecordBatchReaderBuilder::try_new(file).expect("it is a Parquet file");
        for field in file.schema().fields() {
            let types = types.entry(field.name().clone()).or_default();
            types.insert(format!("{:?}", field.data_type()));
        }
    }
    types
}

#[test]
fn a_warehouse_remembers_what_a_field_was() {
    for (format, keys) in [("parquet", "name"), ("parquet", "hash"), ("ndjson", "name")] {
        let account = sandbox(small());
        let (tier, budget) = (hash(&account, "Tier"), hash(&account, "Budget"));
        let warehouse = WarehouseFixture::of(&account, format, &["deals"]);
        let sync = || warehouse.sync(&["--custom-fields", keys]).succeeded();
        sync();
        let fields = || {
            let text = std::fs::read(warehouse.dir().join("_fields.json")).expect("it is there");
            let fields: Value = serde_json::from_slice(&text).expect("it is JSON");
            fields["deals"].as_array().expect("deals have fields").clone()
        };
        let of = |hash: &str| {
            fields().into_iter().filter(|field| field["hash"] == hash).collect::<Vec<_>>()
        };
        let before = [of(&tier), of(&budget)];
        assert_eq!(before.each_ref().map(Vec::len), [1, 1]);
        redefine(&account, &tier, vec![("field_type", json!("varchar")), ("options", Value::Null)]);
        account.state(|account| {
            account.edit(Edit::Delete { resource: "deal_fields", key: budget.clone() });
        });
        let second = sync();
        assert!(second.stderr.contains("is of type varchar now and was enum"), "{}", second.stderr);
        assert!(second.stderr.contains("was deleted in Pipedrive"), "{}", second.stderr);
        let [tier_now, budget_now] = [of(&tier), of(&budget)];
        assert_eq!(tier_now.len(), 2, "{tier_now:?}");
        let (new, old) = (&tier_now[0], &tier_now[1]);
        assert_eq!((&new["type"], &old["type"]), (&json!("varchar"), &json!("enum")));
        assert_eq!(old["column"], before[0][0]["column"]);
        assert_ne!(new["column"], old["column"]);
        assert!(old["retyped_at"].is_string() && new.get("retyped_at").is_none());
        assert_eq!(budget_now[0]["column"], before[1][0]["column"]);
        assert!(budget_now[0]["deleted_at"].is_string());
        if format == "parquet" {
            let types = columns(&warehouse, "deals");
            assert!(types.values().all(|types| types.len() == 1), "{types:?}");
            assert!(types.contains_key(new["column"].as_str().expect("a column")));
        }
        // It is reported once, and remembered.
        let known = fields();
        change(&account, &[("deals", 2)]);
        let third = sync();
        assert!(!third.stderr.contains("was deleted"), "{}", third.stderr);
        assert!(!third.stderr.contains("is of type"), "{}", third.stderr);
        assert_eq!(fields(), known);
    }
}
