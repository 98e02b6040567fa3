//! Histograms: how often each value occurs in a band.

/// Number of values to buffer before counting, while there are few distinct ones.
const WAITING: usize = 1 << 16;
/// Largest number of distinct values: 16 MiB.
const MOST: usize = 1 << 20;

/// Counts of values in ascending order; exact for at most 1,048,576 distinct values.
///
/// Beyond that, values that differ only in their last bits are counted as the largest of them. The number of ignored
/// bits depends only on the values, so the counts do not depend on their order.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Vec<(f32, u64)>,
    waiting: Vec<f32>,
    most: usize,
    /// Number of ignored bits.
    dropped: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Vec::new(), waiting: Vec::new(), most: MOST, dropped: 0 }
    }
}

impl Histogram {
    /// Counts the finite values.
    pub fn add(&mut self, values: impl IntoIterator<Item = f32>) {
        // Negative zero becomes zero.
        self.waiting.extend(values.into_iter().filter(|value| value.is_finite()).map(|value| value + 0.0));
        if self.waiting.len() > WAITING.max(self.counts.len()) {
            self.settle();
        }
    }

    /// Returns each value and its count, in ascending order.
    pub fn into_counts(mut self) -> Vec<(f32, u64)> {
        self.settle();
        self.counts
    }

    fn settle(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable_by(f32::total_cmp);
        self.counts.extend(waiting.into_iter().map(|value| (value, 1)));
        // Merges two sorted lists.
        self.counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.join();
        while self.counts.len() > self.most {
            self.dropped += 1;
            self.join();
        }
    }

    /// Merges values that are equal without the ignored bits.
    fn join(&mut self) {
        let dropped = self.dropped;
        self.counts.dedup_by(|next, kept| {
            let same = key(next.0, dropped) == key(kept.0, dropped);
            if same {
                *kept = (next.0, kept.1 + next.1);
            }
            same
        });
    }
}

/// Returns a number that increases with the value, without its last bits.
fn key(value: f32, dropped: u32) -> u32 {
    let bits = value.to_bits();
    let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    rising >> dropped.min(31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(parts: &[&[f32]], most: usize) -> Vec<(f32, u64)> {
        let mut histogram = Histogram { most, ..Histogram::default() };
        for part in parts {
            histogram.add(part.iter().copied());
            histogram.settle();
        }
        histogram.into_counts()
    }

    #[test]
    fn finite_values_are_counted() {
        let counts = counted(&[&[2.0, -1.0, 0.0, f32::NAN, 2.0], &[-0.0, f32::INFINITY, 3.5, -1.0]], MOST);
        assert_eq!(counts, [(-1.0, 2), (0.0, 2), (2.0, 2), (3.5, 1)]);
    }

    proptest! {
        /// In any order; no value is counted as a distant one.
        #[test]
        fn the_order_of_values_does_not_matter(
            values in prop::collection::vec(-1000.0f32..1000.0, 1..300), cut in 0usize..300, most in 32usize..400,
        ) {
            let (first, second) = values.split_at(cut.min(values.len()));
            let whole = counted(&[&values], most);
            prop_assert_eq!(&whole, &counted(&[second, first], most));
            prop_assert!(whole.len() <= most && whole.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert_eq!(whole.iter().map(|(_, count)| count).sum::<u64>(), values.len() as u64);
            let below = |value: f32| values.iter().filter(|&&other| other <= value).count() as u64;
            let mut passed = 0;
            for (value, count) in whole {
                passed += count;
                prop_assert_eq!(passed, below(value));
            }
        }
    }
}
