//! Generators of the research code give the same outputs here as in PyTorch (`tests/fixtures/research/make.py`).

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use tch::{Device as TorchDevice, Kind, Tensor};

use super::{CycleGan, GeneratorImport};
use crate::dataset::{DatasetType, Domain, PrepareData};
use crate::device::Device;
use crate::error::ErrorKind;
use crate::models::LoadOptions;
use crate::testing::{self, Tolerance, python};
use crate::train::{FitOptions, LrFindOptions, Translator};

/// f32 rounding through some thirty layers, on values in [-1, 1].
const CLOSE: Tolerance = Tolerance::abs(1e-5);

fn fixture(name: &str) -> PathBuf {
    testing::fixture("research").join(name)
}

fn import(a: &str, b: &str) -> CycleGan {
    CycleGan::import(fixture(a), fixture(b)).disc_features(4).device(Device::Cpu).build().unwrap()
}

/// Like `image` in make.py, in [0, 255].
fn bytes(bands: usize, height: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_fn((bands, height, width), |(c, y, x)| ((37 * c + 11 * y + 5 * x) % 256) as f32)
}

fn image(bands: usize, height: usize, width: usize) -> Tensor {
    let pixels = bytes(bands, height, width);
    let (flat, _) = pixels.into_raw_vec_and_offset();
    Tensor::from_slice(&flat).view([1, bands as i64, height as i64, width as i64]) / 127.5 - 1.0
}

