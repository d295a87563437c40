//! A server's clock that is wrong, stands still or is missing: it may postpone a row, and never
//! loses one.

use crate::support::{Read, Session, assert_equals_truth, latest, sandbox, small, truth};
use serde_json::json;
use source_pipedrive::model::Time;
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, OddDate, Options, Sandbox};

/// A list of each class that is read by time, and one per parent.
const STREAMS: &[&str] =
    &["deals", "persons", "products", "leads", "notes", "files", "deal_products"];
const EDITED: &[&str] = &["deals", "persons", "products", "leads", "notes", "files"];

const DATES: &[OddDate] = &[
    OddDate::Off(-86_400),
    OddDate::Off(86_400),
    OddDate::Off(120),
    OddDate::Absent,
    OddDate::Zone,
    OddDate::Still,
];

/// The account as the run of this number finds it: rows come and change half a minute after each
/// run, and the clock is wrong in this way at its answers.
fn account(empty: bool, run: usize, date: Option<OddDate>) -> Sandbox {
    let faults = date.map(|date| Fault::on(FaultKind::Date(date), "/api/", 1, u32::MAX));
    let options = Options { scale: 0.03, page_max: Some(8), ..small() };
    let account = sandbox(Options { faults: faults.into_iter().collect(), ..options });
    account.state(|account| {
        if empty {
            for resource in EDITED {
                for row in account.truth(resource) {
                    account.edit(Edit::Delete { resource, key: row.key });
                }
            }
            // Deleted deals are listed for 30 days.
            account.advance(31 * 86_400);
        }
        for nth in 0..run {
            account.advance(30);
            for resource in EDITED {
                account.edit(Edit::Create { resource, parent: None });
                account.edit(Edit::Bulk { resource, rows: 2 + nth });
            }
            account.advance(5);
        }
    });
    account
}

/// Three runs, of which some meet a wrong clock, and one more with the account standing still.
fn runs(empty: bool, wrong: &[usize], date: OddDate) {
    let label = format!("{date:?} in runs {wrong:?}, empty at first: {empty}");
    let mut sessions: Vec<Session> = Vec::new();
    for run in 0..4 {
        let account = account(empty, run.min(3), wrong.contains(&run).then_some(date));
        account.state(|account| account.advance(if run == 3 { 120 } else { 0 }));
        let mut read = Read::of(&account, STREAMS);
        if let Some(before) = sessions.last() {
            read = read.from(before);
        }
        let session = read.run().succeeded();
        if run == 3 {
            sessions.push(session);
            for stream in STREAMS {
                let rows = latest(stream, &sessions.iter().collect::<Vec<_>>());
                let expected = truth(&account, stream);
                assert_eq!(rows.len(), expected.len(), "{label}: {stream}");
                assert_equals_truth(stream, &rows, &expected);
            }
            break;
        }
        sessions.push(session);
    }
}

#[test]
fn a_wrong_clock_at_the_first_run_loses_nothing() {
    for date in DATES {
        for empty in [false, true] {
            runs(empty, &[0], *date);
        }
    }
}

#[test]
fn a_wrong_clock_at_a_later_run_loses_nothing() {
    for date in DATES {
        for empty in [false, true] {
            runs(empty, &[1], *date);
            runs(empty, &[0, 1, 2], *date);
        }
    }
}

/// Rows that a clock postpones are reported, and a full walk reads them.
#[test]
fn what_is_postponed_is_told() {
    let first = Read::of(&account(false, 0, None), &["persons"]).run().succeeded();
    let late = account(false, 1, Some(OddDate::Still));
    late.state(|account| account.advance(90));
    let second = Read::of(&late, &["products"]).run().succeeded();
    assert_eq!(second.records("products").len(), truth(&late, "products").len());
    let mut read = Read::of(&late, &["persons", "products", "notes"]).from(&first);
    read.state = Some(
        [first.state(), second.state()]
            .iter()
            .filter_map(|s| s.as_array().cloned())
            .flatten()
            .collect(),
    );
    let third = read.run().succeeded();
    assert_eq!(third.records("persons").len(), 0);
    // Their list is filtered by the server; this one shows what is left.
    late.state(|account| account.edit(Edit::Bulk { resource: "products", rows: 3 }));
    let mut read = Read::of(&late, &["products"]);
    read.state = Some(second.state());
    let fourth = read.run().succeeded();
    let told = fourth.logs().into_iter().find(|log| log.contains("left to the next run"));
    assert!(told.is_some_and(|log| log.contains("products: 3 rows")), "{:?}", fourth.logs());
    let whole = Read::of(&late, &["persons"]).mode("full_refresh").run().succeeded();
    assert_equals_truth("persons", &whole.records("persons"), &truth(&late, "persons"));
}

/// A state or a start date after the server's clock claims rows that were never read.
#[test]
fn a_watermark_of_the_future_is_drawn_back() {
    let account = account(false, 2, None);
    account.state(|account| account.advance(90));
    let now = account.state(|account| account.now());
    let future = now.plus_seconds(86_400).to_string();
    for stream in ["persons", "products", "notes"] {
        let mut read = Read::of(&account, &[stream]);
        read.state = Some(json!([{"type": "STREAM", "stream": {
            "stream_descriptor": {"name": stream},
            "stream_state": {"version": 1, "since": future},
        }}]));
        let session = read.run().succeeded();
        let rows = session.records(stream);
        assert_equals_truth(stream, &rows, &truth(&account, stream));
        let told =
            session.logs().into_iter().any(|log| log.contains("later than Pipedrive's clock"));
        assert!(told, "{:?}", session.logs());
        // The same with what was delivered last: from there on.
        let seen = now.plus_seconds(-100).to_string();
        let mut read = Read::of(&account, &[stream]);
        read.state = Some(json!([{"type": "STREAM", "stream": {
            "stream_descriptor": {"name": stream},
            "stream_state": {"version": 1, "since": future, "update_time": seen},
        }}]));
        let session = read.run().succeeded();
        assert!(!session.records(stream).is_empty(), "{stream}: rows since {seen}");
    }
    let session = Read::of(&account, &["persons"]).with("start_date", future).run().succeeded();
    assert!(session.logs().into_iter().any(|log| log.contains("later than Pipedrive's clock")));
    account.state(|account| {
        account.advance(10);
        account.edit(Edit::Bulk { resource: "persons", rows: 3 });
        account.advance(90);
    });
    let second = Read::of(&account, &["persons"]).from(&session).run().succeeded();
    assert!(second.records("persons").len() >= 3);
    assert!(Time::parse(&now.to_string()).is_some());
}
