//! The scale and offset of a band, which convert stored samples to physical values.

use serde::{Deserialize, Serialize};

/// The conversion from samples of a band to physical values, as in GDAL: `scale * sample + offset`.
///
/// The default, a scale of 1 and an offset of 0, means that samples are physical values.
///
/// ```
/// use geolearn::raster::BandScale;
///
/// let reflectance = BandScale::new(0.0001, -0.1);
/// assert!((reflectance.value(6000.0) - 0.5).abs() < 1e-12);
/// assert_eq!(BandScale::default().value(7.0), 7.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BandScale {
    /// The factor by which samples are multiplied.
    pub scale: f64,
    /// The offset that is added to the product.
    pub offset: f64,
}

impl BandScale {
    /// Creates a scale and offset.
    pub fn new(scale: f64, offset: f64) -> Self {
        Self { scale, offset }
    }

    /// Returns the physical value of a sample.
    pub fn value(self, sample: f64) -> f64 {
        self.scale * sample + self.offset
    }

    /// Returns the sample for a physical value, not rounded.
    pub(crate) fn sample(self, value: f64) -> f64 {
        (value - self.offset) / self.scale
    }

    /// Returns whether samples can be computed from values: the scale must be finite and nonzero, and the offset
    /// finite.
    pub(crate) fn is_sound(self) -> bool {
        self.scale.is_finite() && self.scale != 0.0 && self.offset.is_finite()
    }
}

impl Default for BandScale {
    fn default() -> Self {
        Self { scale: 1.0, offset: 0.0 }
    }
}

/// Returns whether any scale differs from the default.
pub(crate) fn say_anything(scales: &[BandScale]) -> bool {
    scales.iter().any(|scale| *scale != BandScale::default())
}