fn output(name: &str) -> Tensor {
    let arrays = Tensor::read_npz(fixture("outputs.npz")).unwrap();
    arrays.into_iter().find(|(other, _)| other == name).unwrap().1.unsqueeze(0)
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

fn check(model: &CycleGan, to: Domain, bands: usize, name: &str) {
    CLOSE.tensor(name, &model.translate(&image(bands, 16, 20), to).unwrap(), &output(name));
}

/// The research code's G_A makes images of B.
#[test]
fn six_blocks_equal_pytorch() {
    let model = import("latest_net_G_A.pth", "latest_net_G_B.pth");
    assert_eq!((model.config().gen_blocks, model.config().gen_features), (6, 4));
    check(&model, Domain::B, 3, "latest_net_G_A");
    check(&model, Domain::A, 3, "latest_net_G_B");
    // The two outputs differ, so confusing the letters would be noticed.
    assert!(distance(&output("latest_net_G_A"), &output("latest_net_G_B")) > 0.01);
}

#[test]
fn nine_blocks_with_dropout_and_other_bands_equal_pytorch() {
    let model = import("nine_G_A.pth", "nine_G_B.safetensors");
    assert_eq!(model.config().gen_blocks, 9);
    check(&model, Domain::B, 3, "nine_G_A");
    check(&model, Domain::A, 1, "nine_G_B");
}

#[test]
fn pixels_are_scaled_as_there_and_a_saved_model_is_the_same() {
    for (a, b) in [("latest_net_G_A.pth", "latest_net_G_B.pth"), ("nine_G_A.pth", "nine_G_B.safetensors")] {
        let model = import(a, b);
        let made = model.predict_array(&bytes(3, 16, 20), Domain::B).unwrap();
        let bands = made.dim().0 as i64;
        let (flat, _) = made.clone().into_raw_vec_and_offset();
        let made_tensor = Tensor::from_slice(&flat).view([1, bands, 16, 20]) / 127.5 - 1.0;
        let off = distance(&made_tensor, &output(a.trim_end_matches(".pth")));
        // Scaling there and back adds rounding at each end.
        assert!(off <= 2.0 * CLOSE.abs, "off by {off}");
        let folder = tempfile::tempdir().unwrap();
        let saved = model.save(folder.path().join("m")).unwrap();
        let single = folder.path().join("m.safetensors");
        model.save_safetensors(&single).unwrap();
        for path in [&saved, &single] {
            let again = CycleGan::from_model_with(path, LoadOptions::new().device(Device::Cpu)).unwrap();
            assert_eq!(again.predict_array(&bytes(3, 16, 20), Domain::B).unwrap(), made, "{path:?}");
            assert_eq!(again.config(), model.config());
        }
    }
}

/// The research code's D_A judges B.
#[test]
fn letters_of_discriminators_are_swapped_too() {
    let model = CycleGan::import(fixture("latest_net_G_A.pth"), fixture("latest_net_G_B.pth"))
        .discriminators(fixture("latest_net_D_A.pth"), fixture("latest_net_D_B.pth"))
        .device(Device::Cpu)
        .build()
        .unwrap();
    let first = |name| crate::package::state_dict::read(&fixture(name)).unwrap().remove(0).1;
    let weights = model.model.nets.parameters();
    let ours = |name: &str| weights.iter().find(|(other, _)| other == name).unwrap().1.detach();
    assert_eq!(ours("D_B.0.weight"), first("latest_net_D_A.pth"));
    assert_eq!(ours("D_A.0.weight"), first("latest_net_D_B.pth"));
    assert_eq!(model.config().disc_features, 4);
}

#[test]
fn other_architectures_are_named() {
    for (file, words) in [
        ("batch_norm.pth", ["model.2.weight", "[2], as batch norm"]),
        ("zero_padding.pth", ["model.10.conv_block.0.weight", "zero padding"]),
        ("u_net.pth", ["U-Net", "resnet_9blocks"]),
        ("kernel.pth", ["[4, 2, 3, 3]", "[4, 2, 5, 5]"]),
        ("latest_net_D_A.pth", ["model.1.weight", "no such key"]),
    ] {
        let error = CycleGan::import_generators(fixture(file), fixture("latest_net_G_B.pth")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        for word in words.into_iter().chain([file]) {
            assert!(error.to_string().contains(word), "{error}");
        }
    }
    let error =
        CycleGan::import_generators(fixture("latest_net_G_A.pth"), fixture("nine_G_B.safetensors")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("6 blocks") && error.to_string().contains("9 blocks"), "{error}");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/sat2relief/sat2relief.pth");
    let error = CycleGan::import_generators(&ours, &ours).unwrap_err().to_string();
    assert!(error.contains("load_weights"), "{error}");
}

/// At full width, with networks that PyTorch creates while the test runs.
#[test]
fn full_width_equals_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = python::run(&[&fixture("make.py"), &folder.path()]) else { return };
    let at = |name: &str| folder.path().join(name);
    let import = CycleGan::import(at("latest_net_G_A.pth"), at("latest_net_G_B.pth"));
    let model = import.device(Device::Cpu).build().unwrap();
    for (to, name) in [(Domain::B, "a2b.npy"), (Domain::A, "b2a.npy")] {
        let expected = Tensor::read_npy(at(name)).unwrap().view([1, 3, 64, 64]);
        let found = model.translate(&image(3, 64, 64), to).unwrap().to_device(TorchDevice::Cpu).to_kind(Kind::Float);
        println!("{name}: off by {:e}", distance(&found, &expected));
        CLOSE.tensor(name, &found, &expected);
    }
}

/// Four chips of each domain.
fn few_chips(folder: &Path) -> PathBuf {
    for domain in ["A", "B"] {
        let into = folder.join("chips").join(domain).join("images");
        fs::create_dir_all(&into).unwrap();
        for file in fs::read_dir(format!("assets/bluemarble/{domain}/images")).unwrap().take(4) {
            let file = file.unwrap();
            fs::copy(file.path(), into.join(file.file_name())).unwrap();
        }
    }
    folder.join("chips")
}

#[test]
fn a_single_generator_translates_one_way_until_the_other_is_trained() {
    let small = |path: &str, to| {
        let mut import = GeneratorImport::default().disc_features(4).device(Device::Cpu);
        import.set_generator(&fixture(path), to);
        import.build().unwrap()
    };
    // The research code's G_B makes images of A.
    for (name, to) in [("latest_net_G_A", Domain::B), ("latest_net_G_B", Domain::A)] {
        let model = small(&format!("{name}.pth"), to);
        check(&model, to, 3, name);
        let folder = tempfile::tempdir().unwrap();
        let place = model.save(folder.path().join("one")).unwrap();
        let data = PrepareData::new(few_chips(folder.path()), DatasetType::CycleGan).resize_to(32);
        let data = data.batch_size(2).prepare().unwrap();
        let options = LoadOptions::new().device(Device::Cpu).data(&data);
        let mut again = CycleGan::from_model_with(&place, options).unwrap();
        check(&again, to, 3, name);
        for model in [&model, &again] {
            let error = model.predict_array(&bytes(3, 16, 20), to.other()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(&format!("images of domain {} yet", to.other())), "{error}");
            assert!(model.export_onnx(folder.path().join("x.onnx"), to.other()).is_err());
            model.export_onnx(folder.path().join("y.onnx"), to).unwrap();
        }
        let _ = again.lr_find_with(LrFindOptions::default().steps(12)).unwrap();
        assert!(again.predict_array(&bytes(3, 16, 20), to.other()).is_err(), "a sweep is no training");
        again.fit(FitOptions::new(1).progress(false)).unwrap();
        assert!(again.predict_array(&bytes(3, 16, 20), to.other()).is_ok());
        let place = again.save(folder.path().join("fit")).unwrap();
        assert!(CycleGan::from_model(place, None).unwrap().predict_array(&bytes(3, 16, 20), to.other()).is_ok());
    }
}
