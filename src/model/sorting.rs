//! Checks whether a list has the order that it claims, as far as a watermark depends on it.
//!
//! The order is promised by the second and no finer: a server may sort times with milliseconds by their
//! second. A row that comes late by no more than the overlap still lies above the low watermark.

use super::time::Time;

/// The order of a list that is read by time.
#[derive(Debug, Clone, Copy)]
pub struct Sorting {
    falling: bool,
    /// The number of seconds by which a row may be out of order.
    overlap: i64,
    /// The furthest time in the order so far.
    furthest: Option<Time>,
    /// The watermark at the start of the walk.
    begun: Option<Time>,
}

impl Sorting {
    /// Returns the order with the oldest change first, from this watermark on.
    pub fn rising(since: Option<Time>, overlap: i64) -> Self {
        Self { falling: false, overlap: overlap.max(0), furthest: None, begun: since }
    }

    /// Returns the order with the newest change first.
    pub fn falling(overlap: i64) -> Self {
        Self { falling: true, overlap: overlap.max(0), furthest: None, begun: None }
    }

    /// Returns whether the next rows keep the order. `since` is the current watermark. If they do not, a row
    /// lies below the watermark, and the list is not sorted.
    pub fn holds(&mut self, times: impl Iterator<Item = Time>, since: Option<Time>) -> bool {
        let moved = since > self.begun;
        for time in times {
            let time = time.whole_second();
            let late = match self.furthest {
                None => false,
                Some(furthest) if self.falling => time > furthest.plus_seconds(self.overlap),
                Some(furthest) => time < furthest.plus_seconds(-self.overlap),
            };
            // The overlap can be reduced by many rows of one second.
            let passed = !self.falling && moved && since.is_some_and(|since| time < since);
            if late || passed {
                return false;
            }
            self.furthest = Some(match self.furthest {
                None => time,
                Some(furthest) if self.falling => furthest.min(time),
                Some(furthest) => furthest.max(time),
            });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mut order: Sorting, millis: &[i64], since: Option<i64>, expected: bool) {
        let times = millis.iter().map(|millis| Time::from_millis(*millis));
        assert_eq!(order.holds(times, since.map(Time::from_seconds)), expected, "{millis:?}");
    }

    #[test]
    fn a_second_is_not_ordered_and_the_overlap_forgives() {
        for overlap in [0, 60] {
            check(Sorting::rising(None, overlap), &[5_900, 5_100, 6_000], None, true);
            check(Sorting::falling(overlap), &[6_000, 5_100, 5_900], None, true);
            let (back, on) = (-1_000 * (overlap + 1), 1_000 * (overlap + 1));
            check(Sorting::rising(None, overlap), &[100_000, 100_000 + back], None, false);
            check(Sorting::rising(None, overlap), &[100_000, 101_000 + back], None, true);
            check(Sorting::falling(overlap), &[100_000, 100_000 + on], None, false);
            check(Sorting::falling(overlap), &[100_000, 99_000 + on], None, true);
        }
    }

    #[test]
    fn a_watermark_that_moved_with_the_walk_is_not_stepped_behind() {
        let begun = Some(Time::from_seconds(10));
        check(Sorting::rising(begun, 60), &[99_000], Some(100), false);
        // Before the watermark has moved, rows below it are already known.
        check(Sorting::rising(begun, 60), &[9_000, 11_000], Some(10), true);
    }
}
