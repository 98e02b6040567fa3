//! Networks with their scaling inside: raw samples in, what `predict` gives out, in torch.jit and onnxruntime. Needs a
//! Python with torch, onnx, onnxruntime and rasterio, named by GEOLEARN_TEST_PYTHON, where it says so; and for one test
//! the sources of the QGIS plugin Deepness, named by GEOLEARN_DEEPNESS.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use common::{on_cpu, python, small_data, small_model};
use geolearn::dataset::{Channels, Normalization};
use geolearn::models::{Deepness, ExportOptions, ExportUnits};
use geolearn::raster::Samples;
use geolearn::tch::{CModule, Device, Kind, Tensor};
use geolearn::{CycleGan, DatasetType, Domain, ErrorKind, PrepareData, Raster};
use ndarray::Array3;
use serde_json::Value;

/// A program without code of ours: it reads files, runs networks and writes what comes out. Each folder holds a network in
/// both formats, and is followed by the image for it.
const RUN: &str = r#"
import sys
import numpy as np, onnx, onnxruntime, rasterio, torch

arguments = iter(sys.argv[1:])
for folder, image in zip(arguments, arguments):
    samples = rasterio.open(image).read()[None]
    onnx.checker.check_model(f"{folder}/network.onnx", full_check=True)
    session = onnxruntime.InferenceSession(f"{folder}/network.onnx", providers=["CPUExecutionProvider"])
    (i,), (o,) = session.get_inputs(), session.get_outputs()
    assert (i.name, o.name, i.shape[1]) == ("input", "output", samples.shape[1]), (i.shape, samples.shape)
    y, = session.run(None, {"input": samples})
    assert o.shape[1] == y.shape[1]
    with torch.no_grad():
        module = torch.jit.load(f"{folder}/network.pt")
        z = module(torch.from_numpy(samples)).numpy()
        # Another type of weights is another arithmetic of the network, and nothing else.
        w = module.to(torch.float64)(torch.from_numpy(samples)).numpy()
    assert (w.dtype, w.shape) == (z.dtype, z.shape)
    apart, span = np.nanmax(np.abs(w.astype(float) - z)), np.nanmax(z.astype(float)) - np.nanmin(z)
    assert apart <= (1 if z.itemsize <= 2 else 1e-4 * span), (apart, span)
    for name, made in [("onnx", y), ("torch", z)]:
        _, bands, height, width = made.shape
        profile = dict(driver="GTiff", count=bands, height=height, width=width, dtype=made.dtype)
        with rasterio.open(f"{folder}/{name}.tif", "w", **profile) as file:
            file.write(made[0])
"#;

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

