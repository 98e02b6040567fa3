//! From a name to an open image.

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

/// How many images within a file a message names.
const NAMED_AT_MOST: usize = 5;

/// Opens a file that no reader of the crate's own takes, or a name that means something to GDAL alone.
///
/// Bytes in memory are refused: a few of them, from somebody who is not to be trusted, could have GDAL open other files.
pub(in crate::raster) fn open(source: &ByteSource, limits: &Limits) -> Result<OpenImage> {
    let is_in_memory = source.file().is_none() && !source.is_a_name();
    if is_in_memory || !source.is_a_name() && source.opening(1)?.is_empty() {
        return Err(unknown_format::error(source)?);
    }
    let path = source.path();
    caught(|| opened(path, limits)).unwrap_or_else(|words| Err(fault::damaged(path, words)))
}

/// Opens a file that a reader of the crate's own has refused. Its refusal says more than GDAL's, should both refuse it.
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

/// Complains of a file that has no image of its own, but may hold some.
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
