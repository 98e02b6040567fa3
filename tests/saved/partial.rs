//! Tests loading a model whose weights fit only in part.

#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use std::collections::BTreeMap;

use geolearn::models::{LoadOptions, LoadReport};
use geolearn::train::Translator;
use geolearn::{CycleGan, DataBunch, Device};
use tch::{Kind, Tensor};

use super::*;

fn lenient() -> LoadOptions {
    LoadOptions::new().strict(false)
}

/// Returns the bits of every tensor that training changes, by name.
fn state(model: &CycleGan) -> BTreeMap<String, Vec<f32>> {
    let flat = |tensor: Tensor| Vec::try_from(tensor.to_kind(Kind::Float).reshape([-1])).unwrap();
    model.state().tensors.into_iter().map(|(name, tensor)| (name, flat(tensor))).collect()
}

fn builder(data: &DataBunch) -> geolearn::models::cyclegan::CycleGanBuilder {
    on_cpu::builder(data).gen_features(4).disc_features(4).pool_size(0).seed(9)
}

fn named(names: &[String], part: &str) -> usize {
    names.iter().filter(|name| name.contains(part)).count()
}

/// Creates a trained model with one block, and its folder.
fn saved(folder: &Path, data: &DataBunch) -> (CycleGan, std::path::PathBuf) {
    let mut first = small_model(data);
    first.fit(FitOptions::new(1).progress(false)).unwrap();
    let place = first.save(folder.join("first")).unwrap();
    (first, place)
}

/// Loaded tensors have the bits of the file, all others those of a new model.
fn check_mixture(report: &LoadReport, model: &CycleGan, [fresh, file]: [&CycleGan; 2]) {
    let [found, fresh, file] = [model, fresh, file].map(state);
    for name in fresh.keys() {
        let from = if report.taken.contains(name) { &file } else { &fresh };
        assert!(found[name] == from[name], "{name}");
    }
}

/// A generator with n blocks has layers 1, 4, 7, two in each of 10 to 9 + n, then 10 + n, 13 + n and 17 + n, and each
/// layer has a weight and a bias. So with one block and with four, the first three and block 10 are the same (10
/// tensors), 14 is a different layer, 11 and 18 exist only in the first (4 tensors), and 11 to 13, 17 and 21 only in
/// the second (16). Discriminators have 10.
#[test]
fn a_model_with_other_blocks_loads_matching_weights() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let (first, place) = saved(folder.path(), &data);
    let deeper = || builder(&data).gen_blocks(4);
    let fresh = deeper().build().unwrap();
    let mut loaded = deeper().build().unwrap();
    let report = loaded.load_with(&place, lenient()).unwrap();
    let counts = |report: &LoadReport| {
        [report.taken.len(), report.missing.len(), report.unexpected.len(), report.mismatched.len()]
    };
    assert_eq!(counts(&report), [2 * (10 + 10), 2 * 16, 2 * 4, 2 * 2]);
    assert_eq!((named(&report.taken, "D_"), named(&report.taken, "conv_block")), (20, 8));
    assert_eq!((named(&report.missing, "conv_block"), named(&report.unexpected, ".18.")), (24, 4));
    let mismatch = &report.mismatched[0];
    assert_eq!(
        (mismatch.name.as_str(), &mismatch.expected[..], &mismatch.found[..]),
        ("G_A.14.weight", &[16, 8, 3, 3][..], &[8, 4, 3, 3][..])
    );
    check_mixture(&report, &loaded, [&fresh, &first]);
    assert!(loaded.history().epochs().is_empty(), "history is of the other model");

    let mut weights = deeper().build().unwrap();
    assert_eq!(weights.load_weights_with(place.join("first.pth"), lenient()).unwrap(), report);
    let built = deeper().pretrained_with(&place, lenient()).build().unwrap();
    assert_eq!(built.pretrained_report(), Some(&report));
    for other in [&weights, &built] {
        assert!(state(other) == state(&loaded));
    }
    // It trains, and what it saves can be opened.
    loaded.fit(FitOptions::new(1).progress(false)).unwrap();
    on_cpu::from_model(loaded.save(folder.path().join("second")).unwrap(), None).unwrap();
}

