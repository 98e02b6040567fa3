//! Peak signal-to-noise ratio.

use ndarray::ArrayView3;

use super::Mean;
use super::pair;
use crate::error::{Error, ErrorKind, Result};

/// Computes the mean squared error of each band.
///
/// # Shapes
/// Two images (C, H, W) to C means over pixels; pixels without data in either image do not count.
///
/// # Errors
/// `Usage` if the shapes differ.
pub(crate) fn squared_errors(image: ArrayView3<'_, f32>, truth: ArrayView3<'_, f32>) -> Result<Vec<Mean>> {
    let error = |(a, b)| pair::samples(a, b).map(|(a, b)| (a - b) * (a - b)).collect();
    Ok(pair::bands(image, truth)?.map(error).collect())
}

/// Returns the peak signal-to-noise ratio in decibels, `10 log10(range² / mean squared error)`: infinite for identical
/// images, `None` if no pixel was counted. `range` is the difference between the largest and the smallest possible
/// sample value, 255 for 8-bit images.
///
/// For an image as a whole, it is computed from the combined error of all bands, as in scikit-image's
/// `peak_signal_noise_ratio`.
///
/// # Errors
/// `Usage` if the range is not above 0.
pub(crate) fn psnr(squared_error: Mean, range: f64) -> Result<Option<f64>> {
    check_range(range)?;
    Ok(squared_error.value().map(|error| 20.0 * range.log10() - 10.0 * error.log10()))
}

/// Returns an error for a range of values that is not above 0.
pub(super) fn check_range(range: f64) -> Result<()> {
    if range.is_finite() && range > 0.0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "images cannot be compared without the range of their values")
        .expected("the largest minus the smallest value that samples can have, such as 255 for bytes")
        .found(range))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::metrics::fixtures::{pair, pair_with_gaps, truth};
    use crate::testing::Tolerance;

    #[test]
    fn ratio_is_scikit_images() {
        let (image, reference) = pair();
        let errors = squared_errors(image.view(), reference.view()).unwrap();
        let whole = psnr(errors.iter().copied().sum(), 255.0).unwrap().unwrap();
        Tolerance::abs(1e-6).number("whole", whole, truth("/psnr").as_f64().unwrap());
        for (band, (error, expected)) in errors.iter().zip(truth("/psnr_bands").as_array().unwrap()).enumerate() {
            let found = psnr(*error, 255.0).unwrap().unwrap();
            Tolerance::abs(1e-6).number(&format!("band {band}"), found, expected.as_f64().unwrap());
        }
    }

    #[test]
    fn pixels_without_data_do_not_count() {
        let (image, reference) = pair_with_gaps();
        let errors = squared_errors(image.view(), reference.view()).unwrap();
        for (error, expected) in errors.iter().zip(truth("/squared_errors_with_gaps").as_array().unwrap()) {
            Tolerance { abs: 0.0, rel: 1e-12 }.number("error", error.value().unwrap(), expected.as_f64().unwrap());
        }
        let nothing = array![[[f32::NAN]]];
        let errors = squared_errors(nothing.view(), nothing.view()).unwrap();
        assert_eq!(psnr(errors[0], 1.0).unwrap(), None);
    }

    #[test]
    fn identical_images_are_infinitely_alike() {
        let (image, _) = pair();
        let errors = squared_errors(image.view(), image.view()).unwrap();
        assert_eq!(psnr(errors[0], 255.0).unwrap(), Some(f64::INFINITY));
    }

    #[test]
    fn a_range_is_needed() {
        for range in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(psnr(Mean::of(1.0), range).unwrap_err().kind(), ErrorKind::Usage);
        }
    }
}
