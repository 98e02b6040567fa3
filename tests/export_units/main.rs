//! Networks with their scaling inside: raw samples in, what `predict` gives out, in torch.jit and onnxruntime. Needs a
//! Python with torch, onnx, onnxruntime and rasterio, named by GEOLEARN_TEST_PYTHON, where it says so; and for one test
//! the sources of the QGIS plugin Deepness, named by GEOLEARN_DEEPNESS.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod deepness;
mod forms;
mod in_python;
mod masks;
mod torchscript;

#[path = "../common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};

use common::on_cpu;
use geolearn::dataset::Normalization;
use geolearn::models::{ExportOptions, ExportUnits};
use geolearn::raster::Samples;
use geolearn::tch::Tensor;
use geolearn::{CycleGan, DatasetType, Domain, PrepareData, Raster};
use ndarray::Array3;

fn files() -> ExportOptions {
    ExportOptions::new().units(ExportUnits::Files)
}

fn export(model: &CycleGan, to: Domain, options: &ExportOptions, folder: &Path) -> [PathBuf; 2] {
    let paths = ["network.pt", "network.onnx"].map(|name| folder.join(name));
    model.export_torchscript_with(&paths[0], to, options.clone()).unwrap();
    model.export_onnx_with(&paths[1], to, options.clone()).unwrap();
    paths
}

/// Samples of at most 16 bits may be one count apart, where a value lies on the edge between two; wider ones by what
/// rounding in single precision does through the network, as a share of their range.
fn assert_alike(found: &Samples, expected: &Samples, what: &str) {
    assert_eq!((found.dtype(), found.shape()), (expected.dtype(), expected.shape()), "{what}");
    let [found_values, expected_values] = [found, expected].map(Samples::to_f32);
    let range = expected_values.iter().filter(|value| value.is_finite());
    let (low, high) = range.fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    assert!(high > low, "{what}: all values are {low}");
    let most = if expected.dtype().bytes() > 2 { (high - low) * 1e-4 } else { 1.0 };
    for (at, (found, expected)) in found_values.iter().zip(&expected_values).enumerate() {
        let is_same = found == expected || (found.is_nan() && expected.is_nan());
        assert!(is_same || (found - expected).abs() <= most, "{what}: {found} for {expected} at {at}");
    }
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

fn first_chip(root: &Path, domain: Domain) -> PathBuf {
    let files = std::fs::read_dir(root.join(domain.to_string()).join("images")).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "tif" || extension == "png"));
    files.sort();
    files.remove(0)
}

fn tiny(data: PrepareData) -> CycleGan {
    let data = data.progress(false).prepare().unwrap();
    on_cpu::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).build().unwrap()
}

fn multispectral() -> PrepareData {
    PrepareData::new(asset("multispectral"), DatasetType::CycleGan)
        .normalization(Normalization::Percentile { low: 2.0, high: 98.0 })
}

/// Waves of other lengths in each band, with the nodata value here and there: in one band of a pixel, and in all.
fn scene(samples: &str, nodata: Option<f64>, seed: usize) -> Raster {
    let wave = |(c, y, x): (usize, usize, usize)| {
        ((c + 2) as f64 * y as f64 * 0.31 + (seed + 1) as f64 * 0.17 * x as f64).sin() * 0.5 + 0.5
    };
    let gap = |(c, y, x): (usize, usize, usize)| (y < 3 && x < 4) || (c == 1 && y > 20 && x < 6);
    let value = |at, low: f64, high: f64| match nodata {
        Some(value) if gap(at) => value,
        _ => low + (high - low) * wave(at),
    };
    // Sides that the network lengthens.
    let shape = (2, 25, 30);
    let array = |low, high| Array3::from_shape_fn(shape, |at| value(at, low, high));
    let samples: Samples = match samples {
        "uint8" => array(1.0, 250.0).mapv(|value| value as u8).into(),
        "int16" => array(-1000.0, 3000.0).mapv(|value| value as i16).into(),
        "uint16" => array(1.0, 10_000.0).mapv(|value| value as u16).into(),
        "int32" => array(-1e9, 1e9).mapv(|value| value as i32).into(),
        "float32" => array(-30.0, 2.5).mapv(|value| value as f32).into(),
        // float64
        _ => array(1e9, 1e9 + 50.0).into(),
    };
    Raster::new(samples).unwrap().with_nodata(nodata)
}

/// A data set of scenes, four in each domain.
fn scenes(folder: &Path, domains: [(&str, Option<f64>); 2]) -> PathBuf {
    for (domain, (samples, nodata)) in ["A", "B"].into_iter().zip(domains) {
        let images = folder.join(domain).join("images");
        std::fs::create_dir_all(&images).unwrap();
        for seed in 0..4 {
            scene(samples, nodata, seed).save(images.join(format!("{seed}.tif"))).unwrap();
        }
    }
    folder.to_path_buf()
}

type Sort = (&'static str, Option<f64>);

/// All types, with gaps that a value marks, that are not finite, and none.
const SORTS: [[Sort; 2]; 5] = [
    [("uint8", Some(0.0)), ("uint16", None)],
    [("int16", Some(-9999.0)), ("float32", Some(-3.4028234663852886e38))],
    [("float32", Some(f64::NAN)), ("uint8", None)],
    [("uint8", None), ("int16", Some(-32768.0))],
    [("int32", Some(-2147483648.0)), ("float64", None)],
];

fn tensor(samples: &Samples) -> Option<Tensor> {
    let (bands, height, width) = samples.shape();
    let shape = [1, bands as i64, height as i64, width as i64];
    let flat = match samples {
        Samples::U8(values) => Tensor::from_slice(values.as_slice()?),
        Samples::I16(values) => Tensor::from_slice(values.as_slice()?),
        Samples::I32(values) => Tensor::from_slice(values.as_slice()?),
        Samples::F32(values) => Tensor::from_slice(values.as_slice()?),
        Samples::F64(values) => Tensor::from_slice(values.as_slice()?),
        _ => return None,
    };
    Some(flat.view(shape))
}
