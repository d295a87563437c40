//! Lists whose order, or whose place, cannot be relied on: rows are read all the same, and no state keeps
//! a stream from being read for good.

use crate::support::{Read, Session, change, key, latest, sandbox, small, truth};
use serde_json::Value;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, OddPage, Options, Sandbox};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Lists with times, of every kind, and where they are asked for.
const TIMED: &[(&str, &str)] = &[
    ("deals", "/v2/deals"),
    ("persons", "/v2/persons"),
    ("organizations", "/v2/organizations"),
    ("activities", "/v2/activities"),
    ("products", "/v2/products"),
    ("leads", "/v1/leads"),
    ("notes", "/v1/notes"),
    ("files", "/v1/files"),
];

fn for_ever(trouble: FaultKind, path: &str, nth: u64) -> Vec<Fault> {
    vec![Fault::on(trouble, path, nth, u32::MAX)]
}

/// Rows of a stream change, each an hour after the one before, and at last some in one second.
fn edit(account: &Sandbox, stream: &'static str) {
    let rows = truth(account, stream);
    let alive = rows.iter().filter(|(_, row)| {
        row["is_archived"] != true && row["is_deleted"] != true && row["active_flag"] != false
    });
    let keys: Vec<String> = alive.map(|(key, _)| key.clone()).take(12).collect();
    account.state(|account| {
        for key in keys {
            account.advance(3_600);
            account.edit(Edit::Change { resource: stream, key, set: Vec::new() });
        }
        account.advance(3_600);
        account.edit(Edit::Bulk { resource: stream, rows: 5 });
        account.advance(90);
    });
}

/// An account whose list at this place has more than one page, unless it is paged by offset: what the
/// sandbox does to the order of a page is no order that a list of several pages could have.
fn account(path: &str, page: usize) -> Options {
    let page_max = (!path.starts_with("/v1/")).then_some(page);
    Options { scale: 0.03, page_max, ..small() }
}

/// Returns the state after a run: the previous one, if the run wrote none.
fn state_after(session: &Session, before: Option<Value>) -> Option<Value> {
    let state = session.state();
    if state.as_array().is_some_and(Vec::is_empty) { before } else { Some(state) }
}

/// Keys that the runs delivered.
fn delivered(stream: &str, sessions: &[&Session]) -> BTreeSet<String> {
    let resource = Resource::named(stream).expect("it exists");
    sessions.iter().flat_map(|s| s.records(stream)).map(|row| key(resource, row)).collect()
}

/// Requires that some runs together delivered every row in its last form.
#[track_caller]
fn assert_nothing_lost(account: &Sandbox, stream: &str, sessions: &[&Session], what: &str) {
    let resource = Resource::named(stream).expect("it exists");
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    for row in sessions.iter().flat_map(|session| session.records(stream)) {
        rows.insert(key(resource, row), row.to_string());
    }
    for (key, row) in truth(account, stream) {
        let found = rows.get(&key);
        assert_eq!(found, Some(&row.to_string()), "{what}: {stream} {key} is lost, or is old");
    }
}

/// A server may sort by the second and send milliseconds: leads have them.
#[test]
fn milliseconds_need_not_be_sorted() {
    for start in [None, Some("2026-01-01T00:00:00Z")] {
        let account =
            sandbox(Options { faults: for_ever(FaultKind::Seconds, "leads", 1), ..small() });
        let mut read = Read::of(&account, &["leads"]);
        if let Some(start) = start {
            read = read.with("start_date", start);
        }
        let first = read.run().succeeded();
        let changed = change(&account, &[("leads", 25)]);
        let second = Read::of(&account, &["leads"]).from(&first).run().succeeded();
        let third = Read::of(&account, &["leads"]).from(&second).run().succeeded();
        let keys: BTreeSet<String> = changed["leads"].iter().cloned().collect();
        assert_eq!(delivered("leads", &[&second]), keys);
        assert_eq!(second.records("leads").len(), keys.len());
        assert_eq!(third.records("leads").len(), 0);
        for session in [&first, &second, &third] {
            assert!(session.logs().iter().all(|log| !log.contains("does not sort")));
        }
    }
}

/// A list that is really unsorted is read in full, in the same run, and is reported once.
#[test]
fn a_list_that_is_not_sorted_is_read_in_full() {
    for (stream, path) in TIMED {
        let account = sandbox(account(path, 20));
        let first = Read::of(&account, &[stream]).run().succeeded();
        edit(&account, stream);
        account.replace_faults(for_ever(FaultKind::Unsorted, path, 1), Vec::new());
        let second = Read::of(&account, &[stream]).from(&first).run().succeeded();
        let said: Vec<_> =
            second.logs().into_iter().filter(|log| log.contains("does not sort")).collect();
        let once: BTreeSet<_> = said.iter().collect();
        assert!(!said.is_empty() && once.len() == said.len(), "{stream}: {said:?}");
        assert_nothing_lost(&account, stream, &[&first, &second], "unsorted");
        // It stays so, and every run reads what changed.
        edit(&account, stream);
        let third = Read::of(&account, &[stream]).from(&second).run().succeeded();
        assert_nothing_lost(&account, stream, &[&first, &second, &third], "unsorted again");
        account.replace_faults(Vec::new(), Vec::new());
        edit(&account, stream);
        let fourth = Read::of(&account, &[stream]).from(&third).run().succeeded();
        let runs = [&first, &second, &third, &fourth];
        assert_nothing_lost(&account, stream, &runs, "sorted again");
        // Rows below the watermark are known: only what changed goes out.
        assert!(fourth.records(stream).len() <= 20, "{stream}");
    }
}

