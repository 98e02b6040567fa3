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
    /// A convolution.
    Convolution(ConvShape),
    /// A layer with weights that doubles height and width.
    Upsampling(UpsamplingShape),
    /// Instance normalization without parameters.
    InstanceNorm,
    /// Multiplies what is below zero by this slope: a ReLU where it is 0.
    Rectify(f64),
    /// Adds what these layers make of an input to that input.
    Residual(Vec<Layer>),
    /// Adds the image that the first layer took in.
    AddImage,
    /// Layers in a module of their own in PyTorch, under this name.
    Module(String, Vec<Layer>),
    /// Lays what these layers make of an input before that input, channel by channel: a skip connection.
    Beside(Vec<Layer>),
    /// While the network learns, drops each value with a probability of one half and doubles the others.
    Dropout,
    /// Makes each pixel four.
    Enlarge,
    /// Puts a row of zeros above and a column to the left, so that a convolution of an even kernel keeps the size.
    ZeroPad,
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
            Self::Upsampling(UpsamplingShape { form, input, output, kernel, .. }) => match form {
                Upsampling::Transposed => [input, output, kernel, kernel],
                Upsampling::Resize => [output, input, kernel, kernel],
            },
        }
    }

    /// Channels that it makes, each of which has a bias where there is any.
    pub fn outputs(&self) -> i64 {
        match self {
            Self::Convolution(shape) => shape.output,
            Self::Upsampling(shape) => shape.output,
        }
    }

    pub fn has_bias(&self) -> bool {
        match self {
            Self::Convolution(shape) => shape.has_bias,
            Self::Upsampling(shape) => shape.has_bias,
        }
    }

    /// Weights and biases.
    fn parameter_count(&self) -> u128 {
        let size = |n: i64| n.unsigned_abs() as u128;
        let biases = if self.has_bias() { size(self.outputs()) } else { 0 };
        self.weight().into_iter().map(size).fold(1u128, u128::saturating_mul).saturating_add(biases)
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

/// Lists layers with their paths in PyTorch, where `prefix` stands before them: names of modules, and for the others their places in
/// a `Sequential`, which has no module for what is added to an image. Layers that an input is laid beside have no module
/// around them, and so the path of these is `prefix` alone.
pub(crate) fn placed<'a>(layers: &'a [Layer], prefix: &'a str) -> impl Iterator<Item = (String, &'a Layer)> {
    layers.iter().scan(0, move |next, layer| {
        let path = match layer {
            Layer::Module(name, _) => format!("{prefix}{name}"),
            Layer::Beside(_) => prefix.to_owned(),
            _ => format!("{prefix}{next}"),
        };
        *next += usize::from(!matches!(layer, Layer::AddImage | Layer::Module(..) | Layer::Beside(_)));
        Some((path, layer))
    })
}

/// Returns what stands before the paths of the layers inside one at `path`, where it is one that has such.
pub(crate) fn inside(layer: &Layer, path: &str) -> String {
    match layer {
        Layer::Residual(_) => format!("{path}.conv_block."),
        Layer::Beside(_) => path.to_owned(),
        _ => format!("{path}."),
    }
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

    /// Lists the paths of the layers with weights before the first residual block, or before the first that makes the image larger:
    /// those that make it smaller.
    pub fn encoder(&self) -> Vec<String> {
        let until = self.layers.iter().position(|layer| matches!(layer, Layer::Residual(_)));
        let mut list = Vec::new();
        collect(&self.layers[..until.unwrap_or(self.layers.len())], "", &mut list);
        let is_down = |placed: &PlacedLayer| matches!(placed.layer, Weighted::Convolution(_));
        list.into_iter().take_while(is_down).map(|placed| placed.path).collect()
    }

    /// Tells whether there are skip connections, as in a U-Net: its innermost maps are a few pixels, so that no statistics but those
    /// of the image itself mean anything there.
    pub fn has_skips(&self) -> bool {
        has_skips(&self.layers)
    }

    /// Counts the channels that norms take, all together, of images of so many.
    pub fn normed_channels(&self, mut channels: usize) -> usize {
        normed_channels(&self.layers, &mut channels)
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
    for (path, layer) in placed(layers, prefix) {
        let (layer, role) = match layer {
            Layer::Convolution(shape) => (Weighted::Convolution(*shape), Role::Inner),
            Layer::Upsampling(shape) => (Weighted::Upsampling(*shape), Role::Upsampling),
            Layer::Residual(layers) | Layer::Module(_, layers) | Layer::Beside(layers) => {
                collect(layers, &inside(layer, &path), into);
                continue;
            }
            _ => continue,
        };
        into.push(PlacedLayer { path, layer, role });
    }
}

fn modules(layers: &[Layer], prefix: &str, into: &mut Vec<(String, bool)>) {
    for (path, layer) in placed(layers, prefix).filter(|(_, layer)| **layer != Layer::AddImage) {
        let own = inside(layer, &path);
        match layer {
            Layer::Beside(layers) => modules(layers, &own, into),
            Layer::Module(_, layers) => {
                into.push((path, false));
                modules(layers, &own, into);
            }
            Layer::Residual(layers) => {
                into.push((path, false));
                into.push((own.trim_end_matches('.').to_string(), false));
                modules(layers, &own, into);
            }
            _ => into.push((path, *layer == Layer::InstanceNorm)),
        }
    }
}

fn has_skips(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| match layer {
        Layer::Beside(_) => true,
        Layer::Residual(layers) | Layer::Module(_, layers) => has_skips(layers),
        _ => false,
    })
}

/// Counts for layers whose input has this many `channels`, which become those of their output.
fn normed_channels(layers: &[Layer], channels: &mut usize) -> usize {
    let of = |layer: &Layer| {
        match layer {
            Layer::Convolution(shape) => *channels = shape.output as usize,
            Layer::Upsampling(shape) => *channels = shape.output as usize,
            Layer::InstanceNorm => return *channels,
            Layer::Residual(layers) | Layer::Module(_, layers) => return normed_channels(layers, channels),
            Layer::Beside(layers) => {
                let input = *channels;
                let inside = normed_channels(layers, channels);
                *channels += input;
                return inside;
            }
            _ => {}
        }
        0
    };
    layers.iter().map(of).sum()
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
        Layer::Residual(layers) | Layer::Module(_, layers) | Layer::Beside(layers) => reach(layers, pixel),
        Layer::Enlarge => {
            *pixel /= 2;
            *pixel
        }
        Layer::ZeroPad => *pixel,
        _ => 0,
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
        let shape = |kernel| ConvShape { input: 2, output: 2, kernel, stride: 1, padding: 0, has_bias: true };
        let conv = |kernel| Layer::Convolution(shape(kernel));
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
