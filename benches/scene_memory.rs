//! Peak memory of training data that are drawn from a scene, by the side of the scene, each in a process of its own.
//!
//! `cargo bench --bench scene_memory` for scenes of 2,000 and 8,000 pixels; `cargo bench --bench scene_memory -- 20000 50000`
//! for others, of which the last needs 2 GB on the disk that holds temporary files.
//!
//! A scene is the red band of the bundled one, repeated, in tiles of deflate and with a nodata value, so that all of its pixels
//! are read twice: for the map of validity and for the statistics. Then windows of one epoch are drawn, decoded and scaled, by two
//! workers, as for training.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench that cannot run should say so at once")]

#[path = "../examples/loader/process.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod process;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use geolearn::raster::{Compression, Dtype, RasterSpec, RasterWriter, Samples};
use geolearn::tch::{Device, Kind, Tensor};
use geolearn::{DatasetType, Domain, PrepareData, Raster};
use ndarray::{Array3, Axis, concatenate, s};

const SCENE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenes/bluemarble_asia.tif");
/// Windows that are drawn at most, from all over the scene.
const WINDOWS: usize = 4000;
const BATCH: usize = 4;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [side, scene] = words.as_slice()
        && Path::new(scene).is_file()
    {
        return draw(side.parse().expect("a number of pixels"), Path::new(scene));
    }
    let sides = if words.is_empty() { vec!["2000".to_string(), "8000".to_string()] } else { words };
    for side in sides {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = folder.path().join("scene.tif");
        write_scene(&scene, side.parse().expect("a number of pixels"));
        let this = std::env::current_exe().expect("this program");
        let status = Command::new(this).arg(side).arg(&scene).status().expect("a process");
        assert!(status.success());
    }
}

/// The bundled scene side by side, again and again.
fn write_scene(path: &Path, side: usize) {
    let scene = Array3::<u8>::try_from(Raster::open(SCENE).expect("the bundled scene")).expect("bytes");
    let red = scene.slice(s![..1, .., ..]).to_owned();
    let (height, width) = (red.len_of(Axis(1)), red.len_of(Axis(2)));
    let copies = vec![red.view(); side.div_ceil(width)];
    let strip = concatenate(Axis(2), &copies).expect("copies of one height");
    let strip = strip.slice(s![.., .., ..side]);
    let spec = RasterSpec::new(1, side, side, Dtype::U8).compression(Compression::Deflate).nodata(0.0);
    let mut writer = RasterWriter::create(path, spec).expect("a scene");
    for row in (0..side).step_by(height) {
        let rows = strip.slice(s![.., ..height.min(side - row), ..]).to_owned();
        writer.write_rows(&Samples::U8(rows)).expect("rows");
    }
    writer.finish().expect("a scene");
}

fn draw(side: usize, scene: &Path) {
    // libtorch is there before anything is counted.
    drop(Tensor::zeros([BATCH as i64, 1, 256, 256], (Kind::Float, Device::Cpu)));
    let before = process::resident_mib();
    let begin = Instant::now();
    let options = PrepareData::new(scene.with_extension("found"), DatasetType::CycleGan);
    let options = options.scenes(Domain::A, [scene]).scenes(Domain::B, [SCENE]).bands(Domain::B, [1]);
    let data = options.batch_size(BATCH).workers(2).cache(false).progress(false).prepare().expect("scenes");
    let (prepared, prepare_s) = (process::peak_mib(), begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let windows: i64 = data
        .epoch(0)
        .expect("an epoch")
        .take(WINDOWS / BATCH)
        .map(|batch| black_box(batch.expect("a batch")).a.size()[0])
        .sum();
    let draw_s = begin.elapsed().as_secs_f64();
    println!(
        "{side} x {side} bytes, {:.0} MiB in the file: {before:.0} MiB before, {prepared:.0} MiB at most when prepared ({prepare_s:.0} s), \
         {:.0} MiB at most after {windows} of {} windows of each domain ({:.0} a second)",
        scene.metadata().expect("a file").len() as f64 / f64::from(1 << 20),
        process::peak_mib(),
        data.len(Domain::A),
        windows as f64 / draw_s,
    );
}
