//! Custom fields as columns, over Airbyte and Singer: called and typed as in a Parquet warehouse.

use crate::support::tap::{Tap, assert_strict};
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, Read, Session, sandbox, small, truth};
use crate::warehouse::renamed_fields::{columns, hash, redefine};
use serde_json::{Map, Value, json};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Options, Sandbox};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Streams with custom fields.
const STREAMS: &[&str] = &["deals", "persons", "organizations", "products", "leads", "projects"];

fn account() -> Sandbox {
    sandbox(Options { scale: 0.03, ..small() })
}

/// The streams of the account's catalog, by name, as Airbyte gets them.
fn discovered(account: &Sandbox) -> BTreeMap<String, Value> {
    let folder = Folder::new();
    let mut config = account.config();
    config["custom_fields"] = "columns".into();
    let mut command = Command::new(BINARY);
    command.arg("discover").arg("--config").arg(folder.json("config.json", &config));
    let session = Session::of(&command.output().expect("the binary starts")).succeeded();
    let catalog = session.of_type("CATALOG").next().expect("there is a catalog");
    let streams = catalog["catalog"]["streams"].as_array().expect("it has streams").iter();
    let name = |stream: &Value| stream["name"].as_str().expect("a name").to_owned();
    streams.map(|stream| (name(stream), stream.clone())).collect()
}

fn read(account: &Sandbox, streams: &[&str]) -> Read {
    let catalog = discovered(account);
    let mut read = Read::of(account, streams).with("custom_fields", "columns");
    for configured in read.catalog["streams"].as_array_mut().expect("a list") {
        let name = configured["stream"]["name"].as_str().expect("a name").to_owned();
        configured["stream"] = catalog[&name].clone();
    }
    read
}

