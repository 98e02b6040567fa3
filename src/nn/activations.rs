//! Estimates how much memory autograd keeps for a network, by counting its layers' tensors.

use super::conv::ConvShape;
use super::layers::LayerMemory;
use super::plan::{Layer, Plan};
use super::upsampling::{Upsampling, UpsamplingShape};

/// Tensors that the last layer leaves behind: its output, a cast of it, and the final image.
const AT_THE_END: f64 = 3.0;

/// Counts the values that autograd keeps for one image of `channels` through a network: inputs of convolutions and
/// norms, outputs of activations, and padded maps, which are copies.
pub(crate) fn activations(plan: &Plan, channels: i64, (height, width): (usize, usize), layers: LayerMemory) -> f64 {
    let side = |n: usize| n as f64 + plan.missing(n as i64) as f64;
    let mut map = Map { channels: channels as f64, height: side(height), width: side(width) };
    let padded_first = matches!(plan.layers.first(), Some(Layer::Reflect(_)));
    let image = if padded_first { 0.0 } else { map.values() };
    image + kept(&plan.layers, &mut map, layers)
}

/// Size of a layer's input.
#[derive(Debug, Clone, Copy)]
struct Map {
    channels: f64,
    height: f64,
    width: f64,
}

impl Map {
    fn values(self) -> f64 {
        self.channels * self.height * self.width
    }

    fn doubled(self) -> Self {
        Self { height: 2.0 * self.height, width: 2.0 * self.width, ..self }
    }

    fn padded(self, by: i64) -> f64 {
        let more = 2.0 * by as f64;
        self.channels * (self.height + more) * (self.width + more)
    }
}

fn kept(layers: &[Layer], map: &mut Map, memory: LayerMemory) -> f64 {
    let count = |(i, layer): (usize, &Layer)| {
        let next = layers.get(i + 1);
        // Our own CUDA layers write the next layer's input together with its border.
        let comes_with_border = memory == LayerMemory::Bordered && next.is_some_and(is_padded);
        let output = |map: &Map| if comes_with_border { 0.0 } else { map.values() };
        match layer {
            Layer::Reflect(by) => map.padded(*by),
            Layer::Convolution(ConvShape { output, stride, .. }) => {
                *map = Map {
                    channels: *output as f64,
                    height: map.height / *stride as f64,
                    width: map.width / *stride as f64,
                };
                after_convolution(next, map)
            }
            Layer::Upsampling(shape) => upsampled(*shape, next, map),
            // A ReLU after a norm works in place; kernels fuse any rectifier with the norm.
            Layer::Rectify(slope) => {
                let normed = i > 0 && layers[i - 1] == Layer::InstanceNorm;
                let of_norm = normed && *slope != 0.0 && memory == LayerMemory::ByParts;
                output(map) + if of_norm { map.values() } else { 0.0 }
            }
            Layer::Residual(_) if memory == LayerMemory::AsOne => 3.0 * map.values(),
            // Its inner map, which has a border of one pixel, is computed again.
            Layer::Residual(layers) if memory == LayerMemory::Bordered => {
                kept(layers, map, memory) - map.padded(1) + output(map)
            }
            Layer::Residual(layers) => kept(layers, map, memory) + output(map),
            Layer::Module(_, layers) => kept(layers, map, memory),
            Layer::Skip(layers) => skip(layers, map, memory),
            // What remains of the map, and the values that belong to it.
            Layer::Dropout => 2.0 * map.values(),
            Layer::Enlarge => {
                *map = map.doubled();
                0.0
            }
            // The next convolution removes the added row and column again.
            Layer::ZeroPad => map.channels * (map.height + 1.0) * (map.width + 1.0),
            Layer::InstanceNorm | Layer::AddImage | Layer::Tanh => 0.0,
        }
    };
    layers.iter().enumerate().map(count).sum()
}

/// Counts what the layers of a skip connection keep, and the concatenation of their output with their input.
fn skip(layers: &[Layer], map: &mut Map, memory: LayerMemory) -> f64 {
    let input = map.channels;
    let inside = kept(layers, map, memory);
    map.channels += input;
    inside + map.values()
}

fn upsampled(UpsamplingShape { form, output, .. }: UpsamplingShape, next: Option<&Layer>, map: &mut Map) -> f64 {
    let doubled = map.doubled();
    *map = Map { channels: output as f64, ..doubled };
    // The doubled map, and its copy with a border.
    let before = if form == Upsampling::Resize { 2.0 * doubled.values() } else { 0.0 };
    before + after_convolution(next, map)
}

fn after_convolution(next: Option<&Layer>, map: &Map) -> f64 {
    match next {
        Some(Layer::InstanceNorm | Layer::Rectify(_)) => map.values(),
        _ => AT_THE_END * map.values(),
    }
}

fn is_padded(layer: &Layer) -> bool {
    match layer {
        Layer::Reflect(_) => true,
        Layer::Residual(layers) | Layer::Module(_, layers) => layers.first().is_some_and(is_padded),
        _ => false,
    }
}
