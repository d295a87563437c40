//! Every record of a Singer stream has the properties of its SCHEMA, in the order of it: for targets
//! that write values by position.

use crate::support::tap::Tap;
use crate::support::{all, profiles, sandbox, small, truth};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Features, Options, Sandbox};
use std::collections::{BTreeMap, BTreeSet};

/// The pairs of an object in their order, values as they are spelled.
pub(crate) fn pairs(json: &str) -> Vec<(String, String)> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                pairs.push((key, value.get().to_owned()));
            }
            Ok(pairs)
        }
    }
    let mut json = serde_json::Deserializer::from_str(json);
    json.deserialize_map(Pairs).expect("it is an object")
}

fn member(json: &str, name: &str) -> Option<String> {
    pairs(json).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// What a schema declares, in its order.
struct Declared {
    members: Vec<(String, Declared)>,
    each: Option<Box<Declared>>,
}

impl Declared {
    fn of(schema: &str) -> Self {
        let properties = member(schema, "properties").map(|properties| pairs(&properties));
        let members = properties.into_iter().flatten();
        let each = member(schema, "items").map(|items| Box::new(Self::of(&items)));
        Self { members: members.map(|(name, schema)| (name, Self::of(&schema))).collect(), each }
    }

    /// An object begins with the declared properties, all of them and in this order.
    #[track_caller]
    fn assert_begins(&self, value: &str, path: &str) {
        if value.starts_with('[')
            && let Some(each) = &self.each
        {
            let items: Vec<Box<RawValue>> = serde_json::from_str(value).expect("it is a list");
            for item in items {
                each.assert_begins(item.get(), path);
            }
        }
        if !value.starts_with('{') {
            return;
        }
        let mut found = pairs(value).into_iter();
        for (name, declared) in &self.members {
            let (key, value) = found.next().unwrap_or_default();
            assert_eq!(key, *name, "{path}");
            declared.assert_begins(&value, &format!("{path}.{name}"));
        }
    }
}

/// Holds every RECORD of an output against the SCHEMA of its stream.
#[track_caller]
pub(crate) fn assert_in_order(stdout: &str) {
    let mut schemas = BTreeMap::new();
    for line in stdout.lines() {
        let message: BTreeMap<String, String> = pairs(line).into_iter().collect();
        match message["type"].as_str() {
            r#""SCHEMA""# => {
                schemas.insert(message["stream"].clone(), Declared::of(&message["schema"]));
            }
            r#""RECORD""# => {
                let (stream, record) = (&message["stream"], &message["record"]);
                let declared = &schemas[stream];
                declared.assert_begins(record, stream);
                assert_eq!(pairs(record).len(), declared.members.len(), "{stream}: {record}");
            }
            _ => {}
        }
    }
}

/// Every record is held against its SCHEMA by [`Tap::run`].
#[test]
fn rows_that_lack_columns_have_all_properties_and_in_order() {
    for (name, options) in profiles() {
        let account = sandbox(Options { scale: 0.03, ..options });
        let session = Tap::of(&account).run().succeeded();
        let mut lacking = BTreeSet::new();
        for stream in ["deals", "persons", "leads", "files", "users"] {
            let columns = Resource::named(stream).expect("it exists").columns;
            let rows = account.state(|account| account.truth(stream));
            for row in &rows {
                let keys = pairs(&String::from_utf8_lossy(&row.json));
                let lacks = columns.iter().any(|c| keys.iter().all(|(key, _)| key != c.name));
                lacking.extend(lacks.then_some(stream));
            }
            let whole = |row: &&Value| columns.iter().all(|c| row.get(c.name).is_some());
            assert!(session.records(stream).iter().all(whole), "{name}: {stream}");
        }
        assert!(lacking.len() >= 3, "{name}: only {lacking:?} have rows that lack columns");
    }
}

#[test]
fn what_is_selected_comes_in_order_too() {
    let account = sandbox(Options { scale: 0.03, features: Features::all(), ..small() });
    let mut some = Tap::of(&account).selecting(&all());
    for stream in all() {
        let columns = Resource::named(stream).expect("it exists").columns;
        for column in columns.iter().step_by(3) {
            some = some.saying(stream, &["properties", column.name], "selected", false.into());
        }
    }
    some.run().succeeded();
    let named = Tap::of(&account).with("custom_fields", "name");
    named.selecting(&["deals", "persons", "leads"]).run().succeeded();
}

/// A record as `target-csv` 0.3.0 writes it: what is in an object stands beside the others, in the order
/// of the record.
fn flattened(json: &str, prefix: &str, into: &mut Vec<(String, String)>) {
    for (key, value) in pairs(json) {
        let key = if prefix.is_empty() { key } else { format!("{prefix}__{key}") };
        if value.starts_with('{') {
            flattened(&value, &key, into);
        } else {
            into.push((key, value));
        }
    }
}

/// `target-csv` 0.3.0 makes the heading of a file of the first record, and writes the values of every
/// record one after the other.
#[test]
fn values_that_are_written_by_position_stand_under_their_headings() {
    for (_, options) in profiles() {
        by_position(&sandbox(Options { scale: 0.03, ..options }));
    }
}

fn by_position(account: &Sandbox) {
    let output = Tap::of(account).with("objects_as_text", true).command(&[]).output();
    let output = output.expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).expect("it is text");
    assert_in_order(&stdout);
    let mut headings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut rows, mut objects) = (0, 0);
    for line in stdout.lines() {
        let message: BTreeMap<String, String> = pairs(line).into_iter().collect();
        let Some(record) = message.get("record") else { continue };
        let mut cells = Vec::new();
        flattened(record, "", &mut cells);
        let keys: Vec<String> = cells.iter().map(|(key, _)| key.clone()).collect();
        let stream = &message["stream"];
        let heading = headings.entry(stream.clone()).or_insert_with(|| keys.clone());
        assert_eq!(keys, *heading, "{stream}");
        rows += 1;
        objects += cells.iter().filter(|(_, value)| value.starts_with(r#""{"#)).count();
    }
    assert!(rows > 300 && objects > 50, "{rows} rows, {objects} objects");
    // What they hold is what the account holds.
    let spoken = Tap::of(account).with("objects_as_text", true).selecting(&["deals"]).run();
    let deals = truth(account, "deals");
    for row in spoken.succeeded().records("deals") {
        let fields = row["custom_fields"].as_str().expect("it is text");
        let fields: Value = serde_json::from_str(fields).expect("it is JSON");
        assert_eq!(fields, deals[&row["id"].to_string()]["custom_fields"]);
    }
}
