//! Whole reads over the wire, held against what the account really holds.

use crate::support::{Read, all, assert_exactly, assert_whole, change, sandbox, small, truth};
use source_pipedrive::sandbox::{Fault, FaultKind, Options};

#[test]
fn every_stream_equals_the_account() {
    let sandbox = sandbox(Options { scale: 0.3, page_max: Some(37), ..small() });
    let session = Read::of(&sandbox, &all()).run().succeeded();
    assert_whole(&sandbox, &session, &all());
}

#[test]
fn a_full_refresh_equals_the_account() {
    let sandbox = sandbox(small());
    let read = Read::of(&sandbox, &all()).mode("full_refresh");
    let session = read.run().succeeded();
    assert_whole(&sandbox, &session, &all());
    // Handed back, the states say that there is nothing left to do.
    let again = Read::of(&sandbox, &all()).mode("full_refresh").from(&session).run().succeeded();
    assert_eq!(again.of_type("RECORD").count(), 0);
    // Under `incremental` a stream that can only be read in full is read again.
    let users = Read::of(&sandbox, &["users"]).from(&session).run().succeeded();
    assert_whole(&sandbox, &users, &["users"]);
}

#[test]
fn the_same_account_is_read_over_oauth() {
    let faults = [3, 9].map(|request| Fault::at(FaultKind::Expired, request)).to_vec();
    let sandbox = sandbox(Options { rotate_refresh_tokens: true, faults, ..small() });
    let mut read = Read::of(&sandbox, &["deals", "leads"]);
    read.config = sandbox.oauth_config();
    // One request at a time, so that no fault strikes the retry of another's.
    let read = read.with("concurrency", 1);
    let session = read.run().succeeded();
    assert_whole(&sandbox, &session, &["deals", "leads"]);
    // Every rotated token was handed on, whole configuration and all.
    let last = session.of_type("CONTROL").last().expect("a token was rotated");
    let config = &last["control"]["connectorConfig"]["config"];
    assert_eq!(config["credentials"], sandbox.oauth_config()["credentials"]);
    assert_eq!(sandbox.request_log().refreshes, 3);
    assert_eq!(session.of_type("CONTROL").count(), 3);
}

/// An odd but valid account: empty lists are null, filters are refused, states must be asked for
/// one by one.
#[test]
fn refusals_are_walked_around() {
    let odd = Options {
        refuse_combined_status: true,
        refuse_products_since: true,
        null_empty: true,
        ..small()
    };
    let sandbox = sandbox(odd);
    let streams = &["deals", "products", "leads", "deal_products"];
    let first = Read::of(&sandbox, streams).run().succeeded();
    assert_whole(&sandbox, &first, streams);
    let changed = change(&sandbox, &[("deals", 3), ("products", 2)]);
    let second = Read::of(&sandbox, streams).from(&first).run().succeeded();
    assert_exactly(&sandbox, &second, "deals", &changed["deals"]);
    assert_exactly(&sandbox, &second, "products", &changed["products"]);
    assert!(first.logs().iter().any(|log| log.contains("refuses status with all values at once")));
    // Reported once, and remembered.
    assert!(first.logs().iter().any(|log| log.contains("refuses updated_since on")));
    assert!(!second.logs().iter().any(|log| log.contains("refuses")));
}

#[test]
fn the_text_of_mail_comes_on_request() {
    const MAIL: &[&str] = &["deal_mail", "person_mail", "organization_mail"];
    let account = sandbox(small());
    for (asked, expected) in [(false, false), (true, true)] {
        let session = Read::of(&account, MAIL).with("mail_bodies", asked).run().succeeded();
        for stream in MAIL {
            let records = session.records(stream);
            assert_eq!(records.len(), truth(&account, stream).len(), "{stream}");
            assert!(!records.is_empty(), "{stream}");
            let text = |record: &&serde_json::Value| record["body"].is_string();
            assert!(records.iter().all(|record| text(record) == expected), "{stream}");
        }
    }
}

#[test]
fn filters_come_with_their_conditions() {
    let account = sandbox(small());
    let session = Read::of(&account, &["filters", "filter_conditions"]).run().succeeded();
    let filters = session.records("filters");
    let alone = session.records("filter_conditions");
    assert_eq!(filters.len(), alone.len());
    assert!(alone.iter().all(|filter| filter["conditions"]["glue"] == "and"));
}
