//! A baseline that every model must beat: one flat color for every image.

use ndarray::{Array3, ArrayView3, Axis};

use super::Mean;
use super::bands::check_bands;
use crate::error::{Error, ErrorKind, Result};

/// The mean color of a set of images.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MeanColor {
    bands: Vec<Mean>,
}

impl MeanColor {
    pub fn new(bands: usize) -> Self {
        Self { bands: vec![Mean::default(); bands] }
    }

    /// Adds the samples of an image (C, H, W) of any size, ignoring those that are not finite.
    ///
    /// # Errors
    /// `Usage` if the image has another number of bands.
    pub fn add(&mut self, image: ArrayView3<'_, f32>) -> Result<()> {
        check_bands(image, self.bands.len())?;
        for (mean, band) in self.bands.iter_mut().zip(image.outer_iter()) {
            *mean += band.iter().filter(|value| value.is_finite()).map(|&value| f64::from(value)).collect();
        }
        Ok(())
    }

    /// Returns an image of this color with the size of `source`, which may have other bands. As in a model's
    /// translation, a pixel is NaN if the source has no data in any band.
    ///
    /// # Shapes
    /// (any, H, W) to (C, H, W).
    ///
    /// # Errors
    /// `Usage` if a band of the set has no data.
    pub fn translate(&self, source: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let (_, height, width) = source.dim();
        let mut made = Array3::from_elem((self.bands.len(), height, width), f32::NAN);
        for (number, (mut band, mean)) in made.axis_iter_mut(Axis(0)).zip(&self.bands).enumerate() {
            let color = mean.value().ok_or_else(|| no_color(number + 1))? as f32;
            let pixels = source.lanes(Axis(0));
            band.iter_mut()
                .zip(pixels)
                .filter(|(_, pixel)| pixel.iter().any(|value| value.is_finite()))
                .for_each(|(sample, _)| *sample = color);
        }
        Ok(made)
    }
}

fn no_color(band: usize) -> Error {
    Error::new(ErrorKind::Usage, "images have no mean color")
        .expected("data in each band")
        .found(format!("none in band {band}"))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn color_is_the_mean_of_samples_with_data() {
        let mut color = MeanColor::new(2);
        color.add(array![[[1.0, 2.0]], [[f32::NAN, 10.0]]].view()).unwrap();
        color.add(array![[[6.0]], [[20.0]]].view()).unwrap();
        let source = array![[[f32::NAN, f32::NAN]], [[f32::NAN, 1.0]], [[f32::NAN, 2.0]]];
        let made = color.translate(source.view()).unwrap();
        assert_eq!(made.slice(ndarray::s![.., 0, 1]).to_vec(), [3.0, 15.0]);
        assert!(made.slice(ndarray::s![.., 0, 0]).iter().all(|value| value.is_nan()));
    }

    #[test]
    fn other_bands_and_sets_without_data_are_refused() {
        let error = MeanColor::new(2).add(array![[[1.0]]].view()).unwrap_err().to_string();
        assert!(error.contains("expected 2, found 1"), "{error}");
        let error = MeanColor::new(1).translate(array![[[1.0]]].view()).unwrap_err().to_string();
        assert!(error.contains("none in band 1"), "{error}");
    }
}
