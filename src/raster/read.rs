//! From a file to a [`Raster`]: what training and prediction see of it.
//!
//! Palettes become colours, alpha of pictures is left out, and pictures without a place are turned as EXIF says.

use std::path::Path;

use image::metadata::Orientation;
use ndarray::Array3;

use super::budget::Turn;
use super::palette::Painter;
use super::picture::{Format, Picture};
use super::{Dtype, Limits, Raster, RasterFile, RasterInfo, Samples};
use crate::error::Result;

pub(super) fn read(path: &Path, limits: &Limits) -> Result<Raster> {
    whole(&RasterFile::open_within(path, limits)?)
}

/// An image for training: all but the transform of a world file. The turn in which it was decoded is to be kept as long
/// as the image, since many threads read chips.
pub(crate) fn read_chip(path: &Path, limits: &Limits) -> Result<(Raster, Turn<'static>)> {
    whole_in_turn(&open_chip(path, limits)?)
}

/// Training needs no world file but where one decides whether a picture is turned.
fn open_chip(path: &Path, limits: &Limits) -> Result<RasterFile> {
    let file = RasterFile::open_unplaced(path, limits)?;
    match file.picture() {
        Some(picture) if picture.orientation != Orientation::NoTransforms => RasterFile::open_within(path, limits),
        _ => Ok(file),
    }
}

/// What [`read_chip`] will give, without decoding a pixel.
pub(crate) fn chip_info(path: &Path, limits: &Limits) -> Result<RasterInfo> {
    let file = open_chip(path, limits)?;
    let info = file.info();
    info.check_window(path, limits, (0, 0, info.height, info.width))?;
    info.warn_of_pages(path);
    if let Some(alpha) = info.alpha_band().filter(|_| file.picture().is_none()) {
        tracing::debug!(path = %path.display(), band = alpha + 1, "the file calls this band alpha; it is kept");
    }
    Ok(seen(&file))
}

/// The facts of a file as they are of the image that [`read`] makes of it.
pub(super) fn seen(file: &RasterFile) -> RasterInfo {
    let info = file.info();
    match (file.picture(), painter(file)) {
        (None, None) => info.clone(),
        (None, Some(painter)) => painter.painted_info(info),
        (Some(picture), Some(painter)) => turned(picture, info, painter.painted_info(info)),
        (Some(picture), None) => turned(picture, info, without_alpha(picture, info)),
    }
}

/// What makes colours of indices, where samples are indices and not grey.
fn painter(file: &RasterFile) -> Option<Painter<'_>> {
    Painter::of(file.info()).filter(|_| !file.picture().is_some_and(|picture| is_grey_ramp(picture, file.info())))
}

/// Whether a BMP is a grey picture, for which the format has no other way: colour i is the grey that i stands for.
fn is_grey_ramp(picture: &Picture, info: &RasterInfo) -> bool {
    let colours = info.palette().unwrap_or_default();
    let is_step = |(index, colour): (usize, &[u8; 3])| {
        colour.iter().all(|part| usize::from(*part) == index * usize::from(step(picture.bits)))
    };
    picture.format == Format::Bmp && colours.len() > 1 && colours.iter().enumerate().all(is_step)
}

/// What samples of less than 8 bits are multiplied by to become bytes from 0 to 255.
fn step(bits: usize) -> u8 {
    if bits < 8 { u8::MAX / ((1 << bits) - 1) } else { 1 }
}

fn without_alpha(picture: &Picture, info: &RasterInfo) -> RasterInfo {
    let mut seen = info.clone();
    seen.bands = kept(info);
    seen.band_names.truncate(seen.bands);
    seen.band_scales.truncate(seen.bands);
    seen.nodata = info.nodata.map(|value| value * f64::from(step(picture.bits)));
    RasterInfo { has_palette: false, palette: None, alpha_band: None, ..seen }
}

/// Bands of a picture that are not alpha.
fn kept(info: &RasterInfo) -> usize {
    if info.bands >= 3 { 3 } else { 1 }
}

fn turned(picture: &Picture, info: &RasterInfo, seen: RasterInfo) -> RasterInfo {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    match turns(picture, info) {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => {
            RasterInfo { height: seen.width, width: seen.height, ..seen }
        }
        _ => seen,
    }
}

/// How a picture is turned. One with a place is taken as it is stored, as in GDAL: the place is of those pixels.
fn turns(picture: &Picture, info: &RasterInfo) -> Orientation {
    let has_place = info.place.has_transform() || !info.place.control_points.is_empty();
    if has_place { Orientation::NoTransforms } else { picture.orientation }
}

