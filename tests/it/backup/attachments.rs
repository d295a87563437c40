//! Attachments over lines that are slow or break off, from servers that know ranges or do not.

use crate::support::backup::{self, BackupFixture};
use crate::support::{raw_truth, sandbox, small};
use serde_json::Value;
use source_pipedrive::sandbox::{Fault, FaultKind, Options, Ranges, Sandbox};
use std::time::Duration;

const WITH: [&str; 2] = ["--include", "file_contents"];

/// The row of an attachment in the index: the first whose bytes are at Pipedrive itself (an odd id), or
/// in the storage.
fn id_of(account: &Sandbox, stored: bool) -> u64 {
    let rows = raw_truth(account, "files").into_values();
    let ids = rows.filter_map(|row| {
        let row: Value = serde_json::from_str(&row).expect("a row is JSON");
        let here = row["active_flag"] != false
            && (row["remote_location"].is_null() || row["remote_location"] == "s3");
        row["id"].as_u64().filter(|id| here && id.is_multiple_of(2) == stored)
    });
    ids.min().expect("there are attachments")
}

/// Where the bytes of an attachment are asked for.
fn place(id: u64, stored: bool) -> String {
    if stored { format!("/_storage/{id}") } else { format!("/files/{id}/download") }
}

/// Requires that the attachment is here with the bytes that the account has.
#[track_caller]
fn assert_here(backups: &BackupFixture, id: u64, inverted: bool) {
    let index: Vec<Value> =
        serde_json::from_str(&backups.text("fileContents.json")).expect("it is an array");
    let row = index.iter().find(|row| row["id"] == id).expect("it is noted");
    let sha256 = row["sha256"].as_str().expect("it is here");
    let bytes = std::fs::read(backups.dir().join("files").join(sha256)).expect("it is here");
    let mut expected =
        vec![0; usize::try_from(row["bytes"].as_u64().expect("a size")).expect("small")];
    fastrand::Rng::with_seed(id).fill(&mut expected);
    if inverted {
        expected = expected.into_iter().map(|byte| !byte).collect();
    }
    assert!(bytes == expected, "attachment {id} has other bytes");
    assert_eq!(backup::sha256(&bytes), sha256);
}

/// Statuses of the requests for a place, in order.
fn statuses(account: &Sandbox, place: &str) -> Vec<u16> {
    let asked = account.request_log().requests;
    asked.iter().filter(|r| r.path_and_query.ends_with(place)).map(|r| r.status).collect()
}

/// What came is kept: the rest is asked for, of the same version only, as often as it takes.
#[test]
fn an_attachment_that_breaks_off_goes_on_where_it_was() {
    for stored in [false, true] {
        for (ranges, expected) in [
            (Ranges::Served, [200, 206, 206]),
            (Ranges::Ignored, [200, 200, 200]),
            (Ranges::Unknown, [200, 200, 200]),
        ] {
            let id = id_of(&sandbox(small()), stored);
            let place = place(id, stored);
            let faults = vec![Fault::on(FaultKind::CutAfter(30), &place, 1, 2)];
            let account = sandbox(Options { ranges, faults, ..small() });
            let backups = BackupFixture::of(&account, &["files"]);
            backups.run(&WITH).succeeded();
            assert_eq!(statuses(&account, &place), expected, "{ranges:?}");
            assert_here(&backups, id, false);
        }
    }
}

/// A response with another part than requested is refused: the download restarts.
#[test]
fn another_part_than_the_rest_is_not_taken() {
    for stored in [false, true] {
        let id = id_of(&sandbox(small()), stored);
        let place = place(id, stored);
        let faults = vec![Fault::on(FaultKind::CutAfter(30), &place, 1, 1)];
        let account = sandbox(Options { ranges: Ranges::Wrong, faults, ..small() });
        let backups = BackupFixture::of(&account, &["files"]);
        backups.run(&WITH).succeeded();
        assert_eq!(statuses(&account, &place), [200, 206, 200]);
        assert_here(&backups, id, false);
    }
}

