//! Histograms of values, for percentiles.

use super::moments::Moments;
use crate::raster::{Gap, Sample};

/// A second list of this size is negligible compared with the pixels of a chip.
const FEW_COUNTS: usize = 1024;

/// Exact counts of integers.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// The integer that the first count belongs to.
    first: i64,
    counts: Vec<u64>,
}

impl Counts {
    /// Counts integers of at most 16 bits, without nodata.
    pub fn add<T: Sample>(&mut self, values: &[T], gap: Gap<T>) {
        let first = values.first().map_or(0, |value| value.to_i32());
        let (low, high) = values
            .iter()
            .fold((first, first), |(low, high), value| (low.min(value.to_i32()), high.max(value.to_i32())));
        if values.is_empty() {
            return;
        }
        self.cover(low.into(), high.into());
        let first = self.first as i32;
        let count = |counts: &mut [u64], value: T| {
            if !gap.holds(value)
                && let Some(count) = counts.get_mut((value.to_i32() - first) as usize)
            {
                *count += 1;
            }
        };
        if self.counts.len() > FEW_COUNTS {
            return values.iter().for_each(|value| count(&mut self.counts, *value));
        }
        // If neighbors are equal, successive additions to one counter stall; two alternating counters avoid that.
        let (pairs, last) = values.as_chunks::<2>();
        let mut others = vec![0; self.counts.len()];
        for [one, other] in pairs {
            count(&mut self.counts, *one);
            count(&mut others, *other);
        }
        last.iter().for_each(|value| count(&mut self.counts, *value));
        self.counts.iter_mut().zip(others).for_each(|(own, other)| *own += other);
    }

    pub fn and(&mut self, other: &Self) {
        if other.counts.is_empty() {
            return;
        }
        self.cover(other.first, other.last());
        let start = (other.first - self.first) as usize;
        self.counts[start..].iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
    }

    /// Makes room for these values in steps of 256, so that few reallocations are needed.
    fn cover(&mut self, low: i64, high: i64) {
        let (low, high) = (low.div_euclid(256) * 256, high.div_euclid(256) * 256 + 255);
        if self.counts.is_empty() {
            self.first = low;
        }
        if low < self.first {
            let more = (self.first - low) as usize;
            self.counts.splice(..0, std::iter::repeat_n(0, more));
            self.first = low;
        }
        let needed = (high - self.first + 1) as usize;
        self.counts.resize(self.counts.len().max(needed), 0);
    }

    fn last(&self) -> i64 {
        self.first + self.counts.len() as i64 - 1
    }

    fn seen(&self) -> impl Iterator<Item = (i64, u64)> {
        (self.first..).zip(&self.counts).filter(|(_, count)| **count > 0).map(|(value, &count)| (value, count))
    }

    pub fn moments(&self) -> Moments {
        let (mut count, mut sum, mut squares) = (0, 0, 0);
        for (value, times) in self.seen() {
            count += times;
            sum += i128::from(value) * i128::from(times);
            squares += u128::from(value.unsigned_abs().pow(2)) * u128::from(times);
        }
        let extremes = (self.seen().map(|(value, _)| value).next(), self.seen().map(|(value, _)| value).last());
        Moments::of_integers(count, (extremes.0.unwrap_or(0), extremes.1.unwrap_or(0)), sum, squares)
    }

    /// Returns each value with its count, in ascending order.
    pub fn sorted(&self) -> Vec<Run> {
        self.seen().map(|(value, count)| Run::of(value as f64, count)).collect()
    }
}

/// A run of neighboring values, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    pub low: f64,
    pub high: f64,
    pub count: u64,
}

impl Run {
    pub fn of(value: f64, count: u64) -> Self {
        Self { low: value, high: value, count }
    }

    /// Returns value number `place` of the run, as if its values were evenly spaced.
    fn at(&self, place: u64) -> f64 {
        if self.low == self.high {
            return self.low;
        }
        let share = place as f64 / self.count.saturating_sub(1).max(1) as f64;
        (self.low * (1.0 - share) + self.high * share).clamp(self.low, self.high)
    }