/// The first read too.
#[test]
fn an_unsorted_list_can_be_begun() {
    for (stream, path) in TIMED {
        let faults = for_ever(FaultKind::Unsorted, path, 1);
        let account = sandbox(Options { faults, ..account(path, 20) });
        let first = Read::of(&account, &[stream]).run().succeeded();
        edit(&account, stream);
        let second = Read::of(&account, &[stream]).from(&first).run().succeeded();
        assert_nothing_lost(&account, stream, &[&first, &second], "begun");
    }
}

/// A place that an earlier run left is of no use any more, however a server says so.
#[test]
fn a_place_that_is_refused_is_given_up() {
    for (stream, path) in [("persons", "/v2/persons"), ("notes", "/v1/notes")] {
        for (status, times) in [(400, 1), (404, 1), (410, 1), (422, 1), (500, 9)] {
            let account = sandbox(small());
            let stopped = Read::of(&account, &[stream]).with("max_tokens", 45).run();
            assert_eq!(stopped.code, Some(1));
            let fault = Fault::on(FaultKind::Status(status), path, 1, times);
            account.replace_faults(vec![fault], Vec::new());
            let resumed = Read::of(&account, &[stream]).from(&stopped).run().succeeded();
            let said = resumed.logs().into_iter().filter(|log| log.contains("no longer accepts"));
            assert_eq!(said.count(), 1, "{stream} {status}: {:?}", resumed.logs());
            assert_nothing_lost(&account, stream, &[&stopped, &resumed], &status.to_string());
        }
    }
}

/// Everything that makes a list unreadable.
const BROKEN: &[FaultKind] = &[
    FaultKind::NoPaging,
    FaultKind::Repeat,
    FaultKind::Loop,
    FaultKind::Unsorted,
    FaultKind::Empty,
    FaultKind::CutJson,
    FaultKind::Html,
    FaultKind::Failure,
    FaultKind::Null,
    FaultKind::Utf8,
    FaultKind::LongCursor,
    FaultKind::BadCursor,
    FaultKind::Odd(OddPage::NullData),
    FaultKind::Odd(OddPage::EmptyData),
    FaultKind::Odd(OddPage::EmptyAdditional),
    FaultKind::Odd(OddPage::EmptyEnd),
    FaultKind::Odd(OddPage::MoreNowhere),
    FaultKind::Odd(OddPage::Revolve),
];

/// Returns whether this page's claim that the list ended is indistinguishable from the truth.
fn is_plausible(trouble: FaultKind, path: &str, page: usize) -> bool {
    let offset = path.starts_with("/v1/");
    match trouble {
        FaultKind::Odd(OddPage::EmptyEnd) => page > 2,
        FaultKind::Odd(OddPage::NullData | OddPage::EmptyData) | FaultKind::Empty => {
            offset && page > 2
        }
        FaultKind::Unsorted => offset,
        // The newest row, which was asked for before, as if the list began with it.
        FaultKind::Repeat => offset && page == 2,
        _ => false,
    }
}

/// Whatever is wrong with a list for as long as it is: when it is right again, the state that is at hand
/// reads it whole.
#[test]
fn no_state_keeps_a_mended_list_from_being_read() {
    for (at, (stream, path)) in TIMED.iter().chain(&[("users", "/v1/users")]).enumerate() {
        for (nth, trouble) in BROKEN.iter().enumerate().skip(at % 2).step_by(2) {
            let page = (at + nth / 2) % 3 + 1;
            if is_plausible(*trouble, path, page) {
                continue;
            }
            let what = format!("{trouble:?} from page {page} on");
            let account = sandbox(Options { scale: 0.03, page_max: Some(8), ..small() });
            account.replace_faults(for_ever(*trouble, path, page as u64), Vec::new());
            let broken = Read::of(&account, &[stream]).run();
            account.replace_faults(Vec::new(), Vec::new());
            let what = format!("{what}, then {:?} {:?}", broken.code, broken.errors());
            let mended = Read::of(&account, &[stream]).from(&broken).run().succeeded();
            assert_nothing_lost(&account, stream, &[&broken, &mended], &what);
        }
    }
}

