//! The specification of a GeoTIFF to write.

use crate::raster::{BandScale, Dtype, Place, RasterInfo};

/// The lossless compression of the blocks of a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compression {
    /// No compression.
    None,
    /// zlib; supported by every reader.
    #[default]
    Deflate,
    /// Faster than deflate but larger; supported by every reader.
    Lzw,
    /// Faster than deflate and no larger; needs GDAL 3 or another recent reader.
    Zstd,
}

/// The blocks that are compressed separately; a reader must decode a whole block to see one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blocks {
    /// Rectangles of `width` x `height` pixels; smaller if the image is.
    Tiles {
        /// Width in pixels, a multiple of 16.
        width: usize,
        /// Height in pixels, a multiple of 16.
        height: usize,
    },
    /// Whole rows.
    Strips {
        /// Number of rows, at least 1.
        rows: usize,
    },
}

/// The order in which samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Interleave {
    /// All bands of a pixel together.
    #[default]
    Pixel,
    /// All pixels of a band together.
    Band,
}

/// Whether a file has 64-bit offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BigTiff {
    /// If it grows past 4 GiB.
    #[default]
    Auto,
    /// Always.
    Always,
}

/// How the pixels of an overview are computed, each from 2 x 2 pixels of the next larger image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OverviewResampling {
    /// The mean of the pixels that have data, with integers rounded to the nearest (halves away from zero), for
    /// continuous values. Samples that are nodata, not finite, or masked do not count; a mean that happens to be the
    /// nodata value is replaced by the next value.
    #[default]
    Average,
    /// The upper left pixel, for classes and other values that cannot be averaged.
    Nearest,
}

/// The specification of a GeoTIFF to write; see [`RasterWriter`](crate::raster::RasterWriter).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `place` | none | georeference: transform, coordinate reference system, ground control points | |
/// | `nodata` | none | the nodata value | one that samples can have; NaN too |
/// | `band_names` | none | description of each band | at most one per band, without NUL |
/// | `band_scales` | samples are values | scale and offset of each band | at most one per band, finite, scales other than 0 |
/// | `compression` | `Deflate` | see [`Compression`] | |
/// | `blocks` | tiles of 256 x 256; 512 x 512 if `cloud_optimized` | see [`Blocks`] | sides of tiles: multiples of 16; at most 1 GiB per block |
/// | `interleave` | `Pixel` | see [`Interleave`] | |
/// | `big_tiff` | `Auto` | see [`BigTiff`] | |
/// | `cloud_optimized` | no | adds overviews, and puts the whole header first; see [`OverviewResampling`] | tiles only |
///
/// Differences between neighboring samples are compressed instead of the samples (TIFF's predictor 2; 3 for floats).
/// Three bands of `uint8` are marked as red, green, and blue; other bands as gray with extra bands of unspecified
/// meaning.
///
/// ```
/// use geolearn::raster::{Compression, Dtype, Place, RasterSpec};
///
/// let spec = RasterSpec::new(4, 1000, 2000, Dtype::U16)
///     .place(Place::new([10.0, 0.0, 399960.0, 0.0, -10.0, 5300040.0]).with_epsg(32633)?)
///     .nodata(0.0)
///     .band_names(["red", "green", "blue", "near infrared"])
///     .compression(Compression::Zstd);
/// assert_eq!(spec.shape(), (4, 1000, 2000));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct RasterSpec {
    pub(super) shape: (usize, usize, usize),
    pub(super) dtype: Dtype,
    pub(super) place: Place,
    pub(super) nodata: Option<f64>,
    pub(super) band_names: Vec<Option<String>>,
    pub(super) band_scales: Vec<BandScale>,
    pub(super) compression: Compression,
    /// `None` for the default in the table.
    pub(super) blocks: Option<Blocks>,
    pub(super) interleave: Interleave,
    pub(super) big_tiff: BigTiff,
    /// For a Cloud Optimized GeoTIFF.
    pub(super) overviews: Option<OverviewResampling>,
}

impl RasterSpec {
    /// Creates a specification for an image of this shape and type, with the defaults in the table. It is checked by
    /// [`RasterWriter::create`](crate::raster::RasterWriter::create).
    pub fn new(bands: usize, height: usize, width: usize, dtype: Dtype) -> Self {
        Self {
            shape: (bands, height, width),
            dtype,
            place: Place::default(),
            nodata: None,
            band_names: Vec::new(),
            band_scales: Vec::new(),
            compression: Compression::default(),
            blocks: None,
            interleave: Interleave::default(),
            big_tiff: BigTiff::default(),
            overviews: None,
        }
    }