    fn join(&mut self, next: Self) {
        self.low = self.low.min(next.low);
        self.high = self.high.max(next.high);
        self.count += next.count;
    }
}

/// Values sampled from each chip.
const PER_CHIP: usize = 4096;
/// Largest number of runs.
const MOST_RUNS: usize = 8192;

/// Approximate counts: exact for up to 8,192 different values, then in runs of neighbors.
///
/// A run contains the values whose bits are equal except for the last few, so runs are short where values are close
/// together, whether they are around 0 or around 1e9. The number of dropped bits depends only on the values, so results
/// are the same in any order of addition.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sketch {
    /// Number of dropped bits.
    dropped: u32,
    /// Sorted.
    runs: Vec<Run>,
}

impl Sketch {
    pub fn add(&mut self, values: &[f64]) {
        let step = values.len().div_ceil(PER_CHIP).max(1);
        // Does not take the same position in each step, which could be a single column of the chip.
        let scattered = |place: usize| ((place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize;
        let shifted = |place: usize| place * step + scattered(place) % step;
        let mut counted: Vec<f64> =
            (0..values.len().div_ceil(step)).filter_map(|place| values.get(shifted(place)).copied()).collect();
        counted.sort_unstable_by(f64::total_cmp);
        let equal = counted.chunk_by(|a, b| a.to_bits() == b.to_bits());
        let runs = equal.map(|equal| Run::of(equal[0], equal.len() as u64)).collect();
        self.and(Self { dropped: 0, runs });
    }

    pub fn and(&mut self, mut other: Self) {
        let dropped = self.dropped.max(other.dropped);
        self.drop_bits(dropped);
        other.drop_bits(dropped);
        let mut runs = std::mem::take(&mut self.runs);
        runs.append(&mut other.runs);
        // Merges two sorted lists.
        runs.sort_by(|a, b| a.low.total_cmp(&b.low));
        self.runs = joined(runs, dropped);
        while self.runs.len() > MOST_RUNS {
            self.drop_bits(self.dropped + 1);
        }
    }

    fn drop_bits(&mut self, dropped: u32) {
        if dropped > self.dropped {
            self.dropped = dropped;
            self.runs = joined(std::mem::take(&mut self.runs), dropped);
        }
    }

    /// Returns the values in ascending order.
    pub fn sorted(&self) -> &[Run] {
        &self.runs
    }
}

/// Joins runs that become equal once this many bits are dropped.
fn joined(runs: Vec<Run>, dropped: u32) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        match joined.last_mut().filter(|last| key(last.low, dropped) == key(run.low, dropped)) {
            Some(last) => last.join(run),
            None => joined.push(run),
        }
    }
    joined
}

/// Returns a number that increases with the value, without its last bits.
fn key(value: f64, dropped: u32) -> u64 {
    let bits = value.to_bits();
    let rising = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    rising >> dropped.min(63)
}

