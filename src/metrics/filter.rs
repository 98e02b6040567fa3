//! Weighted sums over the windows of a plane.

use ndarray::{Array2, ArrayView2, Axis, Slice};

/// Returns the weighted sums over all windows within the plane; the weight of a pixel is the product of the weights of
/// its row and its column in the window. A window that contains a NaN yields NaN, which marks windows with nodata.
/// Running sums would be faster, but would propagate a NaN to all following windows.
///
/// # Shapes
/// (H, W) to (H - rows + 1, W - columns + 1); empty if the window does not fit.
pub(super) fn windows(plane: ArrayView2<'_, f64>, rows: &[f64], columns: &[f64]) -> Array2<f64> {
    let across = along(plane, Axis(1), columns);
    along(across.view(), Axis(0), rows)
}

/// Returns the same with weights along one axis only.
pub(super) fn along(plane: ArrayView2<'_, f64>, axis: Axis, weights: &[f64]) -> Array2<f64> {
    let count = (plane.len_of(axis) + 1).saturating_sub(weights.len());
    let mut shape = plane.raw_dim();
    shape[axis.index()] = count;
    let mut sums = Array2::zeros(shape);
    for (offset, &weight) in weights.iter().enumerate().filter(|_| count > 0) {
        sums.scaled_add(weight, &plane.slice_axis(axis, Slice::from(offset..offset + count)));
    }
    sums
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn windows_are_summed_and_those_with_a_gap_are_not_a_number() {
        let mut plane = array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]];
        let sums = windows(plane.view(), &[1.0, 10.0], &[1.0, -1.0, 2.0]);
        assert_eq!(sums, array![[5.0 + 130.0, 7.0 + 150.0], [13.0 + 210.0, 15.0 + 230.0]]);
        plane[(0, 0)] = f64::NAN;
        let sums = windows(plane.view(), &[1.0, 10.0], &[1.0, -1.0, 2.0]);
        assert!(sums[(0, 0)].is_nan() && sums.iter().filter(|sum| sum.is_nan()).count() == 1);
        assert_eq!(windows(plane.view(), &[1.0; 4], &[1.0]).dim(), (0, 4));
    }
}
