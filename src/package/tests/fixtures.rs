//! Files that real PyTorch wrote (`tests/fixtures/pth/make.py`, `tests/fixtures/golden`).

use std::fs::File;

use tch::{Kind, Tensor};

use super::*;
use crate::error::ErrorKind;

fn read(name: &str) -> Vec<(String, Tensor)> {
    pth::read(&fixture(&format!("pth/{name}")), &PthLimits::default()).unwrap()
}

/// As make.py's `ramp`.
pub(super) fn ramp(tensor: &Tensor) -> Vec<f64> {
    let at = |i: usize| match tensor.kind() {
        Kind::Uint8 => i as f64,
        Kind::Int64 | Kind::Int | Kind::Int16 | Kind::Int8 => i as f64 - 3.0,
        _ => i as f64 / 2.0 - 3.0,
    };
    (0..tensor.numel()).map(at).collect()
}

#[test]
fn a_module_with_parameters_in_every_container() {
    let expected =
        [("0.weight", vec![3, 2, 1, 1]), ("0.bias", vec![3]), ("2.weight", vec![1, 3, 2, 2]), ("2.bias", vec![1])];
    for file in ["sequential.pth", "deflated.pth", "protocol4.pth", "parameters.pth", "nested.pth", "legacy.pth"] {
        let tensors = read(file);
        let found: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.size())).collect();
        assert_eq!(found, expected, "{file}");
        for (name, tensor) in &tensors {
            assert_eq!((tensor.kind(), values(tensor)), (Kind::Float, ramp(tensor)), "{file} {name}");
        }
    }
}

#[test]
fn every_dtype_is_kept() {
    let expected = [
        ("float32", Kind::Float),
        ("float64", Kind::Double),
        ("float16", Kind::Half),
        ("bfloat16", Kind::BFloat16),
        ("int64", Kind::Int64),
        ("int32", Kind::Int),
        ("int16", Kind::Int16),
        ("int8", Kind::Int8),
        ("uint8", Kind::Uint8),
    ];
    let tensors = read("dtypes.pth");
    assert_eq!(tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.kind())).collect::<Vec<_>>(), expected);
    for (name, tensor) in &tensors {
        assert_eq!(values(tensor), ramp(tensor), "{name}");
    }
}

#[test]
fn views_of_any_stride_come_out_contiguous_and_apart() {
    let tensors = read("views.pth");
    for (name, tensor) in &tensors {
        let expected = if name == "repeated" { vec![-3.0; 4] } else { ramp(tensor) };
        assert_eq!(values(tensor), expected, "{name}");
        assert!(tensor.is_contiguous(), "{name}");
    }
    let shapes: Vec<_> = tensors.iter().map(|(_, tensor)| tensor.size()).collect();
    assert_eq!(shapes, [vec![6], vec![2, 3], vec![2, 3], vec![2, 3], vec![1, 1], vec![], vec![0, 3], vec![4]]);
    // `middle` and `same` share their storage in the file; here a change of one leaves the other.
    let _ = tensors[0].1.shallow_clone().zero_();
    assert_eq!(values(&tensors[1].1), ramp(&tensors[1].1));
}

#[test]
fn other_forms_are_refused_with_what_to_do() {
    let error = pth::read(&fixture("pth/torchscript.pt"), &PthLimits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let error = pth::read(&fixture("pth/absent.pth"), &PthLimits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
}

/// The reference saved the same weights both ways.
#[test]
fn golden_weights_equal_numpys() {
    for folder in ["tiny_f32_const", "tiny_f64_const", "tiny_f32_ch6_b1"] {
        let mut arrays =
            npyz::npz::NpzArchive::new(File::open(fixture(&format!("golden/{folder}/initial.npz"))).unwrap()).unwrap();
        let tensors = pth::read(&fixture(&format!("golden/{folder}/initial.pth")), &PthLimits::default()).unwrap();
        assert_eq!(tensors.len(), arrays.array_names().count(), "{folder}");
        for (name, tensor) in &tensors {
            let array = arrays.by_name(name).unwrap().unwrap();
            let shape: Vec<i64> = array.shape().iter().map(|&length| length as i64).collect();
            assert_eq!(tensor.size(), shape, "{folder} {name}");
            let expected: Vec<f64> = match tensor.kind() {
                Kind::Double => array.into_vec().unwrap(),
                _ => array.into_vec::<f32>().unwrap().into_iter().map(f64::from).collect(),
            };
            assert_eq!(values(tensor), expected, "{folder} {name}");
        }
    }
}
