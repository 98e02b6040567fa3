//! From a file to a [`Raster`].

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use ndarray::Array3;

use super::palette::Painter;
use super::{Dtype, Limits, Raster, RasterFile, RasterInfo, jpeg, pam, picture, png, tiff, world};
use crate::error::{Error, ErrorKind, Result};
use crate::store;

/// Room for a decoder's own tables, beside the pixels.
const DECODER_BYTES: u64 = 64 << 20;
/// RGBA with 16 bits a sample, the widest pixel that a decoder makes before it is refused.
const WIDEST_PIXEL_BYTES: u64 = 8;
/// What is read of a file for its header, at first.
const HEADER_BYTES: u64 = 16 << 10;

/// Whether world files are looked for, which costs several looks for each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Georeference {
    Read,
    Skip,
}

/// An image for training: all but the transform of a world file.
pub(crate) fn read_chip(path: &Path, limits: &Limits) -> Result<Raster> {
    read(path, limits, Georeference::Skip)
}

pub(super) fn read(path: &Path, limits: &Limits, place: Georeference) -> Result<Raster> {
    if is_tiff_file(path)? {
        return read_tiff(&match place {
            Georeference::Read => RasterFile::open_within(path, limits)?,
            Georeference::Skip => RasterFile::open_unplaced(path, limits)?,
        });
    }
    let bytes = store::read_capped(path, limits.max_file_bytes)?;
    match format(path, &bytes)? {
        ImageFormat::Png if png::is_wide(&bytes) => placed(path, read_wide_png(path, &bytes, limits)?, place),
        ImageFormat::Jpeg => match jpeg::decode(path, &bytes, limits)? {
            (picture, Orientation::NoTransforms) => placed(path, planes(path, picture, None)?, place),
            // A world file is of the picture as it is stored.
            (picture, _) => planes(path, picture, None),
        },
        ImageFormat::Png => {
            let key = png::key_of_chip(path, &bytes)?;
            placed(path, planes(path, decode(path, &bytes, ImageFormat::Png, limits)?, key)?, place)
        }
        format => placed(path, planes(path, decode(path, &bytes, format, limits)?, None)?, place),
    }
}

/// With what stands beside it.
fn placed(path: &Path, image: Raster, place: Georeference) -> Result<Raster> {
    let shape = (image.bands(), image.height(), image.width());
    let mut info = RasterInfo { nodata: image.nodata, ..RasterInfo::plain("", shape, image.dtype()) };
    pam::complete(&mut info, path);
    if place == Georeference::Read {
        world::complete(&mut info.place, path);
    }
    Ok(Raster::described(image.samples, &info))
}

/// What [`read`] will give, without decoding a pixel.
pub(crate) fn chip_info(path: &Path, limits: &Limits) -> Result<RasterInfo> {
    let (start, is_all) = beginning(path, limits)?;
    if tiff::is_tiff(&start) {
        let info = RasterFile::open_unplaced(path, limits)?.info().clone();
        info.check_window(path, limits, (0, 0, info.height, info.width))?;
        if let Some(alpha) = info.alpha_band() {
            tracing::debug!(path = %path.display(), band = alpha + 1, "the file calls this band alpha; it is kept");
        }
        return Ok(shown(info));
    }
    let mut info = match picture_info(path, &start, limits) {
        // The header may be longer, by a thumbnail or a profile.
        Err(_) if !is_all => picture_info(path, &store::read_capped(path, limits.max_file_bytes)?, limits)?,
        told => told?,
    };
    pam::complete(&mut info, path);
    Ok(info)
}

/// What [`read_tiff_window`] makes of a TIFF that says this.
pub(super) fn shown(info: RasterInfo) -> RasterInfo {
    match Painter::of(&info) {
        Some(painter) => painter.painted_info(&info),
        None => info,
    }
}

