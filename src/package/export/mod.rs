//! A generator in formats that run without this crate: TorchScript and ONNX.
//!
//! Both are written from the same [`Exported`]: the plan of the network, its parameters and the metadata.

mod metadata;
#[cfg(feature = "onnx")]
pub(crate) mod onnx;
#[cfg(feature = "onnx")]
mod onnx_graph;
#[cfg(test)]
#[cfg(feature = "onnx")]
mod tests;
pub(crate) mod torchscript;

pub(crate) use metadata::{DomainNote, Metadata};

use crate::nn::{Parameters, Plan};

/// What the metadata are called in a file: an extra file in TorchScript, an entry of `metadata_props` in ONNX.
const METADATA_NAME: &str = "geolearn.json";

/// A network to be written for others.
pub(crate) struct Exported {
    pub plan: Plan,
    /// By the paths of the plan's layers, which are those of the `.pth` without the network's own.
    pub parameters: Parameters,
    pub metadata: Metadata,
}
