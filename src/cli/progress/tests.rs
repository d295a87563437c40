//! Tests of the lines that each progress mode prints.

use super::*;
use crate::model::{Batch, Cost, Error, Kind, Record, StreamState, Time};

fn events() -> Vec<Event> {
    let named = |name| Resource::named(name).expect("it exists");
    let (deals, roles) = (named("deals"), named("roles"));
    let record = Record::bare(r#"{"title":"Secret customer"}"#.into());
    let cost = Cost { requests: 2, tokens: 20 };
    vec![
        Event::Started { resource: deals },
        Event::Waiting { resource: deals, pause: Duration::from_millis(1_500) },
        Event::Resumed { resource: deals },
        Event::Answered { resource: deals, cost },
        Event::Batch(Batch {
            resource: deals,
            records: vec![record; 1_200],
            reached: StreamState::default(),
            refused: Vec::new(),
        }),
        Event::Warning { resource: deals, text: "a field is odd".to_owned() },
        Event::Finished {
            resource: deals,
            reached: StreamState::default(),
            until: Time::parse("2026-03-01T00:00:00Z"),
            postponed: 2,
        },
        Event::Started { resource: roles },
        Event::Failed {
            resource: roles,
            error: Error::new(Kind::Permission, "token t0p5ecret may not see it"),
        },
    ]
}

#[track_caller]
fn check(mode: ProgressMode, expected: &str) {
    let mut out = Vec::new();
    let mut progress = Progress::onto(&mut out, mode, Mask::new(&["t0p5ecret"]));
    progress.expect_resources(2);
    for event in events() {
        progress.observe(&event);
    }
    progress.note("the token t0p5ecret was replaced");
    drop(progress);
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn without_a_terminal_there_is_a_line_for_each_resource() {
    check(
        ProgressMode::Lines,
        "warning: deals: a field is odd\n\
         deals: 1,200 rows, 1 page, 20 tokens (1 of 2)\n\
         deals: 2 rows changed at or after 2026-03-01T00:00:00Z, by Pipedrive's clock: left to the next run\n\
         roles: INCOMPLETE after 0 rows, 0 pages, 0 tokens: token **** may not see it\n\
         the token **** was replaced\n",
    );
    check(ProgressMode::Quiet, "");
}

#[test]
fn a_log_has_levels() {
    check(
        ProgressMode::Log,
        "INFO deals: rate limited, 2 s\n\
         WARNING deals: a field is odd\n\
         INFO deals: 1,200 rows, 1 page, 20 tokens (1 of 2)\n\
         INFO deals: 2 rows changed at or after 2026-03-01T00:00:00Z, by Pipedrive's clock: left to the next run\n\
         ERROR roles: INCOMPLETE after 0 rows, 0 pages, 0 tokens: token **** may not see it\n\
         INFO the token **** was replaced\n",
    );
}

#[test]
fn verbose_tells_what_begins_and_what_waits() {
    check(
        ProgressMode::Verbose,
        "deals: begins\n\
         deals: rate limited, 2 s\n\
         warning: deals: a field is odd\n\
         deals: 1,200 rows, 1 page, 20 tokens (1 of 2)\n\
         deals: 2 rows changed at or after 2026-03-01T00:00:00Z, by Pipedrive's clock: left to the next run\n\
         roles: begins\n\
         roles: INCOMPLETE after 0 rows, 0 pages, 0 tokens: token **** may not see it\n\
         the token **** was replaced\n",
    );
}

#[test]
fn warnings_of_a_log_are_all_that_a_quiet_tap_says() {
    check(
        ProgressMode::Warnings,
        "WARNING deals: a field is odd\n\
         ERROR roles: INCOMPLETE after 0 rows, 0 pages, 0 tokens: token **** may not see it\n",
    );
}

#[test]
fn what_a_table_tells_is_not_said_before_it() {
    let mut out = Vec::new();
    let mut progress = Progress::onto(&mut out, ProgressMode::Lines, Mask::new(&[]));
    progress.before_a_table();
    progress.expect_resources(2);
    for event in &events() {
        progress.observe(event);
    }
    drop(progress);
    assert_eq!(String::from_utf8_lossy(&out), "warning: deals: a field is odd\n");
}

#[test]
fn the_line_of_the_run_counts_and_tells_the_time_left_where_rows_are_known() {
    let named = |name| Resource::named(name).expect("it exists");
    let mut out = Vec::new();
    let mut progress = Progress::onto(&mut out, ProgressMode::Lines, Mask::new(&[]));
    progress.expect_resources(2);
    for event in &events()[..5] {
        progress.observe(event);
    }
    let ten = Duration::from_secs(10);
    assert_eq!(progress.whole(ten), "0 of 2 done, 1,200 rows, 20 tokens spent");
    progress.expect(named("deals"), Some(2_400), 0);
    assert_eq!(progress.whole(ten), "0 of 2 done, 1,200 rows, 20 tokens spent");
    progress.expect(named("roles"), Some(1_200), 0);
    assert_eq!(progress.whole(ten), "0 of 2 done, 1,200 rows, 20 tokens spent, about 20 s left");
    for event in &events()[5..7] {
        progress.observe(event);
    }
    assert_eq!(progress.whole(ten), "1 of 2 done, 1,200 rows, 20 tokens spent, about 10 s left");
}
