//! Tests that PyTorch and onnxruntime run what a Pix2Pix saves and exports. Needs a Python with torch, onnx and
//! onnxruntime in GEOLEARN_TEST_PYTHON.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::ffi::OsStr;
use std::path::Path;

use common::python;
use geolearn::models::pix2pix::Generator;
use geolearn::{DatasetType, Device, Domain, Pix2Pix, PrepareData};
use serde_json::Value;

/// Compares the exports with each other and with the network of `make_golden.py` with the weights of the `.pth`. Sides
/// must be divisible by the U-Net's levels.
const NETWORKS: &str = r#"
import json, sys
import numpy as np, onnx, onnxruntime, torch

script, graph, weights, fixtures, kind = sys.argv[1:]
sys.path.insert(0, fixtures)
import make_golden as golden

golden.A, golden.B, golden.LEVELS, golden.FEATURES = 3, 3, 5, 3
saved = torch.load(weights, weights_only=True)
part = lambda name: {k[2:]: v for k, v in saved.items() if k.startswith(name + ".")}
generator = golden.Unet() if kind == "unet" else golden.Resnet()
generator.load_state_dict(part("G"))
judge = golden.Judge()
judge.load_state_dict(part("D"))
module = torch.jit.load(script)
onnx.checker.check_model(graph, full_check=True)
assert kind in ("unet", "resnet") and "Pix2Pix" in onnx.load(graph).doc_string
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
rng = np.random.default_rng(0)
worst = [0.0, 0.0]
for n, h, w in [(1, 32, 32), (2, 64, 96), (2, 33, 61), (1, 7, 40)]:
    x = rng.uniform(-1, 1, (n, 3, h, w)).astype(np.float32)
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
        if h % 32 == 0 and w % 32 == 0:
            worst[0] = max(worst[0], float(np.abs(y - generator(torch.from_numpy(x)).numpy()).max()))
    z, = session.run(None, {"input": x})
    assert y.shape == z.shape == (n, 3, h, w), (y.shape, z.shape)
    worst[1] = max(worst[1], float(np.abs(y - z).max()))
    assert y.std() > 0.01
print(json.dumps(worst))
"#;

#[test]
fn pytorch_and_onnxruntime_translate_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = PrepareData::new("assets/bluemarble_test", DatasetType::Pix2Pix).resize_to(32).prepare().unwrap();
    for (name, generator) in [("unet", Generator::Unet), ("resnet", Generator::Resnet)] {
        let builder = Pix2Pix::builder(&data).generator(generator).gen_levels(5).gen_blocks(1).gen_features(3);
        let model = builder.disc_features(3).device(Device::Cpu).build().unwrap();
        let saved = model.save(folder.path().join(name)).unwrap();
        let paths = ["pt", "onnx"].map(|ending| folder.path().join(format!("{name}.{ending}")));
        model.export_torchscript(&paths[0], Domain::B).unwrap();
        model.export_onnx(&paths[1], Domain::B).unwrap();
        let weights = saved.join(format!("{name}.pth"));
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pix2pix");
        let arguments: [&dyn AsRef<OsStr>; 7] =
            [&"-c", &NETWORKS, &paths[0], &paths[1], &weights, &fixtures, &OsStr::new(name)];
        let Some(found) = python::run(&arguments) else { return };
        let found: Value = serde_json::from_str(&found).unwrap();
        // f32 sums in a different order, through norms of maps of four values, which amplify rounding.
        for (what, most) in [(0, 1e-4), (1, 1e-3)] {
            let worst = found[what].as_f64().unwrap();
            assert!(worst <= most, "{name}, {what}: off by {worst}");
        }
    }
}
