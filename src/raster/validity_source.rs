//! What may say which pixels of a file have data.

/// What says which pixels of a file have data. A file may have several of these; the first in this order counts alone,
/// as in GDAL.
///
/// ```
/// use geolearn::raster::{RasterFile, ValiditySource};
///
/// let file = RasterFile::open("tests/fixtures/tiff/internal_mask.tif")?;
/// assert_eq!(file.info().validity_source(), ValiditySource::InternalMask);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValiditySource {
    /// A mask within the file.
    InternalMask,
    /// A mask in the file of the same name with `.msk` behind it.
    MaskFile,
    /// Colors that the file calls transparent, as a PNG may.
    TransparentColors,
    /// Opacity, in the band of this index (from 0). A pixel of opacity 0 has no data.
    AlphaBand(usize),
    /// The nodata value: a pixel has data where one of its bands has another value that is finite.
    Nodata,
    /// Nothing but the samples: those of floating-point numbers may be none.
    Samples,
}
