//! External masks, `NAME.msk`, which GDAL writes for formats that cannot store a mask.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::byte_source::ByteSource;
use super::image_format::{OpenImage, ReadSamples};
use super::{Limits, RasterInfo, image_formats};
use crate::error::{Error, ErrorKind, Result};

/// Returns the path of an image's mask, whether or not it exists.
pub(crate) fn path_of(image: &Path) -> PathBuf {
    let mut name = OsString::from(image);
    name.push(".msk");
    name.into()
}

/// Opens the mask next to an image. An unsuitable one is ignored, with a warning.
pub(super) fn beside(image: &Path, info: &RasterInfo, limits: &Limits) -> Option<Box<dyn ReadSamples>> {
    let path = path_of(image);
    if !path.is_file() {
        return None;
    }
    let opened = open(&path, info, limits);
    opened.inspect_err(|error| tracing::warn!(%error, "the mask beside an image is passed over")).ok()
}

fn open(path: &Path, info: &RasterInfo, limits: &Limits) -> Result<Box<dyn ReadSamples>> {
    let OpenImage { info: mask, samples, .. } = image_formats::open(&ByteSource::open(path)?, limits)?;
    let unfit = || Error::new(ErrorKind::Format, "this is no mask of the image beside it").at(path);
    if (mask.height, mask.width) != (info.height, info.width) {
        let size = |info: &RasterInfo| format!("{} x {} pixels", info.width, info.height);
        return Err(unfit().expected(size(info)).found(size(&mask)));
    }
    // GDAL ignores it too, because nothing indicates which image it is a mask of.
    if !mask.is_mask_of_another {
        return Err(unfit()
            .expected("INTERNAL_MASK_FLAGS_1 in GDAL's metadata")
            .found("none")
            .help("Let GDAL write the mask: rasterio's write_mask, or gdal_translate -mask."));
    }
    Ok(samples)
}
