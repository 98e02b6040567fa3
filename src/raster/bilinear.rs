//! Bilinear sampling of a part of an image.

use ndarray::{Array3, ArrayView1};

/// A part of an image in pixels from its upper left corner; fractions are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub top: f64,
    pub left: f64,
    pub height: f64,
    pub width: f64,
}

impl Window {
    /// Samples the part of `image` (bands, height, width) as (bands, `rows`, `columns`), bilinear, with pixel centers
    /// at half-integers.
    ///
    /// Meant for enlarging: it does not average when it shrinks. Beyond the edge, the edge pixel is repeated. NaN means
    /// nodata: a sample is computed from the pixels that have data, and is NaN if their total weight is less than half.
    pub fn sample(&self, image: &Array3<f32>, rows: usize, columns: usize) -> Array3<f32> {
        let (bands, height, width) = image.dim();
        let ys = taps(self.top, self.height, rows, height);
        let xs = taps(self.left, self.width, columns, width);
        let mut out = Array3::zeros((bands, rows, columns));
        for (plane, mut sampled) in image.outer_iter().zip(out.outer_iter_mut()) {
            for (y, mut line) in ys.iter().zip(sampled.rows_mut()) {
                let (upper, lower) = (plane.row(y.low), plane.row(y.high));
                for (x, to) in xs.iter().zip(&mut line) {
                    let mixed = mix(x.of(&upper), x.of(&lower), y.weight);
                    *to = if mixed.is_nan() { known(x, y, &upper, &lower) } else { mixed };
                }
            }
        }
        out
    }
}

/// The two source pixels of a sample, and the weight of the second.
struct Tap {
    low: usize,
    high: usize,
    weight: f32,
}

impl Tap {
    fn of(&self, line: &ArrayView1<'_, f32>) -> f32 {
        mix(line[self.low], line[self.high], self.weight)
    }
}

fn taps(start: f64, extent: f64, count: usize, size: usize) -> Vec<Tap> {
    let last = size.saturating_sub(1);
    let tap = |i: usize| {
        let position = (start + (i as f64 + 0.5) * extent / count as f64 - 0.5).clamp(0.0, last as f64);
        let low = position.floor() as usize;
        Tap { low, high: (low + 1).min(last), weight: (position - low as f64) as f32 }
    };
    (0..count).map(tap).collect()
}

/// Interpolates the pixels around a sample that have data.
fn known(x: &Tap, y: &Tap, upper: &ArrayView1<'_, f32>, lower: &ArrayView1<'_, f32>) -> f32 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (line, down) in [(upper, 1.0 - y.weight), (lower, y.weight)] {
        for (value, across) in [(line[x.low], 1.0 - x.weight), (line[x.high], x.weight)] {
            if !value.is_nan() {
                sum += value * down * across;
                weights += down * across;
            }
        }
    }
    if weights < 0.5 { f32::NAN } else { sum / weights }
}

/// Exact at weight 0, and between equal values.
fn mix(low: f32, high: f32, weight: f32) -> f32 {
    low + weight * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Array3<f32> {
        Array3::from_shape_fn((2, 6, 8), |(b, y, x)| (100 * b + 10 * y + x) as f32)
    }

    #[test]
    fn whole_pixels_are_copied() {
        let window = Window { top: 1.0, left: 2.0, height: 3.0, width: 4.0 };
        assert_eq!(window.sample(&ramp(), 3, 4), ramp().slice(ndarray::s![.., 1..4, 2..6]).to_owned());
    }

    /// Bilinear sampling reproduces a plane, so the values reveal where the samples are.
    #[test]
    fn samples_lie_at_pixel_centers() {
        let window = Window { top: 1.0, left: 1.0, height: 4.0, width: 4.0 };
        let twice = window.sample(&ramp(), 8, 8);
        assert_eq!(twice[(0, 0, 0)], 10.0 * 0.75 + 0.75);
        assert_eq!(twice[(0, 0, 1)] - twice[(0, 0, 0)], 0.5);
        assert_eq!(twice[(1, 3, 2)] - twice[(0, 3, 2)], 100.0);
    }

    #[test]
    fn what_has_no_data_does_not_color_its_neighbors() {
        let half = Array3::from_shape_fn((1, 4, 4), |(.., x)| if x < 2 { f32::NAN } else { 7.0 });
        let twice = Window { top: 0.0, left: 0.0, height: 4.0, width: 4.0 }.sample(&half, 8, 8);
        let expected = |x: usize| if x < 4 { None } else { Some(7.0) };
        for ((.., x), &value) in twice.indexed_iter() {
            assert_eq!(Some(value).filter(|value| !value.is_nan()), expected(x), "column {x}");
        }
        let whole = Window { top: 1.0, left: 1.0, height: 2.0, width: 3.0 }.sample(&half, 2, 3);
        assert_eq!(whole.iter().filter(|value| value.is_nan()).count(), 2);
    }

    #[test]
    fn beyond_the_edge_the_edge_goes_on() {
        let window = Window { top: 0.0, left: 0.0, height: 6.0, width: 8.0 };
        assert_eq!(window.sample(&ramp(), 12, 16)[(0, 0, 0)], 0.0);
        assert_eq!(window.sample(&ramp(), 12, 16)[(0, 11, 15)], 57.0);
    }
}
