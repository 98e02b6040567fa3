//! Encodes a [`Raster`] as a file.

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::{Dtype, OverviewResampling, Place, Raster, RasterFormat, RasterSpec, RasterWriter, Samples, tiff};
use crate::error::{Error, ErrorKind, Result};
use crate::store;

const JPEG_QUALITY: u8 = 95;

pub(super) fn save(image: &Raster, path: &Path) -> Result<()> {
    let wanted = || {
        Error::new(ErrorKind::Usage, "no image format goes by this name")
            .at(path)
            .expected(".tif, .tiff, .png, .jpg or .jpeg")
    };
    match RasterFormat::of_name(path).ok_or_else(wanted)? {
        RasterFormat::GeoTiff => save_tiff(image, path),
        format => store::write(path, &encoded(image, format, path)?),
    }
}

fn save_tiff(image: &Raster, path: &Path) -> Result<()> {
    let image = image.with_mask_in_nodata();
    let Some(hidden) = &image.hidden else {
        let mut writer = RasterWriter::create(path, spec(&image, path))?;
        writer.write_rows(image.samples())?;
        return writer.finish();
    };
    // The only kind of file for which this crate writes masks.
    let spec = spec(&image, path).cloud_optimized(OverviewResampling::Average);
    let mut writer = RasterWriter::create(path, spec)?;
    writer.write_masked_rows(image.samples(), hidden.mapv(|hidden| !hidden).view())?;
    writer.finish()
}

/// Returns the bytes of a TIFF; one with a mask is assembled on disk.
fn encoded_tiff(image: &Raster, path: &Path) -> Result<Vec<u8>> {
    let image = image.with_mask_in_nodata();
    if image.hidden.is_none() {
        return tiff::encoded(image.samples(), &spec(&image, path), path);
    }
    let failed = |error| Error::io("a temporary file cannot be used", std::env::temp_dir(), error);
    let folder = tempfile::tempdir().map_err(failed)?;
    let file = folder.path().join("masked.tif");
    save_tiff(&image, &file)?;
    std::fs::read(file).map_err(failed)
}

/// Returns the bytes of a file; `path` is its name in messages.
pub(super) fn encoded(image: &Raster, format: RasterFormat, path: &Path) -> Result<Vec<u8>> {
    if format == RasterFormat::GeoTiff {
        return encoded_tiff(image, path);
    }
    let bytes = encoded_picture(image, format, path)?;
    if image.place != Place::default() || image.nodata.is_some() || image.hidden.is_some() {
        tracing::warn!(path = %path.display(), "PNG and JPEG hold no place, no nodata value and no mask; a GeoTIFF keeps them");
    }
    Ok(bytes)
}

/// Returns the bytes of a PNG or JPEG.
pub(super) fn encoded_picture(image: &Raster, format: RasterFormat, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = match format {
        RasterFormat::Png => encode(image, color(image, format, path)?, PngEncoder::new(&mut bytes)),
        _ => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            encode(image, color(image, format, path)?, encoder)
        }
    };
    written.map_err(|e| Error::new(ErrorKind::Unsupported, "image cannot be encoded").at(path).because(e))?;
    Ok(bytes)
}

/// Returns the specification of a GeoTIFF for this image.
fn spec(image: &Raster, path: &Path) -> RasterSpec {
    let spec = RasterSpec::new(image.bands(), image.height(), image.width(), image.dtype()).place(image.place.clone());
    let spec = spec
        .band_names(image.band_names.iter().map(|name| name.clone().unwrap_or_default()))
        .band_scales(image.band_scales.iter().copied());
    match image.nodata {
        Some(value) if image.dtype().can_mean(value) => spec.nodata(value),
        Some(value) => {
            tracing::warn!(path = %path.display(), value, "no sample can have this nodata value, which is left out");
            spec
        }
        None => spec,
    }
}

pub(super) fn color(image: &Raster, format: RasterFormat, path: &Path) -> Result<ExtendedColorType> {
    let cannot =
        |what: &str| Error::new(ErrorKind::Unsupported, format!("PNG and JPEG cannot hold these {what}")).at(path);
    let is_png = format == RasterFormat::Png;
    match (image.bands(), image.dtype()) {
        (1, Dtype::U8) => Ok(ExtendedColorType::L8),
        (3, Dtype::U8) => Ok(ExtendedColorType::Rgb8),
        (1, Dtype::U16) if is_png => Ok(ExtendedColorType::L16),
        (3, Dtype::U16) if is_png => Ok(ExtendedColorType::Rgb16),
        (1 | 3, other) => Err(cannot("samples")
            .expected(if is_png { "uint8 or uint16" } else { "uint8" })
            .found(other)
            .help("Make a GeoTIFF (.tif), or use Raster::to_rgb_image() to look at it.")),
        (other, _) => Err(cannot("bands")
            .expected("1 or 3 bands")
            .found(other)
            .help("Make a GeoTIFF (.tif), or use Raster::to_rgb_image() to look at the first three.")),
    }
}

/// The encoders take 16-bit samples in native byte order.
fn encode(image: &Raster, color: ExtendedColorType, encoder: impl ImageEncoder) -> image::ImageResult<()> {
    let samples: Vec<u8> = match image.samples() {
        Samples::U8(data) => data.view().permuted_axes([1, 2, 0]).iter().copied().collect(),
        Samples::U16(data) => data.view().permuted_axes([1, 2, 0]).iter().flat_map(|v| v.to_ne_bytes()).collect(),
        _ => Vec::new(),
    };
    encoder.write_image(&samples, image.width() as u32, image.height() as u32, color)
}
