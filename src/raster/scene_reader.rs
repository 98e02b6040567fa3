//! An image of any size that is read in parts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::chip::{Chip, whole};
use super::{BandScale, Dtype, Limits, Place, Raster, RasterFile, RasterInfo, ValiditySource};
use crate::error::{Error, ErrorKind, Result};

/// Reads parts of an image in the form that [`Raster::open`] returns: colors instead of a palette, alpha of a PNG as a
/// mask. For TIFF and GDAL's formats, only the requested part is decoded; other formats are decoded as a whole, within
/// the [`Limits`].
///
/// A file is open, or decoded, from the first read until [`Source::release`], so there may be thousands of sources.
pub(crate) struct Source {
    facts: Facts,
    /// Bands in use, and the total number; `None` for all.
    selection: Option<Vec<usize>>,
    /// The scales to which samples are converted.
    scales: Option<Vec<BandScale>>,
    path: Option<PathBuf>,
    content: Mutex<Option<Arc<Content>>>,
}

/// Metadata that stays in memory.
struct Facts {
    bands: usize,
    size: (usize, usize),
    dtype: Dtype,
    place: Place,
    nodata: Option<f64>,
    band_names: Vec<Option<String>>,
    /// The band that the file calls alpha, counted from 0.
    alpha: Option<usize>,
    band_scales: Vec<BandScale>,
    /// Height and width of the blocks that are decoded as a unit.
    block: (usize, usize),
    /// Whether pixels may have no data for reasons other than their samples.
    has_mask: bool,
    /// Whether samples alone may mark a pixel as nodata: by a nodata value, or by not being finite.
    has_empty_samples: bool,
    /// The band that becomes the mask once it is not among the used bands.
    opacity: Option<usize>,
}

enum Content {
    Whole(Box<Raster>),
    /// A file that is read in parts.
    Parts(Box<RasterFile>),
}

impl Content {
    fn open(path: &Path) -> Result<Self> {
        let file = RasterFile::open_within(path, &Limits::default())?;
        Ok(match file.presentation() {
            None => Self::Parts(Box::new(file)),
            Some(_) => Self::Whole(Box::new(whole(&file)?)),
        })
    }

    fn size(&self) -> (usize, usize) {
        match self {
            Self::Whole(image) => (image.height(), image.width()),
            Self::Parts(file) => (file.info().height(), file.info().width()),
        }
    }
}

impl Facts {
    fn of(info: &RasterInfo) -> Self {
        Self {
            bands: info.bands(),
            size: (info.height(), info.width()),
            dtype: info.dtype(),
            place: info.place().clone(),
            nodata: info.nodata(),
            band_names: info.band_names().to_vec(),
            alpha: info.alpha_band(),
            band_scales: info.band_scales().to_vec(),
            block: info.block,
            has_mask: info.mask.is_some(),
            has_empty_samples: info.dtype.is_float() || info.nodata.is_some() || !info.band_nodata.is_empty(),
            opacity: match (info.mask, info.validity_source()) {
                (None, ValiditySource::AlphaBand(band)) => Some(band),
                _ => None,
            },
        }
    }
}