/// Returns the percentile of sorted values, with linear interpolation as in `numpy.percentile`; 0 if there are none.
pub(super) fn quantile(sorted: &[Run], percent: f64) -> f64 {
    let count: u64 = sorted.iter().map(|run| run.count).sum();
    let place = count.saturating_sub(1) as f64 * percent / 100.0;
    let at = |place: u64| {
        let mut passed = 0;
        let found = sorted.iter().find_map(|run| {
            passed += run.count;
            (passed > place).then(|| run.at(place + run.count - passed))
        });
        found.or(sorted.last().map(|run| run.high)).unwrap_or(0.0)
    };
    let (low, high) = (at(place.floor() as u64), at(place.ceil() as u64));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_numpys() {
        let mut counts = Counts::default();
        counts.add(&[-300i16, 7, 7, 12, -1, 255, 256], Gap::new(None));
        counts.add(&[40_000u16], Gap::new(None));
        // numpy.percentile([-300, 7, 7, 40_000, 12, -1, 255, 256], [0, 2, 50, 75, 98, 100])
        let found = [0.0, 2.0, 50.0, 75.0, 98.0, 100.0].map(|percent| quantile(&counts.sorted(), percent));
        for (found, numpy) in found.into_iter().zip([-300.0, -258.14, 9.5, 255.25, 34_435.84, 40_000.0]) {
            assert!((found - numpy).abs() < 1e-9, "{found} {numpy}");
        }
        assert_eq!(quantile(&[], 50.0), 0.0);
    }

    fn sketch(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.chunks(PER_CHIP).for_each(|chip| sketch.add(chip));
        sketch
    }

    /// Computes it as `numpy.percentile` does.
    fn exact(values: &[f64], percent: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        quantile(&sorted.iter().map(|&value| Run::of(value, 1)).collect::<Vec<_>>(), percent)
    }

    /// Seven columns, one of them bright: a seventh of all values, however they are sampled.
    #[test]
    fn columns_count_alike() {
        for columns in [7, 8, 64, 256] {
            let values: Vec<f64> = (0..columns * 1024).map(|i| if i % columns == 0 { 1.0 } else { 0.0 }).collect();
            let mut sketch = Sketch::default();
            sketch.add(&values);
            let bright: u64 = sketch.sorted().iter().filter(|run| run.low == 1.0).map(|run| run.count).sum();
            let all: u64 = sketch.sorted().iter().map(|run| run.count).sum();
            let expected = all as f64 / columns as f64;
            assert!((bright as f64 - expected).abs() < 4.0 * expected.sqrt(), "{columns}: {bright} for {expected}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Within a thousandth of the range, whatever its width and position.
        #[test]
        fn percentiles_are_those_of_the_values(
            from in prop_oneof![Just(0.0), -1e12f64..1e12, -1.0f64..1.0],
            range in prop_oneof![Just(255.0), 1e-6f64..1e9],
            bend in 0.3f64..4.0, seed in 1u64..1000, percent in 0.0f64..=100.0,
        ) {
            let unit = |i: u64| (i.wrapping_mul(seed * 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64;
            let values: Vec<f64> = (0..60_000).map(|i| from + range * unit(i).powf(bend)).collect();
            let (found, expected) = (quantile(sketch(&values).sorted(), percent), exact(&values, percent));
            prop_assert!((found - expected).abs() <= range * 1e-3, "{found} {expected}");
        }

        /// With few different values, percentiles are exact.
        #[test]
        fn few_values_are_exact(from in -4_000_000_000i64..4_000_000_000, kinds in 1i64..5000, percent in 0.0f64..=100.0) {
            let values: Vec<f64> = (0..20_000).map(|i| (from + i * 7919 % kinds) as f64).collect();
            prop_assert_eq!(quantile(sketch(&values).sorted(), percent), exact(&values, percent));
        }

        #[test]
        fn parts_are_worth_the_whole(values in prop::collection::vec(-3000i32..3000, 0..200), cut in 0usize..200, wide in any::<bool>()) {
            let cut = cut.min(values.len());
            // Enough values that bits are dropped.
            let more = if wide { 80 } else { 1 };
            let spread = |value: i32| (0..more).map(move |i| f64::from(value) / 7.0 + f64::from(i) * 0.001);
            let numbers = |values: &[i32]| values.iter().flat_map(|&value| spread(value)).collect::<Vec<f64>>();
            let (whole, mut parts, mut rest) = (sketch(&numbers(&values)), sketch(&numbers(&values[..cut])), sketch(&numbers(&values[cut..])));
            rest.and(std::mem::take(&mut parts));
            prop_assert_eq!(&whole, &rest);
            prop_assert!(whole.runs.len() <= MOST_RUNS && whole.runs.windows(2).all(|pair| pair[0].high < pair[1].low));
            let integers = |values: &[i32]| {
                let mut counts = Counts::default();
                counts.add(&values.iter().map(|&value| value as i16).collect::<Vec<_>>(), Gap::new(None));
                counts
            };
            let mut counted = integers(&values[..cut]);
            counted.and(&integers(&values[cut..]));
            prop_assert_eq!(counted.sorted(), integers(&values).sorted());
        }
    }
}