/// Both runtimes on files, against `predict`.
fn check_in_python(cases: &[(&CycleGan, Domain, PathBuf)]) {
    let root = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = (0..cases.len()).map(|i| root.path().join(i.to_string())).collect();
    for (folder, (model, to, _)) in folders.iter().zip(cases) {
        export(model, *to, &files(), folder);
    }
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"-c", &RUN];
    for (folder, (_, _, image)) in folders.iter().zip(cases) {
        arguments.extend([folder as &dyn AsRef<OsStr>, image]);
    }
    if python::run(&arguments).is_none() {
        return;
    }
    for (folder, (model, to, image)) in folders.iter().zip(cases) {
        let expected = model.predict(image, *to).unwrap();
        for name in ["onnx", "torch"] {
            let found = Raster::open(folder.join(format!("{name}.tif"))).unwrap();
            assert_alike(found.samples(), expected.samples(), &format!("{name}, {} to {to}", image.display()));
        }
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

#[test]
fn bytes_in_are_bytes_out() {
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    let [a, b] = Domain::BOTH.map(|domain| first_chip(&asset("bluemarble"), domain));
    check_in_python(&[(&model, Domain::B, a), (&model, Domain::A, b)]);
}

/// 13 bands of uint16 with nodata, of which percentiles are cut; the fewer bands of the other domain are repeated.
#[test]
fn spectra_in_are_bytes_out_and_back() {
    let [shared, own] = [Channels::Shared, Channels::Own].map(|channels| tiny(multispectral().channels(channels)));
    // The file is given as it is, with all of its bands.
    let few = tiny(multispectral().bands(Domain::A, [8, 4, 3]));
    let [a, b] = Domain::BOTH.map(|domain| first_chip(&asset("multispectral"), domain));
    let both = |model| [(model, Domain::B, a.clone()), (model, Domain::A, b.clone())];
    check_in_python(&[&shared, &own, &few].map(both).concat());
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

#[test]
fn samples_without_data_are_those_of_predict() {
    let folder = tempfile::tempdir().unwrap();
    let sets = SORTS.iter().enumerate().map(|(i, sorts)| scenes(&folder.path().join(i.to_string()), *sorts));
    let models: Vec<(CycleGan, PathBuf)> =
        sets.map(|root| (tiny(PrepareData::new(&root, DatasetType::CycleGan).batch_size(2)), root)).collect();
    let both = |(model, root)| [Domain::B, Domain::A].map(|to: Domain| (model, to, first_chip(root, to.other())));
    let cases: Vec<_> = models.iter().flat_map(|(model, root)| both((model, root))).collect();
    check_in_python(&cases);
}

/// A program without code of ours that reads images with GDAL's mask of them and writes what the network makes.
const RUN_WITH_MASK: &str = r#"
import sys
import onnx, onnxruntime, rasterio

folder, *images = sys.argv[1:]
onnx.checker.check_model(f"{folder}/network.onnx", full_check=True)
session = onnxruntime.InferenceSession(f"{folder}/network.onnx", providers=["CPUExecutionProvider"])
i, m = session.get_inputs()
assert (i.name, m.name, m.type, m.shape[1]) == ("input", "mask", "tensor(uint8)", 1)
for number, image in enumerate(images):
    with rasterio.open(image) as file:
        samples, mask = file.read(list(range(1, i.shape[1] + 1)))[None], file.dataset_mask()[None, None]
    assert 0 < (mask == 0).mean() < 1, image
    made, = session.run(None, {"input": samples, "mask": mask})
    _, bands, height, width = made.shape
    profile = dict(driver="GTiff", count=bands, height=height, width=width, dtype=made.dtype)
    with rasterio.open(f"{folder}/{number}.tif", "w", **profile) as file:
        file.write(made[0])
"#;

/// Alpha, masks within and beside files, and a transparent color, as GDAL reads them.
#[test]
fn pixels_that_a_mask_hides_are_those_of_predict() {
    let names = ["alpha.png", "alpha_rgba.tif", "beside.png", "beside.tif", "internal_tiled.tif", "color_rgb.png"];
    let images = names.map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/masks").join(name));
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    export(&model, Domain::B, &files().mask(true), folder.path());
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"-c", &RUN_WITH_MASK];
    let path = folder.path();
    arguments.push(&path);
    arguments.extend(images.iter().map(|image| image as &dyn AsRef<OsStr>));
    if python::run(&arguments).is_none() {
        return;
    }
    for (number, image) in images.iter().enumerate() {
        let expected = model.predict(image, Domain::B).unwrap();
        let found = Raster::open(folder.path().join(format!("{number}.tif"))).unwrap();
        assert_alike(found.samples(), expected.samples(), &image.display().to_string());
        let empty = |raster: &Raster| raster.samples().to_f32().mapv(|value| value == 0.0);
        assert_eq!(empty(&found), empty(&expected), "{}", image.display());
    }
}

/// Needs no Python. A mask counts beside what values tell.
#[test]
fn torchscript_takes_a_mask_as_predict_does() {
    let hidden = |y: usize, x: usize| (y / 5 + x / 7).is_multiple_of(3);
    let valid = ndarray::Array2::from_shape_fn((25, 30), |(y, x)| !hidden(y, x));
    let bytes: Vec<u8> = valid.iter().map(|&valid| if valid { 255 } else { 0 }).collect();
    let mask = Tensor::from_slice(&bytes).view([1, 1, 25, 30]);
    let mut compared = 0;
    for sorts in SORTS.into_iter().filter(|sorts| sorts.iter().all(|(samples, _)| *samples != "uint16")) {
        let folder = tempfile::tempdir().unwrap();
        let model = tiny(PrepareData::new(scenes(folder.path(), sorts), DatasetType::CycleGan).batch_size(2));
        for (to, (samples, _)) in [(Domain::B, sorts[0]), (Domain::A, sorts[1])] {
            let path = folder.path().join("network.pt");
            model.export_torchscript_with(&path, to, files().mask(true)).unwrap();
            let image = scene(samples, None, 7);
            let network = CModule::load(&path).unwrap();
            let made = network.forward_ts(&[tensor(image.samples()).unwrap(), mask.shallow_clone()]).unwrap();
            let expected = model.predict_image(&image.clone().with_validity(&valid).unwrap(), to).unwrap();
            let expected = tensor(expected.samples()).unwrap();
            assert_eq!((made.kind(), made.size()), (expected.kind(), expected.size()));
            let [found, expected] =
                [made, expected].map(|made| Vec::<f64>::try_from(made.to_kind(Kind::Double).flatten(0, -1)).unwrap());
            // Integers may be a count apart on the edge between two; floats by rounding.
            let span =
                expected.iter().filter(|value| value.is_finite()).fold(1.0f64, |most, value| most.max(value.abs()));
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let is_same = found == expected || found.is_nan() && expected.is_nan();
                assert!(
                    is_same || (found - expected).abs() <= span * 1e-4 + 1.0,
                    "{samples}: {found} for {expected} at {at}"
                );
                let pixel = at % (25 * 30);
                if hidden(pixel / 30, pixel % 30) {
                    assert!(is_same, "{samples}: {found} for {expected} at {at}, which is hidden");
                }
            }
            assert!(network.forward_ts(&[tensor(image.samples()).unwrap(), mask.narrow(2, 0, 20)]).is_err());
            compared += 1;
        }
    }
    assert_eq!(compared, 8);
}

