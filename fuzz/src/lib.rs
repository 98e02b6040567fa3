//! The readers of the crate, compiled from their sources without the rest, so that no libtorch is needed.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/raster/mod.rs"]
pub mod raster;
#[path = "../../src/store.rs"]
mod store;

#[path = "../../src/package/emd/mod.rs"]
mod emd;

mod dataset;

use std::io::Write;

/// Opens a file of these bytes and reads a part of it, within limits that a run can bear.
///
/// The file lies in memory where the system offers that; only its bytes count.
pub fn raster_window(bytes: &[u8]) {
    let folder = if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    let Ok(mut file) = tempfile::NamedTempFile::new_in(folder) else { return };
    if file.write_all(bytes).is_err() {
        return;
    }
    let limits = raster::Limits::default().max_sample_bytes(16 << 20).max_pixels(1 << 22).max_file_bytes(1 << 20);
    let Ok(raster) = raster::RasterFile::open_within(file.path(), &limits) else { return };
    let (height, width) = (raster.info().height(), raster.info().width());
    let _ = raster.read_window(height / 3, width / 3, (height / 2).clamp(1, 64), (width / 2).clamp(1, 64));
    if let Ok(samples) = raster.read() {
        assert!(samples.interleaved_bytes().len() <= 16 << 20);
    }
}

/// Reads these bytes as the text of a saved model.
pub fn model_definition(bytes: &[u8]) {
    let _ = emd::Emd::parse(bytes, emd::Reach::Folder);
}

/// Reads these bytes as the statistics that Export Training Data writes, of so many bands as the first byte says.
pub fn statistics(bytes: &[u8]) {
    let Some((&bands, text)) = bytes.split_first() else { return };
    if let Some(statistics) = dataset::statistics(text, usize::from(bands)) {
        for band in statistics.bands() {
            assert!(band.min <= band.max && (band.max - band.min).is_finite() && band.std >= 0.0);
        }
    }
}
