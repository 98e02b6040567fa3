//! Groups of layers that run together.

use super::conv::ConvShape;
use super::plan::{Layer, Plan};

/// Layers that run together. Layers with weights are identified by their index in
/// [`Plan::weighted`](super::Plan::weighted).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unit {
    /// A layer with weights, and the layers without weights before and after it.
    Weighted(WeightedUnit),
    /// Adds the output of units to their input. `pair` identifies the layers of a block of two 3x3 convolutions, each
    /// with a reflected pixel and a norm, and a rectifier between them; kernels compute such a block as one.
    Residual {
        units: Vec<Unit>,
        pair: Option<[usize; 2]>,
    },
    /// Concatenates the output of units with their input along the channels, output first.
    Skip(Vec<Unit>),
    /// A rectifier that does not follow a layer with weights.
    Rectify(f64),
    Dropout,
    Enlarge,
    ZeroPad,
    AddImage,
    Tanh,
}

/// A layer with weights, and the layers without weights before and after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WeightedUnit {
    /// Pixels that are reflected over each border of its input.
    pub reflect: i64,
    pub layer: usize,
    /// Whether a norm follows.
    pub is_normed: bool,
    /// The slope of the rectifier after that, if there is one.
    pub slope: Option<f64>,
}

impl Unit {
    /// Lists the layers that are followed by a norm.
    pub fn normed(units: &[Self]) -> Vec<usize> {
        let of = |unit: &Self| match unit {
            Self::Weighted(WeightedUnit { layer, is_normed: true, .. }) => vec![*layer],
            Self::Residual { units, .. } | Self::Skip(units) => Self::normed(units),
            _ => Vec::new(),
        };
        units.iter().flat_map(of).collect()
    }

    /// Returns how many pixels of border its input must have.
    pub fn border(&self) -> i64 {
        match self {
            Self::Weighted(unit) => unit.reflect,
            Self::Residual { units, .. } => units.first().map_or(0, Self::border),
            _ => 0,
        }
    }

    fn forget_pairs(&mut self) {
        if let Self::Residual { units, pair } = self {
            *pair = None;
            units.iter_mut().for_each(Self::forget_pairs);
        }
    }

    /// Returns whether our own CUDA layers can run it.
    pub fn fits_cuda_layers(&self) -> bool {
        match self {
            Self::Weighted(unit) => !unit.is_normed || unit.slope.is_some(),
            Self::Residual { pair, .. } => pair.is_some(),
            Self::ZeroPad | Self::AddImage | Self::Tanh => true,
            Self::Skip(_) | Self::Rectify(_) | Self::Dropout | Self::Enlarge => false,
        }
    }
}

/// Groups the layers of a plan.
pub(super) fn units(plan: &Plan) -> Vec<Unit> {
    let mut units = gathered(&plan.layers, &mut 0);
    if plan.spectral_norm {
        // The kernels of a block use its weights as they are.
        units.iter_mut().for_each(Unit::forget_pairs);
    }
    units
}

fn gathered(layers: &[Layer], next: &mut usize) -> Vec<Unit> {
    let mut list: Vec<Unit> = Vec::new();
    let mut before = 0;
    for layer in layers {
        match (layer, list.last_mut()) {
            (Layer::Reflect(pixels), _) => before = *pixels,
            (Layer::Convolution(_) | Layer::Upsampling(_), _) => {
                let unit = WeightedUnit { reflect: before, layer: *next, is_normed: false, slope: None };
                list.push(Unit::Weighted(unit));
                (*next, before) = (*next + 1, 0);
            }
            (Layer::InstanceNorm, Some(Unit::Weighted(unit))) => unit.is_normed = true,
            (Layer::Rectify(slope), Some(Unit::Weighted(unit))) => unit.slope = Some(*slope),
            (Layer::Rectify(slope), _) => list.push(Unit::Rectify(*slope)),
            (Layer::Module(_, layers), _) => list.extend(gathered(layers, next)),
            (Layer::Skip(layers), _) => list.push(Unit::Skip(gathered(layers, next))),
            (Layer::Dropout, _) => list.push(Unit::Dropout),
            (Layer::Enlarge, _) => list.push(Unit::Enlarge),
            (Layer::ZeroPad, _) => list.push(Unit::ZeroPad),
            (Layer::Residual(layers), _) => {
                let units = gathered(layers, next);
                list.push(Unit::Residual { pair: pair(layers, &units), units });
            }
            (Layer::AddImage, _) => list.push(Unit::AddImage),
            (Layer::Tanh, _) => list.push(Unit::Tanh),
            (Layer::InstanceNorm, _) => unreachable!("norms follow layers with weights in all plans"),
        }
    }
    list
}

/// Returns the layers of a block that kernels compute as one.
fn pair(layers: &[Layer], units: &[Unit]) -> Option<[usize; 2]> {
    let fits = layers.iter().all(|layer| match layer {
        Layer::Convolution(ConvShape { input, output, kernel: 3, stride: 1, padding: 0, .. }) => input == output,
        Layer::Convolution(_) => false,
        _ => true,
    });
    let [Unit::Weighted(first), Unit::Weighted(second)] = units else { return None };
    let expected = |layer, slope| WeightedUnit { reflect: 1, layer, is_normed: true, slope };
    let is_such = *first == expected(first.layer, Some(0.0)) && *second == expected(second.layer, None);
    (fits && is_such).then_some([first.layer, second.layer])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{GeneratorShape, Upsampling, UpsamplingInit, generator};

    fn plan(spectral_norm: bool) -> Plan {
        let (upsampling, upsampling_init, global_skip) = (Upsampling::Transposed, UpsamplingInit::Scheme, true);
        let shape =
            GeneratorShape { input: 3, output: 3, features: 4, blocks: 2, upsampling, upsampling_init, global_skip };
        Plan { spectral_norm, ..generator(shape) }
    }

    fn pairs(units: &[Unit]) -> Vec<Option<[usize; 2]>> {
        let of = |unit: &Unit| if let Unit::Residual { pair, .. } = unit { Some(*pair) } else { None };
        units.iter().filter_map(of).collect()
    }

    #[test]
    fn layers_of_a_generator_are_gathered() {
        let units = units(&plan(false));
        // Three convolutions, two blocks, two upsampling layers, the last convolution, the image and the tanh.
        assert_eq!(units.len(), 10);
        assert_eq!(pairs(&units), [Some([3, 4]), Some([5, 6])]);
        assert_eq!(Unit::normed(&units), (0..9).collect::<Vec<_>>());
        assert_eq!(units.iter().map(Unit::border).collect::<Vec<_>>(), [3, 0, 0, 1, 1, 0, 0, 3, 0, 0]);
        assert!(units.iter().all(Unit::fits_cuda_layers));
    }

    /// The kernels of a block would not divide its weights by their spectral norms.
    #[test]
    fn blocks_with_spectral_norms_go_layer_by_layer() {
        let units = units(&plan(true));
        assert_eq!(pairs(&units), [None, None]);
        assert!(!units.iter().all(Unit::fits_cuda_layers));
    }
}
