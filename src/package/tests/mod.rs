//! Tests that concern more than one file of the module.

mod craft;
mod dlpk;
mod emd;
mod fixtures;
mod folder;
mod forms;
mod generation;
mod hostile;
mod legacy;
mod live;
mod round_trip;
mod safetensors;
mod writer;

use std::path::PathBuf;

use tch::{Kind, Tensor};

use super::emd::{Emd, ModelKind, Opening, Reach};
use super::pth::{self, PthLimits};
use crate::error::{Error, Result};

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn fixture_bytes(path: &str) -> Vec<u8> {
    std::fs::read(fixture(path)).unwrap()
}

/// Limits that a test reaches quickly.
fn tight() -> PthLimits {
    PthLimits {
        file_bytes: 4 << 20,
        directory_bytes: 1 << 20,
        pickle_bytes: 1 << 20,
        values: 1 << 14,
        tensor_bytes: 4 << 20,
    }
}

/// Reads bytes as a `.pth`.
fn read_bytes(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    std::fs::write(&path, bytes).unwrap();
    pth::read(&path, &tight())
}

fn emd_fixture(path: &str) -> Result<Emd> {
    Emd::parse(&fixture_bytes(path), OPENING)
}

/// A kind of the fixtures, and another.
static KIND: ModelKind = ModelKind {
    name: "CycleGAN",
    configuration: "_cyclegan",
    parameters: &[("gen_blocks", None), ("lsgan", None), ("backbone", Some("resnet34")), ("backend", Some("pytorch"))],
    takes_any_tile: true,
    opened_by: "CycleGan",
};
static OTHER: ModelKind = ModelKind {
    name: "Pix2Pix",
    configuration: "_pix2pix",
    parameters: &[],
    takes_any_tile: false,
    opened_by: "PixToPix",
};
const OPENING: Opening = Opening { kind: &KIND, known: &[&KIND, &OTHER], reach: Reach::Folder };

fn refusal(bytes: &[u8]) -> Error {
    match read_bytes(bytes) {
        Ok(tensors) => panic!("was read: {tensors:?}"),
        Err(error) => error,
    }
}

/// The bytes of a file as `pth::write` makes it.
fn written(tensors: &[(String, Tensor)], modules: &[(String, u32)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    let borrowed: Vec<(String, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    pth::write(&path, &borrowed, modules).unwrap().0.publish().unwrap();
    std::fs::read(path).unwrap()
}

/// Elements in row order.
fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.to_kind(Kind::Double).contiguous().view(-1)).unwrap()
}
