//! Measures how much scenes translated in tiles differ from the scene translated as a whole, and how visible the seams
//! are.
//!
//! `cargo bench --bench raster_quality` measures the bundled scene. `-- SCENE [TRUTH]` measures another scene that the
//! bundled model can translate, and its difference from a ground-truth image of the same size. A second table shows
//! tiles of the default size, on the same scene, repeated by mirroring until it spans several tiles.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench that cannot run should say so at once")]

use std::path::{Path, PathBuf};

use geolearn::inference::{NormStatistics, RasterReport};
use geolearn::raster::{Dtype, RasterSpec, RasterWriter, Samples};
use geolearn::{CycleGan, Domain, Raster, RasterOptions};
use ndarray::{Array3, Axis};

const SCENE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenes/bluemarble_asia.tif");
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/models/sat2relief");
/// Tile size on a CPU, and the side of a scene with nine such tiles.
const USUAL: usize = 1024;
const LARGE: usize = 2600;

type Method = (&'static str, usize, Option<usize>, NormStatistics);

fn main() {
    let words: Vec<PathBuf> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).map(Into::into).collect();
    let scene = words.first().cloned().unwrap_or_else(|| SCENE.into());
    let model = CycleGan::from_model(MODEL, None).expect("the bundled model");
    table(&model, &scene, words.get(1).map(open), &small_tiles());
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large.tif");
    write(&large, &mirrored(&open(&scene)));
    println!("\nmirrored:\n");
    table(&model, &large, words.get(1).map(|truth| mirrored(&open(truth))), &usual_tiles());
}

fn table(model: &CycleGan, scene: &Path, truth: Option<Array3<f32>>, methods: &[Method]) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.tif");
    let translated = |options: RasterOptions| {
        let report = model.predict_raster(scene, &output, options.progress(false)).expect("a translation");
        let work = report.network_pixels() as f64 / report.pixels() as f64;
        (open(&output), work, report)
    };
    let (whole, ..) = translated(RasterOptions::new(Domain::B).tile_size(4096));
    println!("| statistics | tile | halo | error against whole | seams | error against truth | work |");
    println!("|---|---|---|---|---|---|---|");
    println!("| whole | | | 0 | 1 | {} | 1 |", off(truth.as_ref(), &whole));
    for &(name, side, halo, statistics) in methods {
        let options = RasterOptions::new(Domain::B).tile_size(side).statistics(statistics);
        let (image, work, report) = translated(halo.map_or(options.clone(), |halo| options.halo(halo)));
        let seams = seams(&image, &report) / seams(&whole, &report);
        let halo = halo.map_or("default".to_string(), |halo| halo.to_string());
        let (far, true_off) = (difference(&image, &whole), off(truth.as_ref(), &image));
        println!("| {name} | {side} | {halo} | {far:.3} | {seams:.3} | {true_off} | {work:.2} |");
    }
}

const LOCAL: NormStatistics = NormStatistics::Local { spacing: None };

fn small_tiles() -> Vec<Method> {
    let tile = |padding| NormStatistics::Tile { padding };
    let mut methods = vec![
        ("tile, no overlap", 128, None, tile(Some(0))),
        ("tile, no overlap", 256, None, tile(Some(0))),
        ("tile, blended (arcgis)", 64, None, tile(None)),
        ("tile, blended (arcgis)", 128, None, tile(None)),
        ("tile, blended (arcgis)", 256, None, tile(None)),
        ("local", 256, None, LOCAL),
        ("local, nodes 256 apart", 256, None, NormStatistics::Local { spacing: Some(256) }),
        ("scene", 512, None, NormStatistics::Scene),
    ];
    methods.extend([0, 8, 16, 24, 32, 36, 48].map(|halo| ("scene", 256, Some(halo), NormStatistics::Scene)));
    methods
}

fn usual_tiles() -> Vec<Method> {
    let mut methods = vec![
        ("tile, no overlap", USUAL, None, NormStatistics::Tile { padding: Some(0) }),
        ("local", USUAL, None, LOCAL),
    ];
    methods.extend([0, 8, 16, 24, 36].map(|halo| ("scene", USUAL, Some(halo), NormStatistics::Scene)));
    methods
}

/// Repeats the image, mirrored at its sides.
fn mirrored(image: &Array3<f32>) -> Array3<f32> {
    let fold =
        |i: usize, period: usize| if (i / period).is_multiple_of(2) { i % period } else { period - 1 - i % period };
    let along = |axis: usize| -> Vec<usize> {
        let length = image.len_of(Axis(axis));
        (0..LARGE.max(length)).map(|i| fold(i, length)).collect()
    };
    image.select(Axis(1), &along(1)).select(Axis(2), &along(2))
}

fn write(path: &Path, image: &Array3<f32>) {
    let (bands, height, width) = image.dim();
    let mut writer = RasterWriter::create(path, RasterSpec::new(bands, height, width, Dtype::U8)).expect("a scene");
    writer.write_rows(&Samples::U8(image.mapv(|value| value as u8))).expect("rows");
    writer.finish().expect("a scene");
}

fn open(path: impl AsRef<std::path::Path>) -> Array3<f32> {
    Raster::open(path).expect("an image").samples().to_f32()
}

fn off(truth: Option<&Array3<f32>>, image: &Array3<f32>) -> String {
    truth.map_or(String::new(), |truth| format!("{:.2}", difference(truth, image)))
}

/// Returns the mean absolute difference in units of 8-bit samples.
fn difference(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
    (a - b).mapv(f32::abs).mean().unwrap_or_default()
}

/// Returns the mean gradient across the borders of tiles, divided by the mean of all gradients, over the axes that have
/// borders.
fn seams(image: &Array3<f32>, report: &RasterReport) -> f32 {
    let (rows, columns) = report.tile_borders();
    let of_axis = |(axis, borders): (usize, &[usize])| {
        let length = image.len_of(Axis(axis));
        let cut = |from: usize, to: usize| image.slice_axis(Axis(axis), (from..to).into()).to_owned();
        let gradient = (cut(1, length) - cut(0, length - 1)).mapv(f32::abs);
        let across: Vec<usize> = borders.iter().map(|border| border - 1).collect();
        gradient.select(Axis(axis), &across).mean().unwrap_or_default() / gradient.mean().unwrap_or(1.0)
    };
    let axes: Vec<f32> = [(1, rows), (2, columns)].into_iter().filter(|(_, b)| !b.is_empty()).map(of_axis).collect();
    axes.iter().sum::<f32>() / axes.len() as f32
}
