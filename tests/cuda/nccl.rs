//! Training by NCCL. One GPU can show only a group of one process. It is a child process, since its environment variables form the
//! group.

use std::path::{Path, PathBuf};
use std::process::Command;

use geolearn::device::Precision;
use geolearn::distributed::{Backend, DistributedOptions};
use geolearn::{Device, FitOptions};

use super::common::port::free_port;
use super::common::small_data;
use super::{Weights, device, model, weights};

/// File for the child's weights; without this variable the child's test does nothing.
const OUT: &str = "GEOLEARN_TEST_NCCL";
/// `1` where gradients are to be summed in bfloat16.
const BF16: &str = "GEOLEARN_TEST_NCCL_BF16";
const EPOCHS: usize = 3;

fn options() -> FitOptions {
    FitOptions::new(EPOCHS).progress(false).deterministic(true).precision(Precision::F32)
}

/// Not a test of its own: the child process runs it.
#[test]
#[ignore = "run by the test of a training by NCCL"]
fn child() {
    let Some(out) = std::env::var_os(OUT).map(PathBuf::from) else { return };
    let is_bf16 = std::env::var(BF16).is_ok_and(|value| value == "1");
    let group = DistributedOptions::new().backend(Backend::Nccl).bf16_gradients(is_bf16).from_env().unwrap();
    assert_eq!((group.backend(), group.world_size()), (Backend::Nccl, 1));
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(&small_data(folder.path()), group.device());
    model.fit(options().distributed(group.clone())).unwrap();
    assert!(!group.time_in_collectives().is_zero(), "no collective ran");
    model.save_safetensors(out).unwrap();
}

fn by_nccl(folder: &Path, is_bf16: bool) -> Weights {
    let out = folder.join("weights.safetensors");
    let port = free_port();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["nccl::child", "--exact", "--ignored", "--nocapture"]);
    command.env(OUT, &out).env(BF16, if is_bf16 { "1" } else { "0" });
    command.envs([("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"), ("MASTER_ADDR", "127.0.0.1")]);
    command.env("MASTER_PORT", port.to_string());
    assert!(command.status().unwrap().success(), "the process of the group failed");
    super::weights_of(&out)
}

fn alone(device: Device) -> Weights {
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(&small_data(folder.path()), device);
    model.fit(options()).unwrap();
    weights(&model)
}

/// Returns the mean absolute difference of all weights.
fn apart(found: &Weights, expected: &Weights) -> f64 {
    let pairs = || found.iter().zip(expected).flat_map(|(a, b)| a.1.iter().zip(&b.1));
    pairs().map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / pairs().count() as f64
}

/// A sum over one process changes nothing, so the weights are identical bit for bit; in bfloat16 each gradient keeps 8
/// bits.
#[test]
fn training_by_nccl_is_training_without() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let expected = alone(device);
    let found = by_nccl(folder.path(), false);
    assert!(!found.is_empty() && found == expected, "weights are {} apart", apart(&found, &expected));
    let rounded = apart(&by_nccl(folder.path(), true), &expected);
    eprintln!("with bfloat16 gradients the weights differ by {rounded:e} on average");
    // Six steps of Adam at 2e-4 move a weight by at most 1.2e-3, and a weight moves the other way if rounding flips the
    // sign of a gradient near 0; an average of a tenth of that would be a lot. On an H200 it was 6.7e-5.
    assert!(rounded > 0.0 && rounded < 1.2e-4, "{rounded}");
}
