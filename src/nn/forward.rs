//! How a network is run: layers that belong together go by one kernel where there is one.

use tch::Tensor;

use super::blocked::Blocked;
use super::conv::{Conv2d, ConvShape};
use super::layers::{EPSILON, reflect};
use super::network::{Network, WeightedLayer};
use super::norm::{Behind, Norm};
use super::units::{Unit, WeightedUnit};
use super::upsampling::doubled;
use crate::error::Result;
use crate::ffi;

/// Channels that the last layer may make by blocks on CUDA. It multiplies twice as often by them, which pays where tensor cores,
/// which make channels by the dozen, would waste more; measured with 3.
const MOST_IN_BLOCKS: i64 = 8;

impl Network {
    /// Runs images of sides that the layers can take.
    pub(super) fn run(&self, x: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        let fits = || self.units.iter().all(Unit::fits_own_layers) && ffi::cuda_layers_fit(x);
        if norm.behind() == Behind::Norm && fits() {
            return self.by_own_layers(x);
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
            Unit::Beside(units) => Ok(Tensor::f_cat(&[self.by_operators(units, &y, image, norm)?, y], 1)?),
            Unit::Rectify(slope) => ffi::leaky_relu(&y, *slope),
            Unit::Dropout => norm.dropped(&y),
            Unit::Enlarge => doubled(&y),
            Unit::ZeroPad => zero_padded(&y),
            Unit::AddImage => Ok(y.f_add(image)?),
            Unit::Tanh => ffi::on_one_thread(|| Ok(y.f_tanh()?)),
        })
    }

    /// A layer with weights and what is behind it, of an input that has been reflected already.
    fn weighted(&self, unit: WeightedUnit, x: &Tensor, image: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        let WeightedUnit { layer, is_normed, slope, .. } = unit;
        let behind = if is_normed { norm.behind() } else { Behind::Nothing };
        let made = self.layers[layer].layer.forward(x, behind)?;
        match (is_normed, slope) {
            (true, Some(slope)) => norm.rectified(&made, slope),
            (true, None) => norm.apply(&made),
            (false, Some(slope)) => ffi::leaky_relu(&made, slope),
            (false, None) => self.in_kind_of(image, layer, made),
        }
    }

    /// In mixed precision the last layer gives bfloat16; what is made of it, such as losses, is not to.
    fn in_kind_of(&self, image: &Tensor, layer: usize, made: Tensor) -> Result<Tensor> {
        if layer + 1 == self.layers.len() { Ok(made.f_to_kind(image.kind())?) } else { Ok(made) }
    }

    /// The same by layers of our own on CUDA, with each image's own statistics. They give maps with the border that the next
    /// unit needs.
    fn by_own_layers(&self, image: &Tensor) -> Result<Tensor> {
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

    /// A layer that no norm follows: by blocks where it makes few channels at full size.
    fn without_norm(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        let layer = &self.layers[layer].layer;
        match layer {
            WeightedLayer::Convolution(conv) if is_for_blocks(conv) => {
                let blocks = match self.last_in_blocks.get() {
                    Some(blocks) => blocks,
                    None => {
                        let made = Blocked::new(conv.shape().kernel, self.device(), self.kind())?;
                        self.last_in_blocks.get_or_init(|| made)
                    }
                };
                blocks.forward(conv, x)
            }
            _ => layer.forward(x, Behind::Nothing),
        }
    }

    /// Weight and bias of both.
    fn parameters_of(&self, pair: [usize; 2]) -> [&Tensor; 4] {
        let [[weight1, bias1], [weight2, bias2]] = pair.map(|layer| self.layers[layer].layer.parameters());
        [weight1, bias1, weight2, bias2]
    }
}

/// Puts a row of zeros above a map, and a column to its left.
fn zero_padded(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_constant_pad_nd([1, 0, 1, 0])?)
}

/// Whether a convolution is one of few channels at full size, whose input has its border already.
fn is_for_blocks(conv: &Conv2d) -> bool {
    let ConvShape { output, kernel, stride, padding, .. } = conv.shape();
    (stride, padding) == (1, 0) && kernel > 1 && output <= MOST_IN_BLOCKS
}
