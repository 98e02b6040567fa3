//! The header of a file to write.

use std::path::Path;

use tiff_core::{Compression as Code, PhotometricInterpretation, PlanarConfiguration, Predictor, SampleFormat};
use tiff_writer::{ImageBuilder, TiffVariant, WriteOptions};

use super::grid::Grid;
use super::spec::{BigTiff, Compression, Interleave, RasterSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::tiff::{gdal, geo};
use crate::raster::{BandScale, Dtype};

pub(super) fn options(spec: &RasterSpec) -> WriteOptions {
    let variant = match spec.big_tiff {
        BigTiff::Auto => TiffVariant::Auto,
        BigTiff::Always => TiffVariant::BigTiff,
    };
    WriteOptions { variant, ..WriteOptions::default() }
}

/// Sets the header fields of the image.
pub(super) fn image(spec: &RasterSpec, grid: &Grid, path: &Path) -> Result<ImageBuilder> {
    let tags = geo::tags(&spec.place).into_iter().chain(gdal::tags(
        nodata(spec, path)?,
        spec.dtype,
        names(spec, path)?,
        scales(spec, path)?,
    ));
    Ok(tags.fold(samples(spec, grid), ImageBuilder::tag))
}

/// Does the same for an overview of it, with the same names and extent.
pub(super) fn overview(spec: &RasterSpec, grid: &Grid, path: &Path) -> Result<ImageBuilder> {
    let tags = gdal::tags(nodata(spec, path)?, spec.dtype, &[], &[]);
    Ok(tags.into_iter().fold(samples(spec, grid).overview(), ImageBuilder::tag))
}

/// Sets how samples are stored in the file.
fn samples(spec: &RasterSpec, grid: &Grid) -> ImageBuilder {
    let (bands, height, width) = spec.shape;
    let format = format(spec.dtype);
    let photometric = match (bands, spec.dtype) {
        (3, Dtype::U8) => PhotometricInterpretation::Rgb,
        _ => PhotometricInterpretation::MinIsBlack,
    };
    let planar = match spec.interleave {
        // With one band the two are equivalent; readers expect the more common value.
        Interleave::Band if bands > 1 => PlanarConfiguration::Planar,
        _ => PlanarConfiguration::Chunky,
    };
    let image = ImageBuilder::new(width as u32, height as u32)
        .samples_per_pixel(bands as u16)
        .bits_per_sample(8 * spec.dtype.bytes() as u16)
        .sample_format(format)
        .compression(code(spec.compression))
        .predictor(predictor(spec.compression, format.to_code()))
        .photometric(photometric)
        .planar_configuration(planar);
    match grid.is_tiled {
        true => image.tiles(grid.block_width as u32, grid.block_height as u32),
        false => image.strips(grid.block_height as u32),
    }
}

/// A value that no sample has would have no effect, and other readers might misinterpret it.
fn nodata(spec: &RasterSpec, path: &Path) -> Result<Option<f64>> {
    match spec.nodata {
        Some(value) if !spec.dtype.can_mean(value) => {
            Err(Error::new(ErrorKind::Usage, "samples of this type cannot have the nodata value")
                .at(path)
                .expected(format!("a value of {}", spec.dtype))
                .found(value))
        }
        nodata => Ok(nodata),
    }
}

fn scales<'a>(spec: &'a RasterSpec, path: &Path) -> Result<&'a [BandScale]> {
    let (scales, bands) = (&spec.band_scales, spec.shape.0);
    let wrong = |expected: String, found: String| {
        Err(Error::new(ErrorKind::Usage, "these scales of bands cannot be written")
            .at(path)
            .expected(expected)
            .found(found))
    };
    if scales.len() > bands {
        return wrong(format!("{bands} at most"), scales.len().to_string());
    }
    match scales.iter().find(|scale| !scale.is_sound()) {
        Some(scale) => wrong("finite numbers, scales other than 0".into(), format!("{scale:?}")),
        None => Ok(scales),
    }
}

fn names<'a>(spec: &'a RasterSpec, path: &Path) -> Result<&'a [Option<String>]> {
    let (names, bands) = (&spec.band_names, spec.shape.0);
    if names.len() > bands {
        return Err(Error::new(ErrorKind::Usage, "there are more names than bands")
            .at(path)
            .expected(format!("{bands} names at most"))
            .found(names.len()));
    }
    match names.iter().flatten().find(|name| name.contains('\0')) {
        Some(name) => Err(Error::new(ErrorKind::Usage, "the name of a band cannot be written")
            .at(path)
            .expected("text without NUL")
            .found(format!("{name:?}"))),
        None => Ok(names),
    }
}

pub(super) fn format(dtype: Dtype) -> SampleFormat {
    match dtype {
        Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => SampleFormat::Uint,
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => SampleFormat::Int,
        Dtype::F32 | Dtype::F64 => SampleFormat::Float,
    }
}

pub(super) fn code(compression: Compression) -> Code {
    match compression {
        Compression::None => Code::None,
        Compression::Deflate => Code::Deflate,
        Compression::Lzw => Code::Lzw,
        Compression::Zstd => Code::Zstd,
    }
}

/// Returns the predictor applied to samples before compression; `format` is the tag's sample format code.
pub(super) fn predictor(compression: Compression, format: u16) -> Predictor {
    match compression {
        Compression::None => Predictor::None,
        _ if format == SampleFormat::Float.to_code() => Predictor::FloatingPoint,
        _ => Predictor::Horizontal,
    }
}
