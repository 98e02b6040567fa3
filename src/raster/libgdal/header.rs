//! Metadata that GDAL returns before any pixel is decoded.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use gdal::raster::RasterBand;
use gdal::{Dataset, Metadata};

use super::{fault, place, sample_type};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{BandScale, Dtype, RasterInfo, number};

/// Reads the metadata of an image.
pub(super) fn info(dataset: &Dataset, path: &Path) -> Result<RasterInfo> {
    let (width, height) = dataset.raster_size();
    if width == 0 || height == 0 {
        return Err(Error::new(ErrorKind::Format, "the image has no pixels").at(path));
    }
    let bands = (1..=dataset.raster_count()).map(|number| dataset.rasterband(number));
    let bands: Vec<RasterBand<'_>> =
        bands.collect::<gdal::errors::Result<_>>().map_err(|error| fault::not_read(path, error))?;
    let dtype = dtype(&bands).ok_or_else(|| odd_samples(path))?;
    let palette = if let [band] = &bands[..] { palette(band) } else { None };
    let stored = |band| band_nodata(band).map(|value| dtype.stored(value));
    let nodata: Vec<Option<f64>> = bands.iter().map(stored).collect();
    let mut info = RasterInfo {
        place: place::of(dataset, path),
        nodata: nodata.first().copied().flatten(),
        band_names: bands.iter().map(name).collect(),
        band_scales: bands.iter().map(scale).collect(),
        has_palette: palette.is_some(),
        palette,
        alpha_band: alpha(&bands),
        block: bands.first().map_or((height, width), |band| (band.block_size().1.max(1), band.block_size().0.max(1))),
        ..RasterInfo::plain(driver(dataset), (bands.len(), height, width), dtype)
    };
    info.put_band_nodata(nodata.into_iter().collect::<Option<_>>().unwrap_or_default());
    if let Some(text) = dataset.metadata_item("NODATA_VALUES", "") {
        info.list_nodata(&text);
    }
    Ok(info)
}

/// Returns the short name of the driver. It is leaked, once per driver.
fn driver(dataset: &Dataset) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let name = dataset.driver().short_name();
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = name.leak();
    names.insert(name);
    name
}

fn dtype(bands: &[RasterBand<'_>]) -> Option<Dtype> {
    let each: Vec<Dtype> = bands.iter().map(sample_type::of_band).collect::<Option<_>>()?;
    sample_type::of_all(&each)
}

fn odd_samples(path: &Path) -> Error {
    Error::new(ErrorKind::Unsupported, "the type of the samples cannot be read")
        .at(path)
        .expected("integers, float32 or float64")
        .help("Convert it: gdal_translate -ot Float32 keeps the real part of complex samples.")
}

/// A 64-bit integer that `f64` cannot represent is ignored, as in files read without GDAL.
fn band_nodata(band: &RasterBand<'_>) -> Option<f64> {
    match sample_type::of_band(band)? {
        Dtype::I64 => number::nodata(&band.no_data_value_i64()?.to_string(), Dtype::I64),
        Dtype::U64 => number::nodata(&band.no_data_value_u64()?.to_string(), Dtype::U64),
        _ => band.no_data_value(),
    }
}

fn name(band: &RasterBand<'_>) -> Option<String> {
    band.description().ok().filter(|name| !name.is_empty())
}

fn scale(band: &RasterBand<'_>) -> BandScale {
    let told = BandScale::new(band.scale().unwrap_or(1.0), band.offset().unwrap_or(0.0));
    if told.is_sound() { told } else { BandScale::default() }
}

fn palette(band: &RasterBand<'_>) -> Option<Vec<[u8; 3]>> {
    let table = band.color_table()?;
    let part = |value: i16| u8::try_from(value.max(0)).unwrap_or(u8::MAX);
    let colors = (0..table.entry_count()).map(|index| table.entry_as_rgb(index));
    colors.map(|color| color.map(|color| [part(color.r), part(color.g), part(color.b)])).collect()
}

/// GDAL considers only the last band as the opacity of the first. The color interpretation is not queried, because that
/// call panics on colors newer than the `gdal` crate.
fn alpha(bands: &[RasterBand<'_>]) -> Option<usize> {
    let is_masked_by_alpha = bands.first()?.mask_flags().is_ok_and(|flags| flags.is_alpha());
    is_masked_by_alpha.then(|| bands.len() - 1)
}
