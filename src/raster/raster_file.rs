//! An open raster file of any supported format.

use std::path::Path;
use std::sync::OnceLock;

use ndarray::Array2;

use super::budget::Turn;
use super::byte_source::ByteSource;
use super::image_format::{OpenImage, ReadSamples};
use super::image_formats;
use super::presentation::Presentation;
use super::{Limits, RasterInfo, Samples, ValiditySource, beside, mask_file, pam, validity};
use crate::error::Result;

/// An open raster file, whose metadata is read at once and whose samples are read on demand.
///
/// Opening reads only the header, however large the file is. The file stays open as long as this value exists.
///
/// TIFF (GeoTIFF, BigTIFF, cloud-optimized), PNG, JPEG, and BMP are recognized by their contents, not by their names.
/// With the feature `gdal`, everything that GDAL reads is supported, including its special names (`/vsizip/…`,
/// `HDF5:…`). Samples are the same as in rasterio: the first image of a file at full resolution, in the file's own type
/// (half precision as `float32`), with alpha as a band, palettes as indices, and EXIF orientation not applied.
///
/// ```
/// use geolearn::raster::{Dtype, RasterFile};
///
/// let file = RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
/// assert_eq!((file.info().bands(), file.info().dtype()), (3, Dtype::U8));
/// assert_eq!(file.read()?.shape(), (3, 64, 64));
/// assert_eq!(file.read_window(10, 20, 5, 7)?.shape(), (3, 5, 7));
/// # Ok::<(), geolearn::Error>(())
/// ```
pub struct RasterFile {
    source: ByteSource,
    limits: Limits,
    /// The metadata in the file itself.
    own_info: RasterInfo,
    presentation: Option<Presentation>,
    samples: Box<dyn ReadSamples>,
    /// The mask in the file.
    mask: Option<Box<dyn ReadSamples>>,
    /// The mask next to the file, if the file has none.
    mask_beside: OnceLock<Option<Box<dyn ReadSamples>>>,
    /// The metadata including the files next to it.
    info: OnceLock<RasterInfo>,
}

