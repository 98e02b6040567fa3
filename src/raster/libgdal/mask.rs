//! Which pixels GDAL calls valid by a mask of the dataset's own: one within the file, or a `.msk` file beside it.

use gdal::Dataset;
use gdal::errors::Result;
use ndarray::Array2;

use super::blocks::Part;

/// Reads the mask of a part, true where there is data. None where the image has no such mask: gaps that nodata values and
/// alpha bands tell of are known from the header and the samples.
#[cfg_attr(not(test), expect(dead_code, reason = "the mask of an image is not heeded yet, and will be read here"))]
pub(super) fn valid(dataset: &Dataset, part: &Part) -> Result<Option<Array2<bool>>> {
    let band = dataset.rasterband(1)?;
    let flags = band.mask_flags()?;
    if !flags.is_per_dataset() || flags.is_alpha() || flags.is_nodata() {
        return Ok(None);
    }
    let size = (part.columns.len(), part.rows.len());
    let corner = (part.columns.start as isize, part.rows.start as isize);
    let mut values = vec![0u8; size.0 * size.1];
    band.open_mask_band()?.read_into_slice(corner, size, size, &mut values, None)?;
    // The sizes agree.
    Ok(Array2::from_shape_vec((size.1, size.0), values).ok().map(|mask| mask.mapv(|value| value != 0)))
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
        let mask = valid(&dataset::open(&path).unwrap(), &part).unwrap().unwrap();
        assert_eq!(mask.dim(), (2, 4));
        assert_eq!(
            mask.indexed_iter().filter(|(_, is_valid)| !**is_valid).map(|(at, _)| at).collect::<Vec<_>>(),
            [(0, 1)]
        );
        let plain = dataset::open(Path::new("assets/scenes/bluemarble_asia.tif")).unwrap();
        assert_eq!(valid(&plain, &part).unwrap(), None);
    }
}
