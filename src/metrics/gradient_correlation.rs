//! Correlation of gradient magnitudes: whether edges are in the same places, regardless of color.

use ndarray::{Array2, ArrayView3, Zip};

use super::{Mean, filter, pair};
use crate::error::{Error, ErrorKind, Result};

/// Half the difference between the two neighbors.
const CENTRAL: [f64; 3] = [-0.5, 0.0, 0.5];
const MIDDLE: [f64; 3] = [0.0, 1.0, 0.0];

/// Computes Pearson's correlation of the gradient magnitudes of each band, in [-1, 1].
///
/// Gradients are central differences, `sqrt(((x[i, j+1] - x[i, j-1]) / 2)² + ((x[i+1, j] - x[i-1, j]) / 2)²)`, of
/// pixels with all eight neighbors. They do not detect patterns that alternate from pixel to pixel; [`checkerboard`]
/// measures those.
///
/// If all gradients of the truth are equal, as in a flat band, there is no structure to find, and the band does not
/// count. If only those of the image are equal, the correlation is 0.
///
/// # Shapes
/// Two images (C, H, W) to C means of weight 1, or 0 for bands that do not count. Pixels without data in either image
/// do not count, nor do their eight neighbors.
///
/// # Errors
/// `Usage` if the shapes differ or the images are smaller than 3 x 3 pixels.
///
/// [`checkerboard`]: super::checkerboard
pub(crate) fn gradient_correlation(image: ArrayView3<'_, f32>, truth: ArrayView3<'_, f32>) -> Result<Vec<Mean>> {
    let bands = pair::bands(image, truth)?;
    let (_, height, width) = truth.dim();
    if height < 3 || width < 3 {
        return Err(Error::new(ErrorKind::Usage, "images are too small for gradients")
            .expected("at least 3 x 3 pixels")
            .found(format!("{height} x {width}")));
    }
    Ok(bands.map(|(a, b)| pair::planes(a, b)).map(|(a, b)| correlation(&a, &b)).collect())
}

fn correlation(image: &Array2<f64>, truth: &Array2<f64>) -> Mean {
    let (mut a, mut b) = (magnitudes(image), magnitudes(truth));
    // Both planes have nodata in the same places.
    a.retain(|value| !value.is_nan());
    b.retain(|value| !value.is_nan());
    let (a, b) = (centered(a, rounding(image)), centered(b, rounding(truth)));
    match (a, b) {
        (_, None) => Mean::default(),
        (None, Some(_)) => Mean::of(0.0),
        (Some(a), Some(b)) => {
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let correlation = product(&a, &b) / (product(&a, &a).sqrt() * product(&b, &b).sqrt());
            Mean::of(correlation.clamp(-1.0, 1.0))
        }
    }
}

fn magnitudes(plane: &Array2<f64>) -> Vec<f64> {
    let across = filter::windows(plane.view(), &MIDDLE, &CENTRAL);
    let down = filter::windows(plane.view(), &CENTRAL, &MIDDLE);
    Zip::from(&across).and(&down).map_collect(|x, y| x.hypot(*y)).into_iter().collect()
}

/// Returns how much gradients may differ because samples are rounded to single precision.
fn rounding(plane: &Array2<f64>) -> f64 {
    let largest = plane.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    largest * f64::from(f32::EPSILON)
}

/// Subtracts the mean; `None` if all values are equal up to rounding.
fn centered(mut values: Vec<f64>, rounding: f64) -> Option<Vec<f64>> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    values.iter().any(|value| value.abs() > rounding).then_some(values)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::metrics::fixtures::{pair, pair_with_gaps, truth};
    use crate::testing::Tolerance;

    #[test]
    fn correlation_is_numpys() {
        for ((image, reference), name) in
            [(pair(), "/gradient_correlation"), (pair_with_gaps(), "/gradient_correlation_with_gaps")]
        {
            let found = gradient_correlation(image.view(), reference.view()).unwrap();
            for (found, expected) in found.iter().zip(truth(name).as_array().unwrap()) {
                Tolerance::abs(1e-12).number(name, found.value().unwrap(), expected.as_f64().unwrap());
            }
        }
    }

    #[test]
    fn colors_do_not_matter() {
        let (image, _) = pair();
        let other = image.mapv(|value| 300.0 - 0.5 * value);
        for found in gradient_correlation(other.view(), image.view()).unwrap() {
            Tolerance::abs(1e-6).number("inverted", found.value().unwrap(), 1.0);
        }
    }

    #[test]
    fn flat_bands_are_defined() {
        let (image, _) = pair();
        let flat = Array3::from_elem(image.dim(), 0.1);
        let ramp = Array3::from_shape_fn(image.dim(), |(_, y, x)| 0.1 * x as f32 - 0.3 * y as f32);
        for plain in [flat, ramp] {
            let against_plain = gradient_correlation(image.view(), plain.view()).unwrap();
            assert!(against_plain.iter().all(|mean| mean.value().is_none()));
            let of_plain = gradient_correlation(plain.view(), image.view()).unwrap();
            assert!(of_plain.iter().all(|mean| mean.value() == Some(0.0)));
        }
        let small = Array3::zeros((1, 2, 9));
        assert!(gradient_correlation(small.view(), small.view()).is_err());
        let empty = Array3::from_elem((1, 3, 3), f32::NAN);
        assert_eq!(gradient_correlation(empty.view(), empty.view()).unwrap()[0].value(), None);
    }
}
