//! Stands in for the shim where documentation is built without libtorch.

use tch::Tensor;

use super::{AdamStep, AdamTensors};
use crate::error::{Error, ErrorKind, Result};

fn absent<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "built without libtorch (feature `doc-only`)"))
}

pub(crate) fn leaky_relu(_: &Tensor, _: f64) -> Result<Tensor> {
    absent()
}

pub(crate) fn scale(_: &Tensor, _: f64) -> Result<Tensor> {
    absent()
}

pub(super) fn fused_adamw(_: AdamTensors<'_>, _: AdamStep) -> Result<()> {
    absent()
}
