//! Measures the peak memory of translating scenes of several sizes, each in a new process.
//!
//! Run `cargo bench --bench raster_memory` for scenes of 2,000 and 8,000 pixels, or `cargo bench --bench raster_memory
//! -- 40000` for a scene of 40,000 x 40,000 x 4 bands of uint16, which takes minutes and 30 GB of temporary disk space.
//! Use `-- HEIGHTxWIDTHxBANDS` for other sizes, with 4 or 13 bands.
//!
//! The scenes repeat bundled chips. The model is small and untrained, since the memory of a tile does not depend on the
//! weights.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench that cannot run should say so at once")]

#[path = "../examples/loader/process.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod process;

use std::path::{Path, PathBuf};
use std::process::Command;

use geolearn::raster::{Compression, Dtype, RasterSpec, RasterWriter, Samples};
use geolearn::{CycleGan, DatasetType, Domain, PrepareData, Raster, RasterOptions};
use ndarray::{Array3, Axis, concatenate};

const CHIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/multispectral");
/// Bands of the chips to use, if not all.
const FOUR: [usize; 4] = [1, 2, 3, 7];
/// Rows written at a time.
const CHIP: usize = 64;

/// Height, width and bands of a scene.
#[derive(Clone, Copy)]
struct Shape {
    height: usize,
    width: usize,
    bands: usize,
}

impl Shape {
    fn read(word: &str) -> Self {
        let numbers: Vec<usize> = word.split('x').map(|number| number.parse().expect("a number")).collect();
        let height = numbers[0];
        Self {
            height,
            width: numbers.get(1).copied().unwrap_or(height),
            bands: numbers.get(2).copied().unwrap_or(FOUR.len()),
        }
    }

    fn all_bands(self) -> bool {
        self.bands != FOUR.len()
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [shape, scene, output] = words.as_slice() {
        return translate(Shape::read(shape), Path::new(scene), Path::new(output));
    }
    let words = if words.is_empty() { vec!["2000".to_string(), "8000".to_string()] } else { words };
    for word in words {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = folder.path().join("scene.tif");
        write_scene(&scene, Shape::read(&word));
        let status = Command::new(std::env::current_exe().expect("this program"))
            .arg(word)
            .args([&scene, &folder.path().join("out.tif")])
            .status()
            .expect("a process");
        assert!(status.success());
    }
}

/// Repeats the chips side by side.
fn write_scene(path: &Path, shape: Shape) {
    let Shape { height, width, bands } = shape;
    let chips: Vec<Array3<u16>> = chips().iter().map(|path| chip(path, shape)).collect();
    let spec = RasterSpec::new(bands, height, width, Dtype::U16).compression(Compression::Zstd);
    let mut writer = RasterWriter::create(path, spec).expect("a scene");
    for (index, row) in (0..height).step_by(CHIP).enumerate() {
        let across: Vec<_> =
            (0..width.div_ceil(CHIP)).map(|column| chips[(index * 7 + column) % chips.len()].view()).collect();
        let mut rows = concatenate(Axis(2), &across).expect("chips of one height");
        rows.slice_axis_inplace(Axis(1), (0..CHIP.min(height - row)).into());
        rows.slice_axis_inplace(Axis(2), (0..width).into());
        writer.write_rows(&Samples::U16(rows)).expect("rows");
    }
    writer.finish().expect("a scene");
}

fn chips() -> Vec<PathBuf> {
    let folder = Path::new(CHIPS).join("A/images");
    let mut chips: Vec<_> = folder.read_dir().expect("chips").flatten().map(|entry| entry.path()).collect();
    chips.sort();
    chips
}

fn chip(path: &Path, shape: Shape) -> Array3<u16> {
    match Raster::open(path).expect("a chip").into_samples() {
        Samples::U16(values) if shape.all_bands() => values,
        Samples::U16(values) => values.select(Axis(0), &FOUR),
        other => unreachable!("{} instead of uint16", other.dtype()),
    }
}

fn translate(shape: Shape, scene: &Path, output: &Path) {
    let data = PrepareData::new(CHIPS, DatasetType::CycleGan);
    let data = if shape.all_bands() { data } else { data.bands(Domain::A, FOUR) }.prepare().expect("chips");
    let model = CycleGan::builder(&data).gen_blocks(1).gen_features(4).build().expect("a model");
    drop(data);
    let before = process::resident_mib();
    let report = model.predict_raster(scene, output, RasterOptions::new(Domain::B)).expect("a translation");
    println!(
        "{} x {} x {} of uint16: {:.0} MiB at most, {before:.0} MiB before; {:.2} pixels through the network for each, \
         {:.2} MP/s; read {:.1} s, network {:.1} s, write {:.1} s of {:.1} s",
        shape.height,
        shape.width,
        shape.bands,
        process::peak_mib(),
        report.network_pixels() as f64 / report.pixels() as f64,
        report.megapixels_per_second(),
        report.read_time().as_secs_f64(),
        report.network_time().as_secs_f64(),
        report.write_time().as_secs_f64(),
        report.time().as_secs_f64(),
    );
}
