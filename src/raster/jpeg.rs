//! JPEG, strictly: a truncated file, or damage that the code shows, is an error, not a picture that ends in grey.

use std::io::{BufRead, Seek};
use std::path::Path;

use image::metadata::Orientation;

use super::picture::{Format, Picture};
use super::read::planar;
use super::{Dtype, RasterInfo, Samples, ijg};
use crate::error::{Error, ErrorKind, Result};

/// Grey, or RGB as GDAL makes it, from CMYK too.
pub(super) fn header(path: &Path, reader: impl BufRead + Seek) -> Result<(Picture, RasterInfo)> {
    let opened = ijg::open(reader).map_err(|e| broken(path).because(e))?;
    let ijg::Opened { frame, exif } = opened.map_err(|fault| faulty(path, fault))?;
    let stated = exif.and_then(|exif| Orientation::from_exif_chunk(&exif));
    let orientation = stated.unwrap_or(Orientation::NoTransforms);
    let shape = (bands(path, &frame)?, frame.height, frame.width);
    Ok((Picture { orientation, ..Picture::plain(Format::Jpeg) }, RasterInfo::plain("JPEG", shape, Dtype::U8)))
}

/// Samples as GDAL has them, not turned.
pub(super) fn read(path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples> {
    let accept = |header: &ijg::Header| {
        let (frame, colours) = (header.frame()?, ijg::Colours::of(header));
        let found = (colours.bands(frame.components.len()), frame.height, frame.width);
        match found == (info.bands, info.height, info.width) {
            true => Ok(colours),
            false => Err(ijg::Fault::Format("another size than when it was opened".into())),
        }
    };
    let pixels = ijg::decode(&[], bytes, accept).map_err(|fault| faulty(path, fault))?;
    Ok(Samples::U8(planar(&pixels, info.bands, info.bands, info.height, info.width)))
}

fn bands(path: &Path, frame: &ijg::Frame) -> Result<usize> {
    match frame.components.len() {
        1 => Ok(1),
        3 | 4 => Ok(3),
        other => Err(Error::new(ErrorKind::Unsupported, "this JPEG is neither grey nor RGB")
            .at(path)
            .expected("1, 3 or 4 components")
            .found(other)
            .help("Convert the file to RGB.")),
    }
}

fn broken(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "JPEG file is truncated or damaged").at(path)
}

fn faulty(path: &Path, fault: ijg::Fault) -> Error {
    match fault {
        ijg::Fault::Format(found) => broken(path).found(found),
        ijg::Fault::Unsupported(found) => Error::new(ErrorKind::Unsupported, "this kind of JPEG cannot be read")
            .at(path)
            .found(found)
            .help("Save the file as a baseline or progressive 8-bit JPEG."),
    }
}
