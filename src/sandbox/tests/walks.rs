//! Tests that read every list to its end.

use super::{get, plain};
use crate::model::{Layout, Listing, Page, Paging, PerParent, Resource};
use crate::sandbox::Edit;
use crate::sandbox::account_state::AccountState;
use crate::sandbox::endpoints::Content;
use crate::sandbox::json;
use crate::sandbox::options::Options;
use bytes::Bytes;
use std::collections::BTreeSet;

fn small() -> Options {
    Options { page_max: Some(7), ..plain() }
}

/// Returns all rows of a listing, page by page.
fn walk(state: &mut AccountState, options: &Options, listing: &Listing, path: &str) -> Vec<Bytes> {
    let mut query: Vec<String> =
        listing.ask.iter().map(|(name, value)| format!("{name}={value}")).collect();
    query.extend(listing.by_id.iter().map(|(n, v)| format!("{n}={}", v.replace(' ', "%20"))));
    let (mut rows, mut next) = (Vec::new(), Vec::new());
    loop {
        let all: Vec<String> = query.iter().chain(&next).cloned().collect();
        let separator = if path.contains('?') { '&' } else { '?' };
        let place = format!("{path}{separator}{}", all.join("&"));
        let (status, body, answer) = get(state, options, &place);
        assert_eq!(status, 200, "{place}: {body}");
        let Content::Page(page) = answer.content else { panic!("{place} is no list") };
        rows.extend(page.rows.into_iter().map(|row| match listing.wrapped {
            Some(under) => {
                let row = json::find(&row, under).expect("the row is wrapped");
                Bytes::copy_from_slice(row.as_bytes())
            }
            None => row,
        }));
        let more = &body["additional_data"];
        next = match (listing.paging, &more["next_cursor"], &more["pagination"]["next_start"]) {
            (Paging::Cursor, serde_json::Value::String(cursor), _) => {
                vec![format!("cursor={cursor}")]
            }
            (Paging::Offset, _, serde_json::Value::Number(start)) => {
                vec![format!("start={start}")]
            }
            _ => return rows,
        };
        assert!(rows.len() < 100_000, "{place} never ends");
    }
}

/// Returns the result of a complete read, as pairs of parent and bytes.
fn read(
    state: &mut AccountState,
    options: &Options,
    resource: &'static Resource,
) -> Vec<(String, Bytes)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let parents: Vec<String> = match resource.parent_resource() {
        None => vec![String::new()],
        Some(parent) => {
            let gone = |json: &[u8]| {
                serde_json::from_slice::<serde_json::Value>(json).expect("rows are JSON")["is_deleted"]
                    == true
            };
            let truth = state.truth(parent.name).into_iter();
            truth.filter(|row| !gone(&row.json)).map(|row| row.key).collect()
        }
    };
    for parent in parents {
        for listing in resource.listings {
            let path = match resource.parent.as_ref().map(|parent| parent.ask) {
                None => listing.path.to_owned(),
                Some(PerParent::Path) => listing.path.replace("{id}", &parent),
                Some(PerParent::Query(name) | PerParent::Batch(name)) => {
                    format!("{}?{name}={parent}", listing.path)
                }
            };
            for row in walk(state, options, listing, &path) {
                if !resource.overlapping() || seen.insert(row.clone()) {
                    found.push((parent.clone(), row));
                }
            }
        }
    }
    found
}

#[test]
fn a_full_walk_of_every_listing_is_the_truth() {
    for scale in [0.1, 0.02] {
        let mut state = AccountState::new(7, scale);
        for resource in Resource::all() {
            let mut read = read(&mut state, &small(), resource);
            let truth = state.truth(resource.name);
            let mut truth: Vec<_> =
                truth.into_iter().map(|row| (row.parent.unwrap_or_default(), row.json)).collect();
            read.sort();
            truth.sort();
            assert_eq!(read.len(), truth.len(), "{}", resource.name);
            assert_eq!(read, truth, "{}", resource.name);
            assert!(scale < 0.1 || !truth.is_empty(), "{} is empty", resource.name);
        }
    }
}

