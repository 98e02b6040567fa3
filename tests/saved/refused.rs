//! Tests models and weights that are rejected, and the error messages.

use std::fs;
use std::path::Path;

use geolearn::models::LoadOptions;
use geolearn::{CycleGan, Domain, ErrorKind, FitOptions, Raster};
use ndarray::Array3;
use serde_json::Value;

use crate::common::{answer, few_chips, on_cpu, small_data, small_model};

#[test]
fn a_different_architecture_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let place = small_model(&data).save(folder.path().join("m")).unwrap();
    let mut other = on_cpu::builder(&data).gen_blocks(2).gen_features(4).disc_features(4).build().unwrap();
    let before = answer(&other);
    let error = other.load(&place).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("G_A."), "{error}");
    assert_eq!(answer(&other), before);
}

#[test]
fn missing_and_damaged_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let place = small_model(&data).save(folder.path().join("m")).unwrap();
    let missing = on_cpu::from_model(folder.path().join("n"), None).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Layout);
    let text = missing.to_string();
    assert!(text.contains("/n: there is no saved model") && text.contains("chips"), "{text}");
    let weights = fs::read(place.join("m.pth")).unwrap();
    fs::write(place.join("m.pth"), &weights[..weights.len() / 2]).unwrap();
    let damaged = on_cpu::from_model(&place, None).unwrap_err();
    assert_eq!(damaged.kind(), ErrorKind::Format);
    assert!(damaged.to_string().contains("m.pth"), "{damaged}");
    fs::remove_file(place.join("m.pth")).unwrap();
    assert!(on_cpu::from_model(&place, None).unwrap_err().to_string().contains("m.pth"));
}

#[test]
fn a_wrong_number_of_bands_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(&small_data(folder.path()));
    let path = folder.path().join("grey.png");
    Raster::new(Array3::<u8>::zeros((1, 40, 40))).unwrap().save(&path).unwrap();
    let error = model.predict_a2b(&path).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Usage, Some(path.as_path())));
    assert!(error.to_string().contains("expected 3, found 1"), "{error}");
    assert_eq!(model.predict_array(&Array3::zeros((3, 0, 5)), Domain::B).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn data_with_other_bands_than_the_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let place = small_model(&data).save(folder.path().join("m")).unwrap();
    let other = tempfile::tempdir().unwrap();
    let chips = few_chips(other.path(), 3, 3);
    for entry in fs::read_dir(chips.join("A/images")).unwrap() {
        let path = entry.unwrap().path();
        image::open(&path).unwrap().to_luma8().save(&path).unwrap();
    }
    let gray = geolearn::prepare_data(Path::new(&chips), geolearn::DatasetType::CycleGan).unwrap();
    let error = on_cpu::from_model(&place, Some(&gray)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("domain A"), "{error}");
}

#[test]
fn values_that_no_model_has_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = small_model(&small_data(folder.path()));
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    let place = model.save(folder.path().join("m")).unwrap();
    let path = place.join("m.emd");
    let sound: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (pointer, value) in [
        ("/Geolearn/History/epochs/0/steps", Value::from(u64::MAX)),
        ("/Geolearn/History/epochs/0/losses/0", 1e308.into()),
        ("/Geolearn/History/epochs/0/losses", Value::Array(vec![1.0.into()])),
        ("/Geolearn/Config/gen_features", 0.into()),
        ("/Geolearn/Config/gen_blocks", 40.into()),
        ("/Geolearn/Config/cycle_weight", Value::from(-1)),
        ("/NormalizationStats/band_min_values/1", 1e9.into()),
    ] {
        let mut emd = sound.clone();
        *emd.pointer_mut(pointer).unwrap() = value;
        fs::write(&path, emd.to_string()).unwrap();
        let error = on_cpu::from_model(&place, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{pointer}: {error}");
    }
    // What the message about a history advises.
    let mut emd = sound;
    *emd.pointer_mut("/Geolearn/History/epochs").unwrap() = Value::Array(vec![]);
    fs::write(&path, emd.to_string()).unwrap();
    assert!(on_cpu::from_model(&place, None).unwrap().history().epochs().is_empty());
}

#[test]
fn weights_outside_the_folder_are_read_only_if_the_caller_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(&small_data(folder.path()));
    let place = model.save(folder.path().join("m")).unwrap();
    let elsewhere = folder.path().join("elsewhere.pth");
    fs::rename(place.join("m.pth"), &elsewhere).unwrap();
    let emd = fs::read_to_string(place.join("m.emd")).unwrap();
    for path in [elsewhere.to_str().unwrap(), "../elsewhere.pth"] {
        fs::write(place.join("m.emd"), emd.replace("\"m.pth\"", &format!("{path:?}"))).unwrap();
        let error = on_cpu::from_model(&place, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains("ModelFile") && error.to_string().contains("m.emd"), "{error}");
        let trusted = CycleGan::from_model_with(&place, LoadOptions::new().weights_anywhere(true)).unwrap();
        assert_eq!(answer(&trusted), answer(&model));
        let saved = trusted.save(folder.path().join("again")).unwrap();
        assert_eq!(answer(&on_cpu::from_model(saved, None).unwrap()), answer(&model));
    }
}

