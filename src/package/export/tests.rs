//! What is written, against the network itself and against the format.

use proptest::prelude::*;
use tch::{CModule, Device, Kind, Tensor};

use super::{DomainNote, Exported, Metadata, onnx, torchscript};
use crate::dataset::{Domain, DomainSpec, Normalizer, Selection};
use crate::error::ErrorKind;
use crate::nn::{self, GeneratorShape, Initialization, Initializer, Network, Upsampling, UpsamplingInit};
use crate::random::Seed;
use crate::raster::Dtype;
use crate::testing::Tolerance;

/// The same operations on the same library; what is left is the order of sums within them.
const SAME: Tolerance = Tolerance::abs(1e-5);

fn generator(shape: GeneratorShape) -> Network {
    let scheme = Some(Initialization::Kaiming);
    let init = Initializer { seed: Seed(3), scheme, device: Device::Cpu, kind: Kind::Float };
    Network::new("G_B", nn::generator(shape), &init).unwrap()
}

fn exported(generator: &Network, shape: GeneratorShape) -> Exported {
    let note = |domain, channels: i64| {
        let bands = channels as usize;
        let normalizer = Normalizer::new(vec![0.0; bands], vec![0.1; bands], bands).unwrap().with_dtype(Dtype::U16);
        let spec = DomainSpec {
            normalizer,
            mean: Vec::new(),
            std: Vec::new(),
            chip: (64, 64),
            selection: Selection { bands: vec![2, 0], ..Selection::all(13) },
            band_names: vec![Some("red \"1\"\0é".into()), None],
            band_scales: Vec::new(),
        };
        DomainNote::new(domain, &spec)
    };
    let plain = |(name, tensor): (String, Tensor)| (name.trim_start_matches("G_B.").to_string(), tensor);
    Exported {
        plan: generator.plan().clone(),
        parameters: generator.parameters().into_iter().map(plain).collect(),
        metadata: Metadata::new("CycleGAN", "G_B", note(Domain::A, shape.input), note(Domain::B, shape.output)),
        units: None,
        side: None,
        properties: Vec::new(),
    }
}

fn small() -> (Network, Exported) {
    let upsampling = Upsampling::Transposed;
    let shape = GeneratorShape {
        input: 2,
        output: 3,
        features: 4,
        blocks: 1,
        upsampling,
        upsampling_init: UpsamplingInit::Scheme,
        global_skip: false,
    };
    let generator = generator(shape);
    let exported = exported(&generator, shape);
    (generator, exported)
}

fn images(n: i64, channels: i64, height: i64, width: i64) -> Tensor {
    (Tensor::arange(n * channels * height * width, (Kind::Float, Device::Cpu)) * 0.37)
        .sin()
        .view([n, channels, height, width])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn torchscript_is_the_network(
        input in 1i64..5, output in 1i64..5, features in 1i64..6, blocks in 0i64..4,
        resize: bool, skip: bool, n in 1i64..3, height in 1i64..40, width in 1i64..40,
    ) {
        let upsampling = if resize { Upsampling::Resize } else { Upsampling::Transposed };
        let (output, upsampling_init) = (if skip { input } else { output }, UpsamplingInit::Scheme);
        let shape =
            GeneratorShape { input, output, features, blocks, upsampling, upsampling_init, global_skip: skip };
        let generator = generator(shape);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.pt");
        torchscript::write(&path, &exported(&generator, shape)).unwrap().publish().unwrap();
        let x = images(n, input, height, width);
        let expected = tch::no_grad(|| generator.forward(&x)).unwrap();
        SAME.tensor("output", &CModule::load(&path).unwrap().forward_ts(&[x]).unwrap(), &expected);
    }
}

