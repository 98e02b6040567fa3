//! The weights of the Inception network, read from an untrusted file.

use std::collections::HashMap;
use std::path::Path;

use safetensors::Dtype;
use sha2::{Digest, Sha256};
use tch::{Kind, Tensor};

use super::graph::Convolution;
use super::weights_file::convolutions;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::ffi;
use crate::store;
use crate::tensor_file::{TensorFile, View};

/// The file has 87 MB.
const MOST_BYTES: u64 = 128 << 20;
/// The value that TensorFlow's graph adds to each variance.
const EPSILON: f64 = 0.001;

/// The validated weights of a file.
pub(crate) struct Weights {
    tensors: HashMap<String, Tensor>,
    /// SHA-256 of the whole file, in hexadecimal.
    pub sha256: String,
}

/// Weight and bias of a convolution with its batch norm folded in.
pub(crate) struct Folded {
    pub weight: Tensor,
    pub bias: Tensor,
}

impl Weights {
    /// Reads a file.
    ///
    /// # Errors
    /// `Io` if it cannot be read, `Limits` if it is too large, `Format` if it is damaged or does not contain exactly
    /// this network's tensors, in f32 and finite.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = store::read_capped(path, MOST_BYTES)?;
        Self::parse(&bytes).map_err(|e| e.at(path))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let expected: HashMap<_, _> = convolutions().iter().flat_map(Convolution::tensors).collect();
        let mut tensors = HashMap::new();
        for view in TensorFile::parse(bytes)?.views() {
            let view = view?;
            tensors.insert(view.name.to_owned(), checked(&view, expected.get(view.name))?);
        }
        match expected.keys().filter(|name| !tensors.contains_key(*name)).min() {
            Some(missing) => Err(misfit().expected(format!("a tensor `{missing}`")).found("none")),
            None => Ok(Self { tensors, sha256: format!("{:x}", Sha256::digest(bytes)) }),
        }
    }

    /// Takes the weights of a convolution, and folds its batch norm into it.
    pub fn take(&mut self, convolution: &Convolution) -> Result<Folded> {
        let [weight, beta, mean, variance] = convolution.tensors().map(|(name, _)| self.tensors.remove(&name));
        let (Some(weight), Some(beta), Some(mean), Some(variance)) = (weight, beta, mean, variance) else {
            return Err(misfit().expected(format!("a convolution `{}`", convolution.name)).found("none"));
        };
        let [weight, beta, mean, variance] = [weight, beta, mean, variance].map(|t| t.f_to_kind(Kind::Double));
        let scale = variance?.f_add_scalar(EPSILON)?.f_rsqrt()?;
        let bias = beta?.f_sub(&mean?.f_mul(&scale)?)?;
        let weight = weight?.f_mul(&scale.f_reshape([-1, 1, 1, 1])?)?;
        Ok(Folded { weight: weight.f_to_kind(Kind::Float)?, bias: bias.f_to_kind(Kind::Float)? })
    }
}

/// Returns a tensor after validating it.
fn checked(view: &View, shape: Option<&Vec<i64>>) -> Result<Tensor> {
    let name = shown(view.name);
    let Some(shape) = shape else {
        return Err(misfit().expected("tensors such as `mixed_10.tower_2_conv.weight`").found(format!("`{name}`")));
    };
    if view.dtype != Dtype::F32 || view.size != *shape {
        return Err(misfit()
            .expected(format!("`{name}` in F32 of shape {shape:?}"))
            .found(format!("{:?} of shape {:?}", view.dtype, view.size)));
    }
    let tensor = Tensor::f_from_data_size(view.bytes, shape, Kind::Float)?;
    if !ffi::all_finite(&[&tensor])? {
        return Err(misfit().expected(format!("finite numbers in `{name}`")).found("infinity or NaN"));
    }
    if view.name.ends_with(".var") && tensor.f_min()?.f_double_value(&[])? < 0.0 {
        return Err(misfit().expected(format!("variances in `{name}`")).found("a negative number"));
    }
    Ok(tensor)
}

fn misfit() -> Error {
    Error::new(ErrorKind::Format, "these are not weights of the Inception network")
}
