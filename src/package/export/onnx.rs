//! ONNX: one protobuf message, written part by part so that the weights are never in memory twice.

use std::io::Write;
use std::path::Path;

use tch::{Kind, Tensor};

use super::onnx_graph::{self, FLOAT, INPUT, OUTPUT};
use super::{Exported, METADATA_NAME, Metadata};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::bytes_of;
use crate::protobuf::Message;
use crate::store::{Pending, Ready};

/// Of 2022, and so known to every runtime in use; the first with all that the graph needs is 15 (`Shape` from a start).
const OPSET: u64 = 17;
/// The version of the file's layout that came with it.
const IR_VERSION: u64 = 8;
/// Protobuf's libraries take no more.
const MOST_BYTES: u64 = i32::MAX as u64;
/// Fields of `ModelProto` and `GraphProto`.
const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// Writes the network beside `target`; [`Ready::publish`] puts the file in its place.
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

/// The whole file but for the values of the parameters.
struct Plan<'a> {
    opening: Message,
    weights: Vec<Weight<'a>>,
}

/// A parameter, and what goes before its values.
struct Weight<'a> {
    opening: Message,
    values: &'a Tensor,
}

impl<'a> Plan<'a> {
    fn of(exported: &'a Exported) -> Result<Self> {
        let weights: Vec<_> = exported.parameters.iter().map(|(name, values)| Weight::new(name, values)).collect();
        let graph = graph(exported)?;
        let length = weights.iter().fold(graph.len(), |sum, weight| sum.saturating_add(weight.len()));
        let mut opening = head(&exported.metadata)?.opening(MODEL_GRAPH, length);
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

/// The fields of `ModelProto` but for the graph.
fn head(metadata: &Metadata) -> Result<Message> {
    let opset = Message::default().text(1, "").varint(2, OPSET);
    let property = Message::default().text(1, METADATA_NAME).text(2, &metadata.to_json()?);
    let model = &metadata.model;
    let description =
        format!("Image translation by the generator of a {model}; {METADATA_NAME} tells how images are scaled");
    let head = Message::default()
        .varint(1, IR_VERSION)
        .text(2, "geolearn")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, &description)
        .part(8, &opset)
        .part(14, &property);
    Ok(head)
}

/// A `GraphProto` but for the parameters.
fn graph(exported: &Exported) -> Result<Message> {
    let Exported { plan, parameters, metadata } = exported;
    let channels = [metadata.input.channels as i64, metadata.output.channels as i64];
    let mut graph = onnx_graph::nodes(plan, parameters, channels[0])?;
    graph.append(
        &Message::default()
            .text(2, &metadata.network)
            .part(11, &value(INPUT, channels[0]))
            .part(12, &value(OUTPUT, channels[1])),
    );
    Ok(graph)
}

/// A `ValueInfoProto` of images of any number, height and width.
fn value(name: &str, channels: i64) -> Message {
    let any = |name| Message::default().text(2, name);
    let dims = [any("batch"), Message::default().varint(1, channels as u64), any("height"), any("width")];
    let shape = Message::default().parts(1, &dims);
    let tensor = Message::default().varint(1, FLOAT).part(2, &shape);
    Message::default().text(1, name).part(2, &Message::default().part(1, &tensor))
}

/// The values as ONNX stores them, whatever the machine.
fn little_endian(values: &Tensor, buffer: &mut Vec<u8>) -> Result<()> {
    bytes_of(values, Kind::Float, buffer)?;
    if cfg!(target_endian = "big") {
        buffer.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    }
    Ok(())
}
