//! Mean absolute error.

use ndarray::ArrayView3;

use super::Mean;
use super::pair;
use crate::error::Result;

/// Computes the mean absolute error of each band, in the units of the samples.
///
/// # Shapes
/// Two images (C, H, W) to C means over pixels; pixels without data in either image do not count.
///
/// # Errors
/// `Usage` if the shapes differ.
pub(crate) fn absolute_errors(image: ArrayView3<'_, f32>, truth: ArrayView3<'_, f32>) -> Result<Vec<Mean>> {
    let error = |(a, b)| pair::samples(a, b).map(|(a, b)| (a - b).abs()).collect();
    Ok(pair::bands(image, truth)?.map(error).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn pixels_without_data_in_either_image_do_not_count() {
        let image = array![[[1.0, 2.0, f32::NAN, 4.0]], [[0.0, 0.0, 0.0, f32::INFINITY]]];
        let truth = array![[[3.0, f32::NAN, 3.0, 3.0]], [[1.0, -2.0, 3.0, 4.0]]];
        let errors = absolute_errors(image.view(), truth.view()).unwrap();
        assert_eq!(errors, [Mean { sum: 3.0, weight: 2.0 }, Mean { sum: 6.0, weight: 3.0 }]);
        assert_eq!(absolute_errors(truth.view(), truth.view()).unwrap()[0].value(), Some(0.0));
    }

    #[test]
    fn images_of_other_shapes_are_refused() {
        let (image, truth) = (ndarray::Array3::zeros((3, 4, 5)), ndarray::Array3::zeros((3, 5, 4)));
        let error = absolute_errors(image.view(), truth.view()).unwrap_err().to_string();
        assert!(error.contains("expected 3 bands of 5 x 4 pixels, found 3 bands of 4 x 5 pixels"), "{error}");
    }
}
