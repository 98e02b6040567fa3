//! Datasets of GDAL, for one thread at a time.

use std::path::Path;

use gdal::{Dataset, DatasetOptions, GdalOpenFlags};

use super::fault;
use crate::error::{Error, ErrorKind, Result};

/// Opens a dataset to read its images.
pub(super) fn open(path: &Path) -> Result<Dataset> {
    fault::pass_messages_on();
    if path.to_str().is_none() {
        return Err(Error::new(ErrorKind::Usage, "GDAL cannot be given this name")
            .at(path)
            .expected("a name in UTF-8"));
    }
    let open_flags = GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
    Dataset::open_ex(path, DatasetOptions { open_flags, ..DatasetOptions::default() })
        .map_err(|error| fault::not_opened(path, error))
}