/// Only layers that read or write an image depend on the number of bands: a generator's first weight, its last weight
/// and bias, and a discriminator's first weight.
#[test]
fn a_model_with_other_bands_loads_the_inner_layers() {
    let folder = tempfile::tempdir().unwrap();
    let (first, place) = saved(folder.path(), &small_data(folder.path()));
    let four = folder.path().join("four");
    for (i, name) in ["A/0.tif", "A/1.tif", "B/0.tif", "B/1.tif"].into_iter().enumerate() {
        let path = four.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let value = |(band, y, x): (usize, usize, usize)| (band * 900 + y * 31 + x * 7 + i * 100) as u16;
        Raster::new(Array3::from_shape_fn((4, 32, 32), value)).unwrap().save(path).unwrap();
    }
    let data = PrepareData::new(&four, DatasetType::CycleGan).val_split_pct(0.0).prepare().unwrap();
    let new = || builder(&data).gen_blocks(1).build().unwrap();
    let mut model = new();
    let report = model.load_with(&place, lenient()).unwrap();
    let mut names: Vec<&str> = report.mismatched.iter().map(|mismatch| mismatch.name.as_str()).collect();
    names.sort_unstable();
    let of_generators =
        ["G_A.1.weight", "G_A.18.bias", "G_A.18.weight", "G_B.1.weight", "G_B.18.bias", "G_B.18.weight"];
    assert_eq!(names, [&["D_A.0.weight", "D_B.0.weight"][..], &of_generators].concat());
    assert!(report.missing.is_empty() && report.unexpected.is_empty());
    check_mixture(&report, &model, [&new(), &first]);
    assert!(
        report.to_string().contains("D_A.0.weight: [4, 4, 4, 4] in the model, [4, 3, 4, 4] in the file"),
        "{report}"
    );
}

/// If everything fits, it equals `load`: scaling and history are loaded too.
#[test]
fn a_matching_model_is_loaded_completely() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let (first, place) = saved(folder.path(), &data);
    let mut second = builder(&data).gen_blocks(1).build().unwrap();
    let report = second.load_with(&place, lenient()).unwrap();
    assert!(report.is_complete() && report.taken.len() == 2 * (10 + 16), "{report}");
    assert_eq!((answer(&second), second.history()), (answer(&first), first.history()));
    let strict = builder(&data).gen_blocks(1).pretrained_path(&place).build().unwrap();
    assert_eq!(strict.pretrained_report(), Some(&report));
}

#[test]
fn a_model_without_matching_weights_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let (_, place) = saved(folder.path(), &data);
    // Only the last biases have the same shape: one value per image band, and one per discriminator score.
    let other = || on_cpu::builder(&data).gen_blocks(1).gen_features(6).disc_features(6);
    let taken = other().build().unwrap().load_with(&place, lenient()).unwrap().taken;
    assert_eq!(taken, ["D_A.11.bias", "D_B.11.bias", "G_A.18.bias", "G_B.18.bias"]);
    let foreign = folder.path().join("foreign.pth");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/research/latest_net_G_A.pth"), &foreign)
        .unwrap();
    let mut model = other().build().unwrap();
    let before = state(&model);
    let error = model.load_weights_with(&foreign, lenient()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    for part in ["foreign.pth", "no tensor of the file matches", "D_A.0.weight of [6, 3, 4, 4]"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(state(&model) == before, "it is as it was");
}

#[test]
fn options_without_effect_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let (mut model, place) = saved(folder.path(), &data);
    for (options, part) in
        [(lenient().data(&data), "LoadOptions::data"), (LoadOptions::new().device(Device::Cpu), "LoadOptions::device")]
    {
        for error in [
            model.load_with(&place, options.clone()).unwrap_err(),
            builder(&data).pretrained_with(&place, options).build().unwrap_err(),
        ] {
            assert!(error.kind() == ErrorKind::Usage && error.to_string().contains(part), "{error}");
        }
    }
    let error = CycleGan::from_model_with(&place, lenient().device(Device::Cpu)).unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("load_with"), "{error}");
}
