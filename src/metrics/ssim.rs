//! Structural similarity of two images: Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error
//! visibility to structural similarity", IEEE Transactions on Image Processing 13(4), equation 13.

use ndarray::{Array2, ArrayView3, Zip};

use super::psnr::check_range;
use super::{Mean, filter, pair};
use crate::error::{Error, ErrorKind, Result};

/// The constants K1 and K2 of the paper.
const K: [f64; 2] = [0.01, 0.03];
const SIGMA: f64 = 1.5;
/// The Gaussian is truncated after 3.5 standard deviations.
const REACH: i32 = 5;
const UNIFORM_SIDE: usize = 7;

/// The window over which means, variances, and covariances are computed.
///
/// ```
/// use geolearn::evaluation::MetricsOptions;
/// use geolearn::metrics::SsimWindow;
///
/// let options = MetricsOptions::new().ssim_window(SsimWindow::Gaussian);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SsimWindow {
    /// 7 x 7 pixels of equal weight with sample covariances: the defaults of scikit-image's `structural_similarity`.
    #[default]
    Uniform,
    /// 11 x 11 pixels with Gaussian weights of standard deviation 1.5: as in the paper; in scikit-image
    /// `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.
    Gaussian,
}

impl SsimWindow {
    /// Returns the weights along one side; their sum is 1.
    fn weights(self) -> Vec<f64> {
        match self {
            Self::Uniform => vec![1.0 / UNIFORM_SIDE as f64; UNIFORM_SIDE],
            Self::Gaussian => {
                let bell = |at: i32| (-0.5 * (f64::from(at) / SIGMA).powi(2)).exp();
                let total: f64 = (-REACH..=REACH).map(bell).sum();
                (-REACH..=REACH).map(|at| bell(at) / total).collect()
            }
        }
    }

    /// Returns the side of the window in pixels; SSIM is undefined for smaller images.
    pub(crate) fn side(self) -> usize {
        self.weights().len()
    }

    /// Returns the factor from the mean of squares to the variance: n / (n - 1) for the sample variance.
    fn variance_factor(self) -> f64 {
        let count = (UNIFORM_SIDE * UNIFORM_SIDE) as f64;
        match self {
            Self::Uniform => count / (count - 1.0),
            Self::Gaussian => 1.0,
        }
    }
}

/// Computes the structural similarity of each band: 1 for identical images, less for others. `range` is the difference
/// between the largest and the smallest possible sample value.
///
/// # Shapes
/// Two images (C, H, W) to C means over the windows within the image; windows that contain a nodata pixel of either
/// image do not count.
///
/// # Errors
/// `Usage` if the shapes differ, the images are smaller than the window, or the range is not above 0.
pub(crate) fn ssim(
    image: ArrayView3<'_, f32>,
    truth: ArrayView3<'_, f32>,
    range: f64,
    window: SsimWindow,
) -> Result<Vec<Mean>> {
    check_range(range)?;
    let bands = pair::bands(image, truth)?;
    let side = window.weights().len();
    let (_, height, width) = truth.dim();
    if height < side || width < side {
        return Err(Error::new(ErrorKind::Usage, "images are too small for the window of structural similarity")
            .expected(format!("at least {side} x {side} pixels"))
            .found(format!("{height} x {width}")));
    }
    Ok(bands.map(|(a, b)| pair::planes(a, b)).map(|(a, b)| similarity(&a, &b, range, window)).collect())
}

fn similarity(a: &Array2<f64>, b: &Array2<f64>, range: f64, window: SsimWindow) -> Mean {
    let weights = window.weights();
    let mean = |plane: &Array2<f64>| filter::windows(plane.view(), &weights, &weights);
    let (squares, products) = (mean(&(a * a + b * b)), mean(&(a * b)));
    let constants = K.map(|k| (k * range).powi(2));
    let factor = window.variance_factor();
    let mut all = Mean::default();
    Zip::from(&mean(a)).and(&mean(b)).and(&squares).and(&products).for_each(|a, b, squares, product| {
        let means = (2.0 * a * b, a * a + b * b);
        let variances = (2.0 * factor * (product - a * b), factor * (squares - means.1));
        let luminance = (means.0 + constants[0]) / (means.1 + constants[0]);
        let structure = (variances.0 + constants[1]) / (variances.1 + constants[1]);
        // Only windows with a nodata pixel yield NaN, because both denominators are above 0.
        if !(luminance * structure).is_nan() {
            all += Mean::of(luminance * structure);
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, s};
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::fixtures::{pair, pair_with_gaps, truth};
    use crate::testing::Tolerance;

    const WINDOWS: [(SsimWindow, &str); 2] =
        [(SsimWindow::Uniform, "ssim_uniform"), (SsimWindow::Gaussian, "ssim_gaussian")];

    fn check(found: &[Mean], name: &str) {
        let expected = truth(name);
        for (band, (found, expected)) in found.iter().zip(expected.as_array().unwrap()).enumerate() {
            let found = found.value().unwrap();
            Tolerance::abs(1e-6).number(&format!("{name} {band}"), found, expected.as_f64().unwrap());
        }
        assert_eq!(found.len(), expected.as_array().unwrap().len());
    }

    #[test]
    fn similarity_is_scikit_images() {
        let (image, reference) = pair();
        for (window, name) in WINDOWS {
            let found = ssim(image.view(), reference.view(), 255.0, window).unwrap();
            check(&found, &format!("/{name}"));
            let whole = found.iter().copied().sum::<Mean>().value().unwrap();
            Tolerance::abs(1e-6).number(name, whole, truth(&format!("/{name}_mean")).as_f64().unwrap());
        }
    }

    /// scikit-image's similarity map, without windows that contain nodata.
    #[test]
    fn windows_with_gaps_do_not_count() {
        let (image, reference) = pair_with_gaps();
        for (window, name) in WINDOWS {
            let found = ssim(image.view(), reference.view(), 255.0, window).unwrap();
            check(&found, &format!("/{name}_with_gaps"));
        }
    }

    #[test]
    fn small_images_and_those_without_data_are_answered() {
        let image = Array3::<f32>::zeros((1, 6, 20));
        let error = ssim(image.view(), image.view(), 1.0, SsimWindow::Uniform).unwrap_err().to_string();
        assert!(error.contains("at least 7 x 7 pixels, found 6 x 20"), "{error}");
        let empty = Array3::from_elem((1, 11, 11), f32::NAN);
        let found = ssim(empty.view(), empty.view(), 1.0, SsimWindow::Gaussian).unwrap();
        assert_eq!(found[0].value(), None);
        assert!(ssim(empty.view(), empty.view(), 0.0, SsimWindow::Gaussian).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn similarity_is_symmetric_and_one_for_the_same(
            values in prop::collection::vec(-1000.0f32..1000.0, 2 * 12 * 13), gaussian in any::<bool>(),
        ) {
            let both = Array3::from_shape_vec((2, 12, 13), values).unwrap();
            let (a, b) = (both.slice(s![..1, .., ..]), both.slice(s![1.., .., ..]));
            let window = if gaussian { SsimWindow::Gaussian } else { SsimWindow::Uniform };
            prop_assert_eq!(ssim(a, b, 2000.0, window).unwrap(), ssim(b, a, 2000.0, window).unwrap());
            prop_assert!((ssim(a, a, 2000.0, window).unwrap()[0].value().unwrap() - 1.0).abs() < 1e-12);
        }
    }
}