/// The same while changes are read.
#[test]
fn no_state_keeps_changes_of_a_mended_list_from_being_read() {
    for (at, (stream, path)) in TIMED.iter().enumerate() {
        let account = sandbox(Options { scale: 0.03, page_max: Some(8), ..small() });
        let first = Read::of(&account, &[stream]).run().succeeded();
        let mut state = state_after(&first, None);
        let mut runs = vec![first];
        for (nth, trouble) in BROKEN.iter().enumerate().skip(at % 2).step_by(2) {
            // Newest first, whatever seems to be the end leaves out what is older.
            let newest = ["files", "leads"].contains(stream);
            let page = if newest { 1 } else { (at + nth / 2) % 2 + 1 };
            if is_plausible(*trouble, path, page) {
                continue;
            }
            edit(&account, stream);
            account.replace_faults(for_ever(*trouble, path, page as u64), Vec::new());
            for mended in [false, true] {
                let mut read = Read::of(&account, &[stream]);
                read.state = state.clone();
                let session = read.run();
                if mended {
                    assert_eq!(
                        session.code,
                        Some(0),
                        "{stream} {trouble:?}: {:?}",
                        session.errors()
                    );
                }
                state = state_after(&session, state);
                runs.push(session);
                account.replace_faults(Vec::new(), Vec::new());
            }
            let what = format!("{trouble:?} from page {page} on");
            assert_nothing_lost(&account, stream, &runs.iter().collect::<Vec<_>>(), &what);
        }
    }
}

/// Every message of a shape error in the code that walks lists, and its consequence. A new one is added
/// here when it is known that the next run, of a list that is right again, makes progress.
const SENTENCES: &[(&str, &str)] = &[
    ("cannot be asked for", "the rows without an id are named, all others are read"),
    ("list changes faster than it can be read", "each run starts to look for its position"),
    ("list claims more rows and brings none", "counted by each run from zero"),
    ("list claims more rows and sends pages without any", "counted by each run from zero"),
    (
        "list comes back to a cursor it gave before",
        "known for one run; a stored cursor is given up",
    ),
    ("list comes back to a page it sent before", "known for one run; a stored cursor is given up"),
    (
        "list had rows when its newest one was asked for, and none when it was read",
        "nothing is promised",
    ),
    ("list of field definitions does not end", "no state"),
    ("list of {IDS_PER_CALL} ids does not end", "no state"),
    ("answer is not a row", "no state"),
    ("answer is not UTF-8", "asked for again from the same place; a stored one is given up"),
    ("list should come whole and says there is more", "no place is stored"),
    ("list says that there is more and not where (no next_start)", "a stored place is given up"),
    ("answer is not a page of JSON records", "asked for again; a stored place is given up"),
    ("answer says success: false with status 200", "asked for again; a stored place is given up"),
    ("answer has no data", "asked for again; a stored place is given up"),
    ("answer holds more than {ROWS_MAX} rows", "asked for again; a stored place is given up"),
];

#[test]
fn every_error_of_a_walk_is_known_to_leave_a_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(root.join("extract")).expect("the sources are there");
    let files = files.map(|file| file.expect("it can be read").path());
    let more = ["model/page.rs", "model/page_parser.rs", "model/progress.rs", "api/pages.rs"];
    let mut unknown = Vec::new();
    for path in files.chain(more.map(|name| root.join(name))) {
        let source = fs::read_to_string(&path).expect("it is text");
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        for (place, _) in code.match_indices("Kind::Shape") {
            let before = &code[..place];
            let line = before.rsplit('\n').next().unwrap_or_default();
            if line.trim_start().starts_with("//") || line.contains("matches!") {
                continue;
            }
            // The sentence stands behind, or just before where it was put together.
            let behind = &code[place..code.len().min(place + 160)];
            let around = &code[before.len().saturating_sub(400)..code.len().min(place + 200)];
            let known = SENTENCES.iter().any(|(text, _)| around.contains(text));
            // What is passed on is named where it is made.
            let passed = behind.contains("Kind::Shape, message") && path.ends_with("pages.rs");
            let passed =
                passed || behind.contains("Kind::Shape, message)") && around.contains("fail");
            if !known && !passed {
                unknown.push(format!("{}: {}", path.display(), behind.replace('\n', " ")));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// An incremental read continues from a complete full refresh.
#[test]
fn an_incremental_read_goes_on_from_a_full_refresh() {
    let streams: Vec<&str> =
        TIMED.iter().map(|(stream, _)| *stream).chain(["deal_products"]).collect();
    let account = sandbox(small());
    let full = Read::of(&account, &streams).mode("full_refresh").run().succeeded();
    account.state(|account| account.advance(90));
    let quiet = Read::of(&account, &streams).from(&full).run().succeeded();
    assert_eq!(quiet.of_type("RECORD").count(), 0);
    let changed = change(&account, &[("persons", 3), ("leads", 4), ("files", 2)]);
    let later = Read::of(&account, &streams).from(&full).run().succeeded();
    for (stream, keys) in changed {
        assert_eq!(delivered(stream, &[&later]), keys.into_iter().collect(), "{stream}");
    }
    assert_eq!(latest("persons", &[&later]).len(), 3);
    // Handed back to a full refresh, it says that there is nothing to do.
    let again = Read::of(&account, &streams).mode("full_refresh").from(&full).run().succeeded();
    assert_eq!(again.of_type("RECORD").count(), 0);
    let logs = again.logs();
    let said = logs.iter().filter(|log| log.contains("has finished this full refresh")).count();
    assert_eq!(said, streams.len(), "{logs:?}");
}
