//! What we write is what torch.save writes.

use std::io::{Cursor, Read};

use tch::{Device, Kind, Tensor};
use zip::{CompressionMethod, ZipArchive};

use super::*;
use crate::nn::{DiscriminatorShape, GeneratorShape, Upsampling, UpsamplingInit, discriminator, generator};
use crate::package::{keys, pickle};

fn entry(archive: &[u8], suffix: &str) -> Vec<u8> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    let name = names(archive).into_iter().find(|name| name.ends_with(suffix)).unwrap();
    let mut bytes = Vec::new();
    zip.by_name(&name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// In the order in which they lie in the file.
fn names(archive: &[u8]) -> Vec<String> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut places: Vec<(u64, String)> = (0..zip.len())
        .map(|i| zip.by_index(i).map(|entry| (entry.header_start(), entry.name().unwrap().into_owned())).unwrap())
        .collect();
    places.sort();
    places.into_iter().map(|(_, name)| name).collect()
}

#[test]
fn the_golden_model_is_pickled_to_the_byte() {
    let (upsampling, upsampling_init, global_skip) = (Upsampling::Transposed, UpsamplingInit::Scheme, false);
    for (folder, channels) in [("tiny_f32_const", 3), ("tiny_f32_ch6_b1", 6)] {
        let shape = GeneratorShape {
            input: channels,
            output: channels,
            features: 64,
            blocks: 1,
            upsampling,
            upsampling_init,
            global_skip,
        };
        let (gen_, features) = (generator(shape), 64);
        let disc = discriminator(DiscriminatorShape { channels, features, spectral_norm: false, scales: 1 });
        let networks = [("D_A", &disc), ("D_B", &disc), ("G_A", &gen_), ("G_B", &gen_)];
        let file = format!("golden/{folder}/initial.pth");
        let tensors = pth::read(&fixture(&file), &PthLimits::default()).unwrap();
        let ours = written(&tensors, &keys::modules(&networks));
        assert!(entry(&ours, "data.pkl") == entry(&fixture_bytes(&file), "data.pkl"), "{folder}");
    }
}

#[test]
fn a_module_is_pickled_to_the_byte() {
    let file = fixture_bytes("pth/sequential.pth");
    let tensors = pth::read(&fixture("pth/sequential.pth"), &PthLimits::default()).unwrap();
    let modules: Vec<(String, u32)> = ["", "0", "1", "2"].iter().map(|&path| (path.to_owned(), 1)).collect();
    assert_eq!(entry(&written(&tensors, &modules), "data.pkl"), entry(&file, "data.pkl"));
}

#[test]
fn a_thousand_and_one_tensors_are_pickled_to_the_byte() {
    let shapes: [&[i64]; 13] = [
        &[],
        &[1],
        &[255],
        &[256],
        &[65535],
        &[65536],
        &[2, 3],
        &[2, 3, 4],
        &[1, 2, 3, 4],
        &[1, 1, 1, 2, 2],
        &[0],
        &[3, 0],
        &[0, 3],
    ];
    let names: Vec<String> = (0..1001).map(|i| format!("t{i}")).collect();
    let tensors: Vec<(&str, Vec<i64>)> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), shapes[i % 13].to_vec())).collect();
    assert!(pickle::state_dict(&tensors, &[]).unwrap() == fixture_bytes("pth/many.pkl"));
}

#[test]
fn entries_have_torchs_names_order_and_alignment() {
    let theirs = fixture_bytes("pth/sequential.pth");
    let ours = written(&pth::read(&fixture("pth/sequential.pth"), &PthLimits::default()).unwrap(), &[]);
    let renamed: Vec<String> = names(&theirs).iter().map(|name| name.replacen("sequential/", "model/", 1)).collect();
    assert_eq!(names(&ours), renamed);
    for name in [".format_version", ".storage_alignment", "byteorder", "version", "data/0", "data/3"] {
        assert_eq!(entry(&ours, name), entry(&theirs, name), "{name}");
    }
    assert_eq!(entry(&ours, ".data/serialization_id").len(), 40);
    let mut zip = ZipArchive::new(Cursor::new(ours)).unwrap();
    for index in 0..zip.len() {
        let entry = zip.by_index(index).unwrap();
        assert_eq!(entry.compression(), CompressionMethod::Stored);
        assert_eq!(entry.data_start().unwrap() % 64, 0, "{}", entry.name().unwrap());
    }
}

#[test]
fn anything_is_written_as_float32_rows() {
    let ramp = Tensor::arange(6, (Kind::Double, Device::Cpu)).view([2, 3]);
    let tensors = vec![
        ("turned".to_owned(), ramp.tr()),
        ("trained".to_owned(), ramp.to_kind(Kind::Float).set_requires_grad(true) * 2.0),
        ("half".to_owned(), ramp.to_kind(Kind::Half)),
        ("scalar".to_owned(), Tensor::from(1.5f64)),
    ];
    let read = read_bytes(&written(&tensors, &[])).unwrap();
    for ((name, before), (_, after)) in tensors.iter().zip(&read) {
        assert_eq!((after.kind(), after.size()), (Kind::Float, before.size()), "{name}");
        assert_eq!(values(after), values(&before.detach()), "{name}");
    }
}

#[test]
fn the_same_weights_give_the_same_bytes() {
    let tensors = vec![("w".to_owned(), Tensor::from_slice(&[1.0f32, 2.0]))];
    let modules = keys::modules_of(["w"]);
    assert_eq!(written(&tensors, &modules), written(&tensors, &modules));
    let other = vec![("w".to_owned(), Tensor::from_slice(&[1.0f32, 3.0]))];
    assert_ne!(
        entry(&written(&tensors, &modules), "serialization_id"),
        entry(&written(&other, &modules), "serialization_id")
    );
}

#[test]
fn modules_are_found_from_keys() {
    let paths: Vec<String> =
        keys::modules_of(["a.0.weight", "a.0.bias", "a.b.1.weight", "c"]).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["", "a", "a.0", "a.b", "a.b.1"]);
}
