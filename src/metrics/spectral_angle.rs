//! Spectral angle: Kruse et al. 1993, "The spectral image processing system (SIPS)", Remote Sensing of Environment 44.

use ndarray::{ArrayView1, ArrayView3, Axis};

use super::{Mean, pair};
use crate::error::{Error, ErrorKind, Result};

/// Computes the mean angle between the spectra of two images, in degrees: 0 if all bands are in the same proportion, 90
/// for spectra without a common band.
///
/// # Shapes
/// Two images (C, H, W) to one mean over pixels. Pixels without data in any band of either image do not count, nor do
/// those with a spectrum of zero in all bands, since zero has no direction.
///
/// # Errors
/// `Usage` if the shapes differ or there are fewer than two bands.
pub(crate) fn spectral_angle(image: ArrayView3<'_, f32>, truth: ArrayView3<'_, f32>) -> Result<Mean> {
    let bands = pair::bands(image, truth)?.count();
    if bands < 2 {
        return Err(Error::new(ErrorKind::Usage, "images have no spectrum to compare")
            .expected("at least 2 bands")
            .found(bands));
    }
    let pixels = image.lanes(Axis(0)).into_iter().zip(truth.lanes(Axis(0)));
    Ok(pixels.filter_map(|(a, b)| angle(a, b)).map(f64::to_degrees).collect())
}

/// Returns the angle in radians, by the half-angle formula of Kahan 2006, "How futile are mindless assessments of
/// roundoff", section 12: the arc cosine loses all angles below 1e-8, and returns nonzero angles for equal spectra.
fn angle(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> Option<f64> {
    let length = |v: ArrayView1<'_, f32>| v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let (long_a, long_b) = (length(a), length(b));
    let has_direction = |length: f64| length.is_finite() && length > 0.0;
    if !has_direction(long_a) || !has_direction(long_b) {
        return None;
    }
    let (mut apart, mut together) = (0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) * long_b, f64::from(b) * long_a);
        apart += (a - b).powi(2);
        together += (a + b).powi(2);
    }
    Some(2.0 * apart.sqrt().atan2(together.sqrt()))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::metrics::fixtures::{pair, pair_with_gaps, truth};
    use crate::testing::Tolerance;

    /// The fixture uses the arc cosine, which is accurate to about 1e-8 degrees here.
    #[test]
    fn angles_are_numpys() {
        for ((image, reference), name) in [(pair(), "/spectral_angle"), (pair_with_gaps(), "/spectral_angle_with_gaps")]
        {
            let found = spectral_angle(image.view(), reference.view()).unwrap().value().unwrap();
            Tolerance::abs(1e-6).number(name, found, truth(name).as_f64().unwrap());
        }
    }

    #[test]
    fn brightness_is_no_angle_and_zero_has_none() {
        let image = array![[[3.0, 0.1, 1.0, 0.0, 2.0, -1.0]], [[4.0, 0.2, 0.0, 0.0, f32::NAN, 0.0]]];
        let other = array![[[6.0, 0.3, 0.0, 1.0, 2.0, 1.0]], [[8.0, 0.6, 5.0, 1.0, 2.0, 0.0]]];
        let found = spectral_angle(image.view(), other.view()).unwrap();
        // The angle of the second pixel comes from f32 rounding of 0.1, 0.2, 0.3, and 0.6, about 1e-6 degrees.
        assert_eq!(found.weight, 4.0);
        assert!((found.sum - 270.0).abs() < 1e-5, "{found:?}");
        assert_eq!(spectral_angle(image.view(), image.view()).unwrap(), Mean { sum: 0.0, weight: 4.0 });
    }

    #[test]
    fn one_band_is_no_spectrum() {
        let error = spectral_angle(array![[[1.0]]].view(), array![[[1.0]]].view()).unwrap_err().to_string();
        assert!(error.contains("at least 2 bands, found 1"), "{error}");
    }
}
