//! Synthetic chips, and writing them.

use std::path::{Path, PathBuf};

use geolearn::Raster;

/// Writes an image to `name` below `root`, creating its folders, and returns its path.
pub fn write(root: &Path, name: &str, image: &Raster) -> PathBuf {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(&path).unwrap();
    path
}

/// Creates a chip in which every pixel differs from its neighbors; different seeds give different chips.
pub fn chip(bands: usize, height: usize, width: usize, seed: usize) -> Raster {
    let value = |(b, y, x): (usize, usize, usize)| (seed * 31 + b * 57 + y * 13 + x * 7 + x * y) as u8;
    Raster::new(ndarray::Array3::from_shape_fn((bands, height, width), value)).unwrap()
}
