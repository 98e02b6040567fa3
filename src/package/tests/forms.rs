//! Forms of a `.pth` that torch writes for people who ask for them (`tests/fixtures/pth/make_forms.py`).

use tch::Tensor;

use super::fixtures::ramp;
use super::*;
use crate::error::ErrorKind;
use crate::package::state_dict;
use crate::testing::python;

fn read(name: &str) -> Result<Vec<(String, Tensor)>> {
    state_dict::read(&fixture(&format!("pth/{name}.pth")))
}

/// The weights of all these files.
fn check_weights(file: &str, tensors: &[(String, Tensor)]) {
    let found: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.size())).collect();
    assert_eq!(found, [("0.weight", vec![2, 3]), ("0.bias", vec![2])], "{file}");
    tensors.iter().for_each(|(name, tensor)| assert_eq!(values(tensor), ramp(tensor), "{file} {name}"));
}

#[test]
fn the_same_weights_in_every_form() {
    for file in [
        "sentinel2_to_landsat8",
        "without_checksums",
        "negative_bit",
        "orig_mod",
        "orig_mod_inside",
        "beside",
        "beside4",
        "beside5",
        "beside_legacy",
        "among",
    ] {
        check_weights(file, &read(file).unwrap());
    }
}

#[test]
fn tensors_of_other_classes_are_tensors() {
    let tensors = read("subclasses").unwrap();
    assert_eq!(tensors.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["buffer", "attribute", "parameter"]);
    tensors.iter().for_each(|(name, tensor)| assert_eq!(values(tensor), ramp(tensor), "{name}"));
}

#[test]
fn tensors_that_no_weights_are_are_named() {
    for (name, what) in [
        ("mask", "bools"),
        ("waves", "complex numbers"),
        ("quantized", "quantized"),
        ("sparse", "sparse"),
        ("unsigned", "another type"),
        ("small", "another type"),
        ("empty", "without values"),
    ] {
        let error = read(&format!("refused_{name}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("`{name}`")) && text.contains(what), "{text}");
    }
}

/// A damaged file is noticed where torch kept checksums; without them its lengths and numbers still are.
#[test]
fn files_without_checksums_are_no_less_checked() {
    let bytes = fixture_bytes("pth/without_checksums.pth");
    for length in (0..bytes.len()).step_by(7) {
        assert!(read_bytes(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place * 5 % 8);
        let _ = read_bytes(&flipped);
    }
}

/// Prints the values of each file's tensors.
const SCRIPT: &str = r#"
import collections, sys, torch
out = sys.argv[1]
ramp = lambda *s: (torch.arange(torch.Size(s).numel(), dtype=torch.float32) / 2 - 3).reshape(s)
for length in range(1, 81):
    torch.save({"w": ramp(2, 3), "b": ramp(2)}, f"{out}/{'m' * length}.pth")
whole = ramp(24)
forms = {
    "views": {"a": whole[3:9].view(2, 3).t(), "b": whole[::5], "c": whole.view(2, 3, 4).permute(2, 0, 1)[1:, :, ::2], "d": whole},
    "shapes": {"scalar": ramp().clone(), "none": ramp(0, 3), "long": ramp(300), "deep": ramp(1, 1, 2, 1, 3), "wide": ramp(1, 1).expand(3, 2)},
    "negative": {k: torch.complex(v, -v).conj().imag for k, v in {"a": ramp(2, 3), "b": ramp(4)[1:3]}.items()},
    "channels": {"w": ramp(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)},
    "shared": {"a": (w := ramp(3)), "b": w, "c": w[1:]},
    "parameter": {"w": torch.nn.Parameter(ramp(2, 3)), "g": ramp(3).requires_grad_()},
    "dict": dict(torch.nn.Conv2d(1, 2, 3).state_dict()), "ordered": torch.nn.BatchNorm2d(3).state_dict(),
}
for kind in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8):
    forms[str(kind)[6:]] = {"w": ramp(2, 3).to(kind), "part": ramp(12).to(kind)[1::3]}
forms["uint8"] = {"w": (ramp(2, 3) + 3).to(torch.uint8)}
for name, state in forms.items():
    for protocol in (2, 3, 4, 5):
        for zipped in (True, False):
            file = f"{name}_{protocol}_{zipped}.pth"
            torch.save({"epoch": 1, "state_dict": state}, f"{out}/{file}", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
            for key, tensor in torch.load(f"{out}/{file}", weights_only=False)["state_dict"].items():
                print(file, key, list(tensor.shape), tensor.detach().double().flatten().tolist(), sep="|")
"#;

#[test]
fn what_torch_reads_we_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let Some(truth) = python::run(&[&"-c", &SCRIPT, &folder.path()]) else { return };
    for length in 1..=80 {
        let tensors = state_dict::read(&folder.path().join(format!("{}.pth", "m".repeat(length)))).unwrap();
        assert_eq!(values(&tensors[0].1), ramp(&tensors[0].1), "a stem of {length} characters");
    }
    assert!(truth.lines().count() > 200);
    for line in truth.lines() {
        let [file, key, size, numbers] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        let tensors = state_dict::read(&folder.path().join(file)).unwrap();
        let (_, tensor) = tensors.iter().find(|(name, _)| name == key).unwrap();
        assert_eq!(format!("{:?}", tensor.size()), size, "{file} {key}");
        let expected: Vec<f64> = serde_json::from_str(numbers).unwrap();
        assert_eq!(values(tensor), expected, "{file} {key}");
    }
}
