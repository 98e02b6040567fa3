//! Statistics of the bands of a domain.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::extremes::{Extreme, isolated};
use super::histogram::{Counts, Sketch, quantile};
use super::moments::Moments;
use crate::raster::{Dtype, Gap, Raster, Sample, with_array};

/// Statistics of one band over all chips of a domain, in the units of the chips.
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
    /// The percentiles of the [`Normalization`](crate::dataset::Normalization), or the 2nd and the 98th, with linear
    /// interpolation as in NumPy. `None` if the statistics come from an `.emd` file.
    ///
    /// Exact for samples of 8 and 16 bits. For wider samples, up to 4096 pixels spread over each chip are used; their
    /// percentiles are exact for up to 8192 different values, and within a thousandth of the range for more.
    pub percentiles: Option<(f64, f64)>,
}

/// Statistics of a domain, band by band.
///
/// They cover every pixel with data (within the mask, finite, and not the nodata value) of every training and
/// validation chip, at the chips' original size, or come from the file that Export Training Data wrote next to the
/// chips. The numbers do not depend on the number of threads.
/// depend on the number of threads.
///
/// ```
/// use geolearn::{DatasetType, Domain, prepare_data};
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
    pub(super) fn new(bands: Vec<BandStatistics>) -> Self {
        Self { bands }
    }

    /// Returns one entry for each band, in the order in which the bands are used.
    pub fn bands(&self) -> &[BandStatistics] {
        &self.bands
    }
}

/// Accumulated values of one band.
#[derive(Debug, Clone)]
enum Seen {
    /// Counts of each value, for samples of at most 16 bits.
    Counted(Counts),
    /// For wider samples.
    Streamed(Moments, Sketch),
}

impl Seen {
    fn nothing(dtype: Dtype) -> Self {
        match dtype {
            Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16 => Self::Counted(Counts::default()),
            _ => Self::Streamed(Moments::default(), Sketch::default()),
        }
    }

    fn add<T: Sample>(&mut self, band: ArrayView2<'_, T>, gap: Gap<T>) {
        match self {
            Self::Counted(counts) => counts.add(band.as_standard_layout().as_slice().unwrap_or_default(), gap),
            Self::Streamed(moments, sketch) => {
                let values: Vec<f64> = band.iter().copied().filter(|&value| !gap.holds(value)).map(T::to_f64).collect();
                moments.and(&Moments::of(&values));
                sketch.add(&values);
            }
        }
    }

    fn and(&mut self, other: Self) {
        match (self, other) {
            (Self::Counted(own), Self::Counted(other)) => own.and(&other),
            (Self::Streamed(moments, sketch), Self::Streamed(more, more_sketch)) => {
                moments.and(&more);
                sketch.and(more_sketch);
            }
            // All chips of a domain have the same type.
            _ => {}
        }
    }

    /// Returns how many samples had data.
    fn count(&self) -> f64 {
        match self {
            Self::Counted(counts) => counts.moments().count(),
            Self::Streamed(moments, _) => moments.count(),
        }
    }

    /// Returns the statistics; `None` if no sample had data.
    fn measured(self, (low, high): (f64, f64)) -> Option<Measured> {
        let (moments, sorted) = match &self {
            Self::Counted(counts) => (counts.moments(), &*counts.sorted()),
            Self::Streamed(moments, sketch) => (*moments, sketch.sorted()),
        };
        if moments.is_empty() {
            return None;
        }
        let at = |percent| quantile(sorted, percent).clamp(moments.min(), moments.max());
        let band = BandStatistics {
            min: moments.min(),
            max: moments.max(),
            mean: moments.mean(),
            std: moments.std(),
            percentiles: Some((at(low), at(high))),
        };
        Some(Measured { band, extreme: isolated(sorted, (band.min, band.max)) })
    }
}

/// The statistics of a band that has data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub band: BandStatistics,
    /// A value far from all others, if there is one.
    pub extreme: Option<Extreme>,
}

/// Accumulated values of all bands of some chips. Chips and partial sums are added in the order of the files, so that
/// rounding is the same with any number of threads.
#[derive(Debug, Clone)]
pub(super) struct Sums(Vec<Seen>);

impl Sums {
    pub fn nothing(bands: usize, dtype: Dtype) -> Self {
        Self(vec![Seen::nothing(dtype); bands])
    }

    pub fn add(&mut self, chip: &Raster) {
        let empty = chip.whole_gaps().filter(|gaps| gaps.iter().any(|&gap| gap));
        with_array!(chip.samples(), data => {
            let gap = Gap::new(chip.sample_nodata());
            for (seen, band) in self.0.iter_mut().zip(data.axis_iter(Axis(0))) {
                match &empty {
                    Some(gaps) => seen.add(known(band, gaps).view(), gap),
                    None => seen.add(band, gap),
                }
            }
        });
    }

