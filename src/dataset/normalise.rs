//! From the values of a chip to [-1, 1], and back.

use ndarray::{Array3, ArrayView3, Axis};

use crate::error::{Error, ErrorKind, Result};
use crate::raster::Raster;

/// Keeps a band of equal values from dividing by zero; arcgis.learn's value.
const EPSILON: f64 = 1e-5;

/// Min-max scaling of one domain, band by band, and its inverse.
///
/// Forward: `-1 + 2 * (x - min) / (max - min + 1e-5)`. Inverse: `(y + 1) / 2 * (max - min) + min`. These are
/// arcgis.learn's formulas. A band whose minimum equals its maximum becomes -1 throughout, and that value again.
///
/// A network has as many channels as the domain with more bands. The other domain repeats its last band up to that
/// number, and the inverse gives its own bands back.
///
/// ```
/// use geolearn::Normaliser;
/// use ndarray::Array3;
///
/// let normaliser = Normaliser::new(vec![0.0], vec![200.0], 3)?;
/// let tensor = normaliser.normalise(Array3::from_elem((1, 2, 2), 100.0).view())?;
/// assert_eq!(tensor.dim(), (3, 2, 2));
/// assert!(tensor.iter().all(|value| value.abs() < 1e-6));
/// let back = normaliser.denormalise(tensor.view())?;
/// assert_eq!(back.dim(), (1, 2, 2));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Normaliser {
    min: Vec<f64>,
    max: Vec<f64>,
    channels: usize,
}

impl Normaliser {
    /// Scaling for bands with these extremes, for networks with `channels` channels.
    ///
    /// ```
    /// use geolearn::{ErrorKind, Normaliser};
    ///
    /// let error = Normaliser::new(vec![0.0, 0.0], vec![255.0], 3).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when there is no band, when the lengths differ, when a value is not finite, when a
    /// minimum is above its maximum, or when there are fewer channels than bands.
    pub fn new(min: Vec<f64>, max: Vec<f64>, channels: usize) -> Result<Self> {
        let wrong = |what: &str| Error::new(ErrorKind::Usage, "these statistics cannot be used").expected(what);
        if min.is_empty() || min.len() != max.len() {
            return Err(wrong("as many minima as maxima, at least one").found(format!(
                "{} and {}",
                min.len(),
                max.len()
            )));
        }
        if let Some(band) = (0..min.len()).find(|&i| !(min[i] <= max[i] && (max[i] - min[i]).is_finite())) {
            let found = format!("minimum {} and maximum {} in band {}", min[band], max[band], band + 1);
            return Err(wrong("finite values, minimum not above maximum").found(found));
        }
        if channels < min.len() {
            return Err(wrong("at least as many channels as bands").found(format!("{channels} for {}", min.len())));
        }
        Ok(Self { min, max, channels })
    }

    /// Number of bands of the domain.
    pub fn bands(&self) -> usize {
        self.min.len()
    }

    /// Number of channels of the network, C.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Smallest value of each band.
    pub fn min(&self) -> &[f64] {
        &self.min
    }

    /// Largest value of each band.
    pub fn max(&self) -> &[f64] {
        &self.max
    }

    /// Scales a chip.
    ///
    /// # Shapes
    /// (bands, H, W) in the chip's own units to (C, H, W). Values between minimum and maximum come into [-1, 1];
    /// values beyond them come out beyond, they are not cut.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the number of bands differs.
    pub fn normalise(&self, chip: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        let scales = self.scales(chip.dim().0)?;
        let (_, height, width) = chip.dim();
        let mut out = Array3::zeros((self.channels, height, width));
        for (channel, mut plane) in out.outer_iter_mut().enumerate() {
            let band = channel.min(self.bands() - 1);
            plane.assign(&chip.index_axis(Axis(0), band));
            plane.mapv_inplace(|value| scales[band].forward(f64::from(value)) as f32);
        }
        Ok(out)
    }

    /// Scales an image; the same as [`Normaliser::normalise`] on its values.
    ///
    /// # Shapes
    /// (bands, H, W) to (C, H, W).
    ///
    /// ```
    /// use geolearn::{Normaliser, Raster};
    ///
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// let normaliser = Normaliser::new(vec![0.0; 3], vec![255.0; 3], 3)?;
    /// let tensor = normaliser.normalise_raster(&chip)?;
    /// assert_eq!(normaliser.to_raster(tensor.view())?, chip);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the number of bands differs.
    pub fn normalise_raster(&self, image: &Raster) -> Result<Array3<f32>> {
        let scales = self.scales(image.bands())?;
        let mut out = Array3::zeros((self.channels, image.height(), image.width()));
        for (channel, mut plane) in out.outer_iter_mut().enumerate() {
            let band = channel.min(self.bands() - 1);
            let table = scales[band].table();
            plane.zip_mut_with(&image.data().index_axis(Axis(0), band), |to, &value| *to = table[usize::from(value)]);
        }
        Ok(out)
    }

    /// Takes a network's output back to the domain's own units; nothing is rounded or cut.
    ///
    /// # Shapes
    /// (C, H, W) in [-1, 1] to (bands, H, W).
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the number of channels is not C.
    pub fn denormalise(&self, output: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.inverse(output, |value| value as f32)
    }

    /// Takes a network's output back to an 8-bit image: rounded to the nearest value, cut to 0 to 255.
    ///
    /// An image that went through [`Normaliser::normalise_raster`] comes back exactly.
    ///
    /// # Shapes
    /// (C, H, W) in [-1, 1] to (bands, H, W).
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the number of channels is not C.
    pub fn to_raster(&self, output: ArrayView3<'_, f32>) -> Result<Raster> {
        // The cast saturates, and takes what is not a number to 0.
        Raster::new(self.inverse(output, |value| value.round() as u8)?)
    }

    fn inverse<T: Clone + Default>(&self, output: ArrayView3<'_, f32>, finish: impl Fn(f64) -> T) -> Result<Array3<T>> {
        let (channels, height, width) = output.dim();
        if channels != self.channels {
            return Err(mismatch("channels", self.channels, channels));
        }
        let mut chip = Array3::from_elem((self.bands(), height, width), T::default());
        for (band, mut plane) in chip.outer_iter_mut().enumerate() {
            let (min, range) = (self.min[band], self.max[band] - self.min[band]);
            plane.zip_mut_with(&output.index_axis(Axis(0), band), |to, &y| {
                *to = finish((f64::from(y) + 1.0) / 2.0 * range + min)
            });
        }
        Ok(chip)
    }

    fn scales(&self, bands: usize) -> Result<Vec<Scale>> {
        if bands != self.bands() {
            return Err(mismatch("bands", self.bands(), bands));
        }
        Ok(self.min.iter().zip(&self.max).map(|(&min, &max)| Scale { min, range: max - min }).collect())
    }
}

fn mismatch(what: &str, expected: usize, found: usize) -> Error {
    Error::new(ErrorKind::Usage, format!("wrong number of {what}")).expected(expected).found(found)
}

struct Scale {
    min: f64,
    range: f64,
}

impl Scale {
    /// In f64, so that the only rounding is the last one.
    fn forward(&self, value: f64) -> f64 {
        if self.range == 0.0 {
            // A value other than the only known one would come out in the hundred thousands.
            return -1.0;
        }
        -1.0 + 2.0 * (value - self.min) / (self.range + EPSILON)
    }

    fn table(&self) -> [f32; 256] {
        std::array::from_fn(|value| self.forward(value as f64) as f32)
    }
}
