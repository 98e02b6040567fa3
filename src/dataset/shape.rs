//! The shape of a chip, known from its header.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::raster::{Dtype, Raster, RasterInfo};

/// The used bands, size, and data type of a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Shape {
    pub bands: usize,
    pub dtype: Dtype,
    pub height: usize,
    pub width: usize,
}

impl Shape {
    pub fn of(image: &Raster) -> Self {
        Self { bands: image.bands(), dtype: image.dtype(), height: image.height(), width: image.width() }
    }

    /// Returns the shape in a file's header if `bands` of its bands are used.
    pub fn stated(info: &RasterInfo, bands: usize) -> Self {
        Self { bands, dtype: info.dtype(), height: info.height(), width: info.width() }
    }

    pub fn size(self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// Returns the same shape with another height and width.
    pub fn sized(self, (height, width): (usize, usize)) -> Self {
        Self { height, width, ..self }
    }

    /// Returns what cropping, padding, or resizing cannot make equal.
    pub fn kind(self) -> (usize, Dtype) {
        (self.bands, self.dtype)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.bands == 1 { "" } else { "s" };
        write!(f, "{} x {} pixels with {} band{plural} of {}", self.width, self.height, self.bands, self.dtype)
    }
}
