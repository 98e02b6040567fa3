//! Datasets of GDAL, for one thread at a time.

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

/// An open image for any number of threads: as many datasets as have been read side by side.
pub(super) struct Datasets {
    path: PathBuf,
    /// Bands, height and width.
    shape: (usize, usize, usize),
    idle: Mutex<Vec<Dataset>>,
}

impl Datasets {
    /// Takes a dataset whose header said this.
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
        // Datasets that are in it are whole, also after a panic elsewhere.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a dataset that no other thread uses.
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

    /// Gives a dataset back that was taken and is whole.
    pub fn give_back(&self, dataset: Dataset) {
        self.idle().push(dataset);
    }
}
