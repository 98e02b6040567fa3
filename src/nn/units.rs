//! Which layers of a network are run together.

use super::conv::ConvShape;
use super::plan::Layer;

/// Layers that are run together. Layers with weights are named by their places in [`Plan::weighted`](super::Plan::weighted).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unit {
    /// A layer with weights, with what stands before and behind it.
    Weighted {
        reflect: i64,
        layer: usize,
        is_normed: bool,
        slope: Option<f64>,
    },
    /// Adds what units make of an input to it. `pair` are the layers of a block of two 3x3 convolutions, each with a
    /// reflected pixel and a norm, and a rectifier between them: kernels compute such a block as one.
    Residual {
        units: Vec<Unit>,
        pair: Option<[usize; 2]>,
    },
    AddImage,
    Tanh,
}

impl Unit {
    /// The layers that a norm follows.
    pub fn normed(units: &[Self]) -> Vec<usize> {
        let of = |unit: &Self| match unit {
            Self::Weighted { layer, is_normed: true, .. } => vec![*layer],
            Self::Residual { units, .. } => Self::normed(units),
            Self::Weighted { .. } | Self::AddImage | Self::Tanh => Vec::new(),
        };
        units.iter().flat_map(of).collect()
    }

    /// Pixels that its input must have around it.
    pub fn border(&self) -> i64 {
        match self {
            Self::Weighted { reflect, .. } => *reflect,
            Self::Residual { units, .. } => units.first().map_or(0, Self::border),
            Self::AddImage | Self::Tanh => 0,
        }
    }

    /// Whether layers of our own on CUDA can run it.
    pub fn fits_own_layers(&self) -> bool {
        match self {
            Self::Weighted { is_normed, slope, .. } => !is_normed || slope.is_some(),
            Self::Residual { pair, .. } => pair.is_some(),
            Self::AddImage | Self::Tanh => true,
        }
    }
}

/// Gathers layers that are run together.
pub(super) fn units(layers: &[Layer]) -> Vec<Unit> {
    gathered(layers, &mut 0)
}

fn gathered(layers: &[Layer], next: &mut usize) -> Vec<Unit> {
    let mut list: Vec<Unit> = Vec::new();
    let mut before = 0;
    for layer in layers {
        match (layer, list.last_mut()) {
            (Layer::Reflect(pixels), _) => before = *pixels,
            (Layer::Convolution(_) | Layer::Upsampling(_), _) => {
                list.push(Unit::Weighted { reflect: before, layer: *next, is_normed: false, slope: None });
                (*next, before) = (*next + 1, 0);
            }
            (Layer::InstanceNorm, Some(Unit::Weighted { is_normed, .. })) => *is_normed = true,
            (Layer::Rectify(by), Some(Unit::Weighted { slope, .. })) => *slope = Some(*by),
            (Layer::Residual(layers), _) => {
                let units = gathered(layers, next);
                list.push(Unit::Residual { pair: pair(layers, &units), units });
            }
            (Layer::AddImage, _) => list.push(Unit::AddImage),
            (Layer::Tanh, _) => list.push(Unit::Tanh),
            (Layer::InstanceNorm | Layer::Rectify(_), _) => {
                unreachable!("norms and rectifiers stand behind layers with weights in all plans")
            }
        }
    }
    list
}

/// The layers of a block that kernels compute as one.
fn pair(layers: &[Layer], units: &[Unit]) -> Option<[usize; 2]> {
    let fits = layers.iter().all(|layer| match layer {
        Layer::Convolution(ConvShape { input, output, kernel: 3, stride: 1, padding: 0 }) => input == output,
        Layer::Convolution(_) => false,
        _ => true,
    });
    let unit = |layer, slope| Unit::Weighted { reflect: 1, layer, is_normed: true, slope };
    match units {
        [Unit::Weighted { layer: first, .. }, Unit::Weighted { layer: second, .. }]
            if fits && units == [unit(*first, Some(0.0)), unit(*second, None)] =>
        {
            Some([*first, *second])
        }
        _ => None,
    }
}
