//! Real PyTorch reads what we write, where one is given.

use tch::{Device, Kind, Tensor};

use super::*;
use crate::package::keys;
use crate::testing::python;

/// Prints key, dtype, shape and the bytes of each tensor, read in both of torch's ways.
const SCRIPT: &str = r#"
import sys, torch
for mmap in (False, True):
    state = torch.load(sys.argv[1], weights_only=True, mmap=mmap)
    print(type(state).__name__, len(state._metadata))
    for key, tensor in state.items():
        print(key, tensor.dtype, tuple(tensor.shape), tensor.numpy().tobytes().hex())
"#;

#[test]
fn pytorch_loads_our_file() {
    let ramp = |size: &[i64]| {
        Tensor::arange(size.iter().product::<i64>(), (Kind::Float, Device::Cpu)).reshape(size) / 3.0 - 7.0
    };
    let tensors = [
        ("D_A.0.weight", ramp(&[4, 3, 4, 4])),
        ("D_A.0.bias", ramp(&[4])),
        ("scalar", ramp(&[])),
        ("empty", ramp(&[0, 2])),
    ]
    .map(|(name, tensor)| (name.to_owned(), tensor));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    std::fs::write(&path, written(&tensors, &keys::modules_of(["D_A.0.weight"]))).unwrap();
    let Some(found) = python::run(&[&"-c", &SCRIPT, &path]) else { return };
    let mut expected = String::from("OrderedDict 3\n");
    for (name, tensor) in &tensors {
        expected += &format!("{name} torch.float32 {} {}\n", python_tuple(&tensor.size()), hex(tensor));
    }
    assert_eq!(found, expected.repeat(2));
}

fn python_tuple(size: &[i64]) -> String {
    let parts: Vec<String> = size.iter().map(i64::to_string).collect();
    if parts.len() == 1 { format!("({},)", parts[0]) } else { format!("({})", parts.join(", ")) }
}

fn hex(tensor: &Tensor) -> String {
    let numbers = Vec::<f32>::try_from(tensor.view(-1)).unwrap();
    numbers.iter().flat_map(|number| number.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}