/// A file that is another one by now is taken as a whole, never put together from two.
#[test]
fn a_file_that_changed_meanwhile_is_begun_anew() {
    for stored in [false, true] {
        let id = id_of(&sandbox(small()), stored);
        let place = place(id, stored);
        let faults = vec![
            Fault::on(FaultKind::CutAfter(30), &place, 1, 1),
            Fault::on(FaultKind::NewFile, &place, 2, u32::MAX),
        ];
        let account = sandbox(Options { faults, ..small() });
        let backups = BackupFixture::of(&account, &["files"]);
        backups.run(&WITH).succeeded();
        assert_eq!(statuses(&account, &place), [200, 200]);
        assert_here(&backups, id, true);
    }
}

/// As long as bytes come, a file may take as long as it takes; silence breaks it off.
#[test]
fn a_slow_attachment_is_waited_for_and_a_silent_one_is_asked_for_again() {
    let id = id_of(&sandbox(small()), true);
    let place = place(id, true);
    let drip = Fault::on(FaultKind::Drip(Duration::from_millis(200)), &place, 1, 1);
    let account = sandbox(Options { faults: vec![drip], ..small() });
    let backups = BackupFixture::of(&account, &["files"]).with("timeout_millis", 1_000);
    backups.run(&WITH).succeeded();
    assert_eq!(statuses(&account, &place), [200], "16 pauses of 200 ms are no silence of 1,000");
    assert_here(&backups, id, false);

    let hour = Fault::on(FaultKind::Slow(Duration::from_hours(1)), &place, 1, 1);
    let account = sandbox(Options { faults: vec![hour], ..small() });
    let backups = BackupFixture::of(&account, &["files"]).with("timeout_millis", 1_000);
    backups.run(&WITH).succeeded();
    assert_eq!(statuses(&account, &place), [200, 206]);
    assert_here(&backups, id, false);
}

/// One that cannot be had for good is a gap that is named; every other one is fetched in the same run,
/// and a later backup asks for it again.
#[test]
fn an_attachment_that_fails_for_good_keeps_no_other_one_back() {
    for stored in [false, true] {
        for trouble in [
            FaultKind::CutAfter(10),
            FaultKind::Reset,
            FaultKind::Status(503),
            FaultKind::Slow(Duration::from_hours(1)),
            FaultKind::Truncate,
        ] {
            let id = id_of(&sandbox(small()), stored);
            let place = place(id, stored);
            let faults = vec![Fault::on(trouble, &place, 1, u32::MAX)];
            let account = sandbox(Options { faults, ranges: Ranges::Ignored, ..small() });
            let mut backups = BackupFixture::of(&account, &["files"]).with("timeout_millis", 1_000);
            let run = backups.run(&WITH);
            run.failed(3, &["fileContents"]);
            assert!(run.stderr.contains(&format!("attachment {id}: ")), "{}", run.stderr);
            let index: Vec<Value> =
                serde_json::from_str(&backups.text("fileContents.json")).expect("it is an array");
            assert_eq!(index.len(), raw_truth(&account, "files").len(), "{trouble:?}");
            let failed: Vec<_> =
                index.iter().filter(|row| row["failed"] == true).map(|row| &row["id"]).collect();
            assert_eq!(failed, [&Value::from(id)], "{trouble:?}");
            assert!(statuses(&account, &place).len() <= 12, "attempts are counted");

            let healthy = sandbox(small());
            backups.pointed_at(&healthy);
            backups.run(&WITH).succeeded();
            assert_here(&backups, id, false);
        }
    }
}

/// If no file can be downloaded any more, the run reports that instead of waiting for every file. A noted
/// failure does not delay the next file.
#[test]
fn an_outage_ends_the_run_and_the_next_goes_on() {
    let faults = vec![Fault::on(FaultKind::Status(503), "/download", 1, u32::MAX)];
    let broken = sandbox(Options { scale: 0.2, faults, ..small() });
    let mut backups = BackupFixture::of(&broken, &["files"]);
    let run = backups.run(&WITH);
    assert_eq!(run.code, Some(69), "{}", run.stderr);
    assert!(run.stderr.contains("attachments in a row could not be had"), "{}", run.stderr);
    let asked = broken.request_log().requests.len();
    assert!(asked < 400, "{asked} requests against an account that is out");
    let healthy = sandbox(Options { scale: 0.2, ..small() });
    backups.pointed_at(&healthy);
    backups.run(&WITH).failed(3, &["fileContents"]);
    backups.run(&WITH).succeeded();
}
