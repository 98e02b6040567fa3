//! Tests the exchange of gradients in bfloat16.

use std::path::Path;

use super::child::EPOCHS;
use super::common::few_chips;
use super::processes::{Group, newest};

/// Returns the weights that two processes learned, after checking that both report the same.
fn trained(folder: &Path, work: &str) -> Vec<f32> {
    few_chips(folder, 9, 8);
    let said = Group::start(folder, work, 2, &[]).finish();
    assert!(said[0].contains(" steps, ") && said[0] == said[1], "{said:?}");
    let tensors = newest(folder).into_iter().filter(|(name, _)| name.ends_with(".weight"));
    tensors
        .flat_map(|(_, bytes)| bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect::<Vec<_>>())
        .collect()
}

/// Adam moves a weight the other way where rounding turns the sign of a gradient near 0.
#[test]
fn gradients_in_bfloat16_lead_nearby() {
    let [exact, rounded] = ["train", "train_bf16"].map(|work| {
        let folder = tempfile::tempdir().unwrap();
        trained(folder.path(), work)
    });
    assert!(exact.len() > 1000 && exact.len() == rounded.len());
    let apart = exact.iter().zip(&rounded).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / exact.len() as f64;
    println!("with bfloat16 gradients the weights differ by {apart:e} on average");
    // Steps of Adam at 2e-4, four or more per epoch: a tenth of the largest possible change.
    let reach = 2e-4 * 4.0 * EPOCHS as f64;
    assert!(apart > 0.0 && apart < 0.1 * reach, "{apart}, and all steps reach {reach}");
}

#[test]
fn a_different_choice_of_bf16_gradients_is_an_error_in_all() {
    let folder = tempfile::tempdir().unwrap();
    for said in Group::start(folder.path(), "another_type", 3, &[]).finish() {
        assert!(said.contains("bf16_gradients"), "{said}");
    }
}

/// No test machine has a CUDA device for each of two processes.
#[test]
fn nccl_without_a_device_for_each_is_an_error_in_all() {
    let folder = tempfile::tempdir().unwrap();
    for said in Group::start(folder.path(), "nccl", 2, &[]).finish() {
        if said == "by Nccl" {
            eprintln!("skipped: there are several CUDA devices");
            return;
        }
        let (lacks, shares) = (said.contains("cannot use NCCL"), said.contains("have the same CUDA device"));
        assert!((lacks && said.starts_with("Device: ")) || (shares && said.starts_with("Usage: ")), "{said}");
    }
}
