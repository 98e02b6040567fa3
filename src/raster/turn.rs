//! Samples turned and mirrored as EXIF says.

use image::metadata::Orientation;
use ndarray::{Array3, Axis};

use super::Samples;
use super::samples::with_array;

impl Samples {
    /// The samples of the upright image.
    pub(super) fn turned(self, orientation: Orientation) -> Self {
        match orientation {
            Orientation::NoTransforms => self,
            _ => with_array!(self, data => turned(data, orientation).into()),
        }
    }
}

/// Turns any values of pixels, (bands, height, width).
pub(super) fn turned<T: Clone>(mut data: Array3<T>, orientation: Orientation) -> Array3<T> {
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

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage};

    use super::*;

    /// As the `image` crate turns its own pictures.
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
