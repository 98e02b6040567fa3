//! Scales the values of chips to [-1, 1] and back.

use ndarray::{Array3, ArrayView2, ArrayView3, Axis};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Dtype, Gap, Raster, Sample, Samples, with_array, with_type};

/// The value of nodata pixels in tensors: the middle of the range, which carries the least information.
pub(super) const GAP: f32 = 0.0;
/// Far more than any sensor has; the limit for saved models.
pub(crate) const MOST_CHANNELS: usize = u16::MAX as usize;

/// Linear scaling of one domain to [-1, 1], band by band, and its inverse.
///
/// Forward: `-1 + 2 * (x - min) / (max - min)`. Inverse: `(y + 1) / 2 * (max - min) + min`. These are arcgis.learn's
/// formulas without the 1e-5 that it adds to the range, which would squeeze bands of a small range (such as a
/// backscatter of 0 to 0.01) and which its inverse does not undo. A band whose minimum equals its maximum becomes -1
/// everywhere, and the inverse restores its value.
///
/// Pixels without data (outside the mask, equal to the nodata value, or not finite) are 0 in the tensor, the middle of
/// the range. In 8-bit images of several bands, a pixel has no data only if all of its bands have the nodata value.
///
/// A network may have more channels than the domain has bands. The last band is then repeated, and the inverse returns
/// only the domain's own bands.
///
/// ```
/// use geolearn::dataset::Normalizer;
/// use ndarray::Array3;
///
/// let normalizer = Normalizer::new(vec![0.0], vec![200.0], 3)?;
/// let tensor = normalizer.normalize(Array3::from_elem((1, 2, 2), 100.0).view())?;
/// assert_eq!(tensor.dim(), (3, 2, 2));
/// assert!(tensor.iter().all(|value| value.abs() < 1e-6));
/// let back = normalizer.denormalize(tensor.view())?;
/// assert_eq!(back.dim(), (1, 2, 2));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Normalizer {
    min: Vec<f64>,
    max: Vec<f64>,
    channels: usize,
    values: Values,
}

/// Everything known about a domain's values besides their range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Values {
    /// The data type of the domain's images.
    pub dtype: Dtype,
    /// Their nodata value.
    pub nodata: Option<f64>,
    /// Whether values beyond the minimum and maximum are clipped.
    pub clip: bool,
}

impl Values {
    pub const BYTES: Self = Self { dtype: Dtype::U8, nodata: None, clip: false };
}

