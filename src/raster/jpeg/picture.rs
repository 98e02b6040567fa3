//! JPEG files: gray, or RGB as in GDAL, also from CMYK.

use std::path::Path;

use image::metadata::Orientation;

use super::colors::Colors;
use super::decode::decode;
use super::fault::Fault;
use super::frame::Frame;
use super::header::Header;
use super::mask;
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::byte_source::{ByteSource, Reader};
use crate::raster::image_format::ReadSamples;
use crate::raster::planar::planar;
use crate::raster::presentation::Presentation;
use crate::raster::whole_file::WholeFile;
use crate::raster::{Dtype, Limits, RasterInfo, Samples};

/// The format.
pub(in super::super) struct Jpeg;

impl WholeFile for Jpeg {
    fn is_begun_by(opening: &[u8]) -> bool {
        opening.starts_with(&[0xff, 0xd8, 0xff])
    }

    fn header(path: &Path, reader: Reader<'_>) -> Result<(RasterInfo, Presentation)> {
        let read = Header::read(reader).map_err(|e| broken(path).because(e))?;
        let Header { frame, exif } = read.map_err(|fault| faulty(path, fault))?;
        let stated = exif.and_then(|exif| Orientation::from_exif_chunk(&exif));
        let orientation = stated.unwrap_or(Orientation::NoTransforms);
        let shape = (bands(path, &frame)?, frame.height, frame.width);
        let presentation = Presentation { orientation, ..Presentation::default() };
        Ok((RasterInfo::plain("JPEG", shape, Dtype::U8), presentation))
    }

    fn decode(path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples> {
        let accept = |stream: &Stream| {
            let (frame, colors) = (&stream.frame, Colors::of(stream));
            let found = (colors.bands(frame.components.len()), frame.height, frame.width);
            match found == (info.bands, info.height, info.width) {
                true => Ok(colors),
                false => Err(Fault::Format("another size than when it was opened".into())),
            }
        };
        let pixels = decode(&[], bytes, accept).map_err(|fault| faulty(path, fault))?;
        Ok(Samples::U8(planar(&pixels, info.bands, info.bands, info.height, info.width)))
    }

    fn mask(source: &ByteSource, info: &RasterInfo, limits: &Limits) -> Option<Box<dyn ReadSamples>> {
        mask::find(source, info, limits)
    }
}

fn bands(path: &Path, frame: &Frame) -> Result<usize> {
    match frame.components.len() {
        1 => Ok(1),
        3 | 4 => Ok(3),
        other => Err(Error::new(ErrorKind::Unsupported, "this JPEG is neither gray nor RGB")
            .at(path)
            .expected("1, 3 or 4 components")
            .found(other)
            .help("Convert the file to RGB.")),
    }
}

fn broken(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "JPEG file is truncated or damaged").at(path)
}

fn faulty(path: &Path, fault: Fault) -> Error {
    match fault {
        Fault::Format(found) => broken(path).found(found),
        Fault::Unsupported(found) => Error::new(ErrorKind::Unsupported, "this kind of JPEG cannot be read")
            .at(path)
            .found(found)
            .help("Save the file as a baseline or progressive 8-bit JPEG."),
    }
}
