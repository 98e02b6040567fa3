//! What we export is what torch.jit and onnxruntime run. Needs a Python with torch, onnx and onnxruntime, named by
//! GEOLEARN_TEST_PYTHON, where it says so.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use common::{on_cpu, python, small_data, small_model};
use geolearn::dataset::{Channels, Normalization};
use geolearn::models::LoadOptions;
use geolearn::nn::Upsampling;
use geolearn::tch::{self, CModule, Kind, Tensor};
use geolearn::train::Translator;
use geolearn::{CycleGan, DatasetType, Device, Domain, ErrorKind, PrepareData};
use ndarray::Array3;
use serde_json::{Value, json};

/// Both formats against each other and against the `.pth`, at several sizes.
const NETWORKS: &str = r#"
import json, sys
import numpy as np, onnx, onnxruntime, torch

script, graph, weights, network = sys.argv[1:]
extra = {"geolearn.json": ""}
module = torch.jit.load(script, _extra_files=extra)
assert not module.training
module.train(); module.eval()
assert module.code.count("cuda") + module.code.count('"cpu"') == 0, module.code

saved = {k[4:]: v for k, v in torch.load(weights, weights_only=True).items() if k.startswith(network + ".")}
state = module.state_dict()
assert list(state) == list(saved), list(state)
assert all(torch.equal(state[k], saved[k]) for k in saved)
assert [n for n, _ in module.named_parameters()] == list(saved)

onnx.checker.check_model(graph, full_check=True)
model = onnx.load(graph)
found = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
assert [n for n in found if n in saved] == list(saved)
assert all(np.array_equal(found[k], saved[k].numpy()) for k in saved)
assert (model.opset_import[0].version, model.producer_name) == (17, "geolearn")
dims = lambda v: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
(i,), (o,) = model.graph.input, model.graph.output
metadata = json.loads(extra["geolearn.json"])
assert (i.name, dims(i)) == ("input", ["batch", metadata["input"]["channels"], "height", "width"])
assert (o.name, dims(o)) == ("output", ["batch", metadata["output"]["channels"], "height", "width"])

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
assert session.get_modelmeta().custom_metadata_map == {"geolearn.json": extra["geolearn.json"].decode()}
worst = {"small": 0.0, "usual": 0.0}
rng = np.random.default_rng(0)
for n, h, w in [(1, 32, 32), (3, 32, 64), (1, 64, 36), (2, 33, 61), (1, 7, 200), (1, 8, 8), (3, 8, 4), (1, 2, 3), (1, 1, 1)]:
    x = rng.uniform(-1, 1, (n, metadata["input"]["channels"], h, w)).astype(np.float32)
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
    z, = session.run(None, {"input": x})
    assert y.shape == z.shape == (n, metadata["output"]["channels"], h, w), (y.shape, z.shape)
    kind = "small" if h * w < 256 else "usual"
    # One pixel leaves nothing but rounding to be normalised.
    if h * w > 1:
        worst[kind] = max(worst[kind], float(np.abs(y - z).max()))
# Device and dtype are not written into it.
x = torch.from_numpy(rng.uniform(-1, 1, (2, metadata["input"]["channels"], 33, 16)).astype(np.float32))
elsewhere = torch.jit.load(script, map_location="meta")
assert elsewhere(x.to("meta")).device.type == "meta"
with torch.no_grad():
    y = module(x)
    # f32 against f64; and half precision, of 11 bits, through a dozen layers.
    for dtype, most in [(torch.float64, 1e-4), (torch.float16, 0.1)]:
        other = torch.jit.load(script).to(dtype)(x.to(dtype))
        assert other.dtype == dtype and (other - y).abs().max() < most, (other - y).abs().max()
if torch.cuda.is_available():
    on_gpu = torch.jit.load(script).to("cuda").half()(x.to("cuda").half())
    assert on_gpu.device.type == "cuda" and (on_gpu.cpu() - y).abs().max() < 0.1
for p in module.parameters():
    p.requires_grad_(True)
module(x).square().sum().backward()
assert all(p.grad is not None for p in module.parameters())
print(json.dumps({"worst": worst, "metadata": metadata}))
"#;

