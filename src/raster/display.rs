//! Converts bands to colors.

use image::{Rgb, RgbImage};
use ndarray::ArrayView2;

use super::pixel::{Gap, Sample};
use super::samples::with_array;
use super::{Dtype, Raster};

/// Percentiles of the values that become black and white if samples are not 8-bit.
const DARKEST: f64 = 2.0;
const BRIGHTEST: f64 = 98.0;

/// Which bands are shown as red, green, and blue, and which of their values as black and white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Colors {
    /// Indices of bands.
    pub bands: [usize; 3],
    /// The values that become 0 and 255.
    pub ranges: [(f64, f64); 3],
}

/// Uses the first three bands, or the first one three times.
pub(crate) fn first_bands(bands: usize) -> [usize; 3] {
    if bands >= 3 { [0, 1, 2] } else { [0, 0, 0] }
}

impl Colors {
    /// Shows 8-bit samples as they are; stretches others from the 2nd to the 98th percentile of each band.
    pub fn of(image: &Raster) -> Self {
        let bands = first_bands(image.bands());
        let range = |band| match image.dtype() {
            Dtype::U8 => (0.0, 255.0),
            _ => {
                with_array!(image.samples(), data => middle(data.index_axis(ndarray::Axis(0), band), image.sample_nodata()))
            }
        };
        Self { bands, ranges: bands.map(range) }
    }

    /// Nodata pixels are black.
    pub fn paint(&self, image: &Raster) -> RgbImage {
        let mut picture = RgbImage::new(image.width() as u32, image.height() as u32);
        for (color, (&band, &range)) in self.bands.iter().zip(&self.ranges).enumerate() {
            with_array!(image.samples(), data => {
                paint(&mut picture, color, data.index_axis(ndarray::Axis(0), band), image.sample_nodata(), range);
            });
        }
        if let Some(gaps) = image.whole_gaps() {
            let empty = picture.pixels_mut().zip(&gaps).filter(|(_, gap)| **gap);
            empty.for_each(|(pixel, _)| *pixel = Rgb([0; 3]));
        }
        picture
    }
}

impl Raster {
    /// Converts the image to RGB: the first three bands, or the first band three times if there are fewer.
    ///
    /// 8-bit samples are shown as they are; other types are stretched from the 2nd (black) to the 98th percentile
    /// (white) of each band. Nodata pixels are black.
    ///
    /// ```
    /// use geolearn::Raster;
    /// use ndarray::Array3;
    ///
    /// let gray = Raster::new(Array3::<u8>::from_elem((1, 2, 3), 7))?;
    /// let rgb = gray.to_rgb_image();
    /// assert_eq!((rgb.width(), rgb.height(), rgb.get_pixel(0, 0).0), (3, 2, [7, 7, 7]));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn to_rgb_image(&self) -> RgbImage {
        Colors::of(self).paint(self)
    }
}

fn paint<T: Sample>(
    picture: &mut RgbImage,
    color: usize,
    band: ArrayView2<'_, T>,
    nodata: Option<f64>,
    (low, high): (f64, f64),
) {
    let gap = Gap::new(nodata);
    let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
    for (Rgb(pixel), &value) in picture.pixels_mut().zip(band) {
        pixel[color] = if gap.holds(value) { 0 } else { u8::nearest((value.to_f64() - low) * scale) };
    }
}

fn middle<T: Sample>(band: ArrayView2<'_, T>, nodata: Option<f64>) -> (f64, f64) {
    let gap = Gap::new(nodata);
    let known = band.iter().filter(|&&value| !gap.holds(value));
    let mut values: Vec<f64> = known.map(|value| value.to_f64()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let at = |percent: f64| {
        let place = values.len().saturating_sub(1) as f64 * percent / 100.0;
        values.get(place.round() as usize).copied().unwrap_or_default()
    };
    (at(DARKEST), at(BRIGHTEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn wide_samples_are_stretched_and_gaps_are_black() {
        let values = Array3::from_shape_fn((3, 10, 10), |(b, y, x)| (1000 * b + 10 * y + x) as u16);
        let image = Raster::new(values).unwrap().with_nodata(Some(50.0));
        let picture = image.to_rgb_image();
        // Of 100 values, 2 and 98 become black and white.
        assert_eq!(picture.get_pixel(1, 0).0, [0, 0, 0]);
        assert_eq!(picture.get_pixel(9, 9).0, [255, 255, 255]);
        assert_eq!(picture.get_pixel(0, 5).0, [0, 129, 129], "the value 50 is no data in the first band");
    }

    #[test]
    fn a_flat_band_is_black() {
        let image = Raster::new(Array3::from_elem((1, 2, 2), 7i16)).unwrap();
        assert!(image.to_rgb_image().iter().all(|&value| value == 0));
    }
}
