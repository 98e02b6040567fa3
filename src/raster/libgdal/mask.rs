//! Masks that belong to a whole dataset: one within the file, or a `.msk` file next to it.

use std::sync::Arc;

use gdal::Dataset;
use gdal::errors::Result as Read;
use ndarray::Array3;

use super::blocks::Part;
use super::dataset::Datasets;
use super::fault;
use crate::error::{Result, caught};
use crate::raster::budget::{Budget, Turn};
use crate::raster::image_format::ReadSamples;
use crate::raster::{Limits, Samples};

/// The mask of an open image.
pub(super) struct GdalMask {
    datasets: Arc<Datasets>,
    limits: Limits,
}

impl GdalMask {
    /// Finds the mask, if the dataset has one of its own; nodata defined by nodata values and alpha bands is known from
    /// the header and the samples.
    pub fn find(datasets: &Arc<Datasets>, limits: &Limits) -> Result<Option<Self>> {
        let dataset = datasets.take()?;
        let has_one = has_own(&dataset).map_err(|error| fault::not_read(datasets.path(), error))?;
        datasets.give_back(dataset);
        Ok(has_one.then(|| Self { datasets: datasets.clone(), limits: *limits }))
    }
}

impl ReadSamples for GdalMask {
    fn read(&self) -> Result<(Samples, Turn<'static>)> {
        let (_, height, width) = self.datasets.shape();
        self.read_window(0, 0, height, width)
    }

    fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<(Samples, Turn<'static>)> {
        let turn = Budget::process().turn((height * width) as u64, self.limits.max_sample_bytes);
        let dataset = self.datasets.take()?;
        let part = Part { rows: row..row + height, columns: column..column + width };
        let path = self.datasets.path();
        let mask = caught(|| read(&dataset, &part))
            .map_err(|words| fault::damaged(path, words))?
            .map_err(|error| fault::not_read(path, error))?;
        self.datasets.give_back(dataset);
        Ok((Samples::U8(mask), turn))
    }
}

fn has_own(dataset: &Dataset) -> Read<bool> {
    let flags = dataset.rasterband(1)?.mask_flags()?;
    Ok(flags.is_per_dataset() && !flags.is_alpha() && !flags.is_nodata())
}

/// Reads the mask of a window, 0 for nodata.
fn read(dataset: &Dataset, part: &Part) -> Read<Array3<u8>> {
    let size = (part.columns.len(), part.rows.len());
    let corner = (part.columns.start as isize, part.rows.start as isize);
    let mut mask = Array3::zeros((1, size.1, size.0));
    if let Some(values) = mask.as_slice_mut() {
        dataset.rasterband(1)?.open_mask_band()?.read_into_slice(corner, size, size, values, None)?;
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::raster::libgdal::dataset;

    #[test]
    fn a_mask_of_the_dataset_is_read_by_parts() {
        use gdal::DriverManager;
        use gdal::raster::Buffer;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masked.tif");
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let mut made = driver.create_with_band_type::<u8, _>(&path, 5, 4, 1).unwrap();
        let mut band = made.rasterband(1).unwrap();
        band.create_mask_band(true).unwrap();
        let values: Vec<u8> = (0..20).map(|at| if at == 7 { 0 } else { 255 }).collect();
        band.open_mask_band().unwrap().write((0, 0), (5, 4), &mut Buffer::new((5, 4), values)).unwrap();
        made.flush_cache().unwrap();
        drop(made);
        let part = Part { rows: 1..3, columns: 1..5 };
        let masked = dataset::open(&path).unwrap();
        assert!(has_own(&masked).unwrap());
        let mask = read(&masked, &part).unwrap();
        assert_eq!(mask.dim(), (1, 2, 4));
        let gaps: Vec<_> = mask.indexed_iter().filter(|(_, value)| **value == 0).map(|(at, _)| at).collect();
        assert_eq!(gaps, [(0, 0, 1)]);
        let plain = dataset::open(Path::new("assets/scenes/bluemarble_asia.tif")).unwrap();
        assert!(!has_own(&plain).unwrap());
    }
}
