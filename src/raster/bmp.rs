//! Reads BMP like GDAL: palette indices stay indices.

use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError};

use super::bmp_indexed::Indexed;
use super::byte_source::Reader;
use super::planar::planar;
use super::presentation::{Gray, Presentation};
use super::whole_file::{WholeFile, changed};
use super::{Dtype, RasterInfo, Samples};
use crate::error::{Error, ErrorKind, Result};

/// Enough for the header and the palette.
const HEADER_BYTES: u64 = 4096;

/// The format.
pub(super) struct Bmp;

impl WholeFile for Bmp {
    fn is_begun_by(opening: &[u8]) -> bool {
        opening.starts_with(b"BM")
    }

    fn header(path: &Path, reader: Reader<'_>) -> Result<(RasterInfo, Presentation)> {
        let mut opening = Vec::new();
        let failed = |e| Error::io("file cannot be read", path, e);
        reader.take(HEADER_BYTES).read_to_end(&mut opening).map_err(failed)?;
        let (shape, palette, bits) = match Indexed::parse(&opening).map_err(|found| broken(path).found(found))? {
            Some(header) => ((1, header.height, header.width), Some(header.palette), header.bits),
            None => (true_color_shape(path, &opening)?, None, 8),
        };
        if shape.1 == 0 || shape.2 == 0 {
            return Err(broken(path).found(format!("{} x {} pixels", shape.2, shape.1)));
        }
        let info = RasterInfo { has_palette: palette.is_some(), palette, ..RasterInfo::plain("BMP", shape, Dtype::U8) };
        Ok((info, Presentation { bits, gray: Gray::Palette, ..Presentation::default() }))
    }

    fn decode(path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples> {
        match Indexed::parse(bytes).map_err(|found| broken(path).found(found))? {
            Some(header) if (header.height, header.width) == (info.height, info.width) => {
                let indices = header.indices(bytes).map_err(|found| broken(path).found(found))?;
                Ok(Samples::U8(planar(&indices, 1, 1, header.height, header.width)))
            }
            Some(_) => Err(changed(path)),
            None => true_color(path, bytes, info),
        }
    }
}

fn true_color_shape(path: &Path, opening: &[u8]) -> Result<(usize, usize, usize)> {
    let decoder = BmpDecoder::new(Cursor::new(opening)).map_err(|e| failed(path, e))?;
    let (width, height) = decoder.dimensions();
    Ok((usize::from(decoder.color_type().channel_count()), height as usize, width as usize))
}

fn true_color(path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples> {
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(|e| failed(path, e))?;
    let (width, height) = decoder.dimensions();
    let is_known = matches!(decoder.color_type(), ColorType::Rgb8 | ColorType::Rgba8);
    if (height as usize, width as usize) != (info.height, info.width) || !is_known {
        return Err(changed(path));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(|e| failed(path, e))?;
    let bands = usize::from(picture.color().channel_count());
    Ok(Samples::U8(planar(picture.as_bytes(), bands, bands, info.height, info.width)))
}

fn broken(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "BMP file is truncated or damaged").at(path)
}

/// Classifies a decoder error.
fn failed(path: &Path, source: ImageError) -> Error {
    match &source {
        ImageError::Limits(_) => Error::new(ErrorKind::Limits, "BMP file asks for too much memory"),
        ImageError::Unsupported(_) => Error::new(ErrorKind::Unsupported, "BMP file uses a feature that cannot be read")
            .help("Save the file as PNG or TIFF."),
        _ => broken(path),
    }
    .at(path)
    .because(source)
}
