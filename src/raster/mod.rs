//! Pixels in memory and on disk, without torch.

mod bmp;
mod bmp_indexed;
mod budget;
mod bytes;
mod convert;
mod display;
mod dtype;
mod epsg;
mod file;
mod format;
mod gaps;
mod geo_keys;
mod ijg;
mod info;
mod jpeg;
mod limits;
mod number;
mod origin;
mod palette;
mod pam;
mod picture;
mod place;
mod png;
mod read;
mod resize;
mod rpc;
mod sample;
mod samples;
mod scaled;
mod source;
mod tiff;
mod triangle;
mod turn;
mod units;
mod whole_gaps;
mod window;
mod wkt;
mod world;
mod write;

use std::path::Path;

use image::RgbImage;

use crate::error::{Error, ErrorKind, Result};

pub(crate) use budget::Turn;
pub(crate) use display::{Colours, first_bands};
pub use dtype::Dtype;
pub use file::RasterFile;
pub use format::RasterFormat;
pub use info::RasterInfo;
pub use limits::Limits;
pub(crate) use pam::path_of as metadata_file_of;
pub use place::{Crs, Place};
pub(crate) use read::{chip_info, read_chip};
pub(crate) use resize::MAX_SIDE;
pub(crate) use sample::{Gap, Sample};
pub use samples::Samples;
pub(crate) use samples::{with_array, with_type};
pub(crate) use source::Source;
pub(crate) use tiff::BlockWriter;
pub use tiff::{BigTiff, Blocks, Compression, Interleave, OverviewResampling, RasterSpec, RasterWriter};
pub use units::BandScale;
pub(crate) use units::{Conversion, say_anything};
pub(crate) use window::Window;

/// Where files may stand beside an image that say something about it: metadata, and where it lies.
pub(crate) fn files_beside(image: &std::path::Path) -> Vec<std::path::PathBuf> {
    std::iter::once(metadata_file_of(image)).chain(world::names(image)).collect()
}

/// An image in memory: samples in (bands, height, width), with what a file says besides.
///
/// # Shapes
/// `samples()` are (bands, height, width); no side is 0. Values are in the file's own type and scale.
///
/// ```
/// use geolearn::{Dtype, Raster};
///
/// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
/// assert_eq!((chip.bands(), chip.height(), chip.width()), (3, 64, 64));
/// assert_eq!(chip.dtype(), Dtype::U8);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Raster {
    samples: Samples,
    place: Place,
    nodata: Option<f64>,
    band_names: Vec<Option<String>>,
    /// One a band.
    band_scales: Vec<BandScale>,
}

impl Raster {
    /// An image from an array in (bands, height, width), of any type that [`Dtype`] names.
    ///
    /// ```
    /// use geolearn::{Dtype, Raster};
    /// use ndarray::Array3;
    ///
    /// let grey = Raster::new(Array3::<u16>::zeros((1, 4, 6)))?;
    /// assert_eq!((grey.bands(), grey.height(), grey.width()), (1, 4, 6));
    /// assert_eq!(grey.dtype(), Dtype::U16);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when a side is 0.
    pub fn new(samples: impl Into<Samples>) -> Result<Self> {
        let samples = samples.into();
        let (bands, height, width) = samples.shape();
        if bands == 0 || height == 0 || width == 0 {
            return Err(Error::new(ErrorKind::Usage, "an image needs pixels")
                .expected("(bands, height, width), each at least 1")
                .found(format!("{:?}", samples.shape())));
        }
        Ok(Self::plain(samples))
    }

    /// Without place, nodata, names or scales; the caller has seen to it that there are pixels.
    fn plain(samples: Samples) -> Self {
        let (bands, ..) = samples.shape();
        let band_scales = vec![BandScale::default(); bands];
        Self { samples, place: Place::default(), nodata: None, band_names: vec![None; bands], band_scales }
    }

    /// Samples with all else that a header says; the caller has seen to it that they fit.
    fn described(samples: Samples, info: &RasterInfo) -> Self {
        Self {
            samples,
            place: info.place().clone(),
            nodata: info.nodata(),
            band_names: info.band_names().to_vec(),
            band_scales: info.band_scales().to_vec(),
        }
    }

