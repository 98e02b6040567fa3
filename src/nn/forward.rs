//! The forward pass: layers that belong together run as one kernel if there is one.

use tch::Tensor;

use super::blocked::Blocked;
use super::conv::{Conv2d, ConvShape};
use super::layers::{EPSILON, reflect};
use super::network::{Network, WeightedLayer};
use super::norm::{Following, Norm};
use super::units::{Unit, WeightedUnit};
use super::upsampling::doubled;
use crate::error::Result;
use crate::ffi;

/// Up to this many channels, the last layer may run as a blocked convolution on CUDA. That takes twice the
/// multiplications, which pays off if tensor cores, which compute a dozen channels at a time, would waste more;
/// measured with 3 channels.
const MAX_BLOCKED_CHANNELS: i64 = 8;

impl Network {
    /// Runs images whose sides the layers accept.
    pub(super) fn run(&self, x: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        let fits = || self.units.iter().all(Unit::fits_cuda_layers) && ffi::cuda_layers_fit(x);
        if norm.following() == Following::Norm && fits() {
            return self.by_cuda_layers(x);
        }
        self.by_operators(&self.units, x, x, norm)
    }

    fn by_operators(&self, units: &[Unit], x: &Tensor, image: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        units.iter().try_fold(x.shallow_clone(), |y, unit| match unit {
            Unit::Weighted(unit) if unit.reflect == 0 => self.weighted(*unit, &y, image, norm),
            Unit::Weighted(unit) => self.weighted(*unit, &reflect(&y, unit.reflect)?, image, norm),
            Unit::Residual { units, pair } => {
                let as_one = pair.map(|pair| norm.residual(&y, self.parameters_of(pair))).transpose()?.flatten();
                match as_one {
                    Some(made) => Ok(made),
                    None => Ok(y.f_add(&self.by_operators(units, &y, image, norm)?)?),
                }
            }
            Unit::Skip(units) => Ok(Tensor::f_cat(&[self.by_operators(units, &y, image, norm)?, y], 1)?),
            Unit::Rectify(slope) => ffi::leaky_relu(&y, *slope),
            Unit::Dropout => norm.dropout(&y),
            Unit::Enlarge => doubled(&y),
            Unit::ZeroPad => zero_padded(&y),
            Unit::AddImage => Ok(y.f_add(image)?),
            Unit::Tanh => ffi::on_one_thread(|| Ok(y.f_tanh()?)),
        })
    }

    /// Runs a layer with weights and what follows it, on an input that has been reflected already.
    fn weighted(&self, unit: WeightedUnit, x: &Tensor, image: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        let WeightedUnit { layer, is_normed, slope, .. } = unit;
        let following = if is_normed { norm.following() } else { Following::Nothing };
        let made = self.layers[layer].layer.forward(x, following)?;
        match (is_normed, slope) {
            (true, Some(slope)) => norm.rectified(&made, slope),
            (true, None) => norm.apply(&made),
            (false, Some(slope)) => ffi::leaky_relu(&made, slope),
            (false, None) => self.in_kind_of(image, layer, made),
        }
    }

    /// In mixed precision the last layer returns bfloat16; whatever is computed from it, such as losses, must not be.
    fn in_kind_of(&self, image: &Tensor, layer: usize, made: Tensor) -> Result<Tensor> {
        if layer + 1 == self.layers.len() { Ok(made.f_to_kind(image.kind())?) } else { Ok(made) }
    }

    /// Runs the network with our own CUDA layers, each image with its own statistics. They return maps with the border
    /// that the next unit needs.
    fn by_cuda_layers(&self, image: &Tensor) -> Result<Tensor> {
        let mut y = match self.units.first().map_or(0, Unit::border) {
            0 => image.shallow_clone(),
            pixels => reflect(image, pixels)?,
        };
        for (i, unit) in self.units.iter().enumerate() {
            let border = self.units.get(i + 1).map_or(0, Unit::border);
            y = match unit {
                Unit::Weighted(WeightedUnit { layer, is_normed: true, slope: Some(slope), .. }) => {
                    self.layers[*layer].layer.rectified(&y, *slope, border)?
                }
                Unit::Weighted(WeightedUnit { layer, is_normed: false, slope, .. }) => {
                    let made = self.without_norm(*layer, &ffi::channels_last(&y)?)?;
                    let made = match slope {
                        Some(slope) => ffi::leaky_relu(&made, *slope)?,
                        None => self.in_kind_of(image, *layer, made)?,
                    };
                    if border > 0 { reflect(&made, border)? } else { made }
                }
                Unit::Residual { pair: Some(pair), .. } => {
                    let [first, _, second, _] = self.parameters_of(*pair);
                    ffi::bordered_residual(&y, [first, second], EPSILON, border)?
                }
                Unit::ZeroPad => zero_padded(&y)?,
                Unit::AddImage => y.f_add(image)?,
                Unit::Tanh => y.f_tanh()?,
                _ => unreachable!("such units do not fit these layers"),
            };
        }
        Ok(y)
    }

    /// Runs a layer that is not followed by a norm, as a blocked convolution if it has few channels at full size.
    fn without_norm(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        let layer = &self.layers[layer].layer;
        match layer {
            WeightedLayer::Convolution(conv) if is_blocked(conv) => {
                let blocks = match self.last_in_blocks.get() {
                    Some(blocks) => blocks,
                    None => {
                        let made = Blocked::new(conv.shape().kernel, self.device(), self.kind())?;
                        self.last_in_blocks.get_or_init(|| made)
                    }
                };
                blocks.forward(conv, x)
            }
            _ => layer.forward(x, Following::Nothing),
        }
    }

    /// Returns weight and bias of both layers.
    fn parameters_of(&self, pair: [usize; 2]) -> [&Tensor; 4] {
        let [[weight1, bias1], [weight2, bias2]] = pair.map(|layer| self.layers[layer].layer.parameters());
        [weight1, bias1, weight2, bias2]
    }
}

/// Adds a row of zeros above a map, and a column of zeros to its left.
fn zero_padded(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_constant_pad_nd([1, 0, 1, 0])?)
}

/// Returns whether a convolution has few channels at full size and its input already has a border.
fn is_blocked(conv: &Conv2d) -> bool {
    let ConvShape { output, kernel, stride, padding, .. } = conv.shape();
    (stride, padding) == (1, 0) && kernel > 1 && output <= MAX_BLOCKED_CHANNELS
}
