//! Makes 256-pixel chips in each format: mosaics of sixteen bundled chips, so all pixels are real data.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use geolearn::Raster;
use geolearn::raster::Samples;
use ndarray::{Array3, s};

/// Number of chips per domain.
const CHIPS: usize = 64;
const SIDE: usize = 256;
/// Chips along each side of a mosaic.
const ACROSS: usize = 4;
/// Has no factor in common with the number of bundled chips, so every mosaic combines different chips.
const STRIDE: usize = 5;

/// Creates `png`, `jpg` and `tif` in `folder`, each with `A/images` and `B/images`.
pub fn make(bundled: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    for domain in ["A/images", "B/images"] {
        let tiles = tiles(&bundled.join(domain))?;
        for format in ["png", "jpg", "tif"] {
            fs::create_dir_all(folder.join(format).join(domain))?;
        }
        for number in 0..CHIPS {
            let mosaic = mosaic(&tiles, number);
            let name = |format: &str| folder.join(format).join(domain).join(format!("{number:04}.{format}"));
            let chip = Raster::new(mosaic)?;
            chip.save(name("png"))?;
            chip.save(name("jpg"))?;
            chip.save(name("tif"))?;
        }
    }
    Ok(())
}

fn tiles(folder: &Path) -> Result<Vec<Array3<u8>>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.sort();
    let bytes = |file: &PathBuf| match Raster::open(file)?.into_samples() {
        Samples::U8(data) => Ok(data),
        other => Err(format!("{}: expected 8-bit samples, found {}", file.display(), other.dtype()).into()),
    };
    files.iter().map(bytes).collect()
}

fn mosaic(tiles: &[Array3<u8>], number: usize) -> Array3<u8> {
    let side = SIDE / ACROSS;
    let mut mosaic = Array3::zeros((3, SIDE, SIDE));
    for place in 0..ACROSS * ACROSS {
        let tile = &tiles[(number * ACROSS * ACROSS + place) * STRIDE % tiles.len()];
        let (y, x) = (place / ACROSS * side, place % ACROSS * side);
        mosaic.slice_mut(s![.., y..y + side, x..x + side]).assign(tile);
    }
    mosaic
}
