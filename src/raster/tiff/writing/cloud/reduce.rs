//! Reduces 2 x 2 pixels to one.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use super::super::spec::OverviewResampling;
use crate::raster::pixel::{Gap, Sample};

/// The mean for each sample type.
pub(super) trait Mean: Sample {
    /// Returns the mean of at least one value; for integers the nearest, with halves away from zero.
    fn mean(values: &[Self]) -> Self;
}

macro_rules! integers {
    ($($type:ty: $wide:ty),*) => {$(
        impl Mean for $type {
            fn mean(values: &[Self]) -> Self {
                let (sum, count) = (values.iter().map(|&v| <$wide>::from(v)).sum::<$wide>(), values.len() as $wide);
                let half = if sum < 0 { -count / 2 } else { count / 2 };
                ((sum + half) / count) as $type
            }
        }
    )*};
}

// Sums of 64-bit integers need a wider type.
integers!(u8: i64, i8: i64, u16: i64, i16: i64, u32: i64, i32: i64, u64: i128, i64: i128);

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Mean for $type {
            fn mean(values: &[Self]) -> Self {
                let count = values.len() as f64;
                let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
                // The largest values have a mean, but their sum overflows.
                let mean = if sum.is_finite() { sum / count } else { values.iter().map(|&v| f64::from(v) / count).sum() };
                mean as $type
            }
        }
    )*};
}

floats!(f32, f64);

/// Returns the image of half the height and width, rounded up. If none of the four pixels counts, the first one is
/// used.
pub(super) fn reduced<T: Mean>(
    image: ArrayView3<'_, T>,
    valid: Option<ArrayView2<'_, bool>>,
    gap: Gap<T>,
    resampling: OverviewResampling,
) -> Array3<T> {
    let (bands, height, width) = image.dim();
    Array3::from_shape_fn((bands, height.div_ceil(2), width.div_ceil(2)), |(band, y, x)| {
        let first = image[(band, 2 * y, 2 * x)];
        if resampling == OverviewResampling::Nearest {
            return first;
        }
        let (mut values, mut count) = ([first; 4], 0);
        for (y, x) in four(y, x) {
            let counts = |value: &T| !gap.holds(*value) && valid.is_none_or(|valid| valid[(y, x)]);
            if let Some(value) = image.get((band, y, x)).copied().filter(counts) {
                values[count] = value;
                count += 1;
            }
        }
        if count == 0 { first } else { gap.avoided_by(T::mean(&values[..count])) }
    })
}

/// Returns the mask of that image: a pixel has data if any of its sources does.
pub(super) fn reduced_mask(valid: ArrayView2<'_, bool>, resampling: OverviewResampling) -> Array2<bool> {
    let (height, width) = valid.dim();
    Array2::from_shape_fn((height.div_ceil(2), width.div_ceil(2)), |(y, x)| match resampling {
        OverviewResampling::Nearest => valid[(2 * y, 2 * x)],
        OverviewResampling::Average => four(y, x).into_iter().any(|at| valid.get(at).is_some_and(|&holds| holds)),
    })
}

/// Returns the positions of the sources of one pixel; at the edges some are outside.
fn four(y: usize, x: usize) -> [(usize, usize); 4] {
    let (y, x) = (2 * y, 2 * x);
    [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn average<T: Mean>(rows: Array2<T>, nodata: Option<f64>) -> Vec<T> {
        let image = rows.insert_axis(ndarray::Axis(0));
        reduced(image.view(), None, Gap::new(nodata), OverviewResampling::Average).into_iter().collect()
    }

    #[test]
    fn means_are_rounded_away_from_zero_and_hold_the_widest_values() {
        assert_eq!(average(array![[1u8, 2, 0, 0, 255], [2, 1, 0, 1, 255]], None), [2, 0, 255]);
        assert_eq!(average(array![[-1i16, -2, 0, -1], [-2, -1, 0, -1]], None), [-2, -1]);
        assert_eq!(average(array![[u64::MAX, u64::MAX], [u64::MAX, u64::MAX - 3]], None), [u64::MAX - 1]);
        assert_eq!(average(array![[i64::MIN, i64::MIN]], None), [i64::MIN]);
        assert_eq!(average(array![[f64::MAX, f64::MAX], [f64::MAX, f64::MAX]], None), [f64::MAX]);
        assert_eq!(average(array![[f32::MAX, f32::MAX, 1.0, 2.0]], None), [f32::MAX, 1.5]);
    }

    #[test]
    fn what_holds_no_data_does_not_count() {
        assert_eq!(average(array![[0u16, 10, 0, 0], [0, 21, 0, 0]], Some(0.0)), [16, 0]);
        let found = average(array![[f32::NAN, 3.0, f32::NAN], [-9999.0, 4.0, f32::NAN]], Some(-9999.0));
        assert_eq!(found[0], 3.5);
        assert!(found[1].is_nan());
    }

    #[test]
    fn a_mean_that_is_nodata_gives_way() {
        assert_eq!(average(array![[254u8, 254, 253, 255], [255, 255, 255, 255]], Some(255.0)), [254, 253]);
        assert_eq!(average(array![[-1i8, 1]], Some(0.0)), [1]);
    }

    #[test]
    fn masked_pixels_do_not_count() {
        let image = array![[[1u8, 3, 5], [7, 9, 11]]];
        let valid = array![[false, true, false], [true, false, false]];
        let of = |resampling| {
            let image = reduced(image.view(), Some(valid.view()), Gap::new(None), resampling);
            (image.into_iter().collect::<Vec<u8>>(), reduced_mask(valid.view(), resampling).into_iter().collect())
        };
        assert_eq!(of(OverviewResampling::Average), (vec![5, 5], vec![true, false]));
        assert_eq!(of(OverviewResampling::Nearest), (vec![1, 5], vec![false, false]));
    }
}
