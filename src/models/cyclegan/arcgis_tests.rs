//! Models of arcgis.learn open here, and ours open there (see `tests/fixtures/arcgis/README.md`).

use std::ffi::OsStr;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use ndarray::Array3;
use serde_json::Value;
use tch::{Kind, Tensor};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::CycleGan;
use crate::dataset::{Channels, DataBunch, DatasetType, Domain, PrepareData};
use crate::device::Device;
use crate::loss::AdversarialLoss;
use crate::models::LoadOptions;
use crate::testing::{Tolerance, fixture, npy, python};

const MODELS: [&str; 3] = ["rgb", "rgb_optimiser", "multispectral"];
/// Rounding of f32 through some 30 layers, on values in [-1, 1].
const CLOSE: Tolerance = Tolerance::abs(1e-5);

/// sin(0.3 (c + 1) (y + x / 2)).
fn waves(channels: usize) -> Tensor {
    let wave = |(c, y, x): (usize, usize, usize)| (0.3 * (c + 1) as f64 * (y as f64 + 0.5 * x as f64)).sin() as f32;
    let values = Array3::from_shape_fn((channels, 28, 36), wave);
    Tensor::from_slice(values.as_slice().unwrap()).view([1, channels as i64, 28, 36])
}

fn translated(model: &CycleGan, to: Domain, image: &Tensor) -> Tensor {
    tch::no_grad(|| model.model.nets.generator(to).forward(image)).unwrap()
}

fn on_cpu(path: &Path) -> CycleGan {
    CycleGan::from_model_with(path, LoadOptions::new().device(Device::Cpu)).unwrap()
}

/// Our networks give the same outputs as arcgis.learn's.
fn check_answers(model: &CycleGan, name: &str) {
    let image = waves(model.channels().a);
    for (to, file) in [(Domain::B, "a2b"), (Domain::A, "b2a")] {
        let expected = npy(&format!("arcgis/{name}/{file}.npy")).unsqueeze(0);
        CLOSE.tensor(&format!("{name} {file}"), &translated(model, to, &image), &expected);
    }
}