#[test]
fn a_newer_form_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let place = small_model(&small_data(folder.path())).save(folder.path().join("m")).unwrap();
    let path = place.join("m.emd");
    let mut emd: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    emd["Geolearn"]["Version"] = "9.1.0".into();
    fs::write(&path, emd.to_string()).unwrap();
    assert!(on_cpu::from_model(&place, None).is_ok(), "the number alone is no reason to refuse it");
    emd["Geolearn"]["Config"]["adversarial"] = "Hinge".into();
    fs::write(&path, emd.to_string()).unwrap();
    let error = on_cpu::from_model(&place, None).unwrap_err().to_string();
    assert!(error.contains("written by geolearn 9.1.0") && error.contains("Hinge"), "{error}");
}

#[test]
fn a_model_is_not_named_as_one_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(&small_data(folder.path()));
    for name in ["m.safetensors", "m.onnx", "m.pt", "m.dlpk", "m.emd"] {
        assert_eq!(model.save(folder.path().join(name)).unwrap_err().kind(), ErrorKind::Usage, "{name}");
    }
    assert_eq!(model.save_safetensors(folder.path().join("m.pth")).unwrap_err().kind(), ErrorKind::Usage);
    model.save_safetensors(folder.path().join("new/odd:name.safetensors")).unwrap();
    let again = on_cpu::from_model(folder.path().join("new/odd:name.safetensors"), None).unwrap();
    assert_eq!(answer(&again), answer(&model));
}

#[cfg(unix)]
#[test]
fn a_link_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(&small_data(folder.path()));
    let place = model.save(folder.path().join("m")).unwrap();
    let outside = folder.path().join("outside.pth");
    fs::rename(place.join("m.pth"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, place.join("m.pth")).unwrap();
    let error = on_cpu::from_model(&place, None).unwrap_err().to_string();
    assert!(error.contains("a link out of the folder") && error.contains("m.pth"), "{error}");
    assert!(on_cpu::from_model(place.join("m.pth"), None).is_ok(), "named by the caller");
    assert!(CycleGan::from_model_with(&place, LoadOptions::new().weights_anywhere(true)).is_ok());
}

#[test]
fn errors_name_the_package_and_the_first_tensor_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let place = small_model(&data).save(folder.path().join("m")).unwrap();
    let larger = on_cpu::builder(&data).gen_blocks(2).gen_features(4).disc_features(4).build().unwrap();
    let larger = larger.save(folder.path().join("larger")).unwrap();
    fs::copy(larger.join("larger.pth"), place.join("m.pth")).unwrap();
    let error = on_cpu::from_model(&place, None).unwrap_err();
    assert!(error.kind() == ErrorKind::Format && error.to_string().contains("mixed"), "{error}");
    // As the error advises.
    let mut emd: Value = serde_json::from_slice(&fs::read(place.join("m.emd")).unwrap()).unwrap();
    emd["Geolearn"].as_object_mut().unwrap().remove("Weights").unwrap();
    fs::write(place.join("m.emd"), emd.to_string()).unwrap();
    let error = on_cpu::from_model(&place, None).unwrap_err();
    // The larger model's second block is where the smaller one starts to upsample.
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains("G_A.11.weight is missing"), "{error}");

    let mut zip = zip::ZipWriter::new(fs::File::create(folder.path().join("bad.dlpk")).unwrap());
    for (name, bytes) in [("m.emd", fs::read(larger.join("larger.emd")).unwrap()), ("larger.pth", b"junk".to_vec())] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &bytes).unwrap();
    }
    zip.finish().unwrap();
    let error = on_cpu::from_model(folder.path().join("bad.dlpk"), None).unwrap_err();
    assert!(error.path().unwrap().ends_with("bad.dlpk"), "{error}");
}

#[test]
fn an_unsupported_choice_of_bands_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arcgis/rgb");
    let mut emd: Value = serde_json::from_slice(&fs::read(source.join("rgb.emd")).unwrap()).unwrap();
    emd["ExtractBands"] = serde_json::json!([2, 1, 0]);
    fs::write(folder.path().join("rgb.emd"), emd.to_string()).unwrap();
    fs::copy(source.join("rgb.pth"), folder.path().join("rgb.pth")).unwrap();
    let error = on_cpu::from_model(folder.path(), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("ExtractBands") && error.to_string().contains("[2, 1, 0]"), "{error}");
}

/// About 464 GB.
#[test]
fn networks_too_large_for_memory_are_refused_before_allocation() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let error = on_cpu::builder(&data).gen_blocks(64).gen_features(1024).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limits, "{error}");
    assert!(error.to_string().contains("bytes"), "{error}");
}
