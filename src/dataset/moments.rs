//! Minimum, maximum, mean, and variance of many values.

/// Count, minimum, maximum, mean, and sum of squared deviations from the mean.
///
/// Combined by the formula of Chan, Golub and LeVeque (1983), "Algorithms for computing the sample variance", equation
/// 2.1: the mean is never far from the values, so no digits are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    count: f64,
    min: f64,
    max: f64,
    mean: f64,
    squares: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, mean: 0.0, squares: 0.0 }
    }
}

impl Moments {
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let Some(&first) = values.first() else { return Self::default() };
        // Relative to the first value, so that equal values have a variance of exactly zero.
        let mean = first + values.iter().map(|value| value - first).sum::<f64>() / count;
        let (min, max) = values.iter().fold((first, first), |(min, max), &value| (min.min(value), max.max(value)));
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { count, min, max, mean, squares }
    }

    /// Creates moments from exact sums of integers.
    pub fn of_integers(count: u64, (min, max): (i64, i64), sum: i128, squares: u128) -> Self {
        if count == 0 {
            return Self::default();
        }
        let n = count as f64;
        // n * sum of squares - square of the sum, exact; it cannot be negative.
        let spread = u128::from(count) * squares - sum.unsigned_abs().pow(2);
        Self { count: n, min: min as f64, max: max as f64, mean: sum as f64 / n, squares: spread as f64 / n }
    }

    pub fn and(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        let count = self.count + other.count;
        let apart = other.mean - self.mean;
        self.squares += other.squares + apart.powi(2) * self.count * other.count / count;
        self.mean += apart * other.count / count;
        (self.count, self.min, self.max) = (count, self.min.min(other.min), self.max.max(other.max));
    }

    /// Returns whether there were no values.
    pub fn is_empty(&self) -> bool {
        self.count == 0.0
    }

    /// Returns the number of values.
    pub fn count(&self) -> f64 {
        self.count
    }

    pub fn min(&self) -> f64 {
        self.min
    }

    pub fn max(&self) -> f64 {
        self.max
    }

    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns the standard deviation of the population.
    pub fn std(&self) -> f64 {
        (self.squares / self.count).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.std` of the values is 0.5 * sqrt(2); summing squares directly would give 0.
    #[test]
    fn no_digits_are_lost_far_from_zero() {
        let values = [1e9, 1e9 + 1.0, 1e9 + 1.0, 1e9 + 2.0];
        let mut parts = Moments::of(&values[..1]);
        parts.and(&Moments::of(&values[1..]));
        assert!((Moments::of(&values).std() - 0.5f64.sqrt()).abs() < 1e-12);
        assert!((parts.std() - 0.5f64.sqrt()).abs() < 1e-6, "{}", parts.std());
        assert_eq!(parts.mean(), 1e9 + 1.0);
    }

    #[test]
    fn integers_are_exact() {
        let moments = Moments::of_integers(4, (1, 5), 12, 46);
        assert_eq!((moments.min(), moments.max(), moments.mean(), moments.std()), (1.0, 5.0, 3.0, 2.5f64.sqrt()));
        assert_eq!(Moments::of_integers(0, (0, 0), 0, 0), Moments::default());
    }
}