impl Normalizer {
    /// Creates the scaling that maps `min` to -1 and `max` to 1 in each band, for networks with `channels` channels.
    /// Images are 8-bit unless [`with_dtype`](Self::with_dtype) says otherwise.
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::dataset::Normalizer;
    ///
    /// let error = Normalizer::new(vec![0.0, 0.0], vec![255.0], 3).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if there are no bands, if the lengths differ, if a value is not finite, if a minimum is
    /// above its maximum, or if there are fewer channels than bands or more than 65,535.
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
        if !(min.len()..=MOST_CHANNELS).contains(&channels) {
            let range = format!("at least as many channels as bands, at most {MOST_CHANNELS}");
            return Err(wrong(&range).found(format!("{channels} for {}", min.len())));
        }
        Ok(Self { min, max, channels, values: Values::BYTES })
    }

    /// Returns the same scaling for a domain whose images have this data type.
    ///
    /// ```
    /// use geolearn::dataset::Normalizer;
    /// use geolearn::raster::Dtype;
    ///
    /// let normalizer = Normalizer::new(vec![0.0], vec![10_000.0], 1)?.with_dtype(Dtype::U16);
    /// let image = normalizer.to_raster(ndarray::Array3::from_elem((1, 2, 2), 0.5).view())?;
    /// assert_eq!(image.samples(), &ndarray::Array3::<u16>::from_elem((1, 2, 2), 7500).into());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_dtype(mut self, dtype: Dtype) -> Self {
        self.values.dtype = dtype;
        self
    }

    pub(crate) fn with_values(mut self, values: Values) -> Self {
        self.values = values;
        self
    }

    /// Returns the number of bands of the domain.
    pub fn bands(&self) -> usize {
        self.min.len()
    }

    /// Returns the number of channels of the tensors, C.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the value that becomes -1 in each band: by default its smallest value.
    pub fn min(&self) -> &[f64] {
        &self.min
    }

    /// Returns the value that becomes 1 in each band: by default its largest value.
    pub fn max(&self) -> &[f64] {
        &self.max
    }

    /// Returns the data type of the domain's images.
    pub fn dtype(&self) -> Dtype {
        self.values.dtype
    }

    pub(crate) fn values(&self) -> Values {
        self.values
    }

    /// Scales a chip.
    ///
    /// # Shapes
    /// (bands, H, W) in the chip's own units to (C, H, W). Values between the minimum and maximum are mapped to [-1,
    /// 1]; values beyond them are mapped outside it, unless the normalization clips them.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the number of bands differs.
    pub fn normalize(&self, chip: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.forward(chip, None, GAP)
    }

    /// Scales an image; equivalent to [`Normalizer::normalize`] on its values.
    ///
    /// # Shapes
    /// (bands, H, W) to (C, H, W).
    ///
    /// ```
    /// use geolearn::Raster;
    /// use geolearn::dataset::Normalizer;
    ///
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// let normalizer = Normalizer::new(vec![0.0; 3], vec![255.0; 3], 3)?;
    /// let tensor = normalizer.normalize_raster(&chip)?;
    /// assert_eq!(normalizer.to_raster(tensor.view())?, chip);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the number of bands differs.
    pub fn normalize_raster(&self, image: &Raster) -> Result<Array3<f32>> {
        self.scaled(image, GAP)
    }

    /// Does the same with NaN for nodata, for callers that must distinguish it from the middle of the range.
    pub(super) fn normalize_with_gaps(&self, image: &Raster) -> Result<Array3<f32>> {
        self.scaled(image, f32::NAN)
    }

    fn scaled(&self, image: &Raster, empty: f32) -> Result<Array3<f32>> {
        let nodata = image.sample_nodata();
        let mut scaled = match image.samples() {
            Samples::U8(data) => self.forward_bytes(data.view(), nodata, empty)?,
            samples => with_array!(samples, data => self.forward(data.view(), nodata, empty)?),
        };
        if let Some(gaps) = image.whole_gaps() {
            let emptied = |value: &mut f32, gap: &bool| *value = if *gap { empty } else { *value };
            scaled.outer_iter_mut().for_each(|mut channel| channel.zip_mut_with(&gaps, emptied));
        }
        Ok(scaled)
    }

    /// Converts a network's output back to the domain's own units. Values are not rounded or clipped except to single
    /// precision, whose 24 bits represent only five values from 10^9 to 10^9 + 255. [`to_raster`](Self::to_raster)
    /// returns the domain's own data type.
    ///
    /// # Shapes
    /// (C, H, W) in [-1, 1] to (bands, H, W).
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the number of channels is not C.
    pub fn denormalize(&self, output: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
        self.inverse(output, |value| value as f32)
    }

    /// Converts a network's output back to an image of the domain's own data type: integers are rounded to the nearest
    /// value and clipped to the range of the type.
    ///
    /// An image of at most 16 bits per sample that was scaled by [`Normalizer::normalize_raster`] is restored exactly,
    /// unless values were clipped.
    ///
    /// # Shapes
    /// (C, H, W) in [-1, 1] to (bands, H, W).
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the number of channels is not C.
    pub fn to_raster(&self, output: ArrayView3<'_, f32>) -> Result<Raster> {
        with_type!(self.values.dtype, T => Raster::new(self.inverse(output, T::nearest)?))
    }

    fn forward<T: Sample>(&self, chip: ArrayView3<'_, T>, nodata: Option<f64>, empty: f32) -> Result<Array3<f32>> {
        let gap = Gap::new(nodata);
        self.by_band(chip, |scale, from, to| {
            let from = from.as_standard_layout();
            let from = from.as_slice().unwrap_or_default();
            to.iter_mut().zip(from).for_each(|(to, &value)| *to = scale.forward(value, gap, empty));
        })
    }

    /// Looking values up in a table of all 256 costs less than computing each pixel.
    fn forward_bytes(&self, chip: ArrayView3<'_, u8>, nodata: Option<f64>, empty: f32) -> Result<Array3<f32>> {
        let gap = Gap::new(nodata);
        self.by_band(chip, |scale, from, to| {
            let table: [f32; 256] = std::array::from_fn(|value| scale.forward(value as u8, gap, empty));
            let from = from.as_standard_layout();
            let from = from.as_slice().unwrap_or_default();
            to.iter_mut().zip(from).for_each(|(to, &value)| *to = table[usize::from(value)]);
        })
    }

    fn by_band<T: Sample>(
        &self,
        chip: ArrayView3<'_, T>,
        scale_band: impl Fn(Scale, ArrayView2<'_, T>, &mut [f32]),
    ) -> Result<Array3<f32>> {
        let (bands, height, width) = chip.dim();
        if bands != self.bands() {
            return Err(mismatch("bands", self.bands(), bands));
        }
        let mut out = zeros(self.channels.saturating_mul(height).saturating_mul(width))?;
        for (band, to) in out.chunks_exact_mut((height * width).max(1)).take(bands).enumerate() {
            scale_band(self.scale(band), chip.index_axis(Axis(0), band), to);
        }
        for channel in bands..self.channels {
            let last = (bands - 1) * height * width;
            out.copy_within(last..last + height * width, channel * height * width);
        }
        Array3::from_shape_vec((self.channels, height, width), out)
            .map_err(|e| Error::new(ErrorKind::Usage, "chip has no shape").because(e))
    }

    fn inverse<T: Copy>(&self, output: ArrayView3<'_, f32>, finish: impl Fn(f64) -> T) -> Result<Array3<T>> {
        let (channels, height, width) = output.dim();
        if channels != self.channels {
            return Err(mismatch("channels", self.channels, channels));
        }
        let mut chip = Vec::with_capacity(self.bands() * height * width);
        for band in 0..self.bands() {
            let scale = self.scale(band);
            chip.extend(output.index_axis(Axis(0), band).iter().map(|&y| finish(scale.inverse(y))));
        }
        Array3::from_shape_vec((self.bands(), height, width), chip)
            .map_err(|e| Error::new(ErrorKind::Usage, "output has no shape").because(e))
    }

    fn scale(&self, band: usize) -> Scale {
        let (min, range) = (self.min[band], self.max[band] - self.min[band]);
        Scale { min, range, clip: self.values.clip }
    }
}

/// Returns an error if memory is insufficient.
fn zeros(count: usize) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|e| {
        Error::new(ErrorKind::Limits, "there is not enough memory for a tensor")
            .found(format!("{count} values"))
            .because(e)
    })?;
    values.resize(count, 0.0);
    Ok(values)
}

fn mismatch(what: &str, expected: usize, found: usize) -> Error {
    Error::new(ErrorKind::Usage, format!("wrong number of {what}")).expected(expected).found(found)
}

#[derive(Clone, Copy)]
struct Scale {
    min: f64,
    range: f64,
    clip: bool,
}

impl Scale {
    /// Computes in f64, so that only the final conversion rounds.
    fn forward<T: Sample>(self, value: T, gap: Gap<T>, empty: f32) -> f32 {
        if gap.holds(value) {
            return empty;
        }
        // A value other than the only known one cannot be placed in an empty range.
        let scaled = if self.range == 0.0 { -1.0 } else { -1.0 + 2.0 * (value.to_f64() - self.min) / self.range };
        (if self.clip { scaled.clamp(-1.0, 1.0) } else { scaled }) as f32
    }

    fn inverse(self, scaled: f32) -> f64 {
        (f64::from(scaled) + 1.0) / 2.0 * self.range + self.min
    }
}
