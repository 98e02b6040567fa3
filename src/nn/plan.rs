//! Network plans: layers in order, and everything that follows from them.

use tch::Tensor;

use super::conv::ConvShape;
use super::init::Role;
use super::upsampling::{Upsampling, UpsamplingShape};
use crate::error::Result;

/// The layers of a network, and how it handles image sizes that the layers do not accept. Weights are kept in
/// [`Network`](super::Network).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub layers: Vec<Layer>,
    /// Sides that the layers accept: multiples of this ...
    pub factor: i64,
    /// ... and at least this. Other images are extended by mirroring, repeatedly if they are short, and the output is
    /// cropped again.
    pub smallest_side: i64,
    /// Whether the weight of each convolution is divided by its largest singular value; upsampling layers do not
    /// support it.
    pub spectral_norm: bool,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Layer {
    /// Reflects this many pixels over each border.
    Reflect(i64),
    /// A convolution.
    Convolution(ConvShape),
    /// A layer with weights that doubles height and width.
    Upsampling(UpsamplingShape),
    /// Instance normalization without parameters.
    InstanceNorm,
    /// Multiplies values below zero by this slope; 0 is a ReLU.
    Rectify(f64),
    /// Adds the output of these layers to their input.
    Residual(Vec<Layer>),
    /// Adds the image that the network was given.
    AddImage,
    /// Layers in their own PyTorch module, with this name.
    Module(String, Vec<Layer>),
    /// Concatenates the output of these layers with their input along the channels, output first: a skip connection.
    Skip(Vec<Layer>),
    /// In training, drops each value with a probability of one half and doubles the others.
    Dropout,
    /// Repeats each pixel in both directions, which doubles height and width.
    Enlarge,
    /// Adds a row of zeros above and a column of zeros to the left, so that a convolution with an even kernel keeps the
    /// size.
    ZeroPad,
    Tanh,
}

/// A layer with weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Weighted {
    Convolution(ConvShape),
    Upsampling(UpsamplingShape),
}

impl Weighted {
    /// Returns the shape of its weight in PyTorch.
    pub fn weight(&self) -> [i64; 4] {
        match *self {
            Self::Convolution(ConvShape { input, output, kernel, .. }) => [output, input, kernel, kernel],
            Self::Upsampling(UpsamplingShape { form, input, output, kernel, .. }) => match form {
                Upsampling::Transposed => [input, output, kernel, kernel],
                Upsampling::Resize => [output, input, kernel, kernel],
            },
        }
    }

    /// Returns the number of output channels, each of which has a bias if there is any.
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

    /// Counts weights and biases.
    fn parameter_count(&self) -> u128 {
        let size = |n: i64| n.unsigned_abs() as u128;
        let biases = if self.has_bias() { size(self.outputs()) } else { 0 };
        self.weight().into_iter().map(size).fold(1u128, u128::saturating_mul).saturating_add(biases)
    }
}

/// A layer with weights and its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlacedLayer {
    /// Its path in PyTorch's module, without the network's own name: `10.conv_block.1`.
    pub path: String,
    pub layer: Weighted,
    pub role: Role,
}

/// Lists layers with their paths in PyTorch, starting with `prefix`: names of modules, or indices in a `Sequential`,
/// which does not count additions of the image. Layers of a skip connection have no module around them, so their path
/// is `prefix` itself.
pub(crate) fn placed<'a>(layers: &'a [Layer], prefix: &'a str) -> impl Iterator<Item = (String, &'a Layer)> {
    layers.iter().scan(0, move |next, layer| {
        let path = match layer {
            Layer::Module(name, _) => format!("{prefix}{name}"),
            Layer::Skip(_) => prefix.to_owned(),
            _ => format!("{prefix}{next}"),
        };
        *next += usize::from(!matches!(layer, Layer::AddImage | Layer::Module(..) | Layer::Skip(_)));
        Some((path, layer))
    })
}

/// Returns the prefix for the paths of the layers inside the one at `path`, if it contains layers.
pub(crate) fn inside(layer: &Layer, path: &str) -> String {
    match layer {
        Layer::Residual(_) => format!("{path}.conv_block."),
        Layer::Skip(_) => path.to_owned(),
        _ => format!("{path}."),
    }
}

