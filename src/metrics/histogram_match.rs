//! Per-band histogram matching: the best that recoloring alone can do.

use ndarray::{Array3, ArrayView2, ArrayView3, Axis};

use super::bands::check_bands;
use super::histogram::Histogram;
use crate::error::{Error, ErrorKind, Result};

/// Collects the values of one reference image or of a set of them.
#[derive(Debug, Clone)]
pub(crate) struct HistogramPool {
    bands: Vec<Histogram>,
}

impl HistogramPool {
    pub fn new(bands: usize) -> Self {
        Self { bands: vec![Histogram::default(); bands] }
    }

    /// Adds the samples of an image (C, H, W) of any size, ignoring those that are not finite.
    ///
    /// # Errors
    /// `Usage` for an image with another number of bands.
    pub fn add(&mut self, image: ArrayView3<'_, f32>) -> Result<()> {
        check_bands(image, self.bands.len())?;
        for (histogram, band) in self.bands.iter_mut().zip(image.outer_iter()) {
            histogram.add(band.iter().copied());
        }
        Ok(())
    }

    /// Returns the translation that gives images these histograms.
    ///
    /// # Errors
    /// `Usage` for a band without data.
    pub fn finish(self) -> Result<HistogramMatch> {
        let bands: Vec<Distribution> =
            self.bands.into_iter().map(|histogram| Distribution::of(histogram.into_counts())).collect();
        if let Some(band) = bands.iter().position(|band| band.values.is_empty()) {
            return Err(Error::new(ErrorKind::Usage, "no histogram can be matched")
                .expected("data in each band of the reference images")
                .found(format!("none in band {}", band + 1)));
        }
        Ok(HistogramMatch { bands })
    }
}

/// A translation that gives each band of an image the histogram of reference images.
#[derive(Debug, Clone)]
pub(crate) struct HistogramMatch {
    bands: Vec<Distribution>,
}

impl HistogramMatch {
    /// Matches each band separately, like scikit-image's `exposure.match_histograms(image, reference, channel_axis=0)`
    /// for floating-point images: a value becomes the reference's value at the same quantile, with linear
    /// interpolation. Nonfinite samples become NaN and do not count.
    ///
    /// The match is exact as long as the reference has at most 1,048,576 distinct values in a band; with more, values
    /// that differ only in their last bits are treated as one.
    ///
    /// # Shapes
    /// (C, H, W); the result has the same shape.
    ///
    /// # Errors
    /// `Usage` for an image with another number of bands than the reference.
    pub fn translate(&self, image: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        check_bands(image, self.bands.len())?;
        let mut made = image.to_owned();
        for ((mut made, image), reference) in made.axis_iter_mut(Axis(0)).zip(image.outer_iter()).zip(&self.bands) {
            let table = table(image, reference);
            made.mapv_inplace(|value| looked_up(&table, value));
        }
        Ok(made)
    }
}

/// The values of a band, and the share of pixels with at most each value.
#[derive(Debug, Clone)]
struct Distribution {
    values: Vec<f32>,
    shares: Vec<f64>,
}

impl Distribution {
    fn of(counts: Vec<(f32, u64)>) -> Self {
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        let mut passed = 0;
        let share = |(value, count): (f32, u64)| {
            passed += count;
            (value, passed as f64 / total as f64)
        };
        let (values, shares) = counts.into_iter().map(share).unzip();
        Self { values, shares }
    }

    /// Returns the value at a quantile with linear interpolation, clamped to the first and last value.
    fn at(&self, share: f64) -> f64 {
        let above = self.shares.partition_point(|&own| own <= share);
        let value = |at: usize| self.values.get(at).copied().map_or(f64::NAN, f64::from);
        if above == 0 || above == self.shares.len() {
            return value(above.saturating_sub(1));
        }
        let step = (share - self.shares[above - 1]) / (self.shares[above] - self.shares[above - 1]);
        value(above - 1) + step * (value(above) - value(above - 1))
    }
}

