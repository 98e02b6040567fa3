//! JPEG, strictly: a truncated file, or damage that the code shows, is an error, not a picture that ends in grey.
//!
//! The `image` crate decodes leniently, as browsers do, and offers no other way; so its decoder is called here.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Dtype, Limits, RasterInfo, Samples, ijg, read};
use crate::error::{Error, ErrorKind, Result};

type JpegDecoder<'a> = zune_jpeg::JpegDecoder<ZCursor<&'a [u8]>>;

/// Grey or RGB, turned as EXIF says, and how that was.
pub(super) fn decode(path: &Path, bytes: &[u8], limits: &Limits) -> Result<(DynamicImage, Orientation)> {
    let mut decoder = opened(path, bytes)?;
    let color = color_space(path, decoder.info().ok_or_else(|| broken(path))?.components)?;
    let mut picture = decode_to(path, bytes, limits, &mut decoder, color)?;
    let orientation = orientation(&decoder);
    picture.apply_orientation(orientation);
    Ok((picture, orientation))
}

fn orientation(decoder: &JpegDecoder<'_>) -> Orientation {
    let stated = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    stated.unwrap_or(Orientation::NoTransforms)
}

/// (bands, height, width) of what [`decode`] gives.
pub(super) fn shape_turned(path: &Path, bytes: &[u8]) -> Result<(usize, usize, usize)> {
    let decoder = opened(path, bytes)?;
    let info = decoder.info().ok_or_else(|| broken(path))?;
    let bands = color_space(path, info.components)?.num_components();
    Ok(read::turned((bands, usize::from(info.height), usize::from(info.width)), orientation(&decoder)))
}

/// Facts from a header, of which no more is read than it takes: grey, or RGB as GDAL makes it, from CMYK too.
pub(super) fn info(path: &Path) -> Result<RasterInfo> {
    let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    let frame = ijg::frame(BufReader::new(file)).map_err(|e| broken(path).because(e))?;
    let frame = frame.map_err(|fault| faulty(path, fault))?;
    let shape = (stored_bands(path, &frame)?, frame.height, frame.width);
    Ok(RasterInfo::plain("JPEG", shape, Dtype::U8))
}

/// Samples as GDAL has them, not turned.
pub(super) fn read_as_stored(path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples> {
    let accept = |header: &ijg::Header| {
        let (frame, colours) = (header.frame()?, ijg::Colours::of(header));
        let found = (colours.bands(frame.components.len()), frame.height, frame.width);
        match found == (info.bands, info.height, info.width) {
            true => Ok(colours),
            false => Err(ijg::Fault::Format("another size than when it was opened".into())),
        }
    };
    let pixels = ijg::decode(&[], bytes, accept).map_err(|fault| faulty(path, fault))?;
    Ok(Samples::U8(read::planar(&pixels, info.bands, info.bands, info.height, info.width)))
}

fn stored_bands(path: &Path, frame: &ijg::Frame) -> Result<usize> {
    match frame.components.len() {
        1 => Ok(1),
        3 | 4 => Ok(3),
        other => color_space(path, other as u8).map(|_| 0),
    }
}

fn strict() -> DecoderOptions {
    DecoderOptions::default().set_strict_mode(true).set_max_width(usize::MAX).set_max_height(usize::MAX)
}

fn opened<'a>(path: &Path, bytes: &'a [u8]) -> Result<JpegDecoder<'a>> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), strict());
    decoder.decode_headers().map_err(|e| failed(path, e))?;
    Ok(decoder)
}

fn decode_to(
    path: &Path,
    bytes: &[u8],
    limits: &Limits,
    decoder: &mut JpegDecoder<'_>,
    color: ColorSpace,
) -> Result<DynamicImage> {
    let info = decoder.info().ok_or_else(|| broken(path))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    limits.check(path, width, height)?;
    decoder.set_options(strict().jpeg_set_out_colorspace(color));
    let mut samples = vec![0; width as usize * height as usize * color.num_components()];
    decoder.decode_into(&mut samples).map_err(|e| failed(path, e))?;
    if !reaches_end(bytes) {
        return Err(broken(path).expected("an end-of-image marker").found("the end of the file"));
    }
    picture(color, width, height, samples).ok_or_else(|| broken(path))
}

fn color_space(path: &Path, components: u8) -> Result<ColorSpace> {
    match components {
        1 => Ok(ColorSpace::Luma),
        3 => Ok(ColorSpace::RGB),
        other => Err(Error::new(ErrorKind::Unsupported, "this JPEG is neither grey nor RGB")
            .at(path)
            .expected("1 or 3 components")
            .found(format!("{other}{}", if other == 4 { " (CMYK)" } else { "" }))
            .help("Convert the file to RGB.")),
    }
}

fn picture(color: ColorSpace, width: u32, height: u32, samples: Vec<u8>) -> Option<DynamicImage> {
    if color == ColorSpace::Luma {
        GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
    }
}

fn broken(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "JPEG file is truncated or damaged").at(path)
}

fn faulty(path: &Path, fault: ijg::Fault) -> Error {
    match fault {
        ijg::Fault::Format(found) => broken(path).found(found),
        ijg::Fault::Unsupported(found) => unsupported(path).found(found),
    }
}

fn unsupported(path: &Path) -> Error {
    Error::new(ErrorKind::Unsupported, "this kind of JPEG cannot be read")
        .at(path)
        .help("Save the file as a baseline or progressive 8-bit JPEG.")
}

fn failed(path: &Path, source: DecodeErrors) -> Error {
    match source {
        DecodeErrors::Unsupported(feature) => unsupported(path).found(format!("{feature:?}")),
        // The decoder's Debug form is its message.
        other => broken(path).found(format!("{other:?}")),
    }
}

/// Whether the scans are followed by an end-of-image marker (ITU T.81, annex B).
///
/// The decoder does not ask when all blocks happen to be there. Markers inside of application segments, such as
/// those of an embedded thumbnail, do not count.
fn reaches_end(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, after)) = next_marker(rest) {
        rest = match marker {
            0xd9 => return true,
            0x01 | 0xd0..=0xd8 => after,
            _ => segment_end(after),
        };
        if marker == START_OF_SCAN {
            rest = skip_entropy_coded(rest);
        }
    }
    false
}

fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let start = bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff))?;
    Some((bytes[start + 1], &bytes[start + 2..]))
}

/// What follows a segment; the length counts its own two bytes.
fn segment_end(bytes: &[u8]) -> &[u8] {
    let length = bytes.first_chunk::<2>().map_or(usize::MAX, |length| usize::from(u16::from_be_bytes(*length)));
    bytes.get(length..).unwrap_or_default()
}

/// What follows the coded data of a scan: `ff 00` is a data byte, `ff d0` to `ff d7` are restarts within it.
fn skip_entropy_coded(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff));
    end.map_or(&[], |end| &bytes[end..])
}
