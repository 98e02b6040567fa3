//! The nodes of an ONNX graph. Field numbers are those of `onnx.proto`.

use std::collections::BTreeMap;

use super::Exported;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::{ConvShape, EPSILON, Layer, Parameters, Plan, Upsampling, UpsamplingShape, inside, placed};
use crate::protobuf::Message;

pub(super) const INPUT: &str = "input";
pub(super) const OUTPUT: &str = "output";
/// `TensorProto.DataType`.
pub(super) const FLOAT: u64 = 1;
const INT64: u64 = 7;
/// `AttributeProto.AttributeType`.
const ATTRIBUTE_FLOAT: u64 = 1;
const ATTRIBUTE_INT: u64 = 2;
const ATTRIBUTE_STRING: u64 = 3;
const ATTRIBUTE_INTS: u64 = 7;

/// State that grows while the layers of a plan are visited.
pub(super) struct Graph<'a> {
    parameters: &'a Parameters,
    nodes: Vec<Message>,
    /// Small tensors by name.
    constants: BTreeMap<String, Message>,
    /// The input of the first layer.
    image: String,
    /// Input channels of the next node.
    channels: i64,
}

/// Returns nodes and constants of the network, as fields of a `GraphProto`.
pub(super) fn nodes(exported: &Exported) -> Result<Message> {
    let Exported { plan, parameters, metadata, units, side, .. } = exported;
    let channels = metadata.input.channels as i64;
    let mut graph = Graph { parameters, nodes: Vec::new(), constants: BTreeMap::new(), image: String::new(), channels };
    let image = match units {
        None => INPUT.to_string(),
        Some(units) => graph.scaled(&units.input),
    };
    graph.image = match side {
        None => graph.extended(&image, plan),
        Some(side) => graph.extended_from(&image, *side, plan),
    };
    let made = graph.layers(&plan.layers, "", graph.image.clone())?;
    match units {
        None => graph.cropped(&made, *side, OUTPUT),
        Some(units) => {
            graph.cropped(&made, *side, "scaled_output");
            graph.samples("scaled_output", units);
        }
    }
    Ok(Message::default().parts(1, &graph.nodes).parts(5, graph.constants.values()))
}

