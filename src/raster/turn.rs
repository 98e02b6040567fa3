//! Rotates and flips samples according to EXIF, and rotates images with their georeference.

use image::metadata::Orientation;
use ndarray::{Array2, Array3, Axis};

use super::samples::with_array;
use super::{Place, Raster, Samples};

impl Samples {
    /// Returns the samples of the upright image.
    pub(super) fn turned(self, orientation: Orientation) -> Self {
        match orientation {
            Orientation::NoTransforms => self,
            _ => with_array!(self, data => turned(data, orientation).into()),
        }
    }
}

/// Rotates any values of pixels, (bands, height, width).
fn turned<T: Clone>(mut data: Array3<T>, orientation: Orientation) -> Array3<T> {
    use Orientation::{
        FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180, Rotate270, Rotate270FlipH,
    };
    let (rows, columns) = (Axis(1), Axis(2));
    if matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) {
        data.swap_axes(1, 2);
    }
    match orientation {
        NoTransforms | Rotate90FlipH => {}
        FlipHorizontal | Rotate90 => data.invert_axis(columns),
        FlipVertical | Rotate270 => data.invert_axis(rows),
        Rotate180 | Rotate270FlipH => {
            data.invert_axis(rows);
            data.invert_axis(columns);
        }
    }
    data.as_standard_layout().into_owned()
}

/// Rotates a mask of pixels, (height, width).
pub(super) fn turned_mask(mask: Array2<bool>, orientation: Orientation) -> Array2<bool> {
    turned(mask.insert_axis(Axis(0)), orientation).remove_axis(Axis(0))
}

impl Raster {
    /// Returns the image after this many quarter turns clockwise, with its georeference. Rational polynomial
    /// coefficients (RPCs) are dropped if the image is rotated, because they cannot describe rotated images.
    pub(crate) fn turned(self, quarters: usize) -> Self {
        use Orientation::{NoTransforms, Rotate90, Rotate180, Rotate270};
        let turn = [NoTransforms, Rotate90, Rotate180, Rotate270][quarters % 4];
        if turn == NoTransforms {
            return self;
        }
        let place = self.place.turned(quarters, self.height(), self.width());
        let hidden = self.hidden.as_ref().map(|hidden| turned_mask(hidden.clone(), turn));
        let image = self.replaced(self.samples.clone().turned(turn));
        image.with_place(place).hiding(hidden)
    }
}

impl Place {
    /// Returns the georeference of an image of this height and width after this many quarter turns clockwise.
    fn turned(&self, quarters: usize, height: usize, width: usize) -> Self {
        let (h, w) = (height as f64, width as f64);
        // Where a point (column, row) of the rotated image was before.
        let transform = |[a, b, c, d, e, f]: [f64; 6]| match quarters % 4 {
            1 => [-b, a, c + b * h, -e, d, f + e * h],
            2 => [-a, -b, c + a * w + b * h, -d, -e, f + d * w + e * h],
            3 => [b, -a, c + a * w, e, -d, f + d * w],
            _ => [a, b, c, d, e, f],
        };
        let point = |[x, y, none, east, north, up]: [f64; 6]| {
            let (x, y) = match quarters % 4 {
                1 => (h - y, x),
                2 => (w - x, h - y),
                3 => (y, w - x),
                _ => (x, y),
            };
            [x, y, none, east, north, up]
        };
        let control_points = self.control_points.iter().copied().map(point).collect();
        let rpc = self.rpc.clone().filter(|_| quarters.is_multiple_of(4));
        Self { transform: self.transform.map(transform), control_points, rpc, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage};

    use super::*;
    use crate::raster::test_images::numbered;

    /// Each pixel keeps its value and its ground location.
    #[test]
    fn pixels_keep_their_ground() {
        let ground = |image: &Raster, y: usize, x: usize| {
            let [a, b, c, d, e, f] = image.place().transform();
            let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
            (a * x + b * y + c, d * x + e * y + f)
        };
        let pixels = |image: &Raster| {
            let values = image.samples().to_f32();
            let mut all: Vec<_> =
                values.indexed_iter().map(|((_, y, x), value)| (*value, ground(image, y, x))).collect();
            all.sort_by(|one, other| one.0.total_cmp(&other.0));
            all
        };
        let hidden = ndarray::Array2::from_shape_fn((3, 5), |(y, x)| (y, x) != (0, 1));
        let upright = numbered().with_validity(&hidden).unwrap();
        for quarters in 0..5 {
            let turned = upright.clone().turned(quarters);
            assert_eq!((turned.height(), turned.width()), if quarters % 2 == 1 { (5, 3) } else { (3, 5) });
            for ((value, (x, y)), (other, (u, v))) in pixels(&turned).into_iter().zip(pixels(&upright)) {
                assert_eq!(value, other);
                // Sums of a few numbers below 10,000.
                assert!((x - u).abs() < 1e-9 && (y - v).abs() < 1e-9, "{quarters}: {x} {u} {y} {v}");
            }
            let gaps = turned.gaps();
            let gap =
                turned.samples().to_f32().indexed_iter().find(|(_, value)| **value == 2.0).map(|((_, y, x), _)| (y, x));
            assert!(gaps[gap.unwrap()] && gaps.iter().filter(|gap| **gap).count() == 1);
        }
        // Clockwise: the lower left pixel moves to the top.
        assert_eq!(upright.turned(1).samples().to_f32()[[0, 0, 0]], 21.0);
    }

    /// Matches how the `image` crate rotates its own pictures.
    #[test]
    fn every_orientation_is_that_of_another_implementation() {
        let pixels: Vec<u8> = (0..6).collect();
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut expected = DynamicImage::ImageLuma8(GrayImage::from_raw(3, 2, pixels.clone()).unwrap());
            expected.apply_orientation(orientation);
            let samples = Samples::U8(Array3::from_shape_vec((1, 2, 3), pixels.clone()).unwrap()).turned(orientation);
            let (height, width) = (expected.height() as usize, expected.width() as usize);
            assert_eq!(samples.shape(), (1, height, width), "{exif}");
            assert_eq!(samples.interleaved_bytes(), expected.into_bytes(), "{exif}");
        }
    }
}
