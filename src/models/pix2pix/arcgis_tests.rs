//! Models of arcgis.learn open here, and ours open there (see `tests/fixtures/arcgis/README.md`).

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::Pix2Pix;
use crate::dataset::{Channels, DataBunch, DatasetType, Domain, PrepareData};
use crate::device::Device;
use crate::error::ErrorKind;
use crate::models::LoadOptions;
use crate::package::emd::INFERENCE_FUNCTION;
use crate::testing::{Tolerance, fixture, npy, python};
use crate::train::FitOptions;

const MODELS: [&str; 2] = ["pix2pix", "pix2pix_multispectral"];
/// Rounding of f32 through some 16 layers, on values in [-1, 1].
const CLOSE: Tolerance = Tolerance::abs(1e-5);

/// sin(0.3 (c + 1) (y + x / 2)).
fn waves(channels: usize) -> Tensor {
    let wave = |(c, y, x): (usize, usize, usize)| (0.3 * (c + 1) as f64 * (y as f64 + 0.5 * x as f64)).sin() as f32;
    let values = Array3::from_shape_fn((channels, 256, 256), wave);
    Tensor::from_slice(values.as_slice().unwrap()).view([1, channels as i64, 256, 256])
}

fn translated(model: &Pix2Pix, image: &Tensor) -> Tensor {
    tch::no_grad(|| model.model.nets.generator.forward(image)).unwrap()
}

fn on_cpu(path: &Path) -> Pix2Pix {
    Pix2Pix::from_model_with(path, LoadOptions::new().device(Device::Cpu)).unwrap()
}

/// Our generator gives the same output as arcgis.learn's; the fixture keeps every eighth pixel.
fn check_answers(model: &Pix2Pix, name: &str) {
    let made = translated(model, &waves(model.channels().a)).slice(2, None, None, 8).slice(3, None, None, 8);
    CLOSE.tensor(name, &made, &npy(&format!("arcgis/{name}/a2b.npy")).unsqueeze(0));
}

/// The pairs that the models were trained on, in the folders of Export Tiles.
fn pairs(folder: &Path, name: &str) -> PrepareData {
    let images = if name == "pix2pix" { "assets/bluemarble_test/a" } else { "assets/multispectral_test/a" };
    for (from, into) in [(images, "images"), ("assets/bluemarble_test/b", "images2")] {
        fs::create_dir_all(folder.join(into)).unwrap();
        for chip in fs::read_dir(from).unwrap() {
            let chip = chip.unwrap();
            fs::copy(chip.path(), folder.join(into).join(chip.file_name())).unwrap();
        }
    }
    PrepareData::new(folder, DatasetType::Pix2Pix).progress(false)
}

fn emd(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn their_networks_answer_the_same_here() {
    for (name, channels) in MODELS.into_iter().zip([3, 13]) {
        let model = on_cpu(&fixture(&format!("arcgis/{name}")));
        // It repeats the last band of the domain that has fewer.
        assert_eq!((model.channels().a, model.channels().b), (channels, channels));
        assert_eq!([Domain::A, Domain::B].map(|domain| model.domain(domain).normalizer.bands()), [channels, 3]);
        let config = model.config();
        assert_eq!((config.gen_levels, config.gen_features, config.disc_features), (8, 2, 2));
        check_answers(&model, name);
    }
}

#[test]
fn their_models_predict_and_train_on() {
    for name in MODELS {
        let path = fixture(&format!("arcgis/{name}/{name}.emd"));
        let folder = tempfile::tempdir().unwrap();
        let data = pairs(folder.path(), name).batch_size(4).prepare().unwrap();
        let mut model = Pix2Pix::from_model_with(&path, LoadOptions::new().data(&data).device(Device::Cpu)).unwrap();
        check_answers(&model, name);
        // Scaled as in its training there.
        assert_eq!(model.data("a test").unwrap().normalizer(Domain::A).max(), model.domain(Domain::A).normalizer.max());
        let made = model.predict_a2b(&data.valid_files(Domain::A)[0]).unwrap();
        assert_eq!((made.bands(), made.height(), made.width()), (3, 64, 64));
        let history = model.fit(FitOptions::new(1).progress(false)).unwrap();
        assert!(history.last("generator").unwrap().is_finite());
    }
}

#[test]
fn what_they_wrote_is_kept_when_it_is_saved_again() {
    for name in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let source = fixture(&format!("arcgis/{name}/{name}.emd"));
        let saved = on_cpu(&source).save(folder.path().join("again")).unwrap();
        let (mut ours, mut theirs) = (emd(&saved.join("again.emd")), emd(&source));
        let section = ours.as_object_mut().unwrap().shift_remove("Geolearn").unwrap();
        assert_eq!(section["Version"], env!("CARGO_PKG_VERSION"));
        theirs["ModelFile"] = "again.pth".into();
        theirs["InferenceFunction"] = INFERENCE_FUNCTION.into();
        // It leaves counting the statistics to the reader.
        theirs["n_channel_rev"] = theirs["NormalizationStats"]["band_min_values"].as_array().unwrap().len().into();
        assert_eq!(ours, theirs, "{name}");
        for path in ["again", "again/again.dlpk", "again/again.pth"] {
            check_answers(&on_cpu(&folder.path().join(path)), name);
        }
    }
}

/// Networks with other channels than the definition says are not a valid model.
#[test]
fn a_wrong_number_of_channels_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture("arcgis/pix2pix_multispectral/pix2pix_multispectral.emd");
    let mut definition = emd(&source);
    definition["n_intput_channel"] = 3.into();
    let path = folder.path().join("other.emd");
    fs::write(&path, definition.to_string()).unwrap();
    fs::copy(source.with_extension("pth"), folder.path().join("pix2pix_multispectral.pth")).unwrap();
    let error = Pix2Pix::from_model(&path, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains("expected 13, the larger of"), "{error}");
}

/// Models as users create them, in the size that arcgis.learn expects: new weights are sufficient for the comparison.
fn full_size(data: &DataBunch) -> Pix2Pix {
    Pix2Pix::builder(data).device(Device::Cpu).build().unwrap()
}

#[test]
fn arcgis_learn_opens_ours() {
    let Some(python) = python::named_by("GEOLEARN_ARCGIS_PYTHON") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut cases: Vec<(PathBuf, Tensor, Pix2Pix)> = Vec::new();
    for (name, file) in [("pix2pix", "model.emd"), ("pix2pix_multispectral", "model.dlpk")] {
        let chips = folder.path().join(format!("{name}_chips"));
        let data = pairs(&chips, name).channels(Channels::Shared).resize_to(256).prepare().unwrap();
        let model = full_size(&data);
        let path = model.save(folder.path().join(name).join("model")).unwrap().join(file);
        let image = waves(model.channels().a);
        image.write_npy(beside(&path, "input")).unwrap();
        cases.push((path, image, model));
    }
    let script = fixture("arcgis/open.py");
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&script, &"Pix2Pix"];
    arguments.extend(cases.iter().map(|(path, _, _)| path as &dyn AsRef<OsStr>));
    python::output(&python, &arguments);
    for (path, image, model) in &cases {
        let theirs = Tensor::read_npy(beside(path, "a2b")).unwrap().to_kind(Kind::Float);
        CLOSE.tensor(&path.display().to_string(), &translated(model, image), &theirs);
    }
}

fn beside(path: &Path, what: &str) -> PathBuf {
    PathBuf::from(format!("{}.{what}.npy", path.display()))
}
