//! What autograd keeps of a network, by counting.

use super::conv::ConvShape;
use super::layers::LayerMemory;
use super::plan::{Layer, Plan};
use super::upsampling::{Upsampling, UpsamplingShape};

/// Copies of what the last layer makes: its own output, a cast of it and what is made of that.
const AT_THE_END: f64 = 3.0;

/// Values that autograd keeps of one image of `channels` through a network: inputs of convolutions and norms, outputs of
/// activations, and what is padded, which is a copy.
pub(crate) fn activations(plan: &Plan, channels: i64, (height, width): (usize, usize), layers: LayerMemory) -> f64 {
    let side = |n: usize| n as f64 + plan.missing(n as i64) as f64;
    let mut map = Map { channels: channels as f64, height: side(height), width: side(width) };
    let padded_first = matches!(plan.layers.first(), Some(Layer::Reflect(_)));
    let image = if padded_first { 0.0 } else { map.values() };
    image + kept(&plan.layers, &mut map, layers)
}

/// The size of what a layer takes in.
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
        // Layers of our own on CUDA write what comes next with its border at once.
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
                behind_convolution(next, map)
            }
            Layer::Upsampling(shape) => upsampled(*shape, next, map),
            // In place where it is a ReLU behind a norm, which kernels compute as one with any rectifier.
            Layer::Rectify(slope) => {
                let normed = i > 0 && layers[i - 1] == Layer::InstanceNorm;
                let of_norm = normed && *slope != 0.0 && memory == LayerMemory::ByParts;
                output(map) + if of_norm { map.values() } else { 0.0 }
            }
            Layer::Residual(_) if memory == LayerMemory::AsOne => 3.0 * map.values(),
            Layer::Residual(layers) => kept(layers, map, memory) + output(map),
            Layer::Module(_, layers) => kept(layers, map, memory),
            Layer::Beside(layers) => beside(layers, map, memory),
            // What is left of the map, and which values those are.
            Layer::Dropout => 2.0 * map.values(),
            Layer::Enlarge => {
                *map = map.doubled();
                0.0
            }
            // The convolution behind it takes the row and the column off again.
            Layer::ZeroPad => map.channels * (map.height + 1.0) * (map.width + 1.0),
            Layer::InstanceNorm | Layer::AddImage | Layer::Tanh => 0.0,
        }
    };
    layers.iter().enumerate().map(count).sum()
}

/// What layers make of a map, and that with the map laid beside it.
fn beside(layers: &[Layer], map: &mut Map, memory: LayerMemory) -> f64 {
    let input = map.channels;
    let inside = kept(layers, map, memory);
    map.channels += input;
    inside + map.values()
}

fn upsampled(UpsamplingShape { form, output, .. }: UpsamplingShape, next: Option<&Layer>, map: &mut Map) -> f64 {
    let doubled = map.doubled();
    *map = Map { channels: output as f64, ..doubled };
    // The doubled map, and the same with a border.
    let before = if form == Upsampling::Resize { 2.0 * doubled.values() } else { 0.0 };
    before + behind_convolution(next, map)
}

fn behind_convolution(next: Option<&Layer>, map: &Map) -> f64 {
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
