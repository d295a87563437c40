use super::super::sorting::Sorting;
use super::*;
use bytes::Bytes;

const BOUND: i64 = 1_000_000;

fn row(key: usize, seconds: i64, text: &str) -> Record {
    Record {
        json: Bytes::from(format!("{{\"id\":{key},\"t\":{seconds},\"x\":\"{text}\"}}")),
        key: Some(key.to_string()),
        time: Some(Time::from_seconds(seconds)),
        ..Record::bare(Bytes::new())
    }
}

fn ascend(progress: &mut Progress, rows: Vec<Record>) -> Delivery {
    let bound = Time::from_seconds(BOUND);
    progress
        .deliver_sorted(rows, &mut Sorting::rising(None, 60), bound, 60)
        .expect("the rows are sorted")
}

fn keys(delivery: &Delivery) -> Vec<&str> {
    delivery.records.iter().filter_map(|record| record.key.as_deref()).collect()
}

/// Returns the state as the next run loads it.
fn stored(progress: &Progress) -> Progress {
    let json = serde_json::to_string(progress).expect("a progress is JSON");
    serde_json::from_str(&json).expect("and is read back")
}

#[test]
fn the_watermark_follows_by_the_overlap_and_never_steps_back() {
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    ascend(&mut progress, vec![row(1, 100, "a"), row(2, 500, "a")]);
    assert_eq!(progress.since, Some(Time::from_seconds(440)));
    assert_eq!(progress.remembered(), 1);
    ascend(&mut progress, vec![row(3, 460, "late")]);
    assert_eq!(progress.since, Some(Time::from_seconds(440)));
    assert_eq!(progress.update_time, Some(Time::from_seconds(500)));
}

#[test]
fn a_row_is_dropped_exactly_when_key_and_bytes_are_known() {
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    ascend(&mut progress, vec![row(1, 500, "a"), row(2, 500, "a")]);
    let mut progress = stored(&progress);
    let again =
        vec![row(3, 450, "late"), row(1, 500, "a"), row(2, 500, "second write"), row(4, 500, "a")];
    assert_eq!(keys(&ascend(&mut progress, again.clone())), ["3", "2", "4"]);
    assert_eq!(keys(&ascend(&mut stored(&progress), again)), [""; 0]);
}

#[test]
fn rows_of_the_future_wait_for_the_next_run() {
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    let rows = vec![row(1, 500, "a"), row(2, BOUND, "a"), row(3, BOUND + 5, "a")];
    let delivery = ascend(&mut progress, rows);
    assert_eq!((keys(&delivery), delivery.postponed.len()), (vec!["1"], 2));
    assert_eq!(progress.since, Some(Time::from_seconds(440)));
}

#[test]
fn a_list_that_is_not_sorted_moves_nothing() {
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    let before = progress.clone();
    let mut order = Sorting::rising(progress.since, 60);
    let bound = Time::from_seconds(BOUND);
    let rows = vec![row(1, 600, "a"), row(2, 500, "a")];
    assert!(progress.deliver_sorted(rows, &mut order, bound, 60).is_none());
    assert_eq!(progress, before);
}

/// No order is assumed within a second and within the overlap.
#[test]
fn rows_that_come_late_within_the_overlap_are_delivered() {
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    let mut order = Sorting::rising(progress.since, 60);
    let bound = Time::from_seconds(BOUND);
    let mut page =
        |rows| progress.deliver_sorted(rows, &mut order, bound, 60).expect("late, and in time");
    assert_eq!(keys(&page(vec![row(1, 600, "a"), row(2, 541, "a")])), ["1", "2"]);
    assert_eq!(keys(&page(vec![row(3, 540, "a"), row(1, 600, "a"), row(4, 601, "a")])), ["3", "4"]);
}

/// A bulk edit gives more rows within the overlap than are remembered, but not within one second.
#[test]
fn a_bulk_edit_shrinks_the_overlap() {
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    let rows = (0..DELIVERED_MAX + 500).map(|key| row(key, if key < 600 { 499 } else { 500 }, "a"));
    let delivery = ascend(&mut progress, rows.collect());
    assert!(!delivery.overflow);
    assert_eq!(progress.since, Some(Time::from_seconds(500)));
    assert_eq!(progress.remembered(), DELIVERED_MAX - 100);
}

#[test]
fn a_second_too_full_to_remember_repeats_and_loses_nothing() {
    let rows: Vec<_> = (0..DELIVERED_MAX + 5).map(|key| row(key, 500, "a")).collect();
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    let delivery = ascend(&mut progress, rows.clone());
    assert!(delivery.overflow);
    assert_eq!(delivery.records.len(), DELIVERED_MAX + 5);
    let mut next = stored(&progress);
    assert_eq!(next.since, Some(Time::from_seconds(500)));
    assert_eq!(ascend(&mut next, rows).records.len(), 5);
}

#[test]
fn a_row_without_time_neither_advances_nor_blocks() {
    let untimed = |text: &str| Record { time: None, ..row(7, 0, text) };
    let mut progress = Progress::starting_at(Time::from_seconds(0));
    assert_eq!(keys(&ascend(&mut progress, vec![untimed("a"), row(1, 500, "a")])), ["7", "1"]);
    assert_eq!(progress.since, Some(Time::from_seconds(440)));
    let mut progress = stored(&progress);
    assert_eq!(keys(&ascend(&mut progress, vec![untimed("a")])), [""; 0]);
    assert_eq!(keys(&ascend(&mut progress, vec![untimed("b")])), ["7"]);
}

/// A full walk also delivers rows at or after the bound, and a stored state remembers them.
#[test]
fn rows_beyond_the_bound_are_remembered_with_their_times() {
    let mut progress = Progress {
        walk: Some(Walk { since: Some(Time::from_seconds(400)), ..Walk::default() }),
        ..Progress::default()
    };
    let bound = Time::from_seconds(500);
    let rows = vec![row(1, 450, "a"), row(2, 500, "a"), row(3, 9_000, "a")];
    assert_eq!(progress.walk(rows.clone(), bound).records.len(), 3);
    let mut progress = stored(&progress);
    progress.finish_walk();
    assert_eq!(progress.update_time, Some(Time::from_seconds(450)));
    for bound in [600, 10_000] {
        let bound = Time::from_seconds(bound);
        let again = progress
            .deliver_sorted(rows.clone(), &mut Sorting::rising(None, 60), bound, 60)
            .expect("sorted");
        assert_eq!((again.records.len(), again.postponed.len()), (0, 0));
        progress = stored(&progress);
        assert_eq!(stored(&progress), progress);
    }
}

#[test]
fn a_first_walk_promises_only_at_its_end() {
    let mut progress = Progress {
        walk: Some(Walk { since: Some(Time::from_seconds(400)), ..Walk::default() }),
        ..Progress::default()
    };
    let bound = Time::from_seconds(BOUND);
    progress.walk(vec![row(9, 450, "a"), row(2, 100, "a")], bound);
    assert_eq!((progress.since, progress.remembered()), (None, 1));
    progress.finish_walk();
    assert_eq!(progress.since, Some(Time::from_seconds(400)));
    assert_eq!(keys(&ascend(&mut progress, vec![row(9, 450, "a")])), [""; 0]);
}
