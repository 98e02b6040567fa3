//! Opens names and files with GDAL.

use std::path::Path;
use std::sync::Arc;

use gdal::{Dataset, Metadata};

use super::dataset::Datasets;
use super::image::GdalImage;
use super::mask::GdalMask;
use super::{dataset, fault, header};
use crate::error::{Error, ErrorKind, Result, caught};
use crate::raster::byte_source::ByteSource;
use crate::raster::image_format::{OpenImage, ReadSamples};
use crate::raster::{Limits, ValiditySource, unknown_format};

/// Number of images within a file that an error message lists.
const NAMED_AT_MOST: usize = 5;

/// Opens a file that no reader in this crate accepts, or a name that only GDAL understands.
///
/// Bytes in memory are rejected: even a few bytes from an untrusted source could make GDAL open other files.
pub(in crate::raster) fn open(source: &ByteSource, limits: &Limits) -> Result<OpenImage> {
    let is_in_memory = source.file().is_none() && !source.is_a_name();
    if is_in_memory || !source.is_a_name() && source.opening(1)?.is_empty() {
        return Err(unknown_format::error(source)?);
    }
    let path = source.path();
    caught(|| opened(path, limits)).unwrap_or_else(|words| Err(fault::damaged(path, words)))
}

/// Opens a file that a reader in this crate rejected. If GDAL rejects it too, the original error is returned, because
/// it is more specific.
pub(in crate::raster) fn open_refused(source: &ByteSource, limits: &Limits, refusal: Error) -> Result<OpenImage> {
    open(source, limits).map_err(|_| refusal)
}

fn opened(path: &Path, limits: &Limits) -> Result<OpenImage> {
    let dataset = dataset::open(path)?;
    if dataset.raster_count() == 0 {
        return Err(no_image(path, &dataset));
    }
    let mut info = header::info(&dataset, path)?;
    let datasets = Arc::new(Datasets::new(path, dataset, &info));
    let mask = GdalMask::find(&datasets, limits)?;
    info.mask = mask.as_ref().map(|_| ValiditySource::InternalMask);
    let mask = mask.map(|mask| Box::new(mask) as Box<dyn ReadSamples>);
    let samples = GdalImage::new(datasets, &info, limits)?;
    Ok(OpenImage { info, presentation: None, samples: Box::new(samples), mask })
}

/// Creates the error for a file that is not an image itself but may contain some.
fn no_image(path: &Path, dataset: &Dataset) -> Error {
    let items = dataset.metadata_domain("SUBDATASETS").unwrap_or_default();
    let names: Vec<&str> = items
        .iter()
        .filter_map(|item| item.split_once('='))
        .filter(|(key, _)| key.ends_with("_NAME"))
        .map(|(_, name)| name)
        .collect();
    if names.is_empty() {
        return Error::new(ErrorKind::Format, "the file has no image in it").at(path);
    }
    let shown = names.iter().take(NAMED_AT_MOST).copied().collect::<Vec<_>>().join(" or ");
    Error::new(ErrorKind::Unsupported, "the file holds several images")
        .at(path)
        .expected("one image")
        .found(names.len())
        .help(format!("Open one of them by its name: {}.", fault::printable(&shown)))
}