/// As much of a file as mostly holds the header, and whether that is all of it. Reading the rest of many chips costs
/// as much as reading them a second time.
fn beginning(path: &Path, limits: &Limits) -> Result<(Vec<u8>, bool)> {
    let failed = |e| Error::io("file cannot be read", path, e);
    let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut start = Vec::with_capacity(bytes.min(HEADER_BYTES) as usize);
    file.take(HEADER_BYTES).read_to_end(&mut start).map_err(failed)?;
    if bytes > limits.max_file_bytes && !tiff::is_tiff(&start) {
        store::read_capped(path, limits.max_file_bytes)?;
    }
    let is_all = bytes <= HEADER_BYTES;
    Ok((start, is_all))
}

fn picture_info(path: &Path, bytes: &[u8], limits: &Limits) -> Result<RasterInfo> {
    let format = format(path, bytes)?;
    let (mut name, mut nodata) = ("BMP", None);
    let shape = match format {
        ImageFormat::Png if png::is_wide(bytes) => {
            let info = png::info(path)?;
            let shape = (colours(info.bands), info.height, info.width);
            return Ok(RasterInfo { nodata: info.nodata, ..RasterInfo::plain("PNG", shape, Dtype::U16) });
        }
        ImageFormat::Jpeg => {
            name = "JPEG";
            jpeg::shape_turned(path, bytes)?
        }
        ImageFormat::Png => {
            (name, nodata) = ("PNG", png::key_of_chip(path, bytes)?);
            shape_turned(path, bytes, format, limits)?
        }
        _ => shape_turned(path, bytes, format, limits)?,
    };
    Ok(RasterInfo { nodata, ..RasterInfo::plain(name, (colours(shape.0), shape.1, shape.2), Dtype::U8) })
}

/// Bands without alpha.
fn colours(bands: usize) -> usize {
    if bands >= 3 { 3 } else { 1 }
}

pub(super) fn is_tiff_file(path: &Path) -> Result<bool> {
    Ok(tiff::is_tiff(&picture::opening(path)?))
}

fn read_tiff(file: &RasterFile) -> Result<Raster> {
    let info = file.info();
    read_tiff_window(file, 0, 0, info.height, info.width)
}

/// A part of a TIFF, as [`read`] would give it; its place is that of the whole.
pub(super) fn read_tiff_window(
    file: &RasterFile,
    row: usize,
    column: usize,
    height: usize,
    width: usize,
) -> Result<Raster> {
    let info = file.info();
    let samples = file.read_window(row, column, height, width)?;
    Ok(match Painter::of(info) {
        Some(painter) => Raster::described(painter.paint(&samples).into(), &painter.painted_info(info)),
        None => Raster::described(samples, info),
    })
}

fn read_wide_png(path: &Path, bytes: &[u8], limits: &Limits) -> Result<Raster> {
    let (info, samples) = (png::info(path)?, png::read(path, bytes, limits)?);
    let (bands, ..) = samples.shape();
    let kept: Vec<usize> = (0..colours(bands)).collect();
    if let Some(alpha) = samples.band(kept.len()).filter(|_| bands > kept.len())
        && alpha.iter().any(|&value| value != f64::from(u16::MAX))
    {
        warn_of_alpha(path);
    }
    Ok(Raster::new(samples.select(&kept))?.with_nodata(info.nodata))
}

fn warn_of_alpha(path: &Path) {
    tracing::warn!(path = %path.display(), "the alpha band is not opaque and is left out");
}

/// What the bytes say the file is; its name may lie.
pub(super) fn format(path: &Path, bytes: &[u8]) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Format, "the file is empty").at(path));
    }
    let wanted = |kind, what| Error::new(kind, what).at(path).expected("TIFF, PNG, JPEG or BMP");
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Bmp)) => Ok(format),
        Ok(other) => Err(wanted(ErrorKind::Unsupported, "this image format cannot be read")
            .found(format!("{other:?}"))
            .help("Convert the file, for example with gdal_translate -of GTiff.")),
        Err(_) => Err(wanted(ErrorKind::Format, "the file is not an image").found(opening(bytes))),
    }
}

/// The first bytes, for a message.
fn opening(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(8).map(|byte| format!("{byte:02x} ")).collect();
    format!("bytes {}", shown.trim_end())
}

