//! Reads files in the form used for training and prediction.
//!
//! Palettes become colors, alpha in pictures becomes a mask instead of a band, and pictures without a georeference are
//! rotated according to EXIF.

use std::borrow::Cow;
use std::path::Path;

use image::metadata::Orientation;
use ndarray::Array2;

use super::budget::Turn;
use super::palette::Painter;
use super::presentation::{Gray, Presentation};
use super::{Dtype, Limits, Raster, RasterFile, RasterInfo, Samples, ValiditySource, turn, validity};
use crate::error::Result;

/// Reads an image for training: everything except the transform of a world file.
///
/// The memory reservation must be kept as long as the image, since many threads read chips.
pub(crate) fn read_chip(path: &Path, limits: &Limits) -> Result<(Raster, Turn<'static>)> {
    let file = RasterFile::open_within(path, limits)?;
    Chip::unplaced(&file).read()
}

/// Does the same as [`chip_info`] for a file read before, without repeating warnings.
pub(crate) fn chip_info_again(path: &Path, limits: &Limits) -> Result<RasterInfo> {
    let file = RasterFile::open_within(path, limits)?;
    Ok(Chip::unplaced(&file).seen())
}

/// Returns what [`read_chip`] will return, without decoding a pixel.
pub(crate) fn chip_info(path: &Path, limits: &Limits) -> Result<RasterInfo> {
    let file = RasterFile::open_within(path, limits)?;
    let chip = Chip::unplaced(&file);
    let info = &chip.info;
    info.check_window(path, limits, (0, 0, info.height, info.width))?;
    info.warn_of_pages(path);
    if let Some(alpha) = info.alpha_band().filter(|_| file.presentation().is_none()) {
        tracing::debug!(path = %path.display(), band = alpha + 1, "the file calls this band alpha");
    }
    Ok(chip.seen())
}

/// Returns whether a TIFF has a band of alpha that may be something else: GDAL calls the fourth of four 8-bit bands
/// alpha whatever it contains, and this one has values other than 0 and 255.
pub(crate) fn has_doubtful_alpha(path: &Path, limits: &Limits) -> Result<bool> {
    let file = RasterFile::open_within(path, limits)?;
    if !may_have_doubtful_alpha(&file) {
        return Ok(false);
    }
    let (samples, _turn) = file.read_in_turn()?;
    Ok(is_doubtful(&samples))
}