/// Layers beside each other, in modules of their own and without biases; nothing is dropped.
#[test]
fn torchscript_is_the_u_net() {
    let scheme = Some(Initialization::Kaiming);
    let init = Initializer { seed: Seed(3), scheme, device: Device::Cpu, kind: Kind::Float };
    let shape = nn::UnetShape { input: 2, output: 3, features: 3, levels: 5 };
    let generator = Network::new("G", nn::unet(shape), &init).unwrap();
    let note = |domain, bands: usize| {
        let normalizer = Normalizer::new(vec![0.0; bands], vec![255.0; bands], bands).unwrap();
        let spec = DomainSpec {
            normalizer,
            mean: Vec::new(),
            std: Vec::new(),
            chip: (32, 32),
            selection: Selection::all(bands),
            band_names: vec![None; bands],
            band_scales: Vec::new(),
        };
        DomainNote::new(domain, &spec)
    };
    let plain = |(name, tensor): (String, Tensor)| (name.trim_start_matches("G.").to_string(), tensor);
    let exported = Exported {
        plan: generator.plan().clone(),
        parameters: generator.parameters().into_iter().map(plain).collect(),
        metadata: Metadata::new("Pix2Pix", "G", note(Domain::A, 2), note(Domain::B, 3)),
        units: None,
        side: None,
        properties: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.pt");
    torchscript::write(&path, &exported).unwrap().publish().unwrap();
    let module = CModule::load(&path).unwrap();
    for (height, width) in [(32, 32), (40, 17), (1, 70)] {
        let x = images(2, 2, height, width);
        let expected = tch::no_grad(|| generator.forward(&x)).unwrap();
        SAME.tensor("output", &module.forward_ts(&[x]).unwrap(), &expected);
    }
}

#[test]
fn torchscript_keeps_names_values_and_order() {
    let (generator, exported) = small();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.pt");
    torchscript::write(&path, &exported).unwrap().publish().unwrap();
    let mut found = CModule::load(&path).unwrap().named_parameters().unwrap();
    let mut expected = generator.parameters();
    // tch sorts them.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found.len(), expected.len());
    for ((name, found), (expected_name, expected)) in found.iter().zip(&expected) {
        assert_eq!(format!("G_B.{name}"), *expected_name);
        assert_eq!(found, expected, "{name}");
        assert!(!found.requires_grad(), "{name}");
    }
}

#[test]
fn torchscript_takes_images_of_four_dimensions_only() {
    let (_, exported) = small();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.pt");
    torchscript::write(&path, &exported).unwrap().publish().unwrap();
    let module = CModule::load(&path).unwrap();
    let error = module.forward_ts(&[images(1, 2, 16, 16).squeeze_dim(0)]).unwrap_err();
    assert!(error.to_string().contains("expected images of shape (N, C, H, W)"), "{error}");
}

/// Also over an older file, and nothing else is left in the folder.
#[test]
fn the_same_network_gives_the_same_bytes() {
    let (_, exported) = small();
    let folder = tempfile::tempdir().unwrap();
    for write in [torchscript::write, onnx::write] {
        let path = folder.path().join("network");
        write(&path, &exported).unwrap().publish().unwrap();
        let first = std::fs::read(&path).unwrap();
        write(&path, &exported).unwrap().publish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A tensor that is large in name only.
#[test]
fn onnx_of_more_than_2_gib_is_refused_unwritten() {
    let (_, mut exported) = small();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.onnx");
    for count in [1i64 << 29, 1 << 62] {
        exported.parameters[0].1 = Tensor::from_slice(&[0f32]).expand([count, 1, 1, 1], false);
        let error = onnx::write(&path, &exported).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(error.path(), Some(path.as_path()));
        assert!(error.to_string().contains("2 GiB"), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_parameter_that_is_missing_is_named() {
    let (_, mut exported) = small();
    exported.parameters.pop();
    let folder = tempfile::tempdir().unwrap();
    let error = onnx::write(&folder.path().join("g.onnx"), &exported).err().unwrap();
    assert!(error.to_string().contains("18.bias"), "{error}");
    let error = torchscript::write(&folder.path().join("g.pt"), &exported).err().unwrap();
    assert!(error.to_string().contains("bias"), "{error}");
}

#[test]
fn metadata_come_back() {
    let (_, exported) = small();
    let json = exported.metadata.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Metadata>(&json).unwrap(), exported.metadata);
    let object: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["direction"], "A to B");
    assert_eq!(object["input"]["bands_used"], serde_json::json!([3, 1]));
    assert_eq!(object["input"]["dtype"], "uint16");
    assert_eq!(object["output"]["max"][0], 0.1);
}
