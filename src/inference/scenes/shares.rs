//! The steps of an output that remain to be done, and their distribution among processes.

use std::ops::Range;

use crate::inference::tiling::{Part, Steps};
use crate::peers;

/// Returns the steps that remain to be done, as ranges that do not touch; `is_done` says whether what a step writes
/// exists.
pub(super) fn missing(steps: &dyn Steps, is_done: impl Fn(&Part) -> bool) -> Vec<Range<usize>> {
    let mut missing: Vec<Range<usize>> = Vec::new();
    for index in 0..steps.count() {
        let made = steps.makes(index);
        if made.is_empty() || is_done(&made) {
            continue;
        }
        match missing.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            _ => missing.push(index..index + 1),
        }
    }
    missing
}

/// Returns the steps that one of several processes does: consecutive, and equally many up to one.
pub(super) fn own(missing: &[Range<usize>], part: peers::Part) -> Vec<Range<usize>> {
    let all: usize = missing.iter().map(ExactSizeIterator::len).sum();
    let until = |rank: usize| (all as u128 * rank as u128 / part.count as u128) as usize;
    let (first, end) = (until(part.rank), until(part.rank + 1));
    let mut before = 0;
    let cut = missing.iter().map(|range| {
        let within = |place: usize| range.start + place.saturating_sub(before).min(range.len());
        let own = within(first)..within(end);
        before += range.len();
        own
    });
    cut.filter(|range| !range.is_empty()).collect()
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, of which some have one")]
mod tests {
    use super::*;

    struct Rows(usize);

    impl Steps for Rows {
        fn count(&self) -> usize {
            self.0
        }

        fn reads(&self, index: usize) -> Part {
            self.makes(index)
        }

        /// The first step writes nothing.
        fn makes(&self, index: usize) -> Part {
            Part { rows: index.saturating_sub(1)..index, columns: 0..4 }
        }
    }

    #[test]
    fn what_is_missing_is_found() {
        let done = [0, 3, 4, 8];
        let found = missing(&Rows(10), |part| done.contains(&part.rows.start));
        assert_eq!(found, [2..4, 6..9]);
        assert!(missing(&Rows(10), |_| true).is_empty());
        assert!(missing(&Rows(1), |_| false).is_empty());
    }

    /// Every step belongs to exactly one process, whatever their number and whatever is done already.
    #[test]
    fn every_step_is_done_once() {
        for missing in [vec![], vec![0..1], vec![2..4, 6..9], vec![0..100], vec![3..5, 7..8, 20..41]] {
            for count in 1..7 {
                let own = |rank| own(&missing, peers::Part { rank, count });
                let shares: Vec<usize> = (0..count).map(|rank| own(rank).into_iter().flatten().count()).collect();
                let all: Vec<usize> = (0..count).flat_map(own).flatten().collect();
                assert_eq!(all, missing.iter().cloned().flatten().collect::<Vec<_>>());
                assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
            }
        }
    }
}
