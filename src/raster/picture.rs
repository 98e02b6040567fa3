//! Pictures without a place of their own: PNG, JPEG, BMP. Opened by the header, read as a whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::ImageFormat;

use super::{Limits, RasterInfo, Samples, bmp, jpeg, png, read};
use crate::error::{Error, ErrorKind, Result};
use crate::store;

/// Enough for the header and the palette of a BMP.
const HEADER_BYTES: u64 = 4096;

/// The first bytes of a file.
pub(super) fn opening(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    let mut bytes = Vec::new();
    file.take(HEADER_BYTES).read_to_end(&mut bytes).map_err(|e| Error::io("file cannot be read", path, e))?;
    Ok(bytes)
}

/// What a file says that begins with these bytes.
pub(super) fn info(path: &Path, opening: &[u8], limits: &Limits) -> Result<(ImageFormat, RasterInfo)> {
    let format = read::format(path, opening)?;
    let info = match format {
        ImageFormat::Png => png::info(path)?,
        ImageFormat::Jpeg => jpeg::info(path)?,
        _ => bmp::info(path, opening, limits)?,
    };
    Ok((format, info))
}

/// All samples of a file that said this when it was opened.
pub(super) fn read(path: &Path, format: ImageFormat, info: &RasterInfo, limits: &Limits) -> Result<Samples> {
    info.check_window(path, limits, (0, 0, info.height, info.width))?;
    let bytes = store::read_capped(path, limits.max_file_bytes)?;
    let samples = match format {
        ImageFormat::Png => png::read(path, &bytes, limits)?,
        ImageFormat::Jpeg => jpeg::read_as_stored(path, &bytes, info)?,
        _ => bmp::read(path, &bytes, info, limits)?,
    };
    if (samples.shape(), samples.dtype()) != ((info.bands, info.height, info.width), info.dtype) {
        return Err(Error::new(ErrorKind::Format, "the file has changed since it was opened").at(path));
    }
    Ok(samples)
}
