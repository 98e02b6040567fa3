//! What a GeoTIFF to be written is like.

use crate::raster::{BandScale, Dtype, Place, RasterInfo};

/// How the blocks of a written file are compressed; all of them without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// zlib; every reader has it.
    #[default]
    Deflate,
    /// Faster than deflate and larger; every reader has it.
    Lzw,
    /// Faster than deflate and no larger; needs GDAL 3 or another recent reader.
    Zstd,
}

/// What is compressed together, and what a reader must decode to see one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blocks {
    /// Rectangles of `width` x `height` pixels; smaller where the image is.
    Tiles {
        /// Pixels, a multiple of 16.
        width: usize,
        /// Pixels, a multiple of 16.
        height: usize,
    },
    /// Whole rows.
    Strips {
        /// How many, at least 1.
        rows: usize,
    },
}

/// In which order samples are stored.
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
    /// Where it grows past 4 GiB.
    #[default]
    Auto,
    /// In any case.
    Always,
}

/// How the pixels of an overview come from the next larger image, 2 x 2 of them each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OverviewResampling {
    /// The mean of those that hold data, as integers rounded to the nearest (halves away from zero): for continuous
    /// values. What is nodata, not a finite number or masked does not count; a mean that happens to be nodata gives way
    /// to the value beside it.
    #[default]
    Average,
    /// The upper left one: for classes and other values between which there are none.
    Nearest,
}

/// What a GeoTIFF to be written is like; see [`RasterWriter`](crate::raster::RasterWriter).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `place` | none | transform, reference system, ground control points | |
/// | `nodata` | none | the value that stands for "no data" | one that samples can have; NaN too |
/// | `band_names` | none | description of each band | one a band at most, without NUL |
/// | `band_scales` | samples are values | scale and offset of each band | one a band at most, scales other than 0, finite |
/// | `compression` | `Deflate` | see [`Compression`] | |
/// | `blocks` | tiles of 256 x 256; 512 x 512 where `cloud_optimized` | see [`Blocks`] | sides of tiles: multiples of 16; 1 GiB a block at most |
/// | `interleave` | `Pixel` | see [`Interleave`] | |
/// | `big_tiff` | `Auto` | see [`BigTiff`] | |
/// | `cloud_optimized` | no | overviews, and all of the header in front; see [`OverviewResampling`] | tiles only |
///
/// Differences of neighboring samples are compressed rather than the samples (TIFF's predictor 2, for floats 3).
/// Three bands of `uint8` are marked as red, green and blue; other bands as gray with further ones of no said meaning.
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
    /// None: as the table says.
    pub(super) blocks: Option<Blocks>,
    pub(super) interleave: Interleave,
    pub(super) big_tiff: BigTiff,
    /// Of a Cloud Optimized GeoTIFF.
    pub(super) overviews: Option<OverviewResampling>,
}

impl RasterSpec {
    /// An image of this shape and type, with the defaults of the table. Checked by
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

    /// An image of the shape and type of one that was read, with its place, nodata, names and scales of
    /// bands. A nodata value that no sample can have, such as -9999 in bytes, is left out: it stands for nothing.
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

    /// (bands, height, width).
    pub fn shape(&self) -> (usize, usize, usize) {
        self.shape
    }

    /// The type of the samples.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Where the image lies. Default: nowhere.
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

    /// The value that stands for "no data", which samples must be able to have. Default: none.
    ///
    /// ```
    /// use geolearn::raster::{Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::F32).nodata(f64::NAN);
    /// ```
    pub fn nodata(self, value: f64) -> Self {
        Self { nodata: Some(value), ..self }
    }

    /// The names of the bands, first band first; an empty one is none. Default: none.
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

    /// How samples become physical values, first band first. Default: samples are the values.
    ///
    /// ```
    /// use geolearn::raster::{BandScale, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::U16).band_scales([BandScale::new(0.0001, -0.1)]);
    /// ```
    pub fn band_scales(self, scales: impl IntoIterator<Item = BandScale>) -> Self {
        Self { band_scales: scales.into_iter().collect(), ..self }
    }

    /// How blocks are compressed. Default: [`Compression::Deflate`].
    ///
    /// ```
    /// use geolearn::raster::{Compression, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::U8).compression(Compression::Lzw);
    /// ```
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }

    /// What is compressed together. Default: tiles of 256 x 256 pixels, or of 512 x 512 in a Cloud Optimized GeoTIFF.
    ///
    /// ```
    /// use geolearn::raster::{Blocks, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 5000, 5000, Dtype::U8).blocks(Blocks::Strips { rows: 16 });
    /// ```
    pub fn blocks(self, blocks: Blocks) -> Self {
        Self { blocks: Some(blocks), ..self }
    }

    /// In which order samples are stored. Default: [`Interleave::Pixel`].
    ///
    /// ```
    /// use geolearn::raster::{Dtype, Interleave, RasterSpec};
    ///
    /// let spec = RasterSpec::new(13, 5000, 5000, Dtype::U16).interleave(Interleave::Band);
    /// ```
    pub fn interleave(self, interleave: Interleave) -> Self {
        Self { interleave, ..self }
    }

    /// Whether the file has 64-bit offsets. Default: [`BigTiff::Auto`].
    ///
    /// ```
    /// use geolearn::raster::{BigTiff, Dtype, RasterSpec};
    ///
    /// let spec = RasterSpec::new(1, 64, 64, Dtype::U8).big_tiff(BigTiff::Always);
    /// ```
    pub fn big_tiff(self, big_tiff: BigTiff) -> Self {
        Self { big_tiff, ..self }
    }

    /// Makes the file a Cloud Optimized GeoTIFF: overviews by factors of 2 until one tile holds the image, the
    /// directories of all of them in front, and the smallest overview before the larger ones. It is gathered in a
    /// temporary file beside its place, which takes about as much of the disk again. Default: no.
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

    /// What is compressed together, asked for or by default.
    pub(super) fn blocks_or_default(&self) -> Blocks {
        let side = if self.overviews.is_some() { 512 } else { 256 };
        self.blocks.unwrap_or(Blocks::Tiles { width: side, height: side })
    }
}
