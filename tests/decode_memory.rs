//! Measures the peak memory of decoding, as reported by the system. It is a single test, since the peak is that of the
//! process.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![cfg(target_os = "linux")]

use std::fs;

use geolearn::raster::{Blocks, Compression, Dtype, Limits, RasterFile, RasterSpec, RasterWriter, Samples};
use ndarray::Array3;

const MEBIBYTES: usize = 48;

/// Returns a line of `/proc/self/status`, in MiB.
fn status(key: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

#[test]
fn one_strip_takes_the_memory_of_its_samples_once() {
    let file = tempfile::Builder::new().suffix(".tif").tempfile().unwrap();
    let (rows, width) = (MEBIBYTES << 7, 1 << 13);
    let spec = RasterSpec::new(1, rows, width, Dtype::U8).blocks(Blocks::Strips { rows });
    let mut writer = RasterWriter::create(file.path(), spec.compression(Compression::Deflate)).unwrap();
    for _ in 0..rows / 64 {
        writer.write_rows(&Samples::U8(Array3::ones((1, 64, width)))).unwrap();
    }
    writer.finish().unwrap();
    assert!(fs::metadata(file.path()).unwrap().len() < 1 << 20);
    // Resets the system's peak counter.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    let limits = Limits::default().max_sample_bytes((MEBIBYTES as u64) << 20);
    let samples = RasterFile::open_within(file.path(), &limits).unwrap().read().unwrap();
    let taken = status("VmHWM").saturating_sub(before);
    assert_eq!(samples.shape(), (1, rows, width));
    assert!(taken <= MEBIBYTES * 5 / 4, "{taken} MiB for {MEBIBYTES} MiB of samples");
}
