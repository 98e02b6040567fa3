//! What training from a large scene takes of the memory of the process, by the system's own count. One test, since the count
//! is of all.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![cfg(target_os = "linux")]

use std::fs;

use geolearn::dataset::Split;
use geolearn::raster::{Compression, Dtype, RasterSpec, RasterWriter, Samples};
use geolearn::{DatasetType, Domain, PrepareData, Raster};
use ndarray::{Array3, Axis, concatenate, s};

/// 400 million pixels.
const SIDE: usize = 20_000;
const MOST_MEBIBYTES: usize = 192;

/// In MiB.
fn status(key: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// Copies of a real scene side by side, in tiles of deflate.
fn write(path: &std::path::Path) {
    let Samples::U8(image) = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().into_samples() else {
        unreachable!("a scene of bytes")
    };
    let red = image.slice(s![..1, .., ..]).to_owned();
    let copies = vec![red.view(); SIDE / 512 + 1];
    let strip: Array3<u8> = concatenate(Axis(2), &copies).unwrap().slice(s![.., .., ..SIDE]).to_owned();
    let spec = RasterSpec::new(1, SIDE, SIDE, Dtype::U8).compression(Compression::Deflate);
    let mut writer = RasterWriter::create(path, spec).unwrap();
    for row in (0..SIDE).step_by(320) {
        let rows = strip.slice(s![.., ..320.min(SIDE - row), ..]).to_owned();
        writer.write_rows(&Samples::U8(rows)).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn memory_does_not_grow_with_the_scene() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.tif");
    write(&path);
    let pixels = SIDE * SIDE;
    // libtorch is there before the count begins.
    drop(geolearn::tch::Tensor::zeros([1, 3, 256, 256], (geolearn::tch::Kind::Float, geolearn::tch::Device::Cpu)));
    // Tells the system to begin the count of the peak anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    let options = PrepareData::new(folder.path(), DatasetType::CycleGan).scenes(Domain::A, [&path]).batch_size(4);
    let options = options.scenes(Domain::B, ["assets/scenes/bluemarble_asia.tif"]).bands(Domain::B, [1]).workers(2);
    let data = options.progress(false).cache(false).prepare().unwrap();
    // As many windows as cover what trains: nine tenths of all.
    let windows = (pixels * 9 / 10).div_ceil(256 * 256);
    assert!(data.len(Domain::A).abs_diff(windows) < windows / 50, "{} of {windows}", data.len(Domain::A));
    assert_eq!(data.windows(Domain::A, Split::Train, 7).len(), data.len(Domain::A));
    for batch in data.epoch(7).unwrap().take(40) {
        assert_eq!(batch.unwrap().a.size(), [4, 1, 256, 256]);
    }
    let taken = status("VmHWM").saturating_sub(before);
    assert!(taken <= MOST_MEBIBYTES, "{taken} MiB for a scene of {} MiB", pixels >> 20);
}
