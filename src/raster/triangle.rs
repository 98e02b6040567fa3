//! A triangle filter in double precision.

use ndarray::{Array2, ArrayView2, Axis, Slice};

/// Resizes the plane to (height, width): bilinear when enlarging, a triangle as wide as the reduction factor when
/// shrinking.
pub(super) fn resized(plane: ArrayView2<'_, f64>, (height, width): (usize, usize)) -> Array2<f64> {
    let (rows, columns) = plane.dim();
    let mut wide = Array2::zeros((rows, width));
    for (x, tap) in taps(columns, width).enumerate() {
        tap.sum(plane, Axis(1), &mut wide, x);
    }
    let mut made = Array2::zeros((height, width));
    for (y, tap) in taps(rows, height).enumerate() {
        tap.sum(wide.view(), Axis(0), &mut made, y);
    }
    made
}

/// The input lines that contribute to one output line.
struct Tap {
    first: usize,
    weights: Vec<f64>,
}

impl Tap {
    fn sum(&self, from: ArrayView2<'_, f64>, axis: Axis, to: &mut Array2<f64>, at: usize) {
        let mut line = to.index_axis_mut(axis, at);
        let lines = from.slice_axis(axis, Slice::from(self.first..self.first + self.weights.len()));
        for (source, weight) in lines.axis_iter(axis).zip(&self.weights) {
            line.zip_mut_with(&source, |sum, value| *sum += weight * value);
        }
        // Rounding may push the largest values out of range.
        line.mapv_inplace(|sum| sum.clamp(f64::MIN, f64::MAX));
    }
}

/// Pixel centers are at half-integers; there is nothing beyond the edge.
fn taps(from: usize, to: usize) -> impl Iterator<Item = Tap> {
    let ratio = from as f64 / to as f64;
    let reach = ratio.max(1.0);
    (0..to).map(move |at| {
        let center = (at as f64 + 0.5) * ratio;
        let first = (center - reach).floor().max(0.0) as usize;
        let last = ((center + reach).ceil() as usize).min(from);
        let weight = |line: usize| (1.0 - ((line as f64 + 0.5 - center) / reach).abs()).max(0.0);
        let weights: Vec<f64> = (first..last).map(weight).collect();
        let total: f64 = weights.iter().sum();
        Tap { first, weights: weights.into_iter().map(|weight| weight / total).collect() }
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_plane_is_enlarged_between_its_pixels_and_averaged_where_it_shrinks() {
        assert_eq!(resized(array![[0.0, 4.0]].view(), (1, 4)), array![[0.0, 1.0, 3.0, 4.0]]);
        // Weights of 5, 7, 7 and 5 of 24.
        let one = resized(array![[0.0, 4.0, 4.0, 0.0]].view(), (1, 1))[(0, 0)];
        assert!((one - 7.0 / 3.0).abs() < 1e-15, "{one}");
    }
}
