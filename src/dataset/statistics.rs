//! Minimum, maximum, mean and standard deviation of the bands of a domain.

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::raster::Raster;

/// What the values of one band are like, over all chips of a domain, in the chips' own units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BandStatistics {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the population (divided by n).
    pub std: f64,
}

/// What the values of a domain are like, band by band.
///
/// Taken over every pixel of every training and validation chip, at the chips' own size. The sums are exact
/// integers, so the numbers do not depend on the number of threads.
///
/// ```
/// use geolearn::{prepare_data, DatasetType, Domain};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let red = &data.statistics(Domain::A).bands()[0];
/// assert!(red.min < red.mean && red.mean < red.max);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    bands: Vec<BandStatistics>,
}

impl Statistics {
    /// One entry a band, in the order of the file.
    pub fn bands(&self) -> &[BandStatistics] {
        &self.bands
    }
}

/// Exact sums over the samples of one band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moments {
    count: u64,
    min: u8,
    max: u8,
    sum: u64,
    squares: u128,
}

impl Moments {
    const NONE: Self = Self { count: 0, min: u8::MAX, max: 0, sum: 0, squares: 0 };

    /// Counting values first costs one addition a sample.
    fn of<'a>(samples: impl Iterator<Item = &'a u8>) -> Self {
        let mut counts = [0u64; 256];
        samples.for_each(|&sample| counts[usize::from(sample)] += 1);
        let mut moments = Self::NONE;
        for (value, &count) in (0u8..=u8::MAX).zip(&counts).filter(|(_, count)| **count > 0) {
            moments.count += count;
            moments.min = moments.min.min(value);
            moments.max = moments.max.max(value);
            moments.sum += count * u64::from(value);
            moments.squares += u128::from(count) * u128::from(value).pow(2);
        }
        moments
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    fn statistics(self) -> BandStatistics {
        let n = self.count as f64;
        // n * sum of squares - square of the sum, exact; it cannot be negative.
        let spread = u128::from(self.count) * self.squares - u128::from(self.sum).pow(2);
        BandStatistics {
            min: f64::from(self.min),
            max: f64::from(self.max),
            mean: self.sum as f64 / n,
            std: (spread as f64).sqrt() / n,
        }
    }
}

/// What one chip adds to the statistics of its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChipMoments(Vec<Moments>);

impl ChipMoments {
    pub fn of(chip: &Raster) -> Self {
        Self(chip.data().axis_iter(Axis(0)).map(|plane| Moments::of(plane.iter())).collect())
    }
}

/// The statistics of chips that all have the same bands.
pub(super) fn combine<'a>(chips: impl Iterator<Item = &'a ChipMoments>) -> Statistics {
    let mut bands: Vec<Moments> = Vec::new();
    for ChipMoments(chip) in chips {
        bands.resize(chip.len(), Moments::NONE);
        bands.iter_mut().zip(chip).for_each(|(all, one)| *all = all.and(*one));
    }
    Statistics { bands: bands.into_iter().map(Moments::statistics).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn chip(samples: Vec<u8>, bands: usize) -> ChipMoments {
        let width = samples.len() / bands;
        ChipMoments::of(&Raster::new(Array3::from_shape_vec((bands, 1, width), samples).unwrap()).unwrap())
    }

    #[test]
    fn numbers_are_those_of_all_samples_together() {
        let statistics = combine([chip(vec![1, 2, 10, 10], 2), chip(vec![4, 5, 20, 10], 2)].iter());
        let [first, second] = statistics.bands() else { panic!("{statistics:?}") };
        assert_eq!((first.min, first.max, first.mean), (1.0, 5.0, 3.0));
        assert_eq!(first.std, 2.5f64.sqrt());
        assert_eq!((second.min, second.max, second.mean), (10.0, 20.0, 12.5));
    }

    #[test]
    fn a_constant_band_has_no_spread() {
        let statistics = combine([chip(vec![7; 9], 1)].iter());
        assert_eq!(statistics.bands()[0], BandStatistics { min: 7.0, max: 7.0, mean: 7.0, std: 0.0 });
    }
}