    pub fn and(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| own.and(other));
    }

    /// Returns the number of samples with data in each band.
    pub fn counts(&self) -> Vec<f64> {
        self.0.iter().map(Seen::count).collect()
    }

    /// Returns the statistics of each band with these two percentiles, in percent; `None` for a band without data.
    pub fn measured(self, percentiles: (f64, f64)) -> Vec<Option<Measured>> {
        self.0.into_iter().map(|seen| seen.measured(percentiles)).collect()
    }
}

/// Returns the samples of the pixels that have data, in one row.
fn known<T: Sample>(band: ArrayView2<'_, T>, gaps: &Array2<bool>) -> Array2<T> {
    let values = band.iter().zip(gaps).filter(|(_, gap)| !**gap).map(|(value, _)| *value);
    Array1::from_iter(values).insert_axis(Axis(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Samples;
    use ndarray::Array3;

    fn statistics(chips: &[Raster]) -> Vec<BandStatistics> {
        measured(chips).into_iter().map(|band| band.unwrap().band).collect()
    }

    fn measured(chips: &[Raster]) -> Vec<Option<Measured>> {
        let mut sums = Sums::nothing(chips[0].bands(), chips[0].dtype());
        for chip in chips {
            let mut one = Sums::nothing(chip.bands(), chip.dtype());
            one.add(chip);
            sums.and(one);
        }
        sums.measured((2.0, 98.0))
    }

    fn raster(samples: impl Into<Samples>) -> Raster {
        Raster::new(samples).unwrap()
    }

    #[test]
    fn numbers_are_those_of_all_samples_together() {
        let chip = |values| raster(Array3::<u8>::from_shape_vec((2, 1, 2), values).unwrap());
        let [first, second] = statistics(&[chip(vec![1, 2, 10, 10]), chip(vec![4, 5, 20, 10])])[..] else { panic!() };
        assert_eq!((first.min, first.max, first.mean), (1.0, 5.0, 3.0));
        assert_eq!(first.std, 2.5f64.sqrt());
        // numpy.percentile([1, 2, 4, 5], [2, 98])
        let (low, high) = first.percentiles.unwrap();
        assert!((low - 1.06).abs() < 1e-12 && (high - 4.94).abs() < 1e-12);
        assert_eq!((second.min, second.max, second.mean), (10.0, 20.0, 12.5));
    }

    #[test]
    fn a_constant_band_has_no_spread() {
        let nine = statistics(&[raster(Array3::from_elem((1, 3, 3), 7u8))])[0];
        assert_eq!((nine.min, nine.max, nine.mean, nine.std, nine.percentiles), (7.0, 7.0, 7.0, 0.0, Some((7.0, 7.0))));
        let floats = statistics(&[raster(Array3::from_elem((1, 3, 3), 0.1f64))])[0];
        assert_eq!((floats.min, floats.max, floats.std, floats.percentiles), (0.1, 0.1, 0.0, Some((0.1, 0.1))));
    }

    #[test]
    fn gaps_count_for_nothing() {
        let values = vec![f32::NAN, 1.0, f32::INFINITY, -9999.0, 3.0, 2.0];
        let floats = raster(Array3::from_shape_vec((1, 2, 3), values).unwrap()).with_nodata(-9999.0);
        let seen = statistics(&[floats])[0];
        assert_eq!((seen.min, seen.max, seen.mean), (1.0, 3.0, 2.0));
        let words = raster(Array3::from_shape_vec((1, 1, 3), vec![0u16, 500, 700]).unwrap()).with_nodata(0.0);
        let seen = statistics(&[words])[0];
        assert_eq!((seen.min, seen.max, seen.mean, seen.std), (500.0, 700.0, 600.0, 100.0));
    }

    /// A red value of 0 is data if other bands differ; a pixel with all zeros is nodata.
    #[test]
    fn bytes_of_several_bands_have_whole_gaps() {
        let values = Array3::from_shape_vec((2, 1, 3), vec![0u8, 0, 4, 0, 6, 8]).unwrap();
        let seen = statistics(&[raster(values.clone()).with_nodata(0.0)]);
        assert_eq!((seen[0].min, seen[0].mean, seen[1].min, seen[1].mean), (0.0, 2.0, 6.0, 7.0));
        let wide = statistics(&[raster(values.mapv(u16::from)).with_nodata(0.0)]);
        assert_eq!((wide[0].min, wide[1].min), (4.0, 6.0));
    }

    #[test]
    fn a_band_without_any_data_has_no_statistics() {
        assert_eq!(measured(&[raster(Array3::from_elem((1, 2, 2), f64::NAN))]), [None]);
        let words = raster(Array3::from_shape_fn((2, 2, 2), |(band, ..)| band as u16)).with_nodata(1.0);
        let [first, second] = measured(&[words])[..] else { panic!() };
        assert!(first.is_some() && second.is_none());
    }
}
