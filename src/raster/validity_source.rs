//! The possible sources of a file's validity mask.

/// What defines which pixels of a file have data. If a file has several of these, only the first in this order counts,
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
    /// A mask in a file of the same name with `.msk` appended.
    MaskFile,
    /// Colors that the file declares transparent, as in PNG.
    TransparentColors,
    /// Opacity, in the band of this index (from 0). A pixel of opacity 0 has no data.
    AlphaBand(usize),
    /// The nodata value: a pixel has data if one of its bands has another value that is finite.
    Nodata,
    /// Only the samples: floating-point samples that are not finite are nodata.
    Samples,
}
