//! How often values come, for percentiles.

use super::moments::Moments;
use crate::raster::{Gap, Sample};

/// A second list of so many costs nothing beside the pixels of a chip.
const FEW_COUNTS: usize = 1024;

/// How often each integer came; exact.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// What the first count is of.
    first: i64,
    counts: Vec<u64>,
}

impl Counts {
    /// Integers of at most 16 bits; gaps do not count.
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
        // Where neighbours are equal, adding to one number must wait for itself; two take turns.
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

    /// Makes room for these values; in steps of 256, so that few are needed.
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

    /// Each value with its count, in rising order.
    pub fn sorted(&self) -> Vec<(f64, u64)> {
        self.seen().map(|(value, count)| (value as f64, count)).collect()
    }
}

/// Values of each chip that are counted.
const PER_CHIP: usize = 4096;
/// Of the 23 bits of a single's fraction, 12 are told apart.
const DROPPED_BITS: u32 = 11;

/// How often values came, roughly: of some values of each chip, and in singles with a short fraction.
#[derive(Debug, Clone, Default)]
pub(super) struct Sketch {
    /// Sorted.
    counts: Vec<(u32, u64)>,
}

impl Sketch {
    pub fn add(&mut self, values: &[f64]) {
        let step = values.len().div_ceil(PER_CHIP).max(1);
        let mut keys: Vec<u32> = values.iter().step_by(step).map(|&value| key(value as f32)).collect();
        keys.sort_unstable();
        self.and(Self { counts: keys.chunk_by(u32::eq).map(|equal| (equal[0], equal.len() as u64)).collect() });
    }

    pub fn and(&mut self, other: Self) {
        if self.counts.is_empty() {
            return *self = other;
        }
        let mut merged = Vec::with_capacity(self.counts.len() + other.counts.len());
        let (mut own, mut more) = (self.counts.iter().peekable(), other.counts.iter().peekable());
        while let (Some(&&(a, count)), Some(&&(b, times))) = (own.peek(), more.peek()) {
            merged.push((a.min(b), if a <= b { count } else { 0 } + if b <= a { times } else { 0 }));
            own.next_if(|_| a <= b);
            more.next_if(|_| b <= a);
        }
        merged.extend(own.chain(more));
        self.counts = merged;
    }

    /// Each value with its count, in rising order.
    pub fn sorted(&self) -> Vec<(f64, u64)> {
        self.counts.iter().map(|&(key, count)| (value(key), count)).collect()
    }
}

/// A number that rises with the value.
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    rising >> DROPPED_BITS
}

/// The middle of the values that have this key.
fn value(key: u32) -> f64 {
    let rising = key << DROPPED_BITS | 1 << (DROPPED_BITS - 1);
    f64::from(f32::from_bits(if rising >> 31 == 1 { rising & !(1 << 31) } else { !rising }))
}

/// The percentile of sorted values with their counts, linear between neighbours as `numpy.percentile` has it; 0 where
/// there are none.
pub(super) fn quantile(sorted: &[(f64, u64)], percent: f64) -> f64 {
    let count: u64 = sorted.iter().map(|(_, count)| count).sum();
    let place = count.saturating_sub(1) as f64 * percent / 100.0;
    let at = |place: u64| {
        let mut passed = 0;
        let found = sorted.iter().find(|(_, count)| {
            passed += count;
            passed > place
        });
        found.or(sorted.last()).map_or(0.0, |(value, _)| *value)
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

    proptest! {
        #[test]
        fn parts_are_worth_the_whole(values in prop::collection::vec(-3000i32..3000, 0..200), cut in 0usize..200) {
            let cut = cut.min(values.len());
            let numbers: Vec<f64> = values.iter().map(|&value| f64::from(value) / 7.0).collect();
            let (mut whole, mut parts, mut rest) = (Sketch::default(), Sketch::default(), Sketch::default());
            whole.add(&numbers);
            parts.add(&numbers[..cut]);
            rest.add(&numbers[cut..]);
            parts.and(rest);
            prop_assert_eq!(&whole.counts, &parts.counts);
            for pair in whole.sorted().windows(2) {
                prop_assert!(pair[0].0 < pair[1].0);
            }
            let integers = |values: &[i32]| {
                let mut counts = Counts::default();
                counts.add(&values.iter().map(|&value| value as i16).collect::<Vec<_>>(), Gap::new(None));
                counts
            };
            let mut counted = integers(&values[..cut]);
            counted.and(&integers(&values[cut..]));
            prop_assert_eq!(counted.sorted(), integers(&values).sorted());
        }

        #[test]
        fn values_are_kept_within_a_4096th(number in -1e30f32..1e30) {
            let kept = value(key(number));
            prop_assert!((kept - f64::from(number)).abs() <= f64::from(number).abs() / 4096.0 + 1e-38);
        }
    }
}
