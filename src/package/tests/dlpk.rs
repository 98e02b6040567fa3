//! Packages, and those made to hurt.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use proptest::prelude::*;
use tch::Tensor;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::error::ErrorKind;
use crate::package::dlpk::{unpack_bytes_within, unpack_within};
use crate::package::folder::find;
use crate::package::{emd, folder};

const MOST: u64 = 1 << 20;

fn package(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn definition(model_file: &str) -> Vec<u8> {
    let text = String::from_utf8(fixture_bytes("golden/rgb.emd")).unwrap();
    text.replace("rgb_g2.pth", model_file).into_bytes()
}

/// The weights that came out; of bytes in memory come the same, or the same kind of error.
fn unpacked(bytes: &[u8]) -> Result<Vec<u8>> {
    let of_file = unpacked_file(bytes);
    let of_bytes = unpack_bytes_within(bytes, OPENING, MOST).map(|(_, weights)| weights);
    match (&of_file, &of_bytes) {
        (Ok(file), Ok(bytes)) => assert_eq!(file, bytes),
        (Err(file), Err(bytes)) => assert_eq!((file.kind(), file.summary()), (bytes.kind(), bytes.summary())),
        other => panic!("{other:?}"),
    }
    of_file
}

fn unpacked_file(bytes: &[u8]) -> Result<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.dlpk");
    fs::write(&path, bytes).unwrap();
    let unpacked = unpack_within(&path, OPENING, MOST)?;
    assert!(unpacked.weights.starts_with(unpacked.folder.path()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing lies beside the package");
    Ok(fs::read(&unpacked.weights).unwrap())
}

fn refused(bytes: &[u8], kind: ErrorKind, words: &str) {
    let error = unpacked(bytes).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn definition_and_weights_come_out_wherever_they_lie() {
    for (emd, file, weights) in [
        ("m.emd", "m.pth", "m.pth"),
        ("sat2map/m.emd", "m.pth", "sat2map/m.pth"),
        ("m.EMD", "weights/m.pth", "weights/m.pth"),
        ("a/m.emd", r"b\\m.pth", "a/b/m.pth"),
    ] {
        let bytes = package(&[("readme.txt", b"x"), (weights, b"weights"), (emd, &definition(file))]);
        assert_eq!(unpacked(&bytes).unwrap(), b"weights", "{emd}");
    }
}

#[test]
fn no_name_leads_out_of_the_package() {
    let outside = tempfile::tempdir().unwrap();
    let aim = outside.path().join("victim");
    let absolute = aim.to_str().unwrap();
    for file in ["../m.pth", "/etc/passwd", absolute, r"..\\m.pth", "a/../../m.pth", "C:m.pth"] {
        let bytes = package(&[("m.emd", &definition(file)), (file, b"weights"), ("m.pth", b"weights")]);
        refused(&bytes, ErrorKind::Format, "`ModelFile`");
    }
    // Entries that would land elsewhere are never written at all.
    let bytes = package(&[
        ("../../evil.txt", b"evil"),
        (absolute, b"evil"),
        ("../m.emd", &definition("m.pth")),
        ("../m.pth", b"weights"),
    ]);
    assert_eq!(unpacked(&bytes).unwrap(), b"weights");
    assert!(!aim.exists());
}

#[test]
fn a_package_without_one_model_is_refused() {
    refused(b"", ErrorKind::Format, "archive cannot be read");
    refused(b"PK\x03\x04", ErrorKind::Format, "archive cannot be read");
    refused(&package(&[]), ErrorKind::Format, "no model definition");
    refused(&package(&[("m.emd", &definition("m.pth"))]), ErrorKind::Format, "\"m.pth\" is missing");
    let two = definition("m.pth");
    refused(&package(&[("a.emd", &two), ("b.emd", &two)]), ErrorKind::Format, "several model definitions: found a.emd");
    refused(&package(&[("m.emd", b"[]")]), ErrorKind::Format, "not valid JSON");
}

/// As macOS makes them, with what belongs to it alone beside each file.
#[test]
fn what_macos_adds_is_passed_over() {
    let entries: [(&str, &[u8]); 5] = [
        ("m/x.emd", &definition("./x.pth")),
        ("__MACOSX/m/._x.emd", b"\0\x05\x16\x07"),
        ("m/._y.emd", b"\0\x05\x16\x07"),
        ("m/x.pth", b"weights"),
        ("__MACOSX/m/._x.pth", b"\0\x05\x16\x07"),
    ];
    assert_eq!(unpacked(&package(&entries)).unwrap(), b"weights");
}

#[test]
fn a_package_cannot_swell() {
    let zeros = vec![0; 2 << 20];
    let big_weights = package(&[("m.emd", &definition("m.pth")), ("m.pth", &zeros)]);
    assert!(big_weights.len() < 1 << 16);
    refused(&big_weights, ErrorKind::Limits, "\"m.pth\" is too large");
    let big_definition = package(&[("m.emd", &zeros), ("m.pth", b"")]);
    refused(&big_definition, ErrorKind::Limits, "\"m.emd\" is too large");
    refused(&vec![0; MOST as usize + 1], ErrorKind::Limits, "file is too large");
    // One that lies about the length: the data go on beyond it.
    let honest = package(&[("m.emd", &definition("m.pth")), ("m.pth", &[7; 1000])]);
    let length = 1000u32.to_le_bytes();
    let places: Vec<usize> = (0..honest.len() - 4).filter(|&at| honest[at..at + 4] == length).collect();
    assert!(!places.is_empty());
    let mut lying = honest.clone();
    for at in places {
        lying[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
    }
    assert!(unpacked(&lying).is_err());
}

#[test]
fn a_saved_package_is_the_whole_model() {
    let root = tempfile::tempdir().unwrap();
    let place = folder::Place::to_save(root.path(), Path::new("m")).unwrap();
    let one = || emd::DomainBands { bands: 1, ..emd::DomainBands::default() };
    let emd = emd::Emd::new(&KIND, &place.pth_name(), [one(), one()], false);
    let tensor = Tensor::from_slice(&[3.5f32]);
    let contents = folder::Contents {
        emd: &emd,
        tensors: &[("w".to_owned(), &tensor)],
        modules: &[],
        report: "<html>",
        texts: &[("README.md", "card".to_owned())],
        pictures: &[("loss_graph.png", Some(b"png".to_vec()))],
    };
    folder::save(&place, &contents).unwrap();
    let opened = find(root.path(), &place.dlpk()).unwrap().open(OPENING).unwrap();
    assert_eq!(values(&opened.tensors[0].1), [3.5]);
    let of_bytes = folder::open_package(&fs::read(place.dlpk()).unwrap(), OPENING).unwrap();
    assert_eq!((of_bytes.tensors[0].0.as_str(), values(&of_bytes.tensors[0].1)), ("w", vec![3.5]));
    let error = folder::open_package(b"no zip", OPENING).unwrap_err();
    assert!(error.kind() == ErrorKind::Format && error.to_string().starts_with("in memory: "), "{error}");
    let mut zip = zip::ZipArchive::new(fs::File::open(place.dlpk()).unwrap()).unwrap();
    for name in ["m.pth", "m.emd", "model_metrics.html", "README.md", "ModelCharacteristics/loss_graph.png"] {
        let mut entry = zip.by_name(name).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        assert_eq!(bytes, fs::read(place.folder.join(name)).unwrap(), "{name}");
    }
    assert_eq!(zip.len(), 5);
    let unpacked = unpack_within(&place.dlpk(), OPENING, MOST).unwrap();
    let kept = unpacked.weights.clone();
    drop(unpacked);
    assert!(!kept.exists(), "what was unpacked goes when it is no longer needed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Bytes changed and cut anywhere: an error or the model, never a panic, never more than the limit.
    #[test]
    fn damage_never_panics(changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..6), cut in 0usize..4096) {
        let mut bytes = package(&[("m.emd", &definition("m.pth")), ("m.pth", &[7; 1000])]);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut % 64 * usize::from(cut % 3 == 0));
        if let Ok(weights) = unpacked(&bytes) {
            prop_assert!(weights.len() as u64 <= MOST);
        }
    }
}