    /// Creates a specification for an image like an existing one, with its shape, type, georeference, nodata value, and
    /// the names and scales of bands. A nodata value that no sample can have, such as -9999 in `uint8`, is dropped
    /// because it has no effect.
    ///
    /// ```
    /// use geolearn::raster::{RasterFile, RasterSpec};
    ///
    /// let file = RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(RasterSpec::like(file.info()).shape(), (3, 64, 64));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn like(info: &RasterInfo) -> Self {
        Self {
            place: info.place().clone(),
            nodata: info.nodata().filter(|&value| info.dtype().can_mean(value)),
            band_names: info.band_names().to_vec(),
            band_scales: info.band_scales().to_vec(),
            ..Self::new(info.bands(), info.height(), info.width(), info.dtype())
        }
    }

    /// Returns (bands, height, width).
    pub fn shape(&self) -> (usize, usize, usize) {
        self.shape
    }

    /// Returns the data type of the samples.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Sets the georeference. Default: none.
    ///
    /// ```
    /// use geolearn::raster::{Dtype, Place, RasterSpec};
    ///
    /// let place = Place::new([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0]);
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::F32).place(place.shifted(0, 64));
    /// ```
    pub fn place(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Sets the nodata value, which samples must be able to have. Default: none.
    ///
    /// ```
    /// use geolearn::raster::{Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::F32).nodata(f64::NAN);
    /// ```
    pub fn nodata(self, value: f64) -> Self {
        Self { nodata: Some(value), ..self }
    }

    /// Sets the names of the bands, first band first; an empty name means none. Default: none.
    ///
    /// ```
    /// use geolearn::raster::{Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(3, 64, 64, Dtype::U8).band_names(["red", "", "blue"]);
    /// ```
    pub fn band_names<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let named = |name: S| Some(name.into()).filter(|name| !name.is_empty());
        Self { band_names: names.into_iter().map(named).collect(), ..self }
    }

    /// Sets the conversion from samples to physical values, first band first. Default: samples are physical values.
    ///
    /// ```
    /// use geolearn::raster::{BandScale, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::U16).band_scales([BandScale::new(0.0001, -0.1)]);
    /// ```
    pub fn band_scales(self, scales: impl IntoIterator<Item = BandScale>) -> Self {
        Self { band_scales: scales.into_iter().collect(), ..self }
    }

    /// Sets the compression of blocks. Default: [`Compression::Deflate`].
    ///
    /// ```
    /// use geolearn::raster::{Compression, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::U8).compression(Compression::Lzw);
    /// ```
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }

    /// Sets the blocks. Default: tiles of 256 x 256 pixels, or of 512 x 512 in a Cloud Optimized GeoTIFF.
    ///
    /// ```
    /// use geolearn::raster::{Blocks, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 5000, 5000, Dtype::U8).blocks(Blocks::Strips { rows: 16 });
    /// ```
    pub fn blocks(self, blocks: Blocks) -> Self {
        Self { blocks: Some(blocks), ..self }
    }

    /// Sets the order in which samples are stored. Default: [`Interleave::Pixel`].
    ///
    /// ```
    /// use geolearn::raster::{Dtype, Interleave, RasterSpec};
    ///
    /// let spec = RasterSpec::new(13, 5000, 5000, Dtype::U16).interleave(Interleave::Band);
    /// ```
    pub fn interleave(self, interleave: Interleave) -> Self {
        Self { interleave, ..self }
    }

    /// Sets whether the file has 64-bit offsets. Default: [`BigTiff::Auto`].
    ///
    /// ```
    /// use geolearn::raster::{BigTiff, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::U8).big_tiff(BigTiff::Always);
    /// ```
    pub fn big_tiff(self, big_tiff: BigTiff) -> Self {
        Self { big_tiff, ..self }
    }

    /// Makes the file a Cloud Optimized GeoTIFF: with overviews by factors of 2 until one tile holds the image, all
    /// directories at the beginning, and the smallest overview before the larger ones. It is assembled from a temporary
    /// file next to it, which takes about the same disk space again. Default: no.
    ///
    /// ```
    /// use geolearn::raster::{Compression, Dtype, OverviewResampling, RasterSpec};
    ///
    /// let heights = RasterSpec::new(1, 5000, 5000, Dtype::F32).cloud_optimized(OverviewResampling::Average);
    /// let classes = RasterSpec::new(1, 5000, 5000, Dtype::U8).cloud_optimized(OverviewResampling::Nearest);
    /// ```
    pub fn cloud_optimized(self, overviews: OverviewResampling) -> Self {
        Self { overviews: Some(overviews), ..self }
    }

    /// Returns the blocks, as set or by default.
    pub(super) fn blocks_or_default(&self) -> Blocks {
        let side = if self.overviews.is_some() { 512 } else { 256 };
        self.blocks.unwrap_or(Blocks::Tiles { width: side, height: side })
    }
}
