//! A network written down: its layers in order, and what follows from them.

use tch::Tensor;

use super::conv::ConvShape;
use super::init::Role;
use super::upsampling::{Upsampling, UpsamplingShape};
use crate::error::Result;

/// The layers of a network, and what it does about sizes that do not fit. Weights are elsewhere: see
/// [`Network`](super::Network).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub layers: Vec<Layer>,
    /// Height and width that the layers can take: multiples of this one ...
    pub factor: i64,
    /// ... and no less than that. Other images are extended at their ends by mirroring, again and again where they are
    /// short, and what comes out is cut back.
    pub smallest_side: i64,
    /// Whether the weight of each convolution is divided by its largest singular value; upsampling layers have none such.
    pub spectral_norm: bool,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Layer {
    /// Reflects so many pixels over each border.
    Reflect(i64),
    /// A convolution with bias.
    Convolution(ConvShape),
    /// A layer with weights that doubles height and width.
    Upsampling(UpsamplingShape),
    /// Instance normalisation without parameters.
    InstanceNorm,
    /// Multiplies what is below zero by this slope: a ReLU where it is 0.
    Rectify(f64),
    /// Adds what these layers make of an input to that input.
    Residual(Vec<Layer>),
    /// Adds the image that the first layer took in.
    AddImage,
    Tanh,
}

/// The layers with weights in their order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Weighted {
    Convolution(ConvShape),
    Upsampling(UpsamplingShape),
}

impl Weighted {
    /// The shape of its weight as PyTorch has it.
    pub fn weight(&self) -> [i64; 4] {
        match *self {
            Self::Convolution(ConvShape { input, output, kernel, .. }) => [output, input, kernel, kernel],
            Self::Upsampling(UpsamplingShape { form: Upsampling::Transposed, input, output, .. }) => {
                [input, output, 3, 3]
            }
            Self::Upsampling(UpsamplingShape { form: Upsampling::Resize, input, output, .. }) => [output, input, 3, 3],
        }
    }

    /// Channels that it makes, each of which has a bias.
    pub fn outputs(&self) -> i64 {
        match self {
            Self::Convolution(shape) => shape.output,
            Self::Upsampling(shape) => shape.output,
        }
    }

    /// Weights and biases.
    fn parameter_count(&self) -> u128 {
        let size = |n: i64| n.unsigned_abs() as u128;
        self.weight().into_iter().map(size).fold(1u128, u128::saturating_mul).saturating_add(size(self.outputs()))
    }
}

/// A layer with weights and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlacedLayer {
    /// Its path in PyTorch's module, without the network's own name: `10.conv_block.1`.
    pub path: String,
    pub layer: Weighted,
    pub role: Role,
}

/// Layers with their places in PyTorch's `Sequential`, which has no module for what is added to an image.
pub(crate) fn placed(layers: &[Layer]) -> impl Iterator<Item = (usize, &Layer)> {
    layers.iter().scan(0, |next, layer| {
        let place = *next;
        *next += usize::from(*layer != Layer::AddImage);
        Some((place, layer))
    })
}

/// What stands before the places of a residual block's own layers.
pub(crate) fn inside(path: &str) -> String {
    format!("{path}.conv_block.")
}

impl Plan {
    /// The layers with weights, in the order of PyTorch's `state_dict`.
    pub fn weighted(&self) -> Vec<PlacedLayer> {
        let mut list = Vec::new();
        collect(&self.layers, "", &mut list);
        if let Some(PlacedLayer { role, .. }) = list.last_mut() {
            *role = Role::Last;
        }
        list
    }

    /// Weights and biases of all layers.
    pub fn parameter_count(&self) -> u128 {
        self.weighted().iter().map(|placed| placed.layer.parameter_count()).fold(0, u128::saturating_add)
    }

    /// The paths of the layers with weights before the first residual block: those that make the image smaller.
    pub fn encoder(&self) -> Vec<String> {
        let until = self.layers.iter().position(|layer| matches!(layer, Layer::Residual(_)));
        let mut list = Vec::new();
        collect(&self.layers[..until.unwrap_or(0)], "", &mut list);
        list.into_iter().map(|placed| placed.path).collect()
    }

    /// All modules that PyTorch lists, by path, and whether each is a norm; the network itself has an empty path.
    pub fn modules(&self) -> Vec<(String, bool)> {
        let mut list = vec![(String::new(), false)];
        modules(&self.layers, "", &mut list);
        list
    }

    /// How far from a pixel its output can depend on the input, in pixels, where statistics are fixed.
    pub fn reach(&self) -> usize {
        // Of a pixel of the layer at hand, in sixteenths of the input's.
        let mut pixel = SIXTEENTHS;
        (reach(&self.layers, &mut pixel) / SIXTEENTHS) as usize
    }