/// Checks the same in some windows (row, column, height, width) of a file of any size.
pub(crate) fn has_doubtful_alpha_within(
    path: &Path,
    limits: &Limits,
    windows: impl Iterator<Item = (usize, usize, usize, usize)>,
) -> Result<bool> {
    let file = RasterFile::open_within(path, limits)?;
    if !may_have_doubtful_alpha(&file) {
        return Ok(false);
    }
    for (row, column, height, width) in windows {
        if is_doubtful(&file.read_window(row, column, height, width)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn may_have_doubtful_alpha(file: &RasterFile) -> bool {
    let info = &file.unplaced_info();
    file.presentation().is_none() && (info.bands, info.dtype, info.alpha_band) == (4, Dtype::U8, Some(3))
}

fn is_doubtful(samples: &Samples) -> bool {
    let alpha = samples.band(3).unwrap_or_default();
    alpha.iter().any(|opacity| *opacity > 0.0 && *opacity < f64::from(u8::MAX))
}

/// Reads the whole image of a file.
pub(super) fn whole(file: &RasterFile) -> Result<Raster> {
    Ok(Chip::placed(file).read()?.0)
}

/// A file in the form used for training.
pub(super) struct Chip<'a> {
    file: &'a RasterFile,
    /// Metadata of the stored samples.
    info: Cow<'a, RasterInfo>,
}

impl<'a> Chip<'a> {
    /// Creates a chip of a file, with its georeference.
    pub fn placed(file: &'a RasterFile) -> Self {
        Self { file, info: Cow::Borrowed(file.info()) }
    }

    /// Creates a chip without looking for world files, except when one decides whether a picture is rotated.
    fn unplaced(file: &'a RasterFile) -> Self {
        let is_turned = |picture: &Presentation| picture.orientation != Orientation::NoTransforms;
        match file.presentation().is_some_and(is_turned) {
            true => Self::placed(file),
            false => Self { file, info: Cow::Owned(file.unplaced_info()) },
        }
    }

    /// Returns the metadata of what [`Chip::read`] returns.
    pub fn seen(&self) -> RasterInfo {
        let info = &self.info;
        match (self.file.presentation(), self.painter()) {
            (None, None) => info.clone().into_owned(),
            (None, Some(painter)) => painter.painted_info(info),
            (Some(picture), Some(painter)) => turned(picture, info, painter.painted_info(info)),
            (Some(picture), None) => turned(picture, info, without_alpha(picture, info)),
        }
    }

    /// Reads the whole image, with the memory reservation for decoding it.
    pub fn read(&self) -> Result<(Raster, Turn<'static>)> {
        let (height, width) = (self.info.height, self.info.width);
        // A thread with a reservation does not wait for others, so the mask comes first.
        let mask = self.file.read_mask(&self.info, (0, 0, height, width))?;
        let (stored, turn) = self.file.read_in_turn()?;
        let hidden = mask.or_else(|| self.hidden(&stored));
        Ok((self.described(stored, hidden), turn))
    }

    /// Reads a part of an image that is not rotated. The georeference stays that of the whole image.
    pub fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<Raster> {
        let hidden = self.file.read_mask(&self.info, (row, column, height, width))?;
        let stored = self.file.read_window(row, column, height, width)?;
        Ok(self.described(stored, hidden))
    }

    /// Returns the nodata pixels that the stored samples of a picture define by opacity or by colors. In other files,
    /// alpha stays a band until the used bands are known.
    fn hidden(&self, stored: &Samples) -> Option<Array2<bool>> {
        match (self.info.validity_source(), self.file.presentation()) {
            (ValiditySource::AlphaBand(band), Some(_)) => validity::hidden_by_alpha(stored, band),
            (ValiditySource::TransparentColors, Some(picture)) => validity::hidden_by_color(picture, stored),
            _ => None,
        }
    }

    /// Returns the pixels in which each band has its own nodata value; `None` if all bands share one value.
    fn hidden_by_bands(&self, stored: &Samples) -> Option<Array2<bool>> {
        let differ = self.info.validity_source() == ValiditySource::Nodata && !self.info.band_nodata.is_empty();
        differ.then(|| validity::hidden_by_nodata(stored, &self.info))
    }

    /// Creates an image from stored samples and the mask of their nodata pixels.
    fn described(&self, stored: Samples, hidden: Option<Array2<bool>>) -> Raster {
        let by_bands = self.hidden_by_bands(&stored);
        let turns = self.file.presentation().map_or(Orientation::NoTransforms, |picture| turns(picture, &self.info));
        let [hidden, by_bands] = [hidden, by_bands].map(|mask| mask.map(|mask| turn::turned_mask(mask, turns)));
        let samples = match self.file.presentation() {
            Some(picture) => self.shown(picture, stored),
            None => self.painted(stored),
        };
        let image = Raster::described(samples, &self.seen());
        match hidden {
            Some(hidden) => image.masked(hidden),
            None => image.hiding(by_bands),
        }
    }

    /// Returns the converter from indices to colors, if samples are indices and not gray.
    fn painter(&self) -> Option<Painter<'_>> {
        let is_gray = |picture: &Presentation| is_gray_ramp(picture, &self.info);
        Painter::of(&self.info).filter(|_| !self.file.presentation().is_some_and(is_gray))
    }

    fn painted(&self, samples: Samples) -> Samples {
        match self.painter() {
            Some(painter) => painter.paint(&samples).into(),
            None => samples,
        }
    }

    fn shown(&self, picture: &Presentation, stored: Samples) -> Samples {
        let info = &self.info;
        if is_translucent(picture, info, &stored) {
            tracing::warn!(path = %self.file.path().display(), "some pixels are partly transparent, which is left out");
        }
        let samples = match self.painter() {
            Some(painter) => painter.paint(&stored).into(),
            None if kept(info) < info.bands => stretched(stored.select(&[0, 1, 2][..kept(info)]), picture.bits),
            None => stretched(stored, picture.bits),
        };
        samples.turned(turns(picture, info))
    }
}

/// Returns whether a picture of indices is gray: color i is the gray value of index i.
fn is_gray_ramp(picture: &Presentation, info: &RasterInfo) -> bool {
    let colors = info.palette().unwrap_or_default();
    let is_step = |(index, color): (usize, &[u8; 3])| {
        color.iter().all(|part| usize::from(*part) == index * usize::from(step(picture.bits)))
    };
    picture.gray == Gray::Palette && colors.len() > 1 && colors.iter().enumerate().all(is_step)
}

/// Returns the factor that scales samples of less than 8 bits to the range 0 to 255.
fn step(bits: usize) -> u8 {
    if bits < 8 { u8::MAX / ((1 << bits) - 1) } else { 1 }
}

fn without_alpha(picture: &Presentation, info: &RasterInfo) -> RasterInfo {
    let mut seen = info.clone();
    seen.bands = kept(info);
    seen.band_names.truncate(seen.bands);
    seen.band_scales.truncate(seen.bands);
    seen.nodata = info.nodata.map(|value| value * f64::from(step(picture.bits)));
    seen.stated_statistics.truncate(seen.bands);
    // Opacity is no longer a band.
    let mask = info.has_mask().then(|| info.validity_source());
    RasterInfo { has_palette: false, palette: None, alpha_band: None, mask, ..seen }
}

/// Returns the number of bands of a picture other than alpha.
fn kept(info: &RasterInfo) -> usize {
    if info.bands >= 3 { 3 } else { 1 }
}

fn turned(picture: &Presentation, info: &RasterInfo, seen: RasterInfo) -> RasterInfo {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    match turns(picture, info) {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => {
            RasterInfo { height: seen.width, width: seen.height, ..seen }
        }
        _ => seen,
    }
}

/// Returns how a picture is rotated. If it is georeferenced, it is not rotated, as in GDAL, because the georeference
/// belongs to the stored pixels.
fn turns(picture: &Presentation, info: &RasterInfo) -> Orientation {
    let has_place = info.place.has_transform() || !info.place.control_points.is_empty();
    if has_place { Orientation::NoTransforms } else { picture.orientation }
}

/// Scales samples of less than 8 bits to the range 0 to 255.
fn stretched(samples: Samples, bits: usize) -> Samples {
    match samples {
        Samples::U8(data) if bits < 8 => Samples::U8(data.mapv_into(|value| value.saturating_mul(step(bits)))),
        other => other,
    }
}

/// Returns whether any pixel is neither opaque nor fully transparent, by an alpha band or by the opacity of a palette.
fn is_translucent(picture: &Presentation, info: &RasterInfo, stored: &Samples) -> bool {
    let most = if info.dtype == Dtype::U16 { f64::from(u16::MAX) } else { f64::from(u8::MAX) };
    let alpha = (kept(info) < info.bands).then(|| stored.band(kept(info))).flatten();
    if let Some(alpha) = alpha {
        return alpha.iter().any(|opacity| *opacity > 0.0 && *opacity < most);
    }
    let (true, Some(opacities), Samples::U8(indices)) = (info.has_palette, &picture.transparent, stored) else {
        return false;
    };
    let partly = |index: &u8| opacities.get(usize::from(*index)).is_some_and(|opacity| (1..u8::MAX).contains(opacity));
    indices.iter().any(partly)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_long_header_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chip.jpg");
        Raster::new(Array3::<u8>::zeros((3, 5, 7))).unwrap().save(&path).unwrap();
        let short = std::fs::read(&path).unwrap();
        // A comment between the first marker and the rest.
        let comment = [[0xff, 0xfe].as_slice(), &60_002u16.to_be_bytes(), &[b' '; 60_000]].concat();
        std::fs::write(&path, [&short[..2], &comment, &short[2..]].concat()).unwrap();
        let info = chip_info(&path, &Limits::default()).unwrap();
        assert_eq!((info.bands(), info.height(), info.width()), (3, 5, 7));
        let small = Limits::default().max_file_bytes(50_000);
        assert_eq!(chip_info(&path, &small).unwrap_err().kind(), ErrorKind::Limits);
    }

    #[test]
    fn bits_are_stretched_to_bytes() {
        for (bits, high) in [(1, 1u8), (2, 3), (4, 15), (8, 255)] {
            let samples = Samples::U8(Array3::from_shape_vec((1, 1, 2), vec![0, high]).unwrap());
            assert_eq!(stretched(samples, bits), Samples::U8(Array3::from_shape_vec((1, 1, 2), vec![0, 255]).unwrap()));
        }
    }

    #[test]
    fn a_file_is_opened_once_for_each_use() {
        use crate::raster::byte_source::opened;
        for path in [
            "tests/fixtures/tiff/gray16.png",
            "tests/fixtures/pictures/rgb.jpg",
            "tests/fixtures/pictures/exif6.jpg",
            "tests/fixtures/pictures/grey8.bmp",
            "tests/fixtures/tiff/b13_uint16_zstd_pred2_pixel_tiled.tif",
        ] {
            let (path, before) = (Path::new(path), opened());
            read_chip(path, &Limits::default()).unwrap();
            assert_eq!(opened() - before, 1, "{path:?} as a chip");
            chip_info(path, &Limits::default()).unwrap();
            assert_eq!(opened() - before, 2, "the header of {path:?}");
            let file = RasterFile::open(path).unwrap();
            assert_eq!(file.read_window(0, 0, 1, 1).unwrap().shape().1, file.info().height().min(1));
            assert_eq!(file.read().unwrap().shape().1, file.info().height());
            assert_eq!(opened() - before, 3, "{path:?} as a file");
        }
    }

    #[test]
    fn training_does_not_look_for_world_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chip.png");
        Raster::new(Array3::<u8>::zeros((3, 5, 7))).unwrap().save(&path).unwrap();
        std::fs::write(path.with_extension("pgw"), "10\n0\n0\n-10\n5\n5\n").unwrap();
        assert!(Raster::open(&path).unwrap().place().has_transform());
        assert!(!chip_info(&path, &Limits::default()).unwrap().place().has_transform());
        assert!(!read_chip(&path, &Limits::default()).unwrap().0.place().has_transform());
    }
}
