//! Ranges of rows of an array, by index.

use std::collections::BTreeMap;

/// A set of row indexes, stored as ranges. It takes no more memory than the journal entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// The last index of each range, by its first index. Both are inclusive. Ranges neither overlap nor
    /// touch.
    ranges: BTreeMap<u64, u64>,
}

impl Rows {
    /// Adds a range. Both ends are inclusive.
    pub(super) fn add(&mut self, from: u64, to: u64) {
        let (mut from, mut to) = (from, to);
        // Merges every range that overlaps or touches the new one.
        while let Some((&start, &end)) = self.ranges.range(..=to.saturating_add(1)).next_back() {
            if end.saturating_add(1) < from {
                break;
            }
            self.ranges.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        self.ranges.insert(from, to);
    }

    pub(super) fn contains(&self, index: u64) -> bool {
        self.ranges.range(..=index).next_back().is_some_and(|(_, end)| *end >= index)
    }

    pub(super) fn count(&self) -> u64 {
        let rows = self.ranges.iter().map(|(start, end)| (end - start).saturating_add(1));
        rows.fold(0, u64::saturating_add)
    }

    /// Returns all row indexes below `end`.
    pub(super) fn below(&self, end: u64) -> impl Iterator<Item = u64> {
        self.ranges
            .range(..end)
            .flat_map(move |(start, last)| *start..end.min(last.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_as_ranges() {
        let check = |ranges: &[(u64, u64)], expected: &[(u64, u64)]| {
            let mut rows = Rows::default();
            for (from, to) in ranges {
                rows.add(*from, *to);
            }
            let kept: Vec<_> = rows.ranges.iter().map(|(from, to)| (*from, *to)).collect();
            assert_eq!(kept, expected);
            let inside = |row: u64| ranges.iter().any(|(from, to)| (*from..=*to).contains(&row));
            assert!((0..20).all(|row| rows.contains(row) == inside(row)));
            let below: Vec<_> = rows.below(15).collect();
            assert_eq!(below, (0..15).filter(|row| inside(*row)).collect::<Vec<_>>());
        };
        check(&[(0, 2), (3, 5)], &[(0, 5)]);
        check(&[(4, 6), (0, 1), (8, 9)], &[(0, 1), (4, 6), (8, 9)]);
        check(&[(4, 6), (0, 1), (8, 9), (1, 8)], &[(0, 9)]);
        check(&[(2, 9), (4, 5)], &[(2, 9)]);
        check(&[(4, 5), (2, 9), (11, 11)], &[(2, 9), (11, 11)]);
        check(&[(3, 3), (3, 3)], &[(3, 3)]);
        let mut rows = Rows::default();
        rows.add(0, u64::MAX);
        assert_eq!(rows.count(), u64::MAX);
        assert_eq!(rows.below(3).count(), 3);
    }
}