/// Returns each value of the band and its replacement, in ascending order.
fn table(band: ArrayView2<'_, f32>, reference: &Distribution) -> Vec<(f32, f32)> {
    let mut sorted: Vec<f32> =
        band.iter().copied().filter(|value| value.is_finite()).map(|value| value + 0.0).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let counts = sorted.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as u64)).collect();
    let own = Distribution::of(counts);
    own.values.iter().zip(&own.shares).map(|(&value, &share)| (value, reference.at(share) as f32)).collect()
}

fn looked_up(table: &[(f32, f32)], value: f32) -> f32 {
    let found = table.binary_search_by(|(own, _)| own.total_cmp(&(value + 0.0)));
    found.ok().and_then(|at| table.get(at)).map_or(f32::NAN, |(_, matched)| *matched)
}

#[cfg(test)]
mod tests {
    use ndarray::{array, concatenate, s};
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::fixtures::{array as fixture, pair, pair_with_gaps};
    use crate::testing::Tolerance;

    /// scikit-image matches in double precision and rounds once, as this code does; one unit in the last place is
    /// 1.2e-7.
    const TOLERANCE: Tolerance = Tolerance { abs: 1e-6, rel: 1e-6 };

    fn pool(images: &[ArrayView3<'_, f32>]) -> HistogramMatch {
        let mut pool = HistogramPool::new(images[0].len_of(Axis(0)));
        images.iter().for_each(|image| pool.add(*image).unwrap());
        pool.finish().unwrap()
    }

    fn check(what: &str, found: &Array3<f32>, expected: &Array3<f32>) {
        assert_eq!(found.dim(), expected.dim());
        for (found, expected) in found.iter().zip(expected) {
            TOLERANCE.number(what, f64::from(*found), f64::from(*expected));
        }
    }

    #[test]
    fn matching_is_scikit_images() {
        let (image, reference) = pair();
        check("one reference", &pool(&[reference.view()]).translate(image.view()).unwrap(), &fixture("matched"));
        // The image and the reference differ in size.
        let part = image.slice(s![.., 2..19, 3..26]);
        check("a part", &pool(&[reference.view()]).translate(part).unwrap(), &fixture("matched_part"));
    }

    /// scikit-image with the reference images side by side.
    #[test]
    fn a_set_is_matched_by_its_pooled_histogram() {
        let (image, reference) = pair();
        let whole = concatenate![Axis(2), reference, image.mapv(|value| 255.0 - value)];
        let (left, right) = whole.view().split_at(Axis(2), 40);
        check("a set", &pool(&[right, left]).translate(image.view()).unwrap(), &fixture("matched_to_both"));
    }

    /// scikit-image on the samples that have data, band by band.
    #[test]
    fn gaps_stay_and_do_not_count() {
        let (image, reference) = pair_with_gaps();
        let found = pool(&[reference.view()]).translate(image.view()).unwrap();
        let expected = fixture("matched_with_gaps");
        for ((found, expected), source) in found.iter().zip(&expected).zip(&image) {
            assert_eq!(found.is_nan(), source.is_nan());
            if !source.is_nan() {
                TOLERANCE.number("with gaps", f64::from(*found), f64::from(*expected));
            }
        }
    }

    #[test]
    fn other_bands_and_empty_references_are_refused() {
        let two = array![[[1.0f32]], [[f32::NAN]]];
        let error = HistogramPool::new(1).add(two.view()).unwrap_err().to_string();
        assert!(error.contains("expected 1, found 2"), "{error}");
        let mut pool = HistogramPool::new(2);
        pool.add(two.view()).unwrap();
        assert!(pool.finish().unwrap_err().to_string().contains("none in band 2"));
    }

    proptest! {
        /// An image matches itself, and any recoloring of it that preserves the order of colors.
        #[test]
        fn order_is_all_that_matters(values in prop::collection::vec(-100i32..100, 1..80)) {
            let image = Array3::from_shape_fn((1, 1, values.len()), |(_, _, x)| values[x] as f32);
            let other = image.mapv(|value| if value < 0.0 { value / 4.0 } else { value.powi(2) });
            prop_assert_eq!(pool(&[other.view()]).translate(image.view()).unwrap(), other);
        }
    }
}
