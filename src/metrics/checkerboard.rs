//! Energy of patterns that alternate from pixel to pixel, such as the artifacts of transposed convolutions with stride
//! 2: Odena, Dumoulin and Olah 2016, "Deconvolution and checkerboard artifacts", doi:10.23915/distill.00003.

use std::f64::consts::PI;

use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

use super::{Mean, filter};
use crate::error::{Error, ErrorKind, Result};

/// Side of the windows in sufficiently large images.
const MOST: usize = 64;
/// Smallest side of an image.
pub(crate) const LEAST: usize = 8;

/// Computes the share of each band's energy, without its mean, at the frequencies at which columns or rows alternate:
/// (π, any) and (any, π). It is 1 for one-pixel stripes and checkerboards and near 0 for smooth images; real images
/// also have some, which is the baseline to compare with.
///
/// In each window of h x w pixels, with weights `b(y) b(x)`, where `b` is a Hann window of sum 1, and `s(k) = (-1)^k`,
///
/// ```text
/// columns(y) = Σx b(x) s(x) v(y, x)      rows(x) = Σy b(y) s(y) v(y, x)      both = Σy b(y) s(y) columns(y)
/// alternating = Σy b(y) columns(y)² + Σx b(x) rows(x)² - both²
/// energy      = Σy Σx b(y) b(x) (v(y, x) - m)²
/// ```
///
/// and the share is the sum of `alternating` over all windows divided by that of `energy`, where `m` is the mean of `v`
/// under the same weights. `alternating` is the energy of a projection of the values, so the share lies between 0 and
/// 1. White noise has `1 - (1 - Σb²)²`, 0.046 in windows of 64 pixels.
///
/// Windows have sides of 64 pixels or, in smaller images, of the largest even number that fits. The smaller the window,
/// the more fine texture counts as alternating, so shares should only be compared between images of the same size.
///
/// # Shapes
/// (C, H, W) to C means whose weight is the energy, so flat bands do not count; nor do windows that contain a nodata
/// pixel.
///
/// # Errors
/// `Usage` if a side has fewer than 8 pixels.
pub(crate) fn checkerboard(image: ArrayView3<'_, f32>) -> Result<Vec<Mean>> {
    let (_, height, width) = image.dim();
    if height < LEAST || width < LEAST {
        return Err(Error::new(ErrorKind::Usage, "image is too small for its checkerboard's energy")
            .expected(format!("at least {LEAST} x {LEAST} pixels"))
            .found(format!("{height} x {width}")));
    }
    Ok(image.outer_iter().map(|band| share(&from_first(band))).collect())
}

/// Returns samples minus the first one that has data, so that a flat band is exactly 0; NaN for nodata.
fn from_first(band: ArrayView2<'_, f32>) -> Array2<f64> {
    let first = band.iter().find(|value| value.is_finite()).copied().unwrap_or_default();
    band.mapv(|value| if value.is_finite() { f64::from(value) - f64::from(first) } else { f64::NAN })
}

fn share(values: &Array2<f64>) -> Mean {
    let [down, across] = [Axis(0), Axis(1)].map(|axis| hann(values.len_of(axis).min(MOST) / 2 * 2));
    let [signs_down, signs_across] = [&down, &across].map(|weights| alternating(weights));
    let columns = filter::along(values.view(), Axis(1), &signs_across);
    let rows = filter::along(values.view(), Axis(0), &signs_down);
    let both = filter::along(columns.view(), Axis(0), &signs_down);
    let of_columns = filter::along(squared(&columns).view(), Axis(0), &down);
    let of_rows = filter::along(squared(&rows).view(), Axis(1), &across);
    let pattern = of_columns + of_rows - squared(&both);
    let sums = filter::windows(values.view(), &down, &across);
    let squares = filter::windows(squared(values).view(), &down, &across);
    let (pattern, mean, square) = (known(&pattern), known(&sums), known(&squares));
    let (Some(mean), Some(square)) = (mean.value(), square.value()) else { return Mean::default() };
    Mean { sum: pattern.sum.max(0.0), weight: (square - mean * mean).max(0.0) * pattern.weight }
}

/// Returns a Hann window of even length and sum 1, offset by half a step at either end so that no weight is 0.
fn hann(length: usize) -> Vec<f64> {
    let at = |k: usize| (PI * (k as f64 + 0.5) / length as f64).sin().powi(2);
    let total: f64 = (0..length).map(at).sum();
    (0..length).map(|k| at(k) / total).collect()
}

