//! Weighted means that can be added.

use std::iter::Sum;
use std::ops::AddAssign;

/// A weighted sum and its weight, over pixels, windows, bands, or images.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Mean {
    pub sum: f64,
    pub weight: f64,
}

impl Mean {
    /// A single value of weight 1.
    pub fn of(value: f64) -> Self {
        Self { sum: value, weight: 1.0 }
    }

    /// Returns the mean; `None` if nothing was counted.
    pub fn value(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

impl AddAssign for Mean {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.weight += other.weight;
    }
}

/// Returns the mean over everything that these means cover.
impl Sum for Mean {
    fn sum<I: Iterator<Item = Self>>(means: I) -> Self {
        means.fold(Self::default(), |mut all, mean| {
            all += mean;
            all
        })
    }
}

/// Returns the mean of values of weight 1.
impl FromIterator<f64> for Mean {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        values.into_iter().map(Self::of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_weigh_by_what_was_counted() {
        let parts: [Mean; 2] = [[1.0, 2.0, 3.0].into_iter().collect(), Mean::of(10.0)];
        assert_eq!(parts.map(Mean::value), [Some(2.0), Some(10.0)]);
        assert_eq!(parts.into_iter().sum::<Mean>().value(), Some(4.0));
        assert_eq!(Mean::default().value(), None);
    }
}
