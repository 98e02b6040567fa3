//! A bare state dict from any file that holds one.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use tch::Tensor;

use super::{pth, safetensors};
use crate::error::{Error, Result};

/// What `DataParallel` puts before each key.
const WRAPPER: &str = "module.";
/// What `torch.compile` puts before the keys of each module that was compiled.
const COMPILED: &str = "_orig_mod";

/// The tensors of a `.pth` (or `.pt`) or `.safetensors`, told apart by what is in them, without what wrappers of modules put
/// into their keys.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    file.take(9).read_to_end(&mut start).map_err(|e| Error::io("file cannot be read", path, e))?;
    let tensors = match safetensors::is_begun_by(&start) {
        true => safetensors::read(path)?.tensors,
        false => pth::read(path, &pth::PthLimits::default())?,
    };
    Ok(unwrapped(tensors))
}

fn unwrapped(mut tensors: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    let plain: Vec<String> = tensors.iter().map(|(name, _)| uncompiled(name)).collect();
    if plain.iter().collect::<HashSet<_>>().len() == tensors.len() {
        tensors.iter_mut().zip(plain).for_each(|((name, _), plain)| *name = plain);
    }
    while !tensors.is_empty() && tensors.iter().all(|(name, _)| name.starts_with(WRAPPER)) {
        tensors.iter_mut().for_each(|(name, _)| drop(name.drain(..WRAPPER.len())));
    }
    tensors
}

/// A key without the parts that compiled modules have in it.
fn uncompiled(name: &str) -> String {
    name.split('.').filter(|part| *part != COMPILED).collect::<Vec<_>>().join(".")
}
