//! Data types of samples.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::pixel::Sample;
use super::samples::with_type;

/// The data type of samples in a file, with rasterio's names.
///
/// ```
/// use geolearn::raster::Dtype;
///
/// assert_eq!(Dtype::U16.name(), "uint16");
/// assert_eq!(Dtype::F64.bytes(), 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Dtype {
    /// `uint8`
    #[serde(rename = "uint8")]
    U8,
    /// `int8`
    #[serde(rename = "int8")]
    I8,
    /// `uint16`
    #[serde(rename = "uint16")]
    U16,
    /// `int16`
    #[serde(rename = "int16")]
    I16,
    /// `uint32`
    #[serde(rename = "uint32")]
    U32,
    /// `int32`
    #[serde(rename = "int32")]
    I32,
    /// `uint64`
    #[serde(rename = "uint64")]
    U64,
    /// `int64`
    #[serde(rename = "int64")]
    I64,
    /// `float32`, also used for half precision
    #[serde(rename = "float32")]
    F32,
    /// `float64`
    #[serde(rename = "float64")]
    F64,
}

impl Dtype {
    /// Returns the name in rasterio and NumPy.
    ///
    /// ```
    /// assert_eq!(geolearn::raster::Dtype::F32.to_string(), "float32");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Returns the size of one sample in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Returns whether samples are floating-point numbers, which may be NaN.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Returns whether a sample can represent this number, as required of a nodata value.
    pub(crate) fn can_mean(self, value: f64) -> bool {
        with_type!(self, T => T::meant_by(value).is_some())
    }

    /// Returns the nearest number that a sample can have; only single precision rounds.
    pub(super) fn stored(self, value: f64) -> f64 {
        let single = f64::from(value as f32);
        if self == Self::F32 && single.is_finite() { single } else { value }
    }

    /// Returns the nodata value for samples of this type: `wanted` if they can represent it, else NaN or 0.
    pub(crate) fn nodata_like(self, wanted: Option<f64>) -> f64 {
        let own = if self.is_float() { f64::NAN } else { 0.0 };
        wanted.filter(|&value| self.can_mean(value)).unwrap_or(own)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