/// (bands, height, width) of what [`decode`] gives.
pub(super) fn shape(path: &Path, bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<(usize, usize, usize)> {
    let decoder = decoder(path, bytes, format, limits)?;
    let (width, height) = decoder.dimensions();
    Ok((usize::from(decoder.color_type().channel_count()), height as usize, width as usize))
}

/// The same, turned as EXIF says.
fn shape_turned(path: &Path, bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<(usize, usize, usize)> {
    let mut decoder = decoder(path, bytes, format, limits)?;
    let (width, height) = decoder.dimensions();
    let shape = (usize::from(decoder.color_type().channel_count()), height as usize, width as usize);
    Ok(turned(shape, decoder.orientation().unwrap_or(Orientation::NoTransforms)))
}

/// (bands, height, width) after [`DynamicImage::apply_orientation`].
pub(super) fn turned((bands, height, width): (usize, usize, usize), orientation: Orientation) -> (usize, usize, usize) {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    match orientation {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (bands, width, height),
        _ => (bands, height, width),
    }
}

pub(super) fn decode(path: &Path, bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<DynamicImage> {
    let mut decoder = decoder(path, bytes, format, limits)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|e| failed(path, format, e))?;
    decoded.apply_orientation(orientation);
    Ok(decoded)
}

/// A decoder that has read a header within the limits.
fn decoder<'a>(
    path: &Path,
    bytes: &'a [u8],
    format: ImageFormat,
    limits: &Limits,
) -> Result<impl ImageDecoder + use<'a>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut budget = image::Limits::no_limits();
    budget.max_alloc = Some(limits.max_pixels.saturating_mul(WIDEST_PIXEL_BYTES).saturating_add(DECODER_BYTES));
    reader.limits(budget);
    let decoder = reader.into_decoder().map_err(|e| failed(path, format, e))?;
    let (width, height) = decoder.dimensions();
    limits.check(path, width, height)?;
    check_samples(path, decoder.color_type())?;
    Ok(decoder)
}

/// Refuses more than 8 bits a sample: cutting them off would change the picture silently.
fn check_samples(path: &Path, color: ColorType) -> Result<()> {
    match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => Ok(()),
        other => Err(Error::new(ErrorKind::Unsupported, "these samples cannot be read")
            .at(path)
            .expected("8 bits a sample")
            .found(format!("{other:?}"))
            .help("Convert the file to 8 bits, for example with gdal_translate -ot Byte -scale.")),
    }
}

/// Sorts a decoder's complaint by who can mend it.
pub(super) fn failed(path: &Path, format: ImageFormat, source: ImageError) -> Error {
    let (kind, what) = match &source {
        ImageError::Limits(_) => (ErrorKind::Limits, "asks for too much memory"),
        ImageError::Unsupported(_) => (ErrorKind::Unsupported, "uses a feature that cannot be read"),
        ImageError::IoError(_) => (ErrorKind::Format, "is truncated"),
        _ => (ErrorKind::Format, "is truncated or damaged"),
    };
    Error::new(kind, format!("{format:?} file {what}")).at(path).because(source)
}

/// Splits pixels into bands and leaves alpha out, which may be made from the value that stands for no data.
fn planes(path: &Path, decoded: DynamicImage, nodata: Option<f64>) -> Result<Raster> {
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let (samples, per_pixel, bands) = match decoded {
        DynamicImage::ImageLuma8(pixels) => (pixels.into_raw(), 1, 1),
        DynamicImage::ImageLumaA8(pixels) => (pixels.into_raw(), 2, 1),
        DynamicImage::ImageRgb8(pixels) => (pixels.into_raw(), 3, 3),
        DynamicImage::ImageRgba8(pixels) => (pixels.into_raw(), 4, 3),
        other => {
            return Err(Error::new(ErrorKind::Unsupported, "these samples cannot be read")
                .at(path)
                .found(format!("{:?}", other.color())));
        }
    };
    if per_pixel > bands
        && nodata.is_none()
        && samples.chunks_exact(per_pixel).any(|pixel| pixel.last() != Some(&u8::MAX))
    {
        warn_of_alpha(path);
    }
    Ok(Raster::new(planar(&samples, per_pixel, bands, height, width))?.with_nodata(nodata))
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

    #[test]
    fn a_header_longer_than_its_usual_place_is_read_whole() {
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
}