impl Graph<'_> {
    /// Adds a node with one output, and returns the output's name.
    pub(super) fn node(&mut self, kind: &str, inputs: &[&str], attributes: &[Message]) -> String {
        let name = format!("{kind}_{}", self.nodes.len());
        self.named_node(kind, inputs, attributes, &name);
        name
    }

    pub(super) fn named_node(&mut self, kind: &str, inputs: &[&str], attributes: &[Message], output: &str) {
        let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        let name = format!("{kind}_{}", self.nodes.len());
        self.nodes.push(node.text(2, output).text(3, &name).text(4, kind).parts(5, attributes));
    }

    /// Adds a number, for arithmetic with sizes.
    fn number(&mut self, value: i64) -> String {
        self.constant(format!("int_{value}"), &[], INT64, &value.to_le_bytes())
    }

    pub(super) fn list(&mut self, name: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        self.constant(name.to_string(), &[values.len() as i64], INT64, &bytes)
    }

    /// Adds the same number for each channel.
    fn per_channel(&mut self, name: &str, value: f32) -> String {
        let bytes = value.to_le_bytes().repeat(self.channels as usize);
        self.constant(format!("{name}_{}", self.channels), &[self.channels], FLOAT, &bytes)
    }

    pub(super) fn constant(&mut self, name: String, dims: &[i64], dtype: u64, bytes: &[u8]) -> String {
        let tensor = tensor(&name, dims, dtype).bytes(9, bytes);
        self.constants.insert(name.clone(), tensor);
        name
    }

    /// Extends the sides of the image by mirroring to those that the network accepts, like `Network::forward`.
    fn extended(&mut self, image: &str, plan: &Plan) -> String {
        let shape = self.node("Shape", &[INPUT], &[]);
        let tall = self.lengthened(image, 2, &shape, plan);
        self.lengthened(&tall, 3, &shape, plan)
    }

    /// Extends a square image of a known side, with constants.
    fn extended_from(&mut self, image: &str, side: i64, plan: &Plan) -> String {
        if plan.missing(side) == 0 {
            return image.to_string();
        }
        let period = (2 * side - 2).max(1);
        let mirrored = |place: i64| (place % period).min(period - place % period);
        let places: Vec<i64> = (0..side + plan.missing(side)).map(mirrored).collect();
        let index = self.list("mirrored", &places);
        let tall = self.node("Gather", &[image, &index], &[int("axis", 2)]);
        self.node("Gather", &[&tall, &index], &[int("axis", 3)])
    }

    /// Extends the side `axis` of the image.
    fn lengthened(&mut self, image: &str, axis: i64, shape: &str, plan: &Plan) -> String {
        let (zero, one, two) = (self.number(0), self.number(1), self.number(2));
        let (factor, most_missing) = (self.number(plan.factor), self.number(plan.factor - 1));
        let (smallest, axis_name) = (self.number(plan.smallest_side), self.number(axis));
        let side = self.node("Gather", &[shape, &axis_name], &[int("axis", 0)]);
        let wanted =
            self.chain(&side, &[("Max", &smallest), ("Add", &most_missing), ("Div", &factor), ("Mul", &factor)]);
        let period = self.chain(&side, &[("Mul", &two), ("Sub", &two), ("Max", &one)]);
        let range = self.node("Range", &[&zero, &wanted, &one], &[]);
        let forth = self.node("Mod", &[&range, &period], &[]);
        let back = self.node("Sub", &[&period, &forth], &[]);
        let index = self.node("Min", &[&forth, &back], &[]);
        self.node("Gather", &[image, &index], &[int("axis", axis)])
    }

    /// Adds nodes with two inputs, one after the other.
    pub(super) fn chain(&mut self, first: &str, nodes: &[(&str, &str)]) -> String {
        nodes.iter().fold(first.to_string(), |value, (kind, other)| self.node(kind, &[&value, other], &[]))
    }

    /// Crops to the height and width of the input.
    fn cropped(&mut self, image: &str, side: Option<i64>, output: &str) {
        let ends = match side {
            None => self.node("Shape", &[INPUT], &[int("start", 2), int("end", 4)]),
            Some(side) => self.list("crop_ends", &[side; 2]),
        };
        let (starts, axes) = (self.list("crop_starts", &[0, 0]), self.list("crop_axes", &[2, 3]));
        self.named_node("Slice", &[image, &starts, &ends, &axes], &[], output);
    }

    /// Adds the nodes of all layers; their parameter names start with `prefix`.
    fn layers(&mut self, layers: &[Layer], prefix: &str, input: String) -> Result<String> {
        placed(layers, prefix).try_fold(input, |value, (path, layer)| self.layer(layer, &path, &value))
    }

    fn layer(&mut self, layer: &Layer, path: &str, x: &str) -> Result<String> {
        Ok(match layer {
            Layer::Reflect(pad) => self.reflected(*pad, x),
            Layer::Convolution(ConvShape { output, stride, padding, has_bias, .. }) => {
                let shape = [ints("strides", &[*stride; 2]), ints("pads", &[*padding; 4])];
                self.convolution(("Conv", *output), path, x, *has_bias, &shape)?
            }
            Layer::Upsampling(shape) => self.upsampled(*shape, path, x)?,
            Layer::InstanceNorm => {
                let (ones, zeros) = (self.per_channel("ones", 1.0), self.per_channel("zeros", 0.0));
                self.node("InstanceNormalization", &[x, &ones, &zeros], &[float("epsilon", EPSILON as f32)])
            }
            Layer::Rectify(0.0) => self.node("Relu", &[x], &[]),
            Layer::Rectify(slope) => self.node("LeakyRelu", &[x], &[float("alpha", *slope as f32)]),
            Layer::Tanh => self.node("Tanh", &[x], &[]),
            Layer::AddImage => {
                let image = self.image.clone();
                self.node("Add", &[x, &image], &[])
            }
            Layer::Residual(layers) => {
                let made = self.layers(layers, &inside(layer, path), x.to_string())?;
                self.node("Add", &[x, &made], &[])
            }
            Layer::Skip(layers) => {
                let input = self.channels;
                let made = self.layers(layers, &inside(layer, path), x.to_string())?;
                self.channels += input;
                self.node("Concat", &[&made, x], &[int("axis", 1)])
            }
            Layer::Module(_, layers) => self.layers(layers, &inside(layer, path), x.to_string())?,
            Layer::Enlarge => self.doubled(x),
            Layer::ZeroPad => {
                let pads = self.list("pads_before", &[0, 0, 1, 1, 0, 0, 0, 0]);
                self.node("Pad", &[x, &pads], &[])
            }
            // Has an effect only in training.
            Layer::Dropout => x.to_string(),
        })
    }

    fn upsampled(&mut self, shape: UpsamplingShape, path: &str, x: &str) -> Result<String> {
        let UpsamplingShape { form, output, kernel, has_bias, .. } = shape;
        match form {
            Upsampling::Transposed => {
                let more = i64::from(kernel == 3);
                let shape = [ints("strides", &[2, 2]), ints("pads", &[1; 4]), ints("output_padding", &[more; 2])];
                self.convolution(("ConvTranspose", output), path, x, has_bias, &shape)
            }
            Upsampling::Resize => {
                let doubled = self.doubled(x);
                let padded = self.reflected(1, &doubled);
                let shape = [ints("strides", &[1, 1]), ints("pads", &[0; 4])];
                self.convolution(("Conv", output), path, &padded, has_bias, &shape)
            }
        }
    }

    fn reflected(&mut self, pad: i64, x: &str) -> String {
        let pads = self.list(&format!("pads_{pad}"), &[0, 0, pad, pad, 0, 0, pad, pad]);
        self.node("Pad", &[x, &pads], &[string("mode", "reflect")])
    }

    /// Repeats each pixel in both directions.
    fn doubled(&mut self, x: &str) -> String {
        let scales = [1f32, 1.0, 2.0, 2.0].map(f32::to_le_bytes).concat();
        let scales = self.constant("scales".to_string(), &[4], FLOAT, &scales);
        let copies = ["nearest", "asymmetric", "floor"];
        let names = ["mode", "coordinate_transformation_mode", "nearest_mode"];
        let attributes: Vec<_> = names.iter().zip(copies).map(|(name, value)| string(name, value)).collect();
        self.node("Resize", &[x, "", &scales], &attributes)
    }

    /// Adds a node of this kind with this many output channels.
    fn convolution(
        &mut self,
        (kind, output): (&str, i64),
        name: &str,
        x: &str,
        has_bias: bool,
        shape: &[Message],
    ) -> Result<String> {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        self.channels = output;
        let kernel = sizes(self.parameters, &weight)?.into_iter().skip(2).collect::<Vec<_>>();
        let attributes = [shape, &[ints("kernel_shape", &kernel)]].concat();
        if !has_bias {
            return Ok(self.node(kind, &[x, &weight], &attributes));
        }
        sizes(self.parameters, &bias)?;
        Ok(self.node(kind, &[x, &weight, &bias], &attributes))
    }
}