/// The types of a property besides null.
fn types(property: &Value) -> Vec<&str> {
    let types = property["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    types.filter(|name| *name != "null").collect()
}

/// `PyAirbyte` and others determine a type only where there is one beside null, and take text for the rest.
#[test]
fn every_column_is_of_one_type() {
    let account = account();
    let tap = Tap::of(&account).with("custom_fields", "columns").discover();
    let sung = tap["streams"].as_array().expect("streams").iter();
    let sung = sung.map(|s| (s["stream"].as_str().expect("a name"), &s["schema"]));
    let told = discovered(&account);
    let told = told.iter().map(|(name, stream)| (name.as_str(), &stream["json_schema"]));
    let mut seen = 0;
    for (stream, schema) in sung.chain(told) {
        for (name, property) in schema["properties"].as_object().expect("properties") {
            let of = |schema: &Value| match &schema["type"] {
                Value::String(_) => 1,
                _ => types(schema).len(),
            };
            assert_eq!(of(property), 1, "{stream}.{name}: {property}");
            let items = property.get("items").map_or(1, of);
            assert_eq!(items, 1, "{stream}.{name}: {property}");
            assert_ne!(name, "custom_fields", "{stream}");
            seen += 1;
        }
    }
    assert!(seen > 1_000, "{seen}");
}

/// What the column of this hash must say, given what the account holds.
fn expected(field: &Value, held: &Value) -> (Value, Value) {
    let ids = |value: &Value| -> Vec<i64> {
        let text = match value {
            Value::Array(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join(","),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.split(',').map(|id| id.parse().expect("an id")).collect()
    };
    let label = |id: i64| {
        let mut options = field["options"].as_array().into_iter().flatten();
        options.find(|o| o["id"] == id).map_or(Value::Null, |o| o["label"].clone())
    };
    match field["type"].as_str() {
        _ if held.is_null() => (Value::Null, Value::Null),
        Some("enum") => {
            let id = ids(held)[0];
            (id.into(), label(id))
        }
        Some("set") => {
            let ids = ids(held);
            (ids.clone().into(), ids.into_iter().map(label).collect())
        }
        _ => (held.clone(), Value::Null),
    }
}

/// Names, labels and values are those of a Parquet warehouse, in both tongues.
#[test]
fn columns_are_those_of_a_parquet_warehouse() {
    let account = account();
    let warehouse = WarehouseFixture::of(&account, "parquet", STREAMS);
    warehouse.sync(&[]).succeeded();
    let side_car = std::fs::read(warehouse.dir().join("_fields.json")).expect("it is there");
    let side_car: Value = serde_json::from_slice(&side_car).expect("it is JSON");
    let catalog = discovered(&account);
    let told = read(&account, STREAMS).run().succeeded();
    let tap = Tap::of(&account).with("custom_fields", "columns").selecting(STREAMS);
    let sung = tap.run().succeeded();
    let (mut labels, mut numbers) = (0, 0);
    for stream in STREAMS {
        let resource = Resource::named(stream).expect("it exists");
        let of_table = columns(&warehouse, stream).into_keys();
        let of_table: BTreeSet<_> = of_table.filter(|name| !name.starts_with('_')).collect();
        let schemas = [&catalog[*stream]["json_schema"], &sung.schema(stream)["schema"]];
        for schema in schemas {
            let declared = schema["properties"].as_object().expect("properties").keys();
            // What takes the objects among the texts of a column has no other place over the wire.
            let declared = declared.filter(|name| *name != "lost_reason_object");
            assert_eq!(declared.cloned().collect::<BTreeSet<_>>(), of_table, "{stream}");
        }
        let held = truth(&account, stream);
        let fields = side_car[*stream].as_array().expect("fields");
        assert!(!fields.is_empty());
        let rows = [(told.records(stream), schemas[0]), (sung.records(stream), schemas[1])];
        for (records, schema) in rows {
            assert_eq!(records.len(), held.len(), "{stream}");
            for record in records {
                assert_strict(schema, record, stream);
                let row = &held[&crate::support::key(resource, record)];
                for field in fields {
                    let (column, code) = (&field["column"], field["hash"].as_str().expect("text"));
                    let value = row["custom_fields"].get(code).or_else(|| row.get(code));
                    let (value, label) = expected(field, value.unwrap_or(&Value::Null));
                    let column = column.as_str().expect("text");
                    // What comes in several types is text.
                    let text = schema["properties"][column].get("x-json").is_some();
                    let value = if text && !value.is_null() && !value.is_string() {
                        value.to_string().into()
                    } else {
                        value
                    };
                    let found = record.get(column).unwrap_or(&Value::Null);
                    assert!(includes(found, &value), "{stream}.{column}: {found}, not {value}");
                    if let Some(beside) = field["label_column"].as_str() {
                        let found = record.get(beside).unwrap_or(&Value::Null);
                        assert_eq!(*found, label, "{stream}.{beside}");
                        labels += usize::from(!label.is_null());
                    }
                    numbers += usize::from(value.is_number());
                }
            }
        }
    }
    assert!(labels > 50 && numbers > 100, "{labels} labels, {numbers} numbers");
}

/// Whether a value is this one; nulls may stand beside the members of an object.
fn includes(found: &Value, value: &Value) -> bool {
    let with_nulls = |found: &Map<String, Value>, value: &Map<String, Value>| {
        found.iter().all(|(key, found)| *found == value.get(key).cloned().unwrap_or_default())
    };
    match (found, value) {
        (Value::Object(found), Value::Object(value)) => with_nulls(found, value),
        _ => found == value,
    }
}

/// An existing column keeps its field; a field without a column is reported.
#[test]
fn a_renamed_field_keeps_its_column() {
    let account = account();
    let tier = hash(&account, "Tier");
    let tap = || Tap::of(&account).with("custom_fields", "columns").selecting(&["deals"]);
    let sung = tap().run().succeeded();
    assert_eq!(sung.state()["bookmarks"]["deals"]["names"][&tier], "tier");
    let first = read(&account, &["deals"]);
    let told = first.run().succeeded();
    assert_eq!(told.state_of("deals")["names"][&tier], "tier");
    assert!(!told.logs().iter().any(|log| log.contains("no column")), "{:?}", told.logs());

    redefine(&account, &tier, vec![("field_name", json!("Title"))]);

    let again = tap().from(sung.state()).run().succeeded();
    let schema = &again.schema("deals")["schema"]["properties"];
    assert!(schema["tier"].is_object() && schema["tier_label"].is_object());
    assert_eq!(schema["title"]["type"], json!(["null", "string"]));
    let records = again.records("deals");
    assert!(!records.is_empty() && records.iter().all(|row| row.get("tier").is_some()));
    assert!(again.logged("WARNING").iter().any(|line| line.contains("was renamed")));

    let mut second = read(&account, &["deals"]).from(&told);
    // The catalog of the first day: the destination's columns.
    second.catalog = first.catalog.clone();
    let second = second.run().succeeded();
    assert!(second.records("deals").iter().all(|row| row.get("tier").is_some()));
    assert!(second.logs().iter().any(|log| log.contains("was renamed")), "{:?}", second.logs());

    // A refreshed catalog never takes a column of the deal's own.
    let fresh = read(&account, &["deals"]).run().succeeded();
    let deals = truth(&account, "deals");
    for row in fresh.records("deals") {
        assert_eq!(row["title"], deals[&row["id"].to_string()]["title"]);
    }

    // The catalog is older than a field: that is reported, with the name of its column.
    let mut stale = read(&account, &["deals"]);
    let properties = &mut stale.catalog["streams"][0]["stream"]["json_schema"]["properties"];
    properties.as_object_mut().expect("properties").remove("budget").expect("there is a budget");
    let stale = stale.run().succeeded();
    let about = "deals: the catalog has no column for budget: refresh";
    assert!(stale.logs().iter().any(|log| log.contains(about)), "{:?}", stale.logs());
}
