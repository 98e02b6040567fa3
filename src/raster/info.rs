//! What a file says about its image before any pixel is decoded.

use std::path::Path;

use super::{BandScale, Dtype, Limits, Place, StatedStatistics, ValiditySource};
use crate::error::{Error, ErrorKind, Result};

/// The facts of an image file; see [`RasterFile::info`](crate::raster::RasterFile::info).
#[derive(Debug, Clone, PartialEq)]
pub struct RasterInfo {
    pub(super) format: &'static str,
    pub(super) bands: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) dtype: Dtype,
    pub(super) place: Place,
    pub(super) nodata: Option<f64>,
    /// One a band, where bands have different ones.
    pub(super) band_nodata: Vec<f64>,
    pub(super) band_names: Vec<Option<String>>,
    /// One a band.
    pub(super) band_scales: Vec<BandScale>,
    /// One a band.
    pub(super) stated_statistics: Vec<Option<StatedStatistics>>,
    pub(super) has_palette: bool,
    pub(super) palette: Option<Vec<[u8; 3]>>,
    pub(super) alpha_band: Option<usize>,
    /// A mask that goes before alpha and nodata.
    pub(super) mask: Option<ValiditySource>,
    /// The file is a mask by itself, of an image beside it.
    pub(super) is_mask_of_another: bool,
    pub(super) pages: usize,
    /// Height and width of what is decoded together.
    pub(super) block: (usize, usize),
}

impl RasterInfo {
    /// An image without place, nodata, names or scales.
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

    /// `"TIFF"`, `"PNG"`, `"JPEG"` or `"BMP"`; the short name of GDAL's driver where that reads the file.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// Number of bands, alpha included.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The type of the samples as read.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The georeference.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The value that stands for "no data", as GDAL writes it; may be NaN.
    pub fn nodata(&self) -> Option<f64> {
        self.nodata
    }

    /// The description of each band, where it has one.
    pub fn band_names(&self) -> &[Option<String>] {
        &self.band_names
    }

    /// How the samples of each band become physical values. Samples are given as stored, whatever this says.
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

    /// Returns what the file, or the `.aux.xml` beside it, says of the values of each band. Nothing in this crate goes by it.
    ///
    /// ```
    /// let file = geolearn::raster::RasterFile::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(file.info().stated_statistics(), [None; 3]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn stated_statistics(&self) -> &[Option<StatedStatistics>] {
        &self.stated_statistics
    }

    /// Whether the samples are indices into a palette of colors.
    pub fn has_palette(&self) -> bool {
        self.has_palette
    }

    /// The colors that the samples are indices of: red, green, blue.
    ///
    /// ```
    /// let file = geolearn::raster::RasterFile::open("tests/fixtures/tiff/palette_uint8.tif")?;
    /// assert_eq!(file.info().palette().map(|colors| colors.len()), Some(256));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn palette(&self) -> Option<&[[u8; 3]]> {
        self.palette.as_deref()
    }

    /// The band that holds opacity, counted from 0; none where the file names none.
    ///
    /// ```
    /// let file = geolearn::raster::RasterFile::open("tests/fixtures/tiff/la.png")?;
    /// assert_eq!(file.info().alpha_band(), Some(1));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn alpha_band(&self) -> Option<usize> {
        self.alpha_band
    }

    /// Says so where a file has images behind the one that is read: others write bands that way.
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

    /// Refuses a part that does not lie within, or that asks for more than the limits, before anything is allocated.
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
