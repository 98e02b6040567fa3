//! A generator in formats that run without this crate: TorchScript and ONNX.
//!
//! Both formats are written from the same [`Exported`]: the plan of the network, its parameters, its metadata, and the
//! scaling of samples if that is to be part of the graph.

mod metadata;
#[cfg(feature = "onnx")]
pub(crate) mod onnx;
#[cfg(feature = "onnx")]
mod onnx_graph;
#[cfg(feature = "onnx")]
mod onnx_units;
#[cfg(test)]
#[cfg(feature = "onnx")]
mod tests;
pub(crate) mod torchscript;
mod torchscript_units;
mod units;

pub(crate) use metadata::{DomainNote, Metadata};
pub(crate) use units::Units;

use crate::nn::{Parameters, Plan};
use units::{InputUnits, NodataLookalike, OutputUnits};

/// The input that says where pixels have data: `uint8`, (N, 1, H, W), 0 where they have none, like GDAL's masks.
const MASK: &str = "mask";
/// Name of the metadata in a file: an extra file in TorchScript, an entry of `metadata_props` in ONNX.
const METADATA_NAME: &str = "geolearn.json";

/// A network to be exported.
pub(crate) struct Exported {
    pub plan: Plan,
    /// Parameters by the paths of the plan's layers, which are those of the `.pth` without the network's prefix.
    pub parameters: Parameters,
    pub metadata: Metadata,
    /// The scaling of samples, if it is part of the graph.
    pub units: Option<Units>,
    /// Height and width of images, if they are fixed.
    pub side: Option<i64>,
    /// Additional entries of ONNX's `metadata_props`, by name.
    #[cfg_attr(not(feature = "onnx"), allow(dead_code, reason = "TorchScript has no such place"))]
    pub properties: Vec<(&'static str, String)>,
}