fn sizes(parameters: &Parameters, name: &str) -> Result<Vec<i64>> {
    let found = parameters.iter().find(|(other, _)| other == name);
    found
        .map(|(_, tensor)| tensor.size())
        .ok_or_else(|| Error::new(ErrorKind::Usage, format!("the network has no parameter {name}")))
}

/// Returns a `TensorProto` without its values.
pub(super) fn tensor(name: &str, dims: &[i64], dtype: u64) -> Message {
    let dims = dims.iter().fold(Message::default(), |tensor, &dim| tensor.varint(1, dim as u64));
    dims.varint(2, dtype).text(8, name)
}

fn attribute(name: &str, kind: u64) -> Message {
    Message::default().text(1, name).varint(20, kind)
}

fn float(name: &str, value: f32) -> Message {
    attribute(name, ATTRIBUTE_FLOAT).float(2, value)
}

pub(super) fn int(name: &str, value: i64) -> Message {
    attribute(name, ATTRIBUTE_INT).varint(3, value as u64)
}

fn string(name: &str, value: &str) -> Message {
    attribute(name, ATTRIBUTE_STRING).text(4, value)
}

pub(super) fn ints(name: &str, values: &[i64]) -> Message {
    values.iter().fold(attribute(name, ATTRIBUTE_INTS), |list, &value| list.varint(8, value as u64))
}