fn export(model: &CycleGan, to: Domain, folder: &Path) -> [PathBuf; 2] {
    let paths = ["network.pt", "network.onnx"].map(|name| folder.join(to.to_string()).join(name));
    model.export_torchscript(&paths[0], to).unwrap();
    model.export_onnx(&paths[1], to).unwrap();
    paths
}

/// What the two runtimes give differs by the order of sums in f32, on values of [-1, 1]. Small images are of 2 x 2
/// pixels inside the network, where a norm over four values that happen to be close enlarges rounding: torch itself is
/// as far from its own f64.
const RUNTIMES: [(&str, f64); 2] = [("usual", 1e-5), ("small", 1e-3)];

fn check_networks(model: &CycleGan, folder: &Path) {
    let saved = model.save(folder.join("m")).unwrap();
    for (to, network) in [(Domain::A, "G_A"), (Domain::B, "G_B")] {
        let [script, onnx] = export(model, to, folder);
        let arguments: [&dyn AsRef<OsStr>; 6] = [&"-c", &NETWORKS, &script, &onnx, &saved.join("m.pth"), &network];
        let Some(found) = python::run(&arguments) else { return };
        let found: Value = serde_json::from_str(&found).unwrap();
        for (kind, most) in RUNTIMES {
            let worst = found["worst"][kind].as_f64().unwrap();
            assert!(worst <= most, "to {to}, {kind}: off by {worst}");
        }
        let metadata = &found["metadata"];
        assert_eq!(metadata["network"], network);
        assert_eq!(metadata["direction"], format!("{} to {to}", to.other()));
        assert_eq!(metadata["geolearn"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn torch_and_onnxruntime_run_both_directions_at_any_size() {
    let folder = tempfile::tempdir().unwrap();
    check_networks(&small_model(&small_data(folder.path())), folder.path());
}

#[test]
fn a_frozen_model_of_odd_width_is_exported_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = on_cpu::builder(&data).gen_blocks(2).gen_features(3).disc_features(2).build().unwrap();
    model.freeze();
    check_networks(&model, folder.path());
}

#[test]
fn resize_convolutions_are_exported_too() {
    let folder = tempfile::tempdir().unwrap();
    let builder = on_cpu::builder(&small_data(folder.path())).gen_blocks(1).gen_features(4).disc_features(2);
    let builder = builder.upsampling(Upsampling::Resize).global_skip(true);
    check_networks(&builder.build().unwrap(), folder.path());
}

#[test]
fn generators_of_different_channels_in_and_out_are_exported_too() {
    let folder = tempfile::tempdir().unwrap();
    check_networks(&multispectral(Channels::Own), folder.path());
}

/// 13 bands of uint16, with nodata, to 3 of bytes; percentiles cut.
fn multispectral(channels: Channels) -> CycleGan {
    let data = PrepareData::new(root("multispectral"), DatasetType::CycleGan)
        .normalization(Normalization::Percentile { low: 2.0, high: 98.0 })
        .channels(channels)
        .prepare()
        .unwrap();
    on_cpu::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).build().unwrap()
}

fn root(asset: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(asset)
}

/// From a file to a translated image with what the metadata say and nothing else: the program of docs/export.md.
fn translate_as_documented(model: &CycleGan, to: Domain, image: &Path, worst_count: f64) {
    let folder = tempfile::tempdir().unwrap();
    let [script, onnx] = export(model, to, folder.path());
    let made = folder.path().join("made.tif");
    for network in [&script, &onnx] {
        let Some(_) = python::run(&[&"-c", &documented_program(), network, &image, &made]) else { return };
        let expected = model.predict(image, to).unwrap();
        let found = geolearn::Raster::open(&made).unwrap();
        assert_eq!((found.samples().dtype(), found.nodata()), (expected.samples().dtype(), expected.nodata()));
        assert_eq!(found.place().transform(), expected.place().transform());
        let [found, expected]: [Array3<f32>; 2] = [found, expected].map(|image| image.samples().to_f32());
        assert_eq!(found.dim(), expected.dim());
        let worst = (&found - &expected).iter().fold(0f32, |worst, d| worst.max(d.abs()));
        assert!(f64::from(worst) <= worst_count, "{}: off by {worst}", network.display());
    }
}

/// The fenced block that begins with this line.
fn documented_program() -> String {
    const DOCS: &str = include_str!("../docs/export.md");
    let program = &DOCS[DOCS.find("# translate.py").unwrap()..];
    program[..program.find("\n```").unwrap()].to_owned()
}

/// A value on the edge between two integers may fall to either side.
const ROUNDING: f64 = 1.0;

#[test]
fn the_documented_program_translates_as_predict_does() {
    let model = on_cpu::from_model(root("models/sat2relief"), None).unwrap();
    translate_as_documented(&model, Domain::B, &root("bluemarble/A/images/y0300_x0900.png"), ROUNDING);
}

/// Bands repeated, values cut, gaps kept; back in uint16 a unit in the last place of f32 is up to some counts.
#[test]
fn the_documented_program_translates_spectra_as_predict_does() {
    let model = multispectral(Channels::Shared);
    let first = |domain: &str| {
        let folder = root("multispectral").join(domain).join("images");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "tif"));
        files.sort();
        files.remove(0)
    };
    translate_as_documented(&model, Domain::B, &first("A"), ROUNDING);
    translate_as_documented(&model, Domain::A, &first("B"), ROUNDING);
}