fn emd(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn their_networks_answer_the_same_here() {
    for name in MODELS {
        let model = on_cpu(&fixture(&format!("arcgis/{name}")));
        check_answers(&model, name);
        let squares = model.config().adversarial == AdversarialLoss::LeastSquares;
        assert_eq!(squares, name != "rgb_optimiser", "`lsgan`");
    }
}

#[test]
fn their_models_predict_and_train_on() {
    let chips = |name: &str| if name == "multispectral" { "assets/multispectral" } else { "assets/bluemarble" };
    for name in MODELS {
        let folder = fixture(&format!("arcgis/{name}"));
        let model = on_cpu(&folder.join(format!("{name}.emd")));
        let bands = model.domain(Domain::A).normalizer.bands();
        let image = Array3::from_shape_fn((bands, 30, 41), |(c, y, x)| (c + 2 * y + x) as f32);
        let picture = model.predict_array(&image, Domain::B).unwrap();
        assert_eq!(picture.dim(), (3, 30, 41));
        let (min, max) = picture.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        let range = model.domain(Domain::B).normalizer.clone();
        assert!(f64::from(min) >= range.min()[0].min(range.min()[1]) - 20.0 && f64::from(max) <= 256.0, "{min} {max}");

        let data = PrepareData::new(chips(name), DatasetType::CycleGan).batch_size(4).crop_size(32).prepare().unwrap();
        let options = LoadOptions::new().data(&data).device(Device::Cpu);
        let model = CycleGan::from_model_with(&folder, options).unwrap();
        assert!(model.show_results(1).is_ok());
        // Scaled as in its training there.
        assert_eq!(model.data("a test").unwrap().normalizer(Domain::A).max(), model.domain(Domain::A).normalizer.max());
        check_answers(&model, name);
    }
}

/// The entries that `save` zips there: files at the root, an entry for the folder of pictures, a script.
fn package(name: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.add_directory("ModelCharacteristics", options).unwrap();
    for file in ["model_metrics.html", "ArcGISImageTranslation.py", "ModelCharacteristics/loss_graph.png"] {
        zip.start_file(file, options).unwrap();
        zip.write_all(b"of no importance").unwrap();
    }
    for suffix in ["emd", "pth"] {
        let file = format!("{name}.{suffix}");
        zip.start_file(&file, options).unwrap();
        zip.write_all(&fs::read(fixture(&format!("arcgis/{name}/{file}"))).unwrap()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn their_packages_open_as_file_and_alone_in_a_folder() {
    for name in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("downloaded.dlpk");
        fs::write(&path, package(name)).unwrap();
        check_answers(&on_cpu(&path), name);
        check_answers(&on_cpu(folder.path()), name);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is unpacked beside it");
    }
}

#[test]
fn what_they_wrote_is_kept_when_it_is_saved_again() {
    for name in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let source = fixture(&format!("arcgis/{name}/{name}.emd"));
        let mut theirs = emd(&source);
        theirs["SomebodysKey"] = serde_json::json!({"a": [1, null]});
        let copy = folder.path().join("copy.emd");
        fs::write(&copy, theirs.to_string()).unwrap();
        fs::copy(source.with_extension("pth"), folder.path().join(format!("{name}.pth"))).unwrap();
        let saved = on_cpu(&copy).save(folder.path().join("again")).unwrap();
        let mut ours = emd(&saved.join("again.emd"));
        assert_eq!(
            ours.as_object_mut().unwrap().shift_remove("Geolearn").unwrap()["Version"],
            env!("CARGO_PKG_VERSION")
        );
        theirs["ModelFile"] = "again.pth".into();
        theirs["InferenceFunction"] = crate::package::emd::INFERENCE_FUNCTION.into();
        assert_eq!(ours, theirs, "{name}");
        for path in ["again", "again/again.dlpk", "again/again.pth"] {
            check_answers(&on_cpu(&folder.path().join(path)), name);
        }
    }
}

/// Models as users create them, in the size that arcgis.learn expects: new weights are sufficient for the comparison.
fn full_size(data: &DataBunch, blocks: usize) -> CycleGan {
    CycleGan::builder(data).gen_blocks(blocks).device(Device::Cpu).build().unwrap()
}

#[test]
fn arcgis_learn_opens_ours() {
    let Some(python) = python::named_by("GEOLEARN_ARCGIS_PYTHON") else { return };
    let folder = tempfile::tempdir().unwrap();
    let rgb = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).prepare().unwrap();
    let bands = PrepareData::new("assets/multispectral", DatasetType::CycleGan);
    let bands = bands.channels(Channels::Shared).prepare().unwrap();
    let mut cases: Vec<(PathBuf, Tensor, CycleGan)> = Vec::new();
    for (name, file, model) in [
        ("rgb", "rgb.emd", full_size(&rgb, 9)),
        ("bands", "bands.emd", full_size(&bands, 1)),
        ("package", "package.dlpk", full_size(&bands, 2)),
    ] {
        let path = model.save(folder.path().join(name)).unwrap().join(file);
        let image = waves(model.channels().a);
        image.write_npy(beside(&path, "input")).unwrap();
        cases.push((path, image, model));
    }
    let script = fixture("arcgis/open.py");
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&script, &"CycleGAN"];
    arguments.extend(cases.iter().map(|(path, _, _)| path as &dyn AsRef<OsStr>));
    python::output(&python, &arguments);
    for (path, image, model) in &cases {
        for (to, answer) in [(Domain::B, "a2b"), (Domain::A, "b2a")] {
            let theirs = Tensor::read_npy(beside(path, answer)).unwrap().to_kind(Kind::Float);
            CLOSE.tensor(&format!("{} {answer}", path.display()), &translated(model, to, image), &theirs);
        }
    }
}

fn beside(path: &Path, what: &str) -> PathBuf {
    PathBuf::from(format!("{}.{what}.npy", path.display()))
}