#[test]
fn every_column_is_filled_and_nothing_else() {
    let mut state = AccountState::new(1, 0.1);
    for resource in Resource::all() {
        let added = resource.parent.as_ref().map_or([None, None], |p| [p.column, p.digest]);
        let mut empty: BTreeSet<&str> = resource
            .columns
            .iter()
            .filter(|column| !added.contains(&Some(column.name)))
            .map(|column| column.name)
            // The text of mail is sent only if it is requested.
            .filter(|name| resource.listings[0].wrapped.is_none() || *name != "body")
            .collect();
        for row in state.truth(resource.name) {
            let row: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&row.json).expect("rows are JSON objects");
            for (name, value) in &row {
                let Some(column) = resource.column(name) else {
                    let custom = resource.name == "leads" && name.len() >= 40;
                    assert!(custom, "{}.{name} is not in the table", resource.name);
                    continue;
                };
                if !value.is_null() {
                    let first = value.to_string().as_bytes()[0];
                    assert!(column.ty.takes(first), "{}.{name} = {value}", resource.name);
                    empty.remove(name.as_str());
                }
            }
            for column in resource.columns.iter().filter(|column| !column.optional) {
                let there = row.contains_key(column.name) || added.contains(&Some(column.name));
                assert!(there, "{}.{} is missing", resource.name, column.name);
            }
        }
        assert!(empty.is_empty(), "{}: never filled: {empty:?}", resource.name);
    }
}

/// Returns the times of all rows in the order of a sorted walk.
fn times(path: &str, order: &str) -> Vec<Option<String>> {
    let (mut state, options) = (AccountState::new(1, 0.1), small());
    let (mut times, mut next) = (Vec::new(), String::new());
    loop {
        let (_, body, _) = get(&mut state, &options, &format!("{path}?{order}{next}"));
        let rows = body["data"].as_array().expect("a page is a list");
        times.extend(rows.iter().map(|row| row["update_time"].as_str().map(str::to_owned)));
        let more = &body["additional_data"];
        next = match (&more["next_cursor"], &more["pagination"]["next_start"]) {
            (serde_json::Value::String(cursor), _) => format!("&cursor={cursor}"),
            (_, serde_json::Value::Number(start)) => format!("&start={start}"),
            _ => return times,
        };
    }
}

#[test]
fn sorted_walks_are_sorted_and_whole_with_nulls_first() {
    for name in ["deals", "persons", "organizations", "activities", "products", "pipelines"] {
        let path = format!("/api/v2/{name}");
        let mut rising = times(&path, "sort_by=update_time&sort_direction=asc");
        let falling = times(&path, "sort_by=update_time&sort_direction=desc");
        assert!(rising.is_sorted(), "{name}");
        let nulls = rising.iter().take_while(|time| time.is_none()).count();
        assert!(falling[..nulls].iter().all(Option::is_none), "{name}");
        assert!(falling[nulls..].is_sorted_by(|a, b| a >= b), "{name}");
        rising[nulls..].reverse();
        assert_eq!(rising, falling, "{name}");
        assert_eq!(times(&path, "sort_by=id").len(), falling.len(), "{name}");
        if name == "pipelines" {
            continue;
        }
        let since = times(&path, "updated_since=1970-01-01T00:00:00Z&sort_by=update_time");
        assert_eq!(since.len(), falling.len() - nulls, "{name}");
    }
    for path in ["/v1/leads", "/v1/leads/archived", "/v1/notes", "/v1/files"] {
        let rising = times(path, "sort=update_time%20ASC");
        let mut falling = times(path, "sort=update_time%20DESC");
        falling.reverse();
        assert!(rising.is_sorted() && rising == falling, "{path}");
    }
}

#[test]
fn pages_split_without_a_surprise() {
    let mut state = AccountState::new(1, 0.1);
    for resource in Resource::all() {
        let layout = Layout::of(resource, &resource.listings[0]);
        for truth in state.truth(resource.name) {
            let row = std::str::from_utf8(&truth.json).expect("rows are text");
            let listed = match resource.listings[0].paging {
                Paging::One => format!("{{\"success\":true,\"data\":{row}}}"),
                _ if resource.listings[0].wrapped.is_some() => {
                    format!(
                        "{{\"success\":true,\"data\":[{{\"timestamp\":\"x\",\"data\":{row}}}]}}"
                    )
                }
                Paging::Goals => format!("{{\"success\":true,\"data\":{{\"goals\":[{row}]}}}}"),
                _ => format!("{{\"success\":true,\"data\":[{row}]}}"),
            };
            let page = Page::split(&Bytes::from(listed), &layout).expect("a page of one row");
            assert!(page.surprises.is_empty(), "{}: {:?}", resource.name, page.surprises);
            let record = &page.records[0];
            assert_eq!(record.json, truth.json);
            assert_eq!(record.key.clone().unwrap_or_default(), truth.key, "{}", resource.name);
            let now = state.now();
            assert!(record.time.is_none_or(|time| time < now), "{}: too late", resource.name);
        }
    }
}