#[test]
fn a_mask_without_samples_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(&small_data(folder.path()));
    for options in [ExportOptions::new().mask(true), ExportOptions::new().deepness(Deepness::new(32)).mask(true)] {
        let error = model.export_onnx_with(folder.path().join("x.onnx"), Domain::B, options).unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("ExportUnits::Files"), "{error}");
    }
}

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

/// Needs no Python. tch knows no uint16, hence both domains are of other types here; each image of a batch goes by itself.
#[test]
fn torchscript_gives_what_predict_gives() {
    let mut compared = 0;
    for sorts in SORTS.into_iter().filter(|sorts| sorts.iter().all(|(samples, _)| *samples != "uint16")) {
        let folder = tempfile::tempdir().unwrap();
        let model = tiny(PrepareData::new(scenes(folder.path(), sorts), DatasetType::CycleGan).batch_size(2));
        for (to, (samples, nodata)) in [(Domain::B, sorts[0]), (Domain::A, sorts[1])] {
            let path = folder.path().join("network.pt");
            model.export_torchscript_with(&path, to, files()).unwrap();
            let whole = scene(samples, None, 5).with_nodata(nodata);
            let images = [scene(samples, nodata, 7), whole];
            let batch = Tensor::cat(&images.each_ref().map(|image| tensor(image.samples()).unwrap()), 0);
            let made = CModule::load(&path).unwrap().forward_ts(&[batch]).unwrap();
            for (i, image) in images.iter().enumerate() {
                let expected = model.predict_image(image, to).unwrap();
                let expected_tensor = tensor(expected.samples()).unwrap();
                assert_eq!(made.kind(), expected_tensor.kind());
                let values: Vec<f64> = made.get(i as i64).to_kind(Kind::Double).flatten(0, -1).try_into().unwrap();
                let values = Array3::from_shape_vec(expected.samples().shape(), values).unwrap();
                let found: Samples = match expected.samples() {
                    Samples::U8(_) => values.mapv(|value| value as u8).into(),
                    Samples::I16(_) => values.mapv(|value| value as i16).into(),
                    Samples::I32(_) => values.mapv(|value| value as i32).into(),
                    Samples::F32(_) => values.mapv(|value| value as f32).into(),
                    _ => values.into(),
                };
                assert_alike(&found, expected.samples(), &format!("{samples}, image {i}"));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 16);
}

/// The graph says so, and refuses others.
#[test]
fn a_size_can_be_fixed() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(&small_data(folder.path()));
    for (side, units) in [(64, ExportUnits::Files), (30, ExportUnits::Network), (3, ExportUnits::Files)] {
        let options = ExportOptions::new().units(units).square(side);
        let [script, graph] = export(&model, Domain::B, &options, folder.path());
        let [any_script, any_graph] =
            export(&model, Domain::B, &ExportOptions::new().units(units), &folder.path().join("any"));
        let kind = if units == ExportUnits::Files { Kind::Uint8 } else { Kind::Float };
        let of_side = |side| Tensor::full([1, 3, side, side], 1, (kind, Device::Cpu));
        let [fixed, any] = [&script, &any_script].map(|path| CModule::load(path).unwrap());
        let side = side as i64;
        assert_eq!(fixed.forward_ts(&[of_side(side)]).unwrap(), any.forward_ts(&[of_side(side)]).unwrap());
        let error = fixed.forward_ts(&[of_side(side + 4)]).unwrap_err();
        assert!(error.to_string().contains(&format!("expected images of {side} x {side} pixels")), "{error}");
        let arguments: [&dyn AsRef<OsStr>; 5] = [&"-c", &FIXED, &graph, &any_graph, &side.to_string()];
        python::run(&arguments);
    }
}

const FIXED: &str = r#"
import sys
import numpy as np, onnx, onnxruntime

graph, any_graph, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
onnx.checker.check_model(graph, full_check=True)
fixed, free = (onnxruntime.InferenceSession(p, providers=["CPUExecutionProvider"]) for p in (graph, any_graph))
for value in fixed.get_inputs() + fixed.get_outputs():
    assert value.shape == ["batch", 3, side, side], value.shape
kinds = {n.op_type for n in onnx.load(graph).graph.node}
assert not kinds & {"Shape", "Range", "Mod"}, kinds
x = np.random.default_rng(0).integers(0, 255, (2, 3, side, side)).astype(np.uint8)
if "float" in fixed.get_inputs()[0].type:
    x = (x / 127.5 - 1).astype(np.float32)
y, z = (session.run(None, {"input": x})[0] for session in (fixed, free))
assert y.shape == (2, 3, side, side) and np.array_equal(y, z) and y.std() > 0
"#;

/// What Deepness documents of its models, step by step: the keys are JSON, the output is a square of four dimensions, and
/// what it does to an image of bytes gives what `predict` gives.
const DEEPNESS: &str = r#"
import json, sys
import numpy as np, onnxruntime, rasterio

graph, image, made, sources = sys.argv[1:]
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
(i,), (o,) = session.get_inputs(), session.get_outputs()
assert len(o.shape) == 4 and o.shape[2] == o.shape[3] == i.shape[2] == i.shape[3] == 64, (i.shape, o.shape)
properties = session.get_modelmeta().custom_metadata_map
told = {key: json.loads(properties[key]) for key in properties}
assert told["model_type"] == "Superresolution" and told["resolution"] == 1000.5
assert told["tile_size"] == told["tiles_size"] == 64 and told["tiles_overlap"] == 0
chip = rasterio.open(image).read()
tiles = np.transpose(chip[None], (0, 2, 3, 1))
if sources:
    sys.path.insert(0, sources)
    from deepness.processing.models.superresolution import Superresolution

    model = Superresolution(graph)
    model.check_loaded_model_outputs()
    assert model.get_metadata_model_type() == "Superresolution"
    assert list(model.get_input_size_in_pixels()) == [64, 64] and model.get_model_batch_size() is None
    assert (model.get_metadata_tile_size(), model.get_metadata_tiles_overlap()) == (64, 0)
    assert model.get_metadata_resolution() == 1000.5
    assert model.get_number_of_output_channels() == [3] and model.get_output_shape()[-1] == 64
    y = model.process(tiles)
else:
    mean, std = (np.array(told["standardization_" + key], dtype=np.float32) for key in ("mean", "std"))
    x = np.transpose((np.float32(tiles * 1.0 / 255.0) - mean) / std, (0, 3, 1, 2))
    y, = session.run(None, {i.name: x})
assert y.dtype == np.float32
with rasterio.open(made, "w", driver="GTiff", count=3, height=64, width=64, dtype="uint8") as file:
    assert np.array_equal(y[0], y[0].astype(np.uint8))
    file.write(y[0].astype(np.uint8))
"#;

#[test]
fn deepness_reads_models_of_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    let graph = folder.path().join("network.onnx");
    let deepness = Deepness::new(64).resolution(1000.5);
    model.export_onnx_with(&graph, Domain::B, ExportOptions::new().deepness(deepness)).unwrap();
    let image = asset("bluemarble/A/images/y0300_x0900.png");
    let expected = model.predict(&image, Domain::B).unwrap();
    let own_class = std::env::var("GEOLEARN_DEEPNESS").ok();
    for sources in [Some(String::new()), own_class].into_iter().flatten() {
        let made = folder.path().join("made.tif");
        if python::run(&[&"-c", &DEEPNESS, &graph, &image, &made, &sources]).is_some() {
            assert_alike(Raster::open(&made).unwrap().samples(), expected.samples(), "Deepness");
        }
    }
}

