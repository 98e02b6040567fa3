//! Limits on the resources that reading a file may use.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Limits for reading one image, so that a damaged or malicious file cannot exhaust memory.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `max_pixels` | 268,435,456 (16,384 x 16,384) | width times height of the image | 1 and above |
/// | `max_file_bytes` | 1 GiB | size of a file that is read as a whole (PNG, JPEG, BMP) | 1 and above |
/// | `max_sample_bytes` | 2 GiB | memory of the decoded samples: bands times pixels times their size | 1 and above |
///
/// ```
/// use geolearn::raster::Limits;
///
/// let limits = Limits::default().max_pixels(1 << 30);
/// assert_eq!(limits, Limits::default().max_pixels(1 << 30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(super) max_pixels: u64,
    pub(super) max_file_bytes: u64,
    pub(super) max_sample_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 1 << 28, max_file_bytes: 1 << 30, max_sample_bytes: 1 << 31 }
    }
}

impl Limits {
    /// Sets the largest width times height, in pixels. Default: 2^28.
    ///
    /// ```
    /// let limits = geolearn::raster::Limits::default().max_pixels(4096 * 4096);
    /// ```
    pub fn max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets the largest file size, in bytes. Default: 2^30.
    ///
    /// ```
    /// let limits = geolearn::raster::Limits::default().max_file_bytes(16 << 20);
    /// ```
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// Sets the largest memory for decoded samples, in bytes. Default: 2^31.
    ///
    /// ```
    /// let limits = geolearn::raster::Limits::default().max_sample_bytes(512 << 20);
    /// ```
    pub fn max_sample_bytes(mut self, bytes: u64) -> Self {
        self.max_sample_bytes = bytes;
        self
    }

    /// Checks (bands, height, width) of `bytes` each against the limits, before anything is allocated.
    pub(crate) fn check_samples(&self, path: &Path, shape: (usize, usize, usize), bytes: usize) -> Result<()> {
        let (bands, height, width) = shape;
        let pixels = height as u64 * width as u64;
        let total = (bands as u64).checked_mul(bytes as u64).and_then(|bytes| pixels.checked_mul(bytes));
        let large = Error::new(ErrorKind::Limits, "image is too large").at(path);
        if pixels > self.max_pixels {
            return Err(large
                .expected(format!("at most {} pixels", self.max_pixels))
                .found(format!("{width} x {height}"))
                .help("Read it part by part, or allow more with Limits::max_pixels."));
        }
        if total.is_none_or(|total| total > self.max_sample_bytes) {
            return Err(large
                .expected(format!("at most {} bytes of samples", self.max_sample_bytes))
                .found(format!("{bands} bands of {width} x {height}, {bytes} bytes each"))
                .help("Read it part by part, or allow more with Limits::max_sample_bytes."));
        }
        Ok(())
    }
}