    /// Reads an image file within the default [`Limits`].
    ///
    /// The format (TIFF, PNG, JPEG, BMP) is told by the content, not by the name. Samples keep their type, from 8-bit
    /// integers to 64-bit floats; half precision becomes `float32`. A palette becomes colours.
    ///
    /// Of a PNG, JPEG or BMP, grey gives one band, colour three; EXIF orientation is applied, and an alpha band is
    /// left out, with a warning when it hides something. Of a TIFF all bands are kept, for GDAL marks the fourth of
    /// four bytes as alpha even when it is near infrared.
    ///
    /// ```
    /// use geolearn::{ErrorKind, Raster};
    ///
    /// let error = Raster::open("assets/bluemarble/README.md").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Format);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the file cannot be read, [`ErrorKind::Format`] when it is no image or is truncated
    /// or damaged, [`ErrorKind::Unsupported`] for a feature that this crate does not read, with its name,
    /// [`ErrorKind::Limits`] when it is larger than the limits allow.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_within(path, &Limits::default())
    }

    /// Reads an image file within the given limits; see [`Raster::open`].
    ///
    /// ```
    /// use geolearn::{ErrorKind, Limits, Raster};
    ///
    /// let small = Limits::default().max_pixels(1000);
    /// let error = Raster::open_within("assets/bluemarble/A/images/y0300_x0900.png", &small).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Limits);
    /// ```
    ///
    /// # Errors
    /// As [`Raster::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        read::read(path.as_ref(), limits)
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.samples.shape().0
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.samples.shape().1
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.samples.shape().2
    }

    /// The type of the samples.
    pub fn dtype(&self) -> Dtype {
        self.samples.dtype()
    }

    /// The samples in (bands, height, width).
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The samples in (bands, height, width), without a copy.
    pub fn into_samples(self) -> Samples {
        self.samples
    }

    /// Where the image lies, as far as its file says.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The value that stands for "no data". In floating-point images what is not a number does so too.
    pub fn nodata(&self) -> Option<f64> {
        self.nodata
    }

    /// The name of each band, where it has one.
    pub fn band_names(&self) -> &[Option<String>] {
        &self.band_names
    }

    /// How the samples of each band become physical values. They are kept beside the samples, which stay as stored.
    pub fn band_scales(&self) -> &[BandScale] {
        &self.band_scales
    }

    /// The same image at another place.
    ///
    /// ```
    /// # use geolearn::{Place, Raster};
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<u8>::zeros((1, 4, 6)))?.with_place(Place::default());
    /// assert!(!image.place().has_transform());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The same samples, of which those of this value stand for "no data"; `None` for none.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<i16>::zeros((1, 4, 6)))?.with_nodata(-9999.0);
    /// assert_eq!(image.nodata(), Some(-9999.0));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_nodata(mut self, value: impl Into<Option<f64>>) -> Self {
        self.nodata = value.into();
        self
    }

    /// The same image with names for its bands; those beyond the list have none.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<u8>::zeros((2, 4, 6)))?.with_band_names(["red", "near infrared"]);
    /// assert_eq!(image.band_names()[1].as_deref(), Some("near infrared"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_band_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(|name| Some(name.into()));
        self.band_names = names.chain(std::iter::repeat(None)).take(self.bands()).collect();
        self
    }

    /// The same with a name or none for each band.
    pub(crate) fn with_optional_names(mut self, mut names: Vec<Option<String>>) -> Self {
        names.resize(self.bands(), None);
        self.band_names = names;
        self
    }

    /// The same samples with other scales and offsets of its bands; those beyond the list have none. Samples stay as
    /// they are.
    ///
    /// ```
    /// # use geolearn::{BandScale, Raster};
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<i16>::zeros((1, 4, 6)))?.with_band_scales([BandScale::new(0.001, 0.5)]);
    /// assert_eq!(image.band_scales()[0].value(500.0), 1.0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_band_scales(mut self, scales: impl IntoIterator<Item = BandScale>) -> Self {
        self.band_scales =
            scales.into_iter().chain(std::iter::repeat(BandScale::default())).take(self.bands()).collect();
        self
    }

    /// Bands of these indices (from 0), in this order; the caller has seen to it that they exist.
    pub(crate) fn select(self, bands: &[usize]) -> Self {
        let samples = self.samples.select(bands);
        let band_names = bands.iter().map(|&band| self.band_names.get(band).cloned().flatten()).collect();
        let scale = |&band: &usize| self.band_scales.get(band).copied().unwrap_or_default();
        let band_scales = bands.iter().map(scale).collect();
        Self { samples, band_names, band_scales, ..self }
    }

    /// The part that begins at (`row`, `column`); the caller has seen to it that it lies within.
    pub(crate) fn crop(self, row: usize, column: usize, height: usize, width: usize) -> Self {
        if (row, column, height, width) == (0, 0, self.height(), self.width()) {
            return self;
        }
        self.part(row, column, height, width)
    }

    /// A copy of the part that begins at (`row`, `column`); the caller has seen to it that it lies within.
    pub(crate) fn part(&self, row: usize, column: usize, height: usize, width: usize) -> Self {
        let part = self.replaced(self.samples.crop(row, column, height, width));
        Self { place: self.place.shifted(row, column), ..part }
    }

    /// Pixels of these rows and columns, in any order and as often as they are named; the caller has seen to it that
    /// they exist.
    pub(crate) fn gathered(&self, rows: &[usize], columns: &[usize]) -> Self {
        self.replaced(self.samples.gathered(rows, columns))
    }

    /// Other samples in the same place, with the same nodata value, names and scales.
    pub(crate) fn replaced(&self, samples: Samples) -> Self {
        Self {
            samples,
            place: self.place.clone(),
            nodata: self.nodata,
            band_names: self.band_names.clone(),
            band_scales: self.band_scales.clone(),
        }
    }

    /// The image as RGB: the first three bands, or the first band three times where there are fewer.
    ///
    /// 8-bit samples are shown as they are; of others, the 2nd to the 98th percentile of each band become black to
    /// white. Pixels without data are black.
    ///
    /// ```
    /// use geolearn::Raster;
    /// use ndarray::Array3;
    ///
    /// let grey = Raster::new(Array3::<u8>::from_elem((1, 2, 3), 7))?;
    /// let rgb = grey.to_rgb_image();
    /// assert_eq!((rgb.width(), rgb.height(), rgb.get_pixel(0, 0).0), (3, 2, [7, 7, 7]));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn to_rgb_image(&self) -> RgbImage {
        Colours::of(self).paint(self)
    }

    /// The image at another size.
    ///
    /// Bilinear where it grows, a triangle filter as wide as the reduction where it shrinks (so nothing aliases).
    /// The ratio of the sides is not kept; the place is. A pixel is computed from those that have data, and has none
    /// where less than half of what it covers does. A computed value that happens to be the nodata value becomes the one
    /// beside it. 64-bit integers above 2^53 lose digits.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// let small = chip.resize(32, 16)?;
    /// assert_eq!((small.width(), small.height()), (32, 16));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when a side is 0, [`ErrorKind::Limits`] when one is above 1,048,576 or the image would be larger
    /// than the default [`Limits`] allow.
    pub fn resize(&self, width: usize, height: usize) -> Result<Self> {
        resize::resize(self, width, height)
    }

    /// Writes the image as GeoTIFF, PNG or JPEG, as the name ends (`.tif`, `.png`, `.jpg`, …).
    ///
    /// A GeoTIFF holds any bands and samples, with place, nodata value, names and scales; [`RasterWriter`] has options for it.
    /// PNG holds one or three bands of 8 or 16 bits, JPEG (quality 95) of 8; both leave out everything but samples, with a
    /// warning where that is a place or a nodata value.
    ///
    /// The file is written beside its place and renamed, so a failure leaves an older file as it was.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("copy.png");
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// chip.save(&path)?;
    /// assert_eq!(Raster::open(&path)?, chip);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for another ending, [`ErrorKind::Unsupported`] for bands or samples that the format cannot hold,
    /// [`ErrorKind::Io`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write::save(self, path.as_ref())
    }
}

impl std::fmt::Debug for Raster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Raster({} bands, {} x {} pixels, {})", self.bands(), self.width(), self.height(), self.dtype())
    }
}