#[test]
fn models_that_deepness_cannot_run_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.onnx");
    let model = tiny(multispectral());
    let options = |deepness| ExportOptions::new().deepness(deepness);
    let error = model.export_onnx_with(&path, Domain::B, options(Deepness::new(64))).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Unsupported, Some(path.as_path())));
    assert!(error.to_string().contains("uint16 in domain A"), "{error}");
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    for (options, word) in [
        (options(Deepness::new(0)), "deepness.tile"),
        (options(Deepness::new(64).resolution(f64::NAN)), "deepness.resolution"),
        (options(Deepness::new(64)).square(32), "the tile of `deepness`, 64"),
        (ExportOptions::new().square(0), "option `square`"),
    ] {
        let error = model.export_onnx_with(&path, Domain::B, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = model.export_torchscript_with(&path, Domain::B, options(Deepness::new(64))).unwrap_err();
    assert!(error.to_string().contains("Deepness reads only ONNX"), "{error}");
    assert!(!path.exists());
}

/// 64-bit integers have no place in a graph of floating-point numbers.
#[test]
fn samples_of_64_bit_integers_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for domain in ["A", "B"] {
        let images = folder.path().join(domain).join("images");
        std::fs::create_dir_all(&images).unwrap();
        for seed in 0..2i64 {
            let samples = Array3::from_shape_fn((1, 24, 24), |(_, y, x)| seed + (y * x) as i64);
            Raster::new(samples).unwrap().save(images.join(format!("{seed}.tif"))).unwrap();
        }
    }
    let model = tiny(PrepareData::new(folder.path(), DatasetType::CycleGan).batch_size(1));
    let path = folder.path().join("network.pt");
    let error = model.export_torchscript_with(&path, Domain::B, files()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("int64 in domain A"), "{error}");
    model.export_torchscript(&path, Domain::B).unwrap();
}

/// The documentation of the keys is true, and files without scaling say nothing of it.
#[test]
fn metadata_say_what_tensors_hold() {
    let folder = tempfile::tempdir().unwrap();
    let model = tiny(multispectral().bands(Domain::A, [8, 4, 3]));
    let metadata = |options: &ExportOptions| -> Value {
        let [script, _] = export(&model, Domain::B, options, folder.path());
        let bytes = std::fs::read(script).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let begin = text.find("{\n  \"format\": 1").unwrap();
        serde_json::Deserializer::from_str(&text[begin..]).into_iter().next().unwrap().unwrap()
    };
    let told = metadata(&files().square(64));
    assert_eq!(
        (&told["samples"]["input"]["dtype"], &told["samples"]["input"]["bands"]),
        (&"uint16".into(), &13.into())
    );
    assert_eq!(told["samples"]["output"]["dtype"], "uint8");
    assert_eq!(told["side"], 64);
    assert!(told["to_input"].as_str().unwrap().starts_with("Nothing"));
    let told = metadata(&ExportOptions::new());
    assert_eq!((told.get("samples"), told.get("side")), (None, None));
    assert!(told["to_input"].as_str().unwrap().starts_with("Per band"));
}
