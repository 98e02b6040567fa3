//! The U-Net of the research code (Isola et al. 2017, arXiv:1611.07004) with its batch norms folded into the
//! convolutions.

use super::conv::ConvShape;
use super::init::UpsamplingInit;
use super::plan::{Layer, Plan};
use super::unet::{DEEP, SLOPE, UnetShape, block};
use super::upsampling::{Upsampling, UpsamplingShape};

/// Plans `levels` 4x4 convolutions that halve height and width, and as many transposed ones that double them again.
/// Each has a bias, and none a norm. In a skip connection, the map of the way up comes first. Sides that are not
/// multiples of 2^levels are extended and cropped again.
///
/// # Shapes
/// (N, channels in, H, W) to (N, channels out, H, W), of any height and width from 1.
pub(crate) fn folded_unet(shape: UnetShape) -> Plan {
    let side = 1 << shape.levels;
    let layers = vec![down(shape, 1), Layer::Skip(below(shape, 2)), Layer::Rectify(0.0), up(shape, 1)];
    Plan { layers, factor: side, smallest_side: side, spectral_norm: false }
}

/// Lists the layers from this level down and back up.
fn below(shape: UnetShape, level: i64) -> Vec<Layer> {
    let mut layers = vec![down(shape, level)];
    if level < shape.levels {
        // The leaky ReLU of the way down becomes a ReLU on the way up.
        layers.extend([Layer::Skip(below(shape, level + 1)), Layer::Rectify(0.0)]);
    }
    layers.push(up(shape, level));
    layers
}

/// Returns the convolution that leads into a level.
fn down(shape: UnetShape, level: i64) -> Layer {
    let input = if level == 1 { shape.input } else { shape.features(level - 1) };
    let output = shape.features(level);
    let conv = ConvShape { input, output, kernel: 4, stride: 2, padding: 1, has_bias: true };
    let slope = if level < shape.levels { SLOPE } else { 0.0 };
    block(format!("down{level}"), vec![Layer::Convolution(conv), Layer::Rectify(slope)])
}

/// Returns the transposed convolution that leads out of a level.
fn up(shape: UnetShape, level: i64) -> Layer {
    let times = if level < shape.levels { 2 } else { 1 };
    let input = times * shape.features(level);
    let output = if level == 1 { shape.output } else { shape.features(level - 1) };
    let (form, start) = (Upsampling::Transposed, UpsamplingInit::Scheme);
    let mut layers = vec![Layer::Upsampling(UpsamplingShape { form, start, input, output, kernel: 4, has_bias: true })];
    layers.extend((level == 1).then_some(Layer::Tanh));
    layers.extend((DEEP < level && level < shape.levels).then_some(Layer::Dropout));
    block(format!("up{}", shape.levels - level + 1), layers)
}