/// The whole image of a file.
pub(super) fn whole(file: &RasterFile) -> Result<Raster> {
    Ok(whole_in_turn(file)?.0)
}

fn whole_in_turn(file: &RasterFile) -> Result<(Raster, Turn<'static>)> {
    let info = file.info();
    let Some(picture) = file.picture() else { return read_tiff(file, (0, 0, info.height, info.width)) };
    let (stored, turn) = file.read_in_turn(0, 0, info.height, info.width)?;
    if hides(picture, info, &stored) {
        tracing::warn!(path = %file.path().display(), "some pixels are transparent, which is left out");
    }
    let samples = match painter(file) {
        Some(painter) => painter.paint(&stored).into(),
        None if kept(info) < info.bands => stretched(stored.select(&[0, 1, 2][..kept(info)]), picture.bits),
        None => stretched(stored, picture.bits),
    };
    Ok((Raster::described(samples.turned(turns(picture, info)), &seen(file)), turn))
}

/// A part of a TIFF, as [`read`] would give it; its place is that of the whole.
pub(super) fn read_tiff_window(
    file: &RasterFile,
    row: usize,
    column: usize,
    height: usize,
    width: usize,
) -> Result<Raster> {
    Ok(read_tiff(file, (row, column, height, width))?.0)
}

fn read_tiff(
    file: &RasterFile,
    (row, column, height, width): (usize, usize, usize, usize),
) -> Result<(Raster, Turn<'static>)> {
    let (samples, turn) = file.read_in_turn(row, column, height, width)?;
    let samples = match painter(file) {
        Some(painter) => painter.paint(&samples).into(),
        None => samples,
    };
    Ok((Raster::described(samples, &seen(file)), turn))
}

/// Samples of less than 8 bits as bytes from 0 to 255.
fn stretched(samples: Samples, bits: usize) -> Samples {
    match samples {
        Samples::U8(data) if bits < 8 => Samples::U8(data.mapv_into(|value| value.saturating_mul(step(bits)))),
        other => other,
    }
}

/// Whether some pixel is transparent by an alpha band, by the opacity of a palette, or by a colour that no nodata value
/// can stand for.
fn hides(picture: &Picture, info: &RasterInfo, stored: &Samples) -> bool {
    let opaque = if info.dtype == Dtype::U16 { f64::from(u16::MAX) } else { f64::from(u8::MAX) };
    let alpha = (kept(info) < info.bands).then(|| stored.band(kept(info))).flatten();
    if let Some(alpha) = alpha {
        return alpha.iter().any(|value| *value != opaque);
    }
    let Some(transparent) = picture.transparent.as_ref().filter(|_| info.nodata.is_none()) else { return false };
    if let (true, Samples::U8(indices)) = (info.has_palette, stored) {
        return indices
            .iter()
            .any(|index| transparent.get(usize::from(*index)).is_some_and(|opacity| *opacity < u8::MAX));
    }
    let bytes = transparent.chunks_exact(info.dtype.bytes());
    let colour = bytes.map(|bytes| bytes.iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte)));
    let bands: Vec<_> = (0..info.bands).filter_map(|band| stored.band(band)).zip(colour).collect();
    let is_that = |at| !bands.is_empty() && bands.iter().all(|(band, value)| band[at] == *value);
    (0..info.height).any(|y| (0..info.width).any(|x| is_that((y, x))))
}

/// From pixel-interleaved samples, `per_pixel` each, to (bands, height, width) of the first `bands` of them.
pub(super) fn planar(samples: &[u8], per_pixel: usize, bands: usize, height: usize, width: usize) -> Array3<u8> {
    let mut planes = Array3::zeros((bands, height, width));
    // With a length that the compiler knows, this is several times as fast.
    match per_pixel {
        1 => take_apart::<1>(samples, &mut planes),
        2 => take_apart::<2>(samples, &mut planes),
        3 => take_apart::<3>(samples, &mut planes),
        _ => take_apart::<4>(samples, &mut planes),
    }
    planes
}

fn take_apart<const PER_PIXEL: usize>(samples: &[u8], planes: &mut Array3<u8>) {
    let pixels = samples.as_chunks::<PER_PIXEL>().0;
    let plane = (planes.dim().1 * planes.dim().2).max(1);
    let planes = planes.as_slice_mut().unwrap_or_default();
    for (band, plane) in planes.chunks_exact_mut(plane).enumerate().take(PER_PIXEL) {
        plane.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = pixel[band]);
    }
}

#[cfg(test)]
mod tests {
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
}
