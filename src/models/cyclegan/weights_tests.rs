//! Weights that are saved and loaded without their folder.

use std::path::Path;

use ndarray::Array3;
use tch::Kind;

use super::CycleGan;
use crate::dataset::Domain;
use crate::device::Device;
use crate::error::ErrorKind;
use crate::models::LoadOptions;
use crate::testing::python;

const MODEL: &str = "tests/fixtures/models/sat2relief";

fn model() -> CycleGan {
    CycleGan::from_model_with(MODEL, LoadOptions::new().device(Device::Cpu)).unwrap()
}

fn answer(model: &CycleGan) -> Array3<f32> {
    let image = Array3::from_shape_fn((3, 20, 24), |(c, y, x)| ((31 * c + 7 * y + 3 * x) % 256) as f32);
    model.predict_array(&image, Domain::B).unwrap()
}

/// The model with other weights.
fn disturbed() -> CycleGan {
    let model = model();
    tch::no_grad(|| model.model.nets.parameters().into_iter().for_each(|(_, mut t)| drop(t.g_mul_scalar_(0.5))));
    model
}

#[test]
fn one_file_contains_the_whole_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/m.safetensors");
    model().save_safetensors(&path).unwrap();
    let first = std::fs::read(&path).unwrap();
    model().save_safetensors(&path).unwrap();
    assert!(std::fs::read(&path).unwrap() == first, "the same model gives the same bytes");
    assert_eq!(std::fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
    let again = CycleGan::from_model_with(&path, LoadOptions::new().device(Device::Cpu)).unwrap();
    assert_eq!(answer(&again), answer(&model()));
    assert_eq!(again.config(), model().config());
    assert_eq!(again.history().epochs().len(), model().history().epochs().len());
    let error = model().save_safetensors(folder.path().join("m.pth")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn weights_are_loaded_from_every_kind_of_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    model().save_safetensors(&path).unwrap();
    for file in [path.as_path(), Path::new("tests/fixtures/models/sat2relief/sat2relief.pth")] {
        let mut changed = disturbed();
        assert_ne!(answer(&changed), answer(&model()));
        changed.load_weights(file).unwrap();
        assert_eq!(answer(&changed), answer(&model()), "{file:?}");
    }
}

#[test]
fn a_misfit_changes_nothing() {
    let mut model = model();
    let before = answer(&model);
    let golden = "tests/fixtures/golden/tiny_f32_const/initial.pth";
    let error = model.load_weights(golden).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = error.to_string();
    assert!(text.contains("D_A.0.weight") && text.contains("expected [") && text.contains("found ["), "{text}");
    for file in ["tests/fixtures/models/sat2relief/sat2relief.emd", "no/such.pth", "tests/fixtures/pth/torchscript.pt"]
    {
        assert!(model.load_weights(file).is_err(), "{file}");
    }
    assert_eq!(answer(&model), before);
}

#[test]
fn weights_without_a_definition_are_no_model() {
    let error = CycleGan::from_model("tests/fixtures/research/nine_G_B.safetensors", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("load_weights"), "{error}");
}

/// Reads our weights, compares them with the `.pth`, and writes them wrapped and in other types and formats.
const SCRIPT: &str = r#"
import sys, torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
ours, pth, out = sys.argv[1:]
weights = load_file(ours)
with safe_open(ours, "pt") as f:
    assert f.metadata()["format"] == "pt" and "geolearn.emd" in f.metadata()
expected = torch.load(pth, weights_only=True)
assert set(weights) == set(expected)
assert all(torch.equal(weights[k], expected[k]) for k in expected)
wrapped = {f"module.{k}": v for k, v in weights.items()}
torch.save(wrapped, f"{out}/wrapped.pth")
torch.save({"epoch": 3, "model_state_dict": weights, "loss": 0.5}, f"{out}/legacy.pt", _use_new_zipfile_serialization=False)
save_file({k: v.double() for k, v in wrapped.items()}, f"{out}/f64.safetensors")
save_file({k: v.half() for k, v in weights.items()}, f"{out}/f16.safetensors")
save_file({k: v.bfloat16() for k, v in weights.items()}, f"{out}/bf16.safetensors")
"#;

#[test]
fn files_from_python_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.safetensors");
    model().save_safetensors(&ours).unwrap();
    let pth = "tests/fixtures/models/sat2relief/sat2relief.pth";
    let Some(_) = python::run(&[&"-c", &SCRIPT, &ours, &pth, &folder.path()]) else { return };
    for (file, kind) in [
        ("wrapped.pth", Kind::Float),
        ("legacy.pt", Kind::Float),
        ("f64.safetensors", Kind::Double),
        ("f16.safetensors", Kind::Half),
        ("bf16.safetensors", Kind::BFloat16),
    ] {
        let mut changed = disturbed();
        changed.load_weights(folder.path().join(file)).unwrap();
        for ((name, found), (_, exact)) in changed.model.nets.parameters().iter().zip(model().model.nets.parameters()) {
            // Rounded once, to the type of the file.
            assert_eq!(found, &exact.to_kind(kind).to_kind(Kind::Float), "{file} {name}");
        }
    }
}