impl Source {
    /// Reads the header of a file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = RasterFile::open_within(path, &Limits::default())?;
        file.info().warn_of_pages(path);
        let facts = Facts::of(&Chip::placed(&file).seen());
        Ok(Self { facts, selection: None, scales: None, path: Some(path.to_path_buf()), content: Mutex::default() })
    }

    /// Creates a source from an image in memory.
    pub fn of(image: Raster) -> Self {
        let facts = Facts {
            bands: image.bands(),
            size: (image.height(), image.width()),
            dtype: image.dtype(),
            place: image.place().clone(),
            nodata: image.nodata(),
            band_names: image.band_names().to_vec(),
            alpha: None,
            band_scales: image.band_scales().to_vec(),
            block: (image.height(), image.width()),
            has_mask: image.has_mask(),
            has_empty_samples: image.dtype().is_float() || image.nodata().is_some(),
            opacity: image.opacity,
        };
        let content = Mutex::new(Some(Arc::new(Content::Whole(Box::new(image)))));
        Self { facts, selection: None, scales: None, path: None, content }
    }

    /// Closes the file, or frees the memory of its pixels.
    pub fn release(&self) {
        if self.path.is_some() {
            *self.lock() = None;
        }
    }

    fn content(&self) -> Result<Arc<Content>> {
        let mut content = self.lock();
        match (&*content, &self.path) {
            (Some(content), _) => Ok(content.clone()),
            (None, Some(path)) => {
                let opened = Content::open(path)?;
                if opened.size() != self.facts.size {
                    return Err(Error::new(ErrorKind::Format, "the file changed while it was in use").at(path));
                }
                Ok(content.insert(Arc::new(opened)).clone())
            }
            (None, None) => Err(Error::new(ErrorKind::Usage, "an image in memory was given back")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Content>>> {
        // The contents are consistent even after a panic in another thread.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the same source with only these of the file's bands; the caller has checked that they exist.
    pub fn select(self, bands: &[usize]) -> Self {
        Self { selection: Some(bands.to_vec()), ..self }
    }

    /// Returns the same source with values converted to these scales, in double precision with NaN for nodata.
    pub fn in_scales(self, scales: Vec<BandScale>) -> Self {
        Self { scales: Some(scales), ..self }
    }

    /// Returns the scales of the selected bands, as in the file.
    pub fn band_scales(&self) -> Vec<BandScale> {
        let of = |band: &usize| self.facts.band_scales.get(*band).copied().unwrap_or_default();
        match &self.selection {
            Some(bands) => bands.iter().map(of).collect(),
            None => self.facts.band_scales.clone(),
        }
    }

    /// Returns the name of each band of the file.
    pub fn band_names(&self) -> &[Option<String>] {
        &self.facts.band_names
    }

    /// Returns the number of selected bands.
    pub fn bands(&self) -> usize {
        self.selection.as_ref().map_or(self.facts.bands, Vec::len)
    }

    /// Returns the height and width.
    pub fn size(&self) -> (usize, usize) {
        self.facts.size
    }

    /// Returns the height and width of the blocks that are decoded as a unit: tiles, strips, or the whole image. Blocks
    /// at the edges may be smaller.
    pub fn block_size(&self) -> (usize, usize) {
        self.facts.block
    }

    /// Returns the band that the file calls alpha, counted from 0.
    pub fn alpha_band(&self) -> Option<usize> {
        self.facts.alpha
    }

    /// Returns the data type of the samples.
    pub fn dtype(&self) -> Dtype {
        if self.scales.is_some() { Dtype::F64 } else { self.facts.dtype }
    }

    pub fn place(&self) -> &Place {
        &self.facts.place
    }

    /// Returns the nodata value.
    pub fn nodata(&self) -> Option<f64> {
        self.facts.nodata.filter(|_| self.scales.is_none())
    }

    /// Returns whether pixels may have no data for reasons other than their samples: a mask, or an alpha band that is
    /// not among the used bands.
    pub fn has_mask(&self) -> bool {
        let is_used = |band: &usize| self.selection.as_ref().is_none_or(|bands| bands.contains(band));
        self.facts.has_mask || self.facts.opacity.is_some_and(|band| !is_used(&band))
    }

    /// Returns whether there may be nodata pixels; false if the header rules that out.
    pub fn may_have_gaps(&self) -> bool {
        self.has_mask() || self.facts.has_empty_samples
    }

    /// Treats the opacity band as an ordinary band.
    pub fn with_opacity_as_band(mut self) -> Self {
        self.facts.opacity = None;
        self
    }

    /// Uses the last band as a mask, if the file calls it alpha and there is one band more than `expected`.
    pub fn without_alpha(self, expected: usize) -> Self {
        let is_too_many =
            |alpha: &usize| self.selection.is_none() && self.bands() == expected + 1 && *alpha == expected;
        match self.facts.alpha.filter(is_too_many) {
            Some(_) => self.select(&Vec::from_iter(0..expected)),
            None => self,
        }
    }

    /// Returns the path of the file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads a window that is within the image.
    pub fn window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Raster> {
        let image = match &*self.content()? {
            Content::Whole(image) => image.part(row, column, height, width),
            Content::Parts(file) => Chip::placed(file).read_window(row, column, height, width)?,
        };
        let image = if self.facts.opacity.is_none() { image.with_opacity_as_band() } else { image };
        let image = match &self.selection {
            Some(bands) => image.select(bands),
            None => image,
        };
        Ok(match &self.scales {
            Some(scales) => image.in_scales(scales),
            None => image,
        })
    }

    /// Checks that the image has this many bands.
    pub fn check_bands(&self, expected: usize) -> Result<()> {
        if self.bands() == expected {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Usage, "wrong number of bands").expected(expected);
        let error = match self.facts.alpha.filter(|_| self.bands() == expected + 1) {
            Some(alpha) => error
                .found(format!("{}, of which band {} is alpha", self.bands(), alpha + 1))
                .help(without(alpha, self.bands())),
            None => error
                .found(self.bands())
                .help("Give an image with the bands of the chips that the model learned from, in their order."),
        };
        Err(match self.path() {
            Some(path) => error.at(path),
            None => error,
        })
    }
}

/// Returns advice on how to leave a band out.
fn without(alpha: usize, bands: usize) -> String {
    let others: Vec<String> = (0..bands).filter(|band| *band != alpha).map(|band| format!("-b {}", band + 1)).collect();
    let numbers = others.join(", ").replace("-b ", "");
    format!(
        "Leave it out: gdal_translate {} in.tif out.tif. If the chips have it too, train with bands(domain, [{numbers}]), \
         and the model takes such files as they are.",
        others.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::read_chip;

    /// A file, its bytes, a chip, and a scene, as a whole and in parts.
    #[test]
    fn every_view_of_a_file_has_the_same_samples() {
        for (name, are_shown_as_stored) in [
            ("tiff/gray16.png", true),
            ("tiff/palette.png", false),
            ("pictures/rgb.jpg", true),
            ("tiff/jpeg_422_progressive.jpg", true),
            ("pictures/grey8.bmp", true),
            ("pictures/rle8.bmp", false),
            ("tiff/b13_uint16_zstd_pred2_pixel_tiled.tif", true),
            ("tiff/jpeg_ycbcr_strips.tif", true),
            ("tiff/palette_uint8.tif", false),
        ] {
            let path = Path::new("tests/fixtures").join(name);
            let (file, scene) = (RasterFile::open(&path).unwrap(), Source::open(&path).unwrap());
            let (stored, shown) = (file.read().unwrap(), Raster::open(&path).unwrap());
            let (chip, _turn) = read_chip(&path, &Limits::default()).unwrap();
            let of_bytes = Raster::from_bytes(std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(are_shown_as_stored, shown.samples() == &stored, "{name}");
            assert!(chip.samples() == shown.samples() && of_bytes.samples() == shown.samples(), "{name}");
            let (height, width) = (shown.height(), shown.width());
            let (down, across) = (height / 3, width / 2);
            for (row, column, rows, columns) in
                [(0, 0, height, width), (0, 0, down, across), (down, across, height - down, width - across)]
            {
                let part = file.read_window(row, column, rows, columns).unwrap();
                assert_eq!(part, stored.crop(row, column, rows, columns), "{name}");
                let part = scene.window(row, column, rows, columns).unwrap();
                assert_eq!(part.samples(), &shown.samples().crop(row, column, rows, columns), "{name}");
            }
        }
    }

    /// The metadata of a file matches what is read from it.
    #[test]
    fn headers_tell_what_parts_are_like() {
        for path in ["assets/scenes/bluemarble_asia.tif", "assets/bluemarble/A/images/y0300_x0900.png"] {
            let whole = Raster::open(path).unwrap();
            let source = Source::open(Path::new(path)).unwrap().select(&[2, 0]);
            assert_eq!((source.size(), source.bands()), ((whole.height(), whole.width()), 2));
            assert_eq!(
                (source.dtype(), source.place(), source.nodata()),
                (whole.dtype(), whole.place(), whole.nodata())
            );
            for _ in 0..2 {
                let part = source.window(10, 20, 30, 40).unwrap();
                assert_eq!(part.samples(), whole.part(10, 20, 30, 40).select(&[2, 0]).samples());
                source.release();
            }
        }
    }

    #[test]
    fn a_band_too_many_is_called_alpha_where_it_is() {
        let path = Path::new("tests/fixtures/tiff/alpha_premultiplied.tif");
        let info = RasterFile::open(path).unwrap().info().clone();
        assert_eq!((info.bands(), info.alpha_band()), (4, Some(3)));
        let error = Source::open(path).unwrap().check_bands(3).unwrap_err().to_string();
        for words in
            ["expected 3", "band 4 is alpha", "gdal_translate -b 1 -b 2 -b 3 ", "[1, 2, 3]", "premultiplied.tif"]
        {
            assert!(error.contains(words), "{words}: {error}");
        }
        let error = Source::open(path).unwrap().check_bands(2).unwrap_err().to_string();
        assert!(!error.contains("alpha,") && error.contains("found 4"), "{error}");
    }

    #[test]
    fn a_file_that_changes_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chip.png");
        let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png").unwrap();
        chip.save(&path).unwrap();
        let source = Source::open(&path).unwrap();
        chip.resize(10, 10).unwrap().save(&path).unwrap();
        assert_eq!(source.window(20, 20, 30, 30).unwrap_err().kind(), ErrorKind::Format);
    }
}
