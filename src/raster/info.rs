//! Metadata of an image file, available before any pixel is decoded.

use std::path::Path;

use super::{BandScale, Dtype, Limits, Place, StatedStatistics, ValiditySource};
use crate::error::{Error, ErrorKind, Result};

/// Metadata of an image file; see [`RasterFile::info`](crate::raster::RasterFile::info).
#[derive(Debug, Clone, PartialEq)]
pub struct RasterInfo {
    pub(super) format: &'static str,
    pub(super) bands: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) dtype: Dtype,
    pub(super) place: Place,
    pub(super) nodata: Option<f64>,
    /// One per band, if bands differ.
    pub(super) band_nodata: Vec<f64>,
    pub(super) band_names: Vec<Option<String>>,
    /// One per band.
    pub(super) band_scales: Vec<BandScale>,
    /// One per band.
    pub(super) stated_statistics: Vec<Option<StatedStatistics>>,
    pub(super) has_palette: bool,
    pub(super) palette: Option<Vec<[u8; 3]>>,
    pub(super) alpha_band: Option<usize>,
    /// A mask that takes precedence over alpha and nodata.
    pub(super) mask: Option<ValiditySource>,
    /// Whether the file is itself a mask of another image next to it.
    pub(super) is_mask_of_another: bool,
    pub(super) pages: usize,
    /// Height and width of the blocks that are decoded as a unit.
    pub(super) block: (usize, usize),
}

impl RasterInfo {
    /// Creates metadata without georeference, nodata, names, or scales.
    pub(super) fn plain(format: &'static str, shape: (usize, usize, usize), dtype: Dtype) -> Self {
        let (bands, height, width) = shape;
        let band_names = vec![None; bands];
        let place = Place::default();
        Self {
            format,
            bands,
            height,
            width,
            dtype,
            place,
            nodata: None,
            band_nodata: Vec::new(),
            band_names,
            band_scales: vec![BandScale::default(); bands],
            stated_statistics: vec![None; bands],
            has_palette: false,
            palette: None,
            alpha_band: None,
            mask: None,
            is_mask_of_another: false,
            pages: 1,
            block: (height, width),
        }
    }

    /// Returns `"TIFF"`, `"PNG"`, `"JPEG"` or `"BMP"`, or the short name of the GDAL driver if GDAL reads the file.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// Returns the number of bands, including alpha.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the data type of the samples as read.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Returns the georeference.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the nodata value, as GDAL writes it; may be NaN.
    pub fn nodata(&self) -> Option<f64> {
        self.nodata
    }

    /// Returns the description of each band, if it has one.
    pub fn band_names(&self) -> &[Option<String>] {
        &self.band_names
    }

    /// Returns how the samples of each band are converted to physical values. Samples are always returned as stored.
    ///
    /// ```
    /// use geolearn::raster::{BandScale, RasterFile};
    ///
    /// let file = RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(file.info().band_scales(), [BandScale::default(); 3]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn band_scales(&self) -> &[BandScale] {
        &self.band_scales
    }

    /// Returns the statistics of each band stated in the file, or in the `.aux.xml` next to it. This crate does not use
    /// them.
    ///
    /// ```
    /// let file = geolearn::raster::RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(file.info().stated_statistics(), [None; 3]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn stated_statistics(&self) -> &[Option<StatedStatistics>] {
        &self.stated_statistics
    }

    /// Returns whether the samples are indices into a color palette.
    pub fn has_palette(&self) -> bool {
        self.has_palette
    }

    /// Returns the palette that the samples are indices into: red, green, blue.
    ///
    /// ```
    /// let file = geolearn::raster::RasterFile::open("tests/fixtures/tiff/palette_uint8.tif")?;
    /// assert_eq!(file.info().palette().map(|colors| colors.len()), Some(256));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn palette(&self) -> Option<&[[u8; 3]]> {
        self.palette.as_deref()
    }

    /// Returns the band of opacity, counted from 0; `None` if the file declares none.
    ///
    /// ```
    /// let file = geolearn::raster::RasterFile::open("tests/fixtures/tiff/la.png")?;
    /// assert_eq!(file.info().alpha_band(), Some(1));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn alpha_band(&self) -> Option<usize> {
        self.alpha_band
    }

    /// Warns if a file has more images after the one that is read, since some software writes bands that way.
    pub(super) fn warn_of_pages(&self, path: &Path) {
        if self.pages > 1 {
            let path = path.display();
            tracing::warn!(
                %path,
                pages = self.pages,
                "only the first page of this TIFF is read; to make bands of them: gdalbuildvrt -separate all.vrt \
                 GTIFF_DIR:1:in.tif GTIFF_DIR:2:in.tif (and so on), then gdal_translate all.vrt out.tif"
            );
        }
    }

    /// Checks that a window is within the image and the limits, before anything is allocated.
    pub(super) fn check_window(
        &self,
        path: &Path,
        limits: &Limits,
        (row, column, height, width): (usize, usize, usize, usize),
    ) -> Result<()> {
        let within = |start: usize, length, end| length > 0 && start.checked_add(length).is_some_and(|e| e <= end);
        if !within(row, height, self.height) || !within(column, width, self.width) {
            return Err(Error::new(ErrorKind::Usage, "this part does not lie within the image")
                .at(path)
                .expected(format!("pixels of {} x {}", self.width, self.height))
                .found(format!("{width} x {height} from row {row}, column {column}")));
        }
        limits.check_samples(path, (self.bands, height, width), self.dtype.bytes())
    }
}
