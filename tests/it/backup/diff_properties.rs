//! Property tests of the diff of any two backups.

use crate::support::Folder;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use source_pipedrive::dataset::Location;
use source_pipedrive::dataset::diff::{Change, Diff, Options, What};
use source_pipedrive::dataset::snapshot::BackupReader;
use std::collections::BTreeMap;

type Deals = BTreeMap<u8, Value>;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        "[a-c~/\"é😀]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c~/]{1,2}", inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn deals() -> impl Strategy<Value = Deals> {
    let row = prop::collection::btree_map("[a-d~/]{1,2}", value(), 0..4);
    prop::collection::btree_map(0_u8..6, row, 0..5).prop_map(|rows| {
        let rows = rows.into_iter().map(|(key, members)| {
            let mut row: Map<String, Value> = members.into_iter().collect();
            row.insert("id".to_owned(), key.into());
            (key, Value::Object(row))
        });
        rows.collect()
    })
}

/// Null and absent are one.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), canonical(value))).collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

fn snapshot(folder: &Folder, name: &str, deals: &Deals) -> Location {
    let dir = folder.path().join(name);
    std::fs::create_dir_all(&dir).expect("it can be made");
    let rows: Vec<&Value> = deals.values().collect();
    let text = serde_json::to_string_pretty(&rows).expect("values are JSON");
    std::fs::write(dir.join("deals.json"), text).expect("it can be written");
    Location::Folder(dir)
}

fn changes(old: &Deals, new: &Deals) -> Vec<Change> {
    let folder = Folder::new();
    let (old, new) = (snapshot(&folder, "old", old), snapshot(&folder, "new", new));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let old = BackupReader::open(&old).await.expect("it is a backup");
        let new = BackupReader::open(&new).await.expect("so is this");
        let options = Options { raw: true, all_fields: true, ..Options::default() };
        let mut diff = Diff::open(&old, &new, options).await.expect("they can be compared");
        let mut changes = Vec::new();
        while let Some(change) = diff.next().await.expect("nothing is damaged") {
            changes.push(change);
        }
        changes
    })
}

fn parsed(raw: Option<&String>) -> Value {
    raw.map_or(Value::Null, |raw| serde_json::from_str(raw).expect("a value is JSON"))
}

/// Sets the value at a pointer; members that are missing on the way are made.
fn set(mut place: &mut Value, path: &str, value: Value) {
    for key in path.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")) {
        place = match place {
            Value::Array(items) => &mut items[key.parse::<usize>().expect("a place in a list")],
            other => &mut other[&key],
        };
    }
    *place = value;
}

fn applied(changes: &[Change], deals: &Deals) -> Deals {
    let mut deals = deals.clone();
    for change in changes {
        let key: u8 = change.key.parse().expect("keys are small numbers");
        match &change.what {
            What::Added(row) | What::Deleted(row, _) => {
                deals.insert(key, serde_json::from_str(row).expect("a row is JSON"));
            }
            What::Removed(_) => {
                deals.remove(&key);
            }
            What::Modified(fields) => {
                let row = deals.get_mut(&key).expect("a modified row was there");
                for field in fields {
                    set(row, &field.path, parsed(field.new.as_ref()));
                }
            }
        }
    }
    deals
}

fn shown(changes: &[Change], mirrored: bool) -> Vec<Value> {
    let mut shown: Vec<Value> = changes
        .iter()
        .flat_map(|change| match &change.what {
            What::Added(_) => vec![json!([change.key, if mirrored { "removed" } else { "added" }])],
            What::Removed(_) => {
                vec![json!([change.key, if mirrored { "added" } else { "removed" }])]
            }
            What::Deleted(..) => vec![json!([change.key, "deleted"])],
            What::Modified(fields) => fields
                .iter()
                .map(|field| {
                    let (old, new) = (parsed(field.old.as_ref()), parsed(field.new.as_ref()));
                    let (old, new) = if mirrored { (new, old) } else { (old, new) };
                    json!([change.key, field.path, canonical(&old), canonical(&new)])
                })
                .collect(),
        })
        .collect();
    shown.sort_by_key(ToString::to_string);
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_backup_does_not_differ_from_itself(deals in deals()) {
        prop_assert!(changes(&deals, &deals).is_empty());
    }

    #[test]
    fn a_diff_applied_to_the_old_gives_the_new((old, new) in (deals(), deals())) {
        let got = applied(&changes(&old, &new), &old);
        let all = |deals: &Deals| deals.values().map(canonical).collect::<Vec<_>>();
        prop_assert_eq!(all(&got), all(&new));
    }

    #[test]
    fn a_diff_the_other_way_is_its_mirror((old, new) in (deals(), deals())) {
        let there = shown(&changes(&old, &new), false);
        prop_assert_eq!(there, shown(&changes(&new, &old), true));
    }
}