#[test]
fn keys_are_unique_where_a_resource_stands_alone() {
    let mut state = AccountState::new(1, 0.2);
    for resource in Resource::all().filter(|resource| resource.parent.is_none()) {
        let truth = state.truth(resource.name);
        let keys: BTreeSet<_> = truth.iter().map(|row| row.key.clone()).collect();
        assert_eq!(keys.len(), truth.len(), "{}", resource.name);
        assert!(keys.iter().all(|key| !key.is_empty()), "{}", resource.name);
    }
}

#[test]
fn the_seed_decides_every_byte() {
    let (mut one, mut same, mut other) =
        (AccountState::new(3, 0.05), AccountState::new(3, 0.05), AccountState::new(4, 0.05));
    for resource in Resource::all() {
        assert_eq!(one.truth(resource.name), same.truth(resource.name), "{}", resource.name);
    }
    assert_ne!(one.truth("deals"), other.truth("deals"));
    assert_ne!(one.truth("deal_fields"), other.truth("deal_fields"));
}

#[test]
fn a_cursor_holds_its_place_while_rows_move() {
    let mut state = AccountState::new(1, 0.1);
    let options = small();
    let deals = &Resource::named("deals").expect("the table has deals").listings[0];
    let whole = walk(&mut state, &options, deals, deals.path).len();
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    let mut edited = 0;
    loop {
        let path = format!(
            "/api/v2/deals?sort_by=id&sort_direction=asc&status=open,won,lost,deleted{cursor}"
        );
        let (_, body, _) = get(&mut state, &options, &path);
        for row in body["data"].as_array().expect("a page is a list") {
            assert!(seen.insert(row["id"].as_u64()), "a row came twice");
        }
        edited += 1;
        let key = (edited * 3).to_string();
        state.edit(Edit::Change { resource: "deals", key, set: vec![] });
        match body["additional_data"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), whole);
}

#[test]
fn edits_show_up_in_a_read_from_the_last_time() {
    let mut state = AccountState::new(1, 0.1);
    let options = plain();
    state.advance(60);
    let since = state.now();
    let changed = |state: &mut AccountState, path: &str| {
        let path = format!("{path}?updated_since={since}");
        let (_, body, _) = get(state, &options, &path);
        body["data"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(changed(&mut state, "/api/v2/deals"), 0);
    state.edit(Edit::Bulk { resource: "deals", rows: 5 });
    state.edit(Edit::Create { resource: "deals", parent: None });
    state.edit(Edit::Change { resource: "deal_products", key: "41".to_owned(), set: vec![] });
    let now = changed(&mut state, "/api/v2/deals") + changed(&mut state, "/api/v2/deals/archived");
    assert!((6..=7).contains(&now), "{now}");
    let lead = state.truth("leads").remove(0).key;
    state.edit(Edit::Change { resource: "leads", key: lead.clone(), set: vec![] });
    state.edit(Edit::Create { resource: "leads", parent: None });
    assert_eq!(changed(&mut state, "/v1/leads"), 2);
    state.edit(Edit::Archive { resource: "leads", key: lead });
    assert_eq!(changed(&mut state, "/v1/leads"), 1);
    let before = state.truth("persons").len();
    state.edit(Edit::Delete { resource: "persons", key: "2".to_owned() });
    assert_eq!(state.truth("persons").len(), before - 1);
    let before = state.truth("deals").len();
    state.edit(Edit::Delete { resource: "deals", key: "2".to_owned() });
    assert_eq!(state.truth("deals").len(), before);
    state.advance(31 * 86_400);
    assert!(state.truth("deals").len() < before);
}