impl RasterFile {
    /// Opens a file within the default [`Limits`].
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::raster::RasterFile;
    ///
    /// let error = RasterFile::open("assets/bluemarble/README.md").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Format);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read,
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) if it is not an image or its header is damaged,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a feature that this crate does not support, which
    /// the error names, [`ErrorKind::Limits`](crate::ErrorKind::Limits) if it exceeds the limits.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_within(path, &Limits::default())
    }

    /// Opens a file within the given limits.
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::raster::{Limits, RasterFile};
    ///
    /// let chip = "assets/bluemarble/A/images/y0300_x0900.png";
    /// let file = RasterFile::open_within(chip, &Limits::default().max_sample_bytes(1000))?;
    /// assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Limits);
    /// assert_eq!(file.read_window(0, 0, 10, 10).unwrap_err().kind(), ErrorKind::Limits);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`RasterFile::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        Self::of(ByteSource::open(path.as_ref())?, limits)
    }

    /// Opens the bytes of a file, without any files next to it.
    pub(super) fn in_memory(bytes: &[u8], limits: &Limits) -> Result<Self> {
        Self::of(ByteSource::in_memory(bytes), limits)
    }

    fn of(source: ByteSource, limits: &Limits) -> Result<Self> {
        let OpenImage { info, presentation, samples, mask } = image_formats::open(&source, limits)?;
        let (info, own_info) = (OnceLock::new(), info);
        Ok(Self { source, limits: *limits, own_info, presentation, samples, mask, mask_beside: OnceLock::new(), info })
    }

    /// Returns the metadata of the image from the file and from files next to it: `.aux.xml`, and a world file for the
    /// georeference. Those files are read on the first call.
    ///
    /// ```
    /// # use geolearn::raster::RasterFile;
    /// let file = RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(file.info().format(), "PNG");
    /// assert_eq!(file.info().nodata(), None);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn info(&self) -> &RasterInfo {
        self.info.get_or_init(|| self.completed(beside::complete))
    }

    /// Returns the same without looking for world files.
    pub(super) fn unplaced_info(&self) -> RasterInfo {
        self.completed(pam::complete)
    }

    fn completed(&self, complete: impl Fn(&mut RasterInfo, &Path)) -> RasterInfo {
        let mut info = self.own_info.clone();
        if let Some(path) = self.source.file() {
            complete(&mut info, path);
        }
        if self.mask.is_none() && self.mask_beside().is_some() {
            info.mask = Some(ValiditySource::MaskFile);
        }
        info
    }

    fn mask_beside(&self) -> Option<&dyn ReadSamples> {
        let open = || mask_file::beside(self.source.file()?, &self.own_info, &self.limits);
        self.mask_beside.get_or_init(open).as_deref()
    }

    /// Returns the path of the file, or its substitute in messages.
    pub(super) fn path(&self) -> &Path {
        self.source.path()
    }

    /// Returns how a picture is displayed; `None` for a TIFF.
    pub(super) fn presentation(&self) -> Option<&Presentation> {
        self.presentation.as_ref()
    }

    /// Reads the whole image.
    ///
    /// # Shapes
    /// (bands, height, width), in the file's own type and scale.
    ///
    /// # Errors
    /// See [`RasterFile::open`].
    pub fn read(&self) -> Result<Samples> {
        Ok(self.read_in_turn()?.0)
    }

    /// Reads a window of `height` x `width` pixels that begins at (`row`, `column`). For TIFF, and for GDAL's formats,
    /// only the required tiles or strips are decoded.
    ///
    /// # Shapes
    /// (bands, `height`, `width`).
    ///
    /// # Errors
    /// See [`RasterFile::open`]; also [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a window that is not within the
    /// image.
    pub fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Samples> {
        self.own_info.check_window(self.path(), &self.limits, (row, column, height, width))?;
        Ok(self.samples.read_window(row, column, height, width)?.0)
    }

    /// Reads a mask of the pixels that have data. [`RasterInfo::validity_source`] returns what the mask is based on.
    ///
    /// This is rasterio's `dataset_mask`, with true for 255, except for three things that GDAL ignores: samples that
    /// are not finite are nodata, an alpha band counts in images of any number of bands and type, and all transparent
    /// colors of a palette count.
    ///
    /// # Shapes
    /// (height, width).
    ///
    /// ```
    /// use geolearn::raster::RasterFile;
    ///
    /// let valid = RasterFile::open("tests/fixtures/masks/internal_tiled.tif")?.read_validity()?;
    /// assert_eq!((valid.dim(), valid.iter().filter(|valid| **valid).count()), ((36, 40), 639));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`RasterFile::open`].
    pub fn read_validity(&self) -> Result<Array2<bool>> {
        self.read_validity_window(0, 0, self.own_info.height, self.own_info.width)
    }

    /// Reads the same for a window of `height` x `width` pixels that begins at (`row`, `column`). For TIFF, only the
    /// required tiles or strips are decoded.
    ///
    /// # Shapes
    /// (`height`, `width`).
    ///
    /// ```
    /// use geolearn::raster::RasterFile;
    ///
    /// let file = RasterFile::open("tests/fixtures/masks/internal_tiled.tif")?;
    /// let part = file.read_validity_window(10, 2, 8, 20)?;
    /// assert_eq!(part, file.read_validity()?.slice(ndarray::s![10..18, 2..22]));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`RasterFile::read_window`].
    pub fn read_validity_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Array2<bool>> {
        let info = self.info();
        if let Some(hidden) = self.read_mask(info, (row, column, height, width))? {
            return Ok(hidden.mapv_into(|hidden| !hidden));
        }
        let stored = self.read_window(row, column, height, width)?;
        let hidden = match (info.validity_source(), &self.presentation) {
            (ValiditySource::AlphaBand(band), _) => validity::hidden_by_alpha(&stored, band),
            (ValiditySource::TransparentColors, Some(picture)) => validity::hidden_by_color(picture, &stored),
            _ => None,
        };
        let hidden = hidden.unwrap_or_else(|| validity::hidden_by_nodata(&stored, info));
        Ok(hidden.mapv_into(|hidden| !hidden))
    }

    /// Reads the pixels that a separate mask excludes, in the file or next to it; `None` if `info` does not use one.
    pub(super) fn read_mask(
        &self,
        info: &RasterInfo,
        (row, column, height, width): (usize, usize, usize, usize),
    ) -> Result<Option<Array2<bool>>> {
        let mask = match info.mask {
            Some(ValiditySource::InternalMask) => self.mask.as_deref(),
            Some(ValiditySource::MaskFile) => self.mask_beside(),
            _ => None,
        };
        let Some(mask) = mask else { return Ok(None) };
        self.own_info.check_window(self.path(), &self.limits, (row, column, height, width))?;
        let (samples, _turn) = mask.read_window(row, column, height, width)?;
        Ok(Some(validity::hidden_by_mask(&samples)))
    }

    /// Reads the whole image, with the memory reservation for decoding it.
    pub(super) fn read_in_turn(&self) -> Result<(Samples, Turn<'static>)> {
        let (height, width) = (self.own_info.height, self.own_info.width);
        self.own_info.check_window(self.path(), &self.limits, (0, 0, height, width))?;
        self.samples.read()
    }
}

impl std::fmt::Debug for RasterFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RasterFile").field("source", &self.source).field("info", &self.own_info).finish()
    }
}
