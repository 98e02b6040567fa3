//! Two images to compare sample by sample.

use ndarray::{Array2, ArrayView2, ArrayView3, Axis, Zip};

use crate::error::{Error, ErrorKind, Result};

/// Returns the corresponding bands of two images.
///
/// # Errors
/// `Usage` if the images differ in bands, height, or width.
pub(super) fn bands<'a>(
    image: ArrayView3<'a, f32>,
    truth: ArrayView3<'a, f32>,
) -> Result<impl Iterator<Item = (ArrayView2<'a, f32>, ArrayView2<'a, f32>)>> {
    if image.dim() != truth.dim() {
        let shown = |(bands, height, width)| format!("{bands} bands of {height} x {width} pixels");
        return Err(Error::new(ErrorKind::Usage, "images cannot be compared sample by sample")
            .expected(shown(truth.dim()))
            .found(shown(image.dim()))
            .help("An image and its truth must have the same bands, height and width."));
    }
    let band = |image: ArrayView3<'a, f32>, band| image.index_axis_move(Axis(0), band);
    Ok((0..truth.len_of(Axis(0))).map(move |at| (band(image, at), band(truth, at))))
}

/// Returns the samples of the pixels in which both bands have data.
pub(super) fn samples(image: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> impl Iterator<Item = (f64, f64)> {
    let pairs = image.into_iter().zip(truth);
    pairs.filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(&a, &b)| (f64::from(a), f64::from(b)))
}

/// Returns both bands in double precision, with NaN in both if either has no data.
pub(super) fn planes(image: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> (Array2<f64>, Array2<f64>) {
    let (mut a, mut b) = (image.mapv(f64::from), truth.mapv(f64::from));
    Zip::from(&mut a).and(&mut b).for_each(|a, b| {
        if !(a.is_finite() && b.is_finite()) {
            (*a, *b) = (f64::NAN, f64::NAN);
        }
    });
    (a, b)
}
