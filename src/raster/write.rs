//! From a [`Raster`] to a file.

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::Raster;
use crate::error::{Error, ErrorKind, Result};
use crate::store;

const JPEG_QUALITY: u8 = 95;

pub(super) fn save(image: &Raster, path: &Path) -> Result<()> {
    let color = color(image, path)?;
    let mut bytes = Vec::new();
    match ending(path).as_str() {
        "png" => encode(image, color, PngEncoder::new(&mut bytes)),
        "jpg" | "jpeg" => encode(image, color, JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)),
        _ => {
            return Err(Error::new(ErrorKind::Usage, "no image format goes by this name")
                .at(path)
                .expected(".png, .jpg or .jpeg"));
        }
    }
    .map_err(|e| Error::new(ErrorKind::Unsupported, "image cannot be encoded").at(path).because(e))?;
    store::write(path, &bytes)
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

fn color(image: &Raster, path: &Path) -> Result<ExtendedColorType> {
    match image.bands() {
        1 => Ok(ExtendedColorType::L8),
        3 => Ok(ExtendedColorType::Rgb8),
        other => Err(Error::new(ErrorKind::Unsupported, "PNG and JPEG cannot hold these bands")
            .at(path)
            .expected("1 or 3 bands")
            .found(other)
            .help("Save Raster::to_rgb_image() to look at the first three.")),
    }
}

fn encode(image: &Raster, color: ExtendedColorType, encoder: impl ImageEncoder) -> image::ImageResult<()> {
    let interleaved = image.data.view().permuted_axes([1, 2, 0]);
    let samples: Vec<u8> = interleaved.iter().copied().collect();
    encoder.write_image(&samples, image.width() as u32, image.height() as u32, color)
}
