//! GDAL datasets, each used by one thread at a time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gdal::{Dataset, DatasetOptions, GdalOpenFlags};

use super::fault;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::RasterInfo;
use crate::raster::whole_file::changed;

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

/// An open image for any number of threads: one dataset for each concurrent read.
pub(super) struct Datasets {
    path: PathBuf,
    /// Bands, height and width.
    shape: (usize, usize, usize),
    idle: Mutex<Vec<Dataset>>,
}

impl Datasets {
    /// Creates it from a dataset with this header.
    pub fn new(path: &Path, dataset: Dataset, info: &RasterInfo) -> Self {
        let shape = (info.bands, info.height, info.width);
        Self { path: path.to_path_buf(), shape, idle: Mutex::new(vec![dataset]) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn shape(&self) -> (usize, usize, usize) {
        self.shape
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Dataset>> {
        // The datasets in it are usable, even after a panic in another thread.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a dataset that no other thread is using.
    pub fn take(&self) -> Result<Dataset> {
        if let Some(dataset) = self.idle().pop() {
            return Ok(dataset);
        }
        let dataset = open(&self.path)?;
        let (width, height) = dataset.raster_size();
        match (dataset.raster_count(), height, width) == self.shape {
            true => Ok(dataset),
            false => Err(changed(&self.path)),
        }
    }

    /// Returns a dataset that is still usable.
    pub fn give_back(&self, dataset: Dataset) {
        self.idle().push(dataset);
    }
}
