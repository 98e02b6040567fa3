//! Sizes that are fixed, samples that have no place in a graph, and what the metadata say.

use std::ffi::OsStr;

use geolearn::models::{ExportOptions, ExportUnits};
use geolearn::tch::{CModule, Device, Kind, Tensor};
use geolearn::{DatasetType, Domain, ErrorKind, PrepareData, Raster};
use ndarray::Array3;
use serde_json::Value;

use super::common::{python, small_data, small_model};
use super::{export, files, multispectral, tiny};

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
