//! The table of resources against itself and against the documented pages in `spec/pages`.

use bytes::Bytes;
use serde_json::Value;
use source_pipedrive::model::{
    Changes, Custom, Layout, Next, Page, Paging, Resource, Type, json_schema,
};
use std::collections::BTreeSet;

fn documented(resource: &Resource) -> Bytes {
    let path = format!("{}/spec/pages/{}.json", env!("CARGO_MANIFEST_DIR"), resource.name);
    Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// Columns that we add to rows of a list per parent.
fn added(resource: &Resource) -> Vec<&'static str> {
    let parent = resource.parent.iter();
    parent.flat_map(|parent| [parent.column, parent.digest]).flatten().collect()
}

#[test]
fn names_and_files_are_unique() {
    let names: BTreeSet<_> = Resource::all().map(|resource| resource.name).collect();
    let files: BTreeSet<_> = Resource::all().map(|resource| resource.file).collect();
    let count = Resource::all().count();
    assert_eq!((names.len(), files.len()), (count, count));
    assert_eq!(count, 62);
}

#[test]
fn rows_are_consistent() {
    for resource in Resource::all() {
        let name = resource.name;
        assert!(!resource.listings.is_empty(), "{name} has no listing");
        assert!(resource.columns.len() <= 64, "{name} has more columns than a scan can tick off");
        for key in resource.key {
            assert!(resource.column(key).is_some(), "{name}: key {key} is no column");
        }
        if let Some(cursor) = resource.cursor {
            assert!(resource.column(cursor).is_some(), "{name}: cursor {cursor} is no column");
        }
        for added in added(resource) {
            assert!(resource.column(added).is_some(), "{name}: {added} is no column");
        }
        let columns: BTreeSet<_> = resource.columns.iter().map(|column| column.name).collect();
        assert_eq!(columns.len(), resource.columns.len(), "{name} has a column twice");
        if let Some(fields) = resource.fields {
            let dictionary =
                Resource::named(fields).unwrap_or_else(|| panic!("{name}: no {fields}"));
            assert!(dictionary.column("field_code").is_some(), "{fields} is no v2 dictionary");
            assert_ne!(resource.custom, Custom::None, "{name} has fields and no custom fields");
        }
        if let Some(parent) = &resource.parent {
            assert!(
                Resource::named(parent.resource).is_some(),
                "{name}: no parent {}",
                parent.resource
            );
        }
        let listings: BTreeSet<_> = resource.listings.iter().map(|listing| listing.name).collect();
        assert_eq!(listings.len(), resource.listings.len(), "{name} has a listing name twice");
    }
}

#[test]
fn what_is_asked_is_allowed() {
    for resource in Resource::all() {
        for listing in resource.listings {
            let sorts = match listing.changes {
                Changes::SinceUntil => {
                    &["updated_since", "updated_until", "sort_by", "sort_direction"][..]
                }
                Changes::Since => &["updated_since", "sort_by", "sort_direction"],
                Changes::SinceByKey => &["updated_since", "sort"],
                Changes::NewestFirst => &["sort"],
                Changes::FullRead => &[],
            };
            let asked = listing.ask.iter().chain(listing.by_id).map(|(name, _)| *name);
            for name in asked.chain(sorts.iter().copied()) {
                assert!(listing.query.contains(&name), "{}: {name} is not allowed", listing.path);
            }
            assert_eq!(
                listing.limit > 0,
                matches!(listing.paging, Paging::Cursor | Paging::Offset),
                "{}: pages and page size disagree",
                listing.path
            );
            assert!(listing.cost > 0, "{} is free", listing.path);
        }
    }
}

#[test]
fn documented_pages_fit_without_surprise() {
    for resource in Resource::all() {
        let body = documented(resource);
        for listing in resource.listings {
            let page = Page::split(&body, &Layout::of(resource, listing))
                .unwrap_or_else(|error| panic!("{}: {error:?}", resource.name));
            let few = if listing.paging == Paging::One { 1 } else { 2 };
            assert!(page.records.len() >= few, "{} shows too few rows", resource.name);
            assert_eq!(page.surprises, [], "{}", resource.name);
            // The official example of relationships shows pages, although the list is documented as
            // unpaged.
            let plain = matches!(listing.paging, Paging::Plain | Paging::Goals)
                && resource.name != "organization_relationships";
            let silent = plain || resource.name == "mail_threads";
            let end = if silent { Next::Unsaid } else { Next::End };
            assert_eq!(page.next, end, "{}", resource.name);
            let keyed = resource.parent.as_ref().is_some_and(|parent| parent.digest.is_some());
            for record in &page.records {
                assert!(keyed || record.key.is_some(), "{} has a row without key", resource.name);
            }
        }
    }
}

/// A misspelt column would be filled nowhere.
#[test]
fn every_column_is_filled_somewhere() {
    for resource in Resource::all() {
        let page: Value = serde_json::from_slice(&documented(resource)).expect("a page is JSON");
        let listing = &resource.listings[0];
        let rows = match listing.paging {
            Paging::Goals => page["data"]["goals"].clone(),
            Paging::One => Value::Array(vec![page["data"].clone()]),
            Paging::Cursor | Paging::Offset | Paging::Plain => page["data"].clone(),
        };
        let rows = rows.as_array().unwrap_or_else(|| panic!("{} has no rows", resource.name));
        let inside =
            |row: &Value| listing.wrapped.map_or_else(|| row.clone(), |key| row[key].clone());
        let rows: Vec<_> = rows.iter().map(inside).collect();
        for column in resource.columns {
            if added(resource).contains(&column.name) {
                continue;
            }
            let filled = rows.iter().any(|row| !row[column.name].is_null());
            assert!(filled, "{}.{} is filled in no row", resource.name, column.name);
        }
    }
}

/// The platform refuses schemas with these (protocols.md 4).
#[test]
fn schemas_hold_nothing_forbidden() {
    fn walk(name: &str, schema: &Value) {
        if let Value::Object(object) = schema {
            for word in ["$ref", "allOf", "anyOf", "oneOf", "not"] {
                assert!(!object.contains_key(word), "{name}: {word}");
            }
            assert_ne!(object.get("additionalProperties"), Some(&Value::Bool(false)), "{name}");
            if let Some(Value::Object(properties)) = object.get("properties") {
                properties.iter().for_each(|(key, schema)| walk(&format!("{name}.{key}"), schema));
            }
            if let Some(items) = object.get("items") {
                walk(&format!("{name}[]"), items);
            }
        } else {
            panic!("{name} is not a schema");
        }
    }
    for resource in Resource::all() {
        walk(resource.name, &json_schema(resource, &[], None));
    }
}

/// Out of support since August 2026 (pipedrive-api.md 2.0).
#[test]
fn retired_endpoints_are_not_used() {
    let retired =
        ["deals", "persons", "organizations", "activities", "products", "pipelines", "stages"];
    for resource in Resource::all() {
        for listing in resource.listings {
            for name in retired {
                assert_ne!(listing.path, format!("/api/v1/{name}"));
            }
        }
    }
}

#[test]
fn times_of_change_are_times() {
    for resource in Resource::all().filter(|resource| resource.incremental()) {
        if let Some(column) = resource.cursor.and_then(|cursor| resource.column(cursor)) {
            assert!(matches!(column.ty, Type::Time | Type::Naked), "{}", resource.name);
        }
    }
}
