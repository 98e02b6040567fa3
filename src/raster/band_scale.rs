//! Scale and offset of a band: from stored samples to physical values.

use serde::{Deserialize, Serialize};

/// How the samples of a band become physical values: `scale * sample + offset`, as GDAL has it.
///
/// The default, a scale of 1 and an offset of 0, says that samples are the values themselves.
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
    /// What a sample is multiplied by.
    pub scale: f64,
    /// What is added then.
    pub offset: f64,
}

impl BandScale {
    /// A scale and an offset.
    pub fn new(scale: f64, offset: f64) -> Self {
        Self { scale, offset }
    }

    /// The physical value of a sample.
    pub fn value(self, sample: f64) -> f64 {
        self.scale * sample + self.offset
    }

    /// The sample of a physical value, not rounded.
    pub(crate) fn sample(self, value: f64) -> f64 {
        (value - self.offset) / self.scale
    }

    /// Whether samples can be computed from values: a scale that is neither 0 nor infinite, and a finite offset.
    pub(crate) fn is_sound(self) -> bool {
        self.scale.is_finite() && self.scale != 0.0 && self.offset.is_finite()
    }
}

impl Default for BandScale {
    fn default() -> Self {
        Self { scale: 1.0, offset: 0.0 }
    }
}

/// Whether any of these says more than that samples are values.
pub(crate) fn say_anything(scales: &[BandScale]) -> bool {
    scales.iter().any(|scale| *scale != BandScale::default())
}
