//! ONNX: one protobuf message, written part by part so that the weights are never in memory twice.

use std::io::Write;
use std::path::Path;

use tch::{Kind, Tensor};

use super::onnx_graph::{self, FLOAT, INPUT, OUTPUT};
use super::onnx_units::data_type;
use super::{Exported, MASK, METADATA_NAME, Metadata, Units};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::bytes_of;
use crate::protobuf::Message;
use crate::raster::Dtype;
use crate::store::{Pending, Ready};

/// From 2022, so every runtime in use supports it; the graph needs at least 15 (`Shape` with a start).
const OPSET: u64 = 17;
/// The version of the file format that belongs to this opset.
const IR_VERSION: u64 = 8;
/// Protobuf's libraries do not accept more.
const MOST_BYTES: u64 = i32::MAX as u64;
/// Fields of `ModelProto` and `GraphProto`.
const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// Writes the network beside `target`; [`Ready::publish`] renames the file.
///
/// # Errors
/// `Unsupported` for a network of more than 2 GiB, before anything is written.
pub(crate) fn write(target: &Path, exported: &Exported) -> Result<Ready> {
    let Plan { opening, weights } = Plan::of(exported).map_err(|e| e.at(target))?;
    let failed = |e| Error::io("file cannot be written", target, e).help("Is the disk full?");
    let mut file = Pending::create(target)?;
    file.write_all(opening.as_bytes()).map_err(failed)?;
    let mut buffer = Vec::new();
    for Weight { opening, values } in weights {
        little_endian(values, &mut buffer).map_err(|e| e.at(target))?;
        file.write_all(opening.as_bytes()).and_then(|()| file.write_all(&buffer)).map_err(failed)?;
    }
    file.finish()
}

/// The whole file except for the values of the parameters.
struct Plan<'a> {
    opening: Message,
    weights: Vec<Weight<'a>>,
}

/// A parameter, and the bytes before its values.
struct Weight<'a> {
    opening: Message,
    values: &'a Tensor,
}

impl<'a> Plan<'a> {
    fn of(exported: &'a Exported) -> Result<Self> {
        let weights: Vec<_> = exported.parameters.iter().map(|(name, values)| Weight::new(name, values)).collect();
        let graph = graph(exported)?;
        let length = weights.iter().fold(graph.len(), |sum, weight| sum.saturating_add(weight.len()));
        let mut opening = head(&exported.metadata, &exported.properties)?.opening(MODEL_GRAPH, length);
        let whole = opening.len().saturating_add(length);
        if whole > MOST_BYTES {
            return Err(Error::new(ErrorKind::Unsupported, "the network is too large for an ONNX file")
                .expected("at most 2 GiB, the limit of protobuf")
                .found(format!("{} MiB", whole >> 20))
                .help("Use export_torchscript, which has no such limit."));
        }
        opening.append(&graph);
        Ok(Self { opening, weights })
    }
}

impl<'a> Weight<'a> {
    fn new(name: &str, values: &'a Tensor) -> Self {
        let head = onnx_graph::tensor(name, &values.size(), FLOAT).opening(TENSOR_RAW_DATA, bytes(values));
        let mut opening = Message::default().opening(GRAPH_INITIALIZER, head.len().saturating_add(bytes(values)));
        opening.append(&head);
        Self { opening, values }
    }

    fn len(&self) -> u64 {
        self.opening.len().saturating_add(bytes(self.values))
    }
}

fn bytes(values: &Tensor) -> u64 {
    (values.numel() as u64).saturating_mul(4)
}

/// Returns the fields of `ModelProto` except for the graph.
fn head(metadata: &Metadata, more: &[(&str, String)]) -> Result<Message> {
    let opset = Message::default().text(1, "").varint(2, OPSET);
    let property = |name, value: &str| Message::default().text(1, name).text(2, value);
    let properties = std::iter::once(property(METADATA_NAME, &metadata.to_json()?));
    let properties: Vec<_> = properties.chain(more.iter().map(|(name, value)| property(name, value))).collect();
    let model = &metadata.model;
    let description =
        format!("Image translation with the generator of a {model}; {METADATA_NAME} describes how images are scaled");
    let head = Message::default()
        .varint(1, IR_VERSION)
        .text(2, "geolearn")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, &description)
        .part(8, &opset)
        .parts(14, &properties);
    Ok(head)
}

/// Returns a `GraphProto` without the parameters.
fn graph(exported: &Exported) -> Result<Message> {
    let Exported { metadata, units, side, .. } = exported;
    let scaled = |channels: usize| (FLOAT, channels);
    let [input, output] = match units {
        None => [scaled(metadata.input.channels), scaled(metadata.output.channels)],
        Some(Units { input, output }) => {
            [(data_type(input.tensor), input.bands), (data_type(output.tensor), output.bands)]
        }
    };
    let mut inputs = vec![value(INPUT, input, *side)];
    if units.as_ref().is_some_and(|units| units.input.has_mask) {
        inputs.push(value(MASK, (data_type(Dtype::U8), 1), *side));
    }
    let mut graph = onnx_graph::nodes(exported)?;
    let output = value(OUTPUT, output, *side);
    graph.append(&Message::default().text(2, &metadata.network).parts(11, &inputs).part(12, &output));
    Ok(graph)
}

/// Returns a `ValueInfoProto` for any number of images, and for any height and width if no side is given.
fn value(name: &str, (dtype, channels): (u64, usize), side: Option<i64>) -> Message {
    let any = |name| Message::default().text(2, name);
    let number = |count: u64| Message::default().varint(1, count);
    let of_side = |name| side.map_or_else(|| any(name), |side| number(side as u64));
    let dims = [any("batch"), number(channels as u64), of_side("height"), of_side("width")];
    let shape = Message::default().parts(1, &dims);
    let tensor = Message::default().varint(1, dtype).part(2, &shape);
    Message::default().text(1, name).part(2, &Message::default().part(1, &tensor))
}

/// Writes the values as ONNX stores them, on any machine.
fn little_endian(values: &Tensor, buffer: &mut Vec<u8>) -> Result<()> {
    bytes_of(values, Kind::Float, buffer)?;
    if cfg!(target_endian = "big") {
        buffer.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    }
    Ok(())
}
