//! Rotates a part of an image by any angle.

use ndarray::{Array3, ArrayView2};

use super::bilinear::Window;

impl Window {
    /// Returns the part of `image` (bands, height, width) as (bands, `rows`, `columns`), rotated about its center by
    /// `degrees` counterclockwise as displayed. Interpolation is bilinear with pixel centers at half-integers. Corners
    /// come from the area around the part, and beyond the image from its mirror image, which begins by repeating the
    /// edge pixel.
    ///
    /// NaN means nodata: a sample is NaN if the nearest pixel is, and otherwise computed from the surrounding pixels
    /// that are not.
    pub fn sample_rotated(&self, image: &Array3<f32>, (rows, columns): (usize, usize), degrees: f64) -> Array3<f32> {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let offset = |extent: f64, count: usize, i: usize| (i as f64 + 0.5) * extent / count as f64 - extent / 2.0;
        let center = (self.top + self.height / 2.0 - 0.5, self.left + self.width / 2.0 - 0.5);
        let mut out = Array3::zeros((image.dim().0, rows, columns));
        for (plane, mut turned) in image.outer_iter().zip(out.outer_iter_mut()) {
            for ((row, column), to) in turned.indexed_iter_mut() {
                let (y, x) = (offset(self.height, rows, row), offset(self.width, columns, column));
                *to = sample(plane, center.0 + sin * x + cos * y, center.1 + cos * x - sin * y);
            }
        }
        out
    }
}

/// Returns the value at a position in pixels from the center of the first one, in a plane continued by its mirror
/// image.
fn sample(plane: ArrayView2<'_, f32>, y: f64, x: f64) -> f32 {
    let (height, width) = plane.dim();
    let at = |y: f64, x: f64| plane[(mirrored(y, height), mirrored(x, width))];
    let (top, left) = (y.floor(), x.floor());
    let (down, across) = ((y - top) as f32, (x - left) as f32);
    let (mut sum, mut weights) = (0.0, 0.0);
    for (row, by_row) in [(top, 1.0 - down), (top + 1.0, down)] {
        for (column, by_column) in [(left, 1.0 - across), (left + 1.0, across)] {
            let (value, weight) = (at(row, column), by_row * by_column);
            if !value.is_nan() {
                sum += value * weight;
                weights += weight;
            }
        }
    }
    // The nearest pixel weighs at least a quarter, so nothing is divided by zero.
    if at((y + 0.5).floor(), (x + 0.5).floor()).is_nan() { f32::NAN } else { sum / weights }
}

/// Returns the pixel at an integer position on a line of `size` pixels that is continued by mirroring it repeatedly.
fn mirrored(place: f64, size: usize) -> usize {
    let twice = 2.0 * size as f64;
    let place = place.rem_euclid(twice);
    let within = if place < size as f64 { place } else { twice - 1.0 - place };
    (within as usize).min(size.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Axis};

    use super::*;
    use crate::testing::npy;

    /// SciPy computes in f64; this crate has the rounding of f32 in weights and values of at most 1.
    const TOLERANCE: f32 = 1e-6;
    const WHOLE: Window = Window { top: 0.0, left: 0.0, height: 40.0, width: 64.0 };

    fn plane(name: &str) -> Array3<f32> {
        let tensor = npy(&format!("rotation/{name}.npy"));
        let size = tensor.size2().unwrap();
        let values = Vec::<f32>::try_from(tensor.reshape([-1])).unwrap();
        Array3::from_shape_vec((1, size.0 as usize, size.1 as usize), values).unwrap()
    }

    fn farthest(found: &Array3<f32>, expected: &Array3<f32>) -> f32 {
        assert_eq!(found.dim(), expected.dim());
        let off = |(found, expected): (&f32, &f32)| match (found.is_nan(), expected.is_nan()) {
            (true, true) => 0.0,
            (false, false) => (found - expected).abs(),
            _ => f32::INFINITY,
        };
        found.iter().zip(expected).map(off).fold(0.0, f32::max)
    }

    /// `tests/fixtures/rotation/make.py` computes them with SciPy, and checks the direction of rotation with Pillow.
    #[test]
    fn samples_and_gaps_are_those_of_scipy() {
        let part = Window { top: 3.25, left: 40.5, height: 20.0, width: 22.0 };
        for (name, window, size, degrees) in [
            ("whole_17", WHOLE, (40, 64), 17.5),
            ("whole_-30", WHOLE, (40, 64), -30.0),
            ("part_25", part, (24, 26), 25.0),
        ] {
            for ending in ["", "_with_gaps"] {
                let (chip, expected) = (plane(&format!("chip{ending}")), plane(&format!("{name}{ending}")));
                let off = farthest(&window.sample_rotated(&chip, size, degrees), &expected);
                assert!(off <= TOLERANCE, "{name}{ending}: off by {off}");
            }
        }
        assert!(plane("whole_17_with_gaps").iter().any(|value| value.is_nan()));
    }

    #[test]
    fn a_quarter_turn_is_that_of_the_array() {
        let window = Window { left: 10.0, width: 40.0, ..WHOLE };
        let mut expected = plane("chip").slice(ndarray::s![.., .., 10..50]).to_owned();
        let turned = window.sample_rotated(&plane("chip"), (40, 40), 90.0);
        expected.swap_axes(1, 2);
        expected.invert_axis(Axis(1));
        assert!(farthest(&turned, &expected) <= TOLERANCE);
    }

    /// A chip so thin that a rotation extends far beyond its mirror image.
    #[test]
    fn the_mirror_image_is_mirrored_again() {
        let line: Vec<usize> = (-7..7).map(|place| mirrored(f64::from(place), 3)).collect();
        assert_eq!(line, [0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert!((-3..3).all(|place| mirrored(f64::from(place), 1) == 0));
        let thin = Array3::from_shape_fn((1, 1, 200), |(.., x)| x as f32);
        let window = Window { top: 0.0, left: 0.0, height: 1.0, width: 200.0 };
        let turned = window.sample_rotated(&thin, (1, 200), 45.0);
        assert!(turned.iter().all(|value| (0.0..200.0).contains(value)));
    }
}