impl Plan {
    /// Returns the layers with weights, in the order of PyTorch's `state_dict`.
    pub fn weighted(&self) -> Vec<PlacedLayer> {
        let mut list = Vec::new();
        collect(&self.layers, "", &mut list);
        if let Some(PlacedLayer { role, .. }) = list.last_mut() {
            *role = Role::Last;
        }
        list
    }

    /// Counts the weights and biases of all layers.
    pub fn parameter_count(&self) -> u128 {
        self.weighted().iter().map(|placed| placed.layer.parameter_count()).fold(0, u128::saturating_add)
    }

    /// Lists the paths of the layers with weights that make the image smaller: those before the first residual block or
    /// before the first upsampling layer.
    pub fn encoder(&self) -> Vec<String> {
        let until = self.layers.iter().position(|layer| matches!(layer, Layer::Residual(_)));
        let mut list = Vec::new();
        collect(&self.layers[..until.unwrap_or(self.layers.len())], "", &mut list);
        let is_down = |placed: &PlacedLayer| matches!(placed.layer, Weighted::Convolution(_));
        list.into_iter().take_while(is_down).map(|placed| placed.path).collect()
    }

    /// Returns whether there are skip connections, as in a U-Net. The innermost maps of a U-Net are a few pixels, so
    /// only the statistics of the image itself make sense there.
    pub fn has_skips(&self) -> bool {
        has_skips(&self.layers)
    }

    /// Counts the channels that all norms normalize, for images with so many channels.
    pub fn normed_channels(&self, mut channels: usize) -> usize {
        normed_channels(&self.layers, &mut channels)
    }

    /// Lists all modules that PyTorch lists, by path, and whether each is a norm; the network itself has an empty path.
    pub fn modules(&self) -> Vec<(String, bool)> {
        let mut list = vec![(String::new(), false)];
        modules(&self.layers, "", &mut list);
        list
    }

    /// Returns how far the input can influence an output pixel, in pixels, if statistics are fixed.
    pub fn reach(&self) -> usize {
        // Size of a pixel of the current layer, in sixteenths of an input pixel.
        let mut pixel = SIXTEENTHS;
        (reach(&self.layers, &mut pixel) / SIXTEENTHS) as usize
    }

    /// Extends images by mirroring to sides that the layers accept.
    ///
    /// # Shapes
    /// (N, C, H, W) to the same, with H and W multiples of `factor` and at least `smallest_side`.
    pub fn extended(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.size4()?;
        extend(&extend(x, 2, self.missing(height))?, 3, self.missing(width))
    }

    /// Returns how many pixels `side` has to be extended by.
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
            Layer::Residual(layers) | Layer::Module(_, layers) | Layer::Skip(layers) => {
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
            Layer::Skip(layers) => modules(layers, &own, into),
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
        Layer::Skip(_) => true,
        Layer::Residual(layers) | Layer::Module(_, layers) => has_skips(layers),
        _ => false,
    })
}

/// Counts normalized channels of layers whose input has this many `channels`; `channels` becomes the number of their
/// outputs.
fn normed_channels(layers: &[Layer], channels: &mut usize) -> usize {
    let of = |layer: &Layer| {
        match layer {
            Layer::Convolution(shape) => *channels = shape.output as usize,
            Layer::Upsampling(shape) => *channels = shape.output as usize,
            Layer::InstanceNorm => return *channels,
            Layer::Residual(layers) | Layer::Module(_, layers) => return normed_channels(layers, channels),
            Layer::Skip(layers) => {
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
            // A convolution of the doubled map reaches one of its pixels farther.
            far + if *form == Upsampling::Resize { *pixel } else { 0 }
        }
        Layer::Residual(layers) | Layer::Module(_, layers) | Layer::Skip(layers) => reach(layers, pixel),
        Layer::Enlarge => {
            *pixel /= 2;
            *pixel
        }
        Layer::ZeroPad => *pixel,
        _ => 0,
    };
    layers.iter().map(of).sum()
}

/// Extends dimension `dim` at its end by mirroring, repeatedly if the image is short.
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

    /// Adding the image is not a module, so the layers after it keep their indices.
    #[test]
    fn paths_are_those_of_a_sequential() {
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
