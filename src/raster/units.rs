//! Scale and offset of a band: from stored samples to physical values.

use serde::{Deserialize, Serialize};

use super::Dtype;

/// How the samples of a band become physical values: `scale * sample + offset`, as GDAL has it.
///
/// The default, a scale of 1 and an offset of 0, says that samples are the values themselves.
///
/// ```
/// use geolearn::BandScale;
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

/// What must be done to samples before they mean what those of other images mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// Nothing: scales agree.
    None,
    /// Nothing, but scales differ: of images of one type one states no scales, and has most probably lost them.
    Doubtful,
    /// From one scale to the other, by way of values.
    Needed,
}

impl Conversion {
    /// From samples of one type and scales to those of another; without scales it is not known what is wanted.
    pub fn between((from, scales): (Dtype, &[BandScale]), (to, wanted): (Dtype, &[BandScale])) -> Self {
        if wanted.is_empty() && say_anything(scales) {
            return Self::Doubtful;
        }
        if scales == wanted || scales.len() != wanted.len() {
            return Self::None;
        }
        let states_both = say_anything(scales) && say_anything(wanted);
        if states_both || from != to { Self::Needed } else { Self::Doubtful }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [BandScale; 1] = [BandScale { scale: 1.0, offset: 0.0 }];

    #[test]
    fn scales_are_converted_where_that_is_what_they_say() {
        let (one, other) = ([BandScale::new(0.0001, -0.1)], [BandScale::new(0.001, 0.0)]);
        let between = |from, to| Conversion::between(from, to);
        assert_eq!(between((Dtype::U16, &one), (Dtype::I16, &one)), Conversion::None);
        assert_eq!(between((Dtype::U16, &one), (Dtype::U16, &other)), Conversion::Needed);
        assert_eq!(between((Dtype::F32, &PLAIN), (Dtype::U16, &one)), Conversion::Needed);
        assert_eq!(between((Dtype::U16, &PLAIN), (Dtype::U16, &one)), Conversion::Doubtful);
        assert_eq!(between((Dtype::U16, &one), (Dtype::F32, &[])), Conversion::Doubtful);
        assert_eq!(between((Dtype::U16, &PLAIN), (Dtype::F32, &[])), Conversion::None);
        assert_eq!(between((Dtype::U16, &one), (Dtype::U16, &PLAIN)), Conversion::Doubtful);
    }
}