    /// Images of sides that the layers can take: lengthened at their ends by mirroring.
    ///
    /// # Shapes
    /// (N, C, H, W) to the same with H and W multiples of `factor`, at least `smallest_side`.
    pub fn extended(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.size4()?;
        extend(&extend(x, 2, self.missing(height))?, 3, self.missing(width))
    }

    /// Pixels that `side` lacks to a size the layers can take.
    pub fn missing(&self, side: i64) -> i64 {
        let wanted = side.max(self.smallest_side);
        (wanted + self.factor - 1) / self.factor * self.factor - side
    }
}

const SIXTEENTHS: i64 = 16;

fn collect(layers: &[Layer], prefix: &str, into: &mut Vec<PlacedLayer>) {
    for (place, layer) in placed(layers) {
        let path = format!("{prefix}{place}");
        let (layer, role) = match layer {
            Layer::Convolution(shape) => (Weighted::Convolution(*shape), Role::Inner),
            Layer::Upsampling(shape) => (Weighted::Upsampling(*shape), Role::Upsampling),
            Layer::Residual(layers) => {
                collect(layers, &inside(&path), into);
                continue;
            }
            Layer::Reflect(_) | Layer::InstanceNorm | Layer::Rectify(_) | Layer::AddImage | Layer::Tanh => continue,
        };
        into.push(PlacedLayer { path, layer, role });
    }
}

fn modules(layers: &[Layer], prefix: &str, into: &mut Vec<(String, bool)>) {
    for (place, layer) in placed(layers).filter(|(_, layer)| **layer != Layer::AddImage) {
        let path = format!("{prefix}{place}");
        into.push((path.clone(), *layer == Layer::InstanceNorm));
        if let Layer::Residual(layers) = layer {
            let own = inside(&path);
            into.push((own.trim_end_matches('.').to_string(), false));
            modules(layers, &own, into);
        }
    }
}

fn reach(layers: &[Layer], pixel: &mut i64) -> i64 {
    let of = |layer: &Layer| match layer {
        Layer::Convolution(ConvShape { kernel, stride, .. }) => {
            let far = kernel / 2 * *pixel;
            *pixel *= stride;
            far
        }
        Layer::Upsampling(UpsamplingShape { form, .. }) => {
            let far = *pixel;
            *pixel /= 2;
            // A convolution of the doubled map looks a pixel of that further.
            far + if *form == Upsampling::Resize { *pixel } else { 0 }
        }
        Layer::Residual(layers) => reach(layers, pixel),
        Layer::Reflect(_) | Layer::InstanceNorm | Layer::Rectify(_) | Layer::AddImage | Layer::Tanh => 0,
    };
    layers.iter().map(of).sum()
}

/// Lengthens dimension `dim` at its end by mirroring, again and again where the image is short.
fn extend(x: &Tensor, dim: i64, by: i64) -> Result<Tensor> {
    if by == 0 {
        return Ok(x.shallow_clone());
    }
    let n = x.size()[dim as usize];
    let period = (2 * n - 2).max(1);
    let mirrored = (0..n + by).map(|i| if i % period < n { i % period } else { period - i % period });
    let index = Tensor::f_from_slice(&mirrored.collect::<Vec<_>>())?.f_to_device(x.device())?;
    Ok(x.f_index_select(dim, &index)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_mirrors() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0]).view([1, 1, 1, 3]);
        let y = extend(&x, 3, 5).unwrap();
        assert_eq!(Vec::<f32>::try_from(y.flatten(0, -1)).unwrap(), [1., 2., 3., 2., 1., 2., 3., 2.]);
    }

    /// What is added to an image has no module, so that those behind it keep their places.
    #[test]
    fn places_are_those_of_a_sequential() {
        let conv = |kernel| Layer::Convolution(ConvShape { input: 2, output: 2, kernel, stride: 1, padding: 0 });
        let block = Layer::Residual(vec![Layer::Reflect(1), conv(3), Layer::InstanceNorm]);
        let layers = vec![Layer::Reflect(3), conv(7), block, Layer::AddImage, conv(1), Layer::Tanh];
        let plan = Plan { layers, factor: 1, smallest_side: 1, spectral_norm: false };
        let (paths, roles): (Vec<_>, Vec<_>) =
            plan.weighted().into_iter().map(|placed| (placed.path, placed.role)).unzip();
        assert_eq!(paths, ["1", "2.conv_block.1", "3"]);
        assert_eq!(roles, [Role::Inner, Role::Inner, Role::Last]);
        assert_eq!(plan.encoder(), ["1"]);
        assert_eq!(plan.parameter_count(), (4 * 49 + 2) + (4 * 9 + 2) + (4 + 2));
        assert_eq!(plan.reach(), 4);
        let modules: Vec<String> = plan.modules().into_iter().map(|(path, _)| path).collect();
        assert_eq!(modules.join(" "), " 0 1 2 2.conv_block 2.conv_block.0 2.conv_block.1 2.conv_block.2 3 4");
    }
}
