//! What a chip is like before a pixel is decoded.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::raster::{Dtype, Raster, RasterInfo};

/// Bands that are used, size and type of a chip.
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

    /// Of a file of which so many bands are used.
    pub fn stated(info: &RasterInfo, bands: usize) -> Self {
        Self { bands, dtype: info.dtype(), height: info.height(), width: info.width() }
    }

    pub fn size(self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The same at another height and width.
    pub fn sized(self, (height, width): (usize, usize)) -> Self {
        Self { height, width, ..self }
    }

    /// What cannot be made equal by cutting, padding or resizing.
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