fn alternating(weights: &[f64]) -> Vec<f64> {
    weights.iter().enumerate().map(|(k, &weight)| if k % 2 == 0 { weight } else { -weight }).collect()
}

fn squared(values: &Array2<f64>) -> Array2<f64> {
    values * values
}

/// Returns the mean over windows without nodata.
fn known(windows: &Array2<f64>) -> Mean {
    windows.iter().copied().filter(|value| !value.is_nan()).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::fixtures::{pair, pair_with_gaps, truth};
    use crate::random::Seed;
    use crate::testing::Tolerance;

    fn image(height: usize, width: usize, value: impl Fn(usize, usize) -> f64) -> Array3<f32> {
        Array3::from_shape_fn((1, height, width), |(_, y, x)| value(y, x) as f32)
    }

    fn found(image: &Array3<f32>) -> Option<f64> {
        checkerboard(image.view()).unwrap()[0].value()
    }

    fn sign(k: usize) -> f64 {
        if k.is_multiple_of(2) { 1.0 } else { -1.0 }
    }

    /// The fixture sums the formula window by window.
    #[test]
    fn share_is_that_of_the_formula() {
        for (image, name) in [(pair().0, "/checkerboard"), (pair_with_gaps().0, "/checkerboard_with_gaps")] {
            let found = checkerboard(image.view()).unwrap();
            for (found, expected) in found.iter().zip(truth(name).as_array().unwrap()) {
                Tolerance { abs: 0.0, rel: 1e-9 }.number(name, found.value().unwrap(), expected.as_f64().unwrap());
            }
        }
    }

    #[test]
    fn patterns_of_one_pixel_are_all_of_the_energy() {
        for (height, width) in [(8, 8), (65, 64), (9, 70), (33, 31), (130, 67)] {
            let patterns: [&dyn Fn(usize, usize) -> f64; 4] = [
                &|y, x| 7.0 + sign(y + x),
                &|_, x| 100.0 - 3.0 * sign(x),
                &|y, _| sign(y) / 4.0,
                // Columns that alternate, more in some rows than in others.
                &|y, x| sign(x) * (y % 5) as f64,
            ];
            for (number, pattern) in patterns.iter().enumerate() {
                let share = found(&image(height, width, pattern)).unwrap();
                Tolerance::abs(1e-9).number(&format!("{number} at {height} x {width}"), share, 1.0);
            }
        }
    }

    #[test]
    fn smooth_images_have_none_and_flat_ones_do_not_count() {
        let wave = image(64, 80, |y, x| 100.0 * ((x as f64 / 9.0).sin() + (y as f64 / 7.0).cos()));
        assert!(found(&wave).unwrap() < 1e-9, "{:?}", found(&wave));
        assert_eq!(found(&image(20, 20, |_, _| 0.1)), None);
        assert_eq!(found(&image(20, 20, |_, _| f64::NAN)), None);
        assert!(checkerboard(image(7, 20, |_, _| 0.0).view()).is_err());
    }

    /// A grid of amplitude 1 on noise of variance 4: the shares of both, by their energies.
    #[test]
    fn energies_add_up() {
        let (side, noise) = (256, Seed(3).stream("noise", 0).normals(256 * 256));
        let grid = image(side, side, |y, x| 2.0 * noise[y * side + x] + sign(x));
        let square: f64 = hann(64).iter().map(|b| b * b).sum();
        let of_noise = 1.0 - (1.0 - square).powi(2);
        // The share has a standard deviation of 0.0033 (40 draws in NumPy); this is four of them.
        Tolerance::abs(0.013).number("share", found(&grid).unwrap(), (1.0 + 4.0 * of_noise) / 5.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn share_is_a_share_and_brightness_does_not_matter(
            values in prop::collection::vec(0u8..255, 12 * 17), gain in 1u8..100, offset in -1000i16..1000,
        ) {
            let plain = image(12, 17, |y, x| f64::from(values[y * 17 + x]));
            let share = found(&plain).unwrap();
            prop_assert!((0.0..=1.0 + 1e-12).contains(&share), "{share}");
            let other = plain.mapv(|value| value * f32::from(gain) + f32::from(offset));
            prop_assert!((found(&other).unwrap() - share).abs() < 1e-9);
        }
    }
}
