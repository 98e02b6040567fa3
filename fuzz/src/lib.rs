//! The crate's readers, compiled from their sources without the rest, so that libtorch is not needed.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

// A folder, so that modules find their child modules there.
#[path = "../../src"]
mod sources {
    pub(crate) mod error;
    pub mod raster;
    pub(crate) mod store;
    pub(crate) mod tensor_file;
}

pub use sources::raster;
pub(crate) use sources::{error, store, tensor_file};

mod dataset;
mod device;
mod nn;
mod package;

use std::io::Write;

/// Returns a file in memory if the system supports it; only its bytes matter.
fn file_of(bytes: &[u8]) -> Option<tempfile::NamedTempFile> {
    let folder = if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    let mut file = tempfile::NamedTempFile::new_in(folder).ok()?;
    file.write_all(bytes).ok()?;
    Some(file)
}

/// Opens a file with these bytes and reads a part of it, within limits suitable for fuzzing.
pub fn raster_window(bytes: &[u8]) {
    let Some(file) = file_of(bytes) else { return };
    let limits = raster::Limits::default().max_sample_bytes(16 << 20).max_pixels(1 << 22).max_file_bytes(1 << 20);
    let Ok(raster) = raster::RasterFile::open_within(file.path(), &limits) else { return };
    let (height, width) = (raster.info().height(), raster.info().width());
    let _ = raster.read_window(height / 3, width / 3, (height / 2).clamp(1, 64), (width / 2).clamp(1, 64));
    if let Ok(samples) = raster.read() {
        assert!(samples.interleaved_bytes().len() <= 16 << 20);
    }
}

/// Opens a file with these bytes as a chip and as a raster file with its mask, and the bytes directly. Either all give
/// an image or all give an error, and the image matches the header.
pub fn picture(bytes: &[u8]) {
    let Some(file) = file_of(bytes) else { return };
    let limits = raster::Limits::default().max_sample_bytes(16 << 20).max_pixels(1 << 22).max_file_bytes(1 << 20);
    let with_mask = |file: raster::RasterFile| file.read_validity().and_then(|_| file.read());
    let stored = raster::RasterFile::open_within(file.path(), &limits).and_then(with_mask);
    let chip = raster::Raster::open_within(file.path(), &limits);
    assert_eq!(stored.is_ok(), chip.is_ok());
    let in_memory = raster::Raster::from_bytes_within(bytes, &limits);
    assert_eq!(in_memory.is_ok(), chip.is_ok());
    if let Ok(chip) = chip {
        let info = raster::chip_info(file.path(), &limits).unwrap();
        assert_eq!(chip.samples().shape(), (info.bands(), info.height(), info.width()));
        assert_eq!(chip.dtype(), info.dtype());
    }
}

/// Reads these bytes as safetensors weights.
pub fn safetensors(bytes: &[u8]) {
    let _ = package::safetensors::parse(bytes);
}

/// Small enough for a run, large enough to reach every path of the readers.
fn pth_limits() -> package::pth::PthLimits {
    package::pth::PthLimits {
        file_bytes: 1 << 20,
        directory_bytes: 1 << 20,
        pickle_bytes: 1 << 18,
        values: 1 << 14,
        tensor_bytes: 4 << 20,
    }
}

/// Opens a file with these bytes as weights, in the zip format or the legacy one, and reads every storage.
pub fn weights(bytes: &[u8]) {
    let Some(file) = file_of(bytes) else { return };
    let _ = package::pth::container::open(file.path(), &pth_limits(), |views, storages| {
        for (_, view) in views {
            let length = view.storage.elements * view.storage.dtype.width();
            // A compressed entry may be larger than the file, but not larger than the limit.
            assert!(length <= 4 << 20);
            if let Ok(read) = storages.storage(view.storage.key, length) {
                assert_eq!(read.len() as u64, length);
            }
        }
        Ok(())
    });
}

/// Reads these bytes as a pickle, and as a state dict if it is one; each tensor must be within its storage.
pub fn pickle(bytes: &[u8]) {
    let Ok(pickle) = package::pickle::read(bytes, 1 << 12) else { return };
    let Ok(views) = package::pth::tensor_views(&pickle, &pth_limits()) else { return };
    for (_, view) in views.iter().filter(|(_, view)| !view.size.contains(&0)) {
        let steps =
            view.size.iter().zip(&view.stride).map(|(&length, &step)| u128::from(length - 1) * u128::from(step));
        assert!(u128::from(view.offset) + steps.sum::<u128>() < u128::from(view.storage.elements));
    }
}

/// Unpacks a file with these bytes as a package, within a limit.
pub fn package(bytes: &[u8]) {
    let Some(file) = file_of(bytes) else { return };
    if let Some(length) = package::unpacked(file.path(), 1 << 20) {
        assert!(length <= 1 << 20);
    }
}

/// Reads these bytes as the definition of a saved model.
pub fn model_definition(bytes: &[u8]) {
    let _ = package::emd::Emd::parse(bytes, package::OPENING);
}

/// Reads these bytes as statistics of Export Training Data; the first byte is the number of bands.
pub fn statistics(bytes: &[u8]) {
    let Some((&bands, text)) = bytes.split_first() else { return };
    if let Some(statistics) = dataset::statistics(text, usize::from(bands)) {
        for band in statistics.bands() {
            assert!(band.min <= band.max && (band.max - band.min).is_finite() && band.std >= 0.0);
        }
    }
}