/// Without Python: libtorch runs the archive, with its own convolutions; 1e-5 is for rounding in ours and in those, through
/// some twenty layers.
#[test]
fn torchscript_gives_what_the_model_gives() {
    let folder = tempfile::tempdir().unwrap();
    let model = CycleGan::from_model_with(root("models/sat2relief"), LoadOptions::new().device(Device::Cpu)).unwrap();
    for to in Domain::BOTH {
        let network = CModule::load(&export(&model, to, folder.path())[0]).unwrap();
        for (height, width) in [(64, 64), (61, 30), (256, 256)] {
            let x = (Tensor::arange(3 * height * width, (Kind::Float, tch::Device::Cpu)) * 0.011).sin();
            let x = x.view([1, 3, height, width]);
            let [found, expected] = [network.forward_ts(&[&x]).unwrap(), model.translate(&x, to).unwrap()];
            assert!(expected.abs().max().double_value(&[]) > 0.1);
            let worst = (found - expected).abs().max().double_value(&[]);
            assert!(worst <= 1e-5, "to {to}, {width} x {height}: off by {worst}");
        }
    }
}

/// Needs no Python: onnx.proto says `metadata_props` is field 14, a message of key and value.
#[test]
fn metadata_stand_in_both_files() {
    let folder = tempfile::tempdir().unwrap();
    let model = on_cpu::from_model(root("models/sat2relief"), None).unwrap();
    for path in export(&model, Domain::B, folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let begin = text.find("{\n  \"format\": 1").unwrap();
        let object = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>().next().unwrap().unwrap();
        assert_eq!(object["direction"], "A to B");
        assert_eq!(object["input"]["domain"], "A");
        assert_eq!(object["input"]["bands_used"], json!([1, 2, 3]));
        assert_eq!(object["output"]["dtype"], "uint8");
        assert_eq!(object["output"]["min"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn unusable_paths_are_named_and_older_files_kept() {
    let folder = tempfile::tempdir().unwrap();
    let model = on_cpu::from_model(root("models/sat2relief"), None).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "older").unwrap();
    type Export = fn(&CycleGan, Domain, PathBuf) -> geolearn::Result<()>;
    let exports: [Export; 2] =
        [|model, to, path| model.export_torchscript(path, to), |model, to, path| model.export_onnx(path, to)];
    for export in exports {
        let error = export(&model, Domain::A, folder.path().to_path_buf()).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Usage, Some(folder.path())));
        assert_eq!(export(&model, Domain::A, "".into()).unwrap_err().kind(), ErrorKind::Usage);
        let below_a_file = file.join("network.pt");
        assert_eq!(export(&model, Domain::A, below_a_file).unwrap_err().kind(), ErrorKind::Io);
        let made = folder.path().join("new/folder/network.any");
        export(&model, Domain::A, made.clone()).unwrap();
        assert!(made.metadata().unwrap().len() > 100_000);
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"older");
    assert_eq!(std::fs::read_dir(folder.path().join("new/folder")).unwrap().count(), 1, "no leftovers");
}
