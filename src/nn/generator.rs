//! The ResNet generator (Johnson et al. 2016; Zhu et al. 2017, section 7.2 of arXiv:1703.10593).

use tch::Tensor;

use super::conv::{Conv2d, ConvShape, Role, Upsampling};
use super::init::Initialiser;
use super::layers::{EPSILON, ResidualBlock, instance_norm, reflect};
use super::outline::{Outline, Step};
use super::parameters::Parameters;
use crate::error::Result;

/// Two stride-2 convolutions halve height and width twice.
const FACTOR: i64 = 4;
/// Below this side the reflection padding inside the network would be as wide as its input.
const SMALLEST_SIDE: i64 = 8;

/// What decides a generator's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GeneratorShape {
    /// Channels in.
    pub input: i64,
    /// Channels out.
    pub output: i64,
    /// Feature maps of the first layer; 64 in the paper.
    pub features: i64,
    /// Residual blocks; 9 in the paper.
    pub blocks: i64,
}

/// c7s1-f, d2f, d4f, n residual blocks, u2f, uf, c7s1-C, tanh, in the paper's notation.
#[derive(Debug)]
pub(crate) struct Generator {
    name: String,
    head: Conv2d,
    down: [Conv2d; 2],
    blocks: Vec<ResidualBlock>,
    up: [Upsampling; 2],
    tail: Conv2d,
}

impl Generator {
    /// `name` is the prefix of the parameters' names (`G_A`), and of the streams they are drawn from.
    pub fn new(name: &str, shape: GeneratorShape, init: &Initialiser) -> Result<Self> {
        let GeneratorShape { input, output, features, blocks } = shape;
        let at = |index: i64| format!("{name}.{index}");
        let down = |input, index| {
            let shape = ConvShape { input, output: 2 * input, kernel: 3, stride: 2, padding: 1 };
            Conv2d::new(shape, Role::Inner, &at(index), init)
        };
        let wide = |input, output, role, index| {
            let shape = ConvShape { input, output, kernel: 7, stride: 1, padding: 0 };
            Conv2d::new(shape, role, &at(index), init)
        };
        Ok(Self {
            name: name.to_string(),
            head: wide(input, features, Role::Inner, 1)?,
            down: [down(features, 4)?, down(2 * features, 7)?],
            blocks: (0..blocks).map(|i| ResidualBlock::new(4 * features, &at(10 + i), init)).collect::<Result<_>>()?,
            up: [
                Upsampling::new(4 * features, 2 * features, &at(10 + blocks), init)?,
                Upsampling::new(2 * features, features, &at(13 + blocks), init)?,
            ],
            tail: wide(features, output, Role::Last, 17 + blocks)?,
        })
    }

    /// Translates images.
    ///
    /// # Shapes
    /// (N, channels in, H, W) to (N, channels out, H, W), of any height and width from 1: sides that are no multiple of 4, or too
    /// short for the network's own padding, are extended by reflection and cropped back.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.f_to_device(self.head.device())?.f_to_kind(self.head.kind())?;
        let (height, width) = sides(&x)?;
        let (bottom, right) = (missing(height), missing(width));
        if bottom == 0 && right == 0 {
            return self.network(&x);
        }
        let padded = extend(&extend(&x, 2, bottom)?, 3, right)?;
        Ok(self.network(&padded)?.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?)
    }

    fn network(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = instance_norm(&self.head.forward(&reflect(x, 3)?)?)?.f_relu_()?;
        for conv in &self.down {
            y = instance_norm(&conv.forward(&y)?)?.f_relu_()?;
        }
        for block in &self.blocks {
            y = block.forward(&y)?;
        }
        for conv in &self.up {
            y = instance_norm(&conv.forward(&y)?)?.f_relu_()?;
        }
        // In mixed precision the last layer gives bfloat16; losses are not to.
        Ok(self.tail.forward(&reflect(&y, 3)?)?.f_to_kind(x.kind())?.f_tanh()?)
    }

    /// The prefix of the parameters' names.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What [`forward`](Self::forward) does, with the names of parameters without their prefix.
    pub fn outline(&self) -> Outline {
        let n = self.blocks.len();
        let ends_layer = || [Step::InstanceNorm(EPSILON), Step::Relu];
        let mut steps = vec![Step::Reflect(3), self.head.outline("1")];
        steps.extend(ends_layer());
        for (i, conv) in self.down.iter().enumerate() {
            steps.push(conv.outline(&(4 + 3 * i).to_string()));
            steps.extend(ends_layer());
        }
        steps.extend(self.blocks.iter().enumerate().map(|(i, block)| block.outline(&(10 + i).to_string())));
        for (i, conv) in self.up.iter().enumerate() {
            steps.push(conv.outline(&(10 + n + 3 * i).to_string()));
            steps.extend(ends_layer());
        }
        steps.extend([Step::Reflect(3), self.tail.outline(&(17 + n).to_string()), Step::Tanh]);
        Outline { steps, factor: FACTOR, smallest_side: SMALLEST_SIDE }
    }

    /// Parameters in the order of PyTorch's `state_dict`.
    pub fn parameters(&self) -> Parameters {
        let mut list = Parameters::new();
        let at = |index: usize| format!("{}.{index}", self.name);
        let n = self.blocks.len();
        self.head.collect(&at(1), &mut list);
        for (i, conv) in self.down.iter().enumerate() {
            conv.collect(&at(4 + 3 * i), &mut list);
        }
        for (i, block) in self.blocks.iter().enumerate() {
            block.collect(&at(10 + i), &mut list);
        }
        for (i, conv) in self.up.iter().enumerate() {
            conv.collect(&at(10 + n + 3 * i), &mut list);
        }
        self.tail.collect(&at(17 + n), &mut list);
        list
    }
}

/// Values that autograd keeps of one image, of `c` channels that become `made`, through a generator of `f` features and
/// `b` blocks: inputs of convolutions and norms, outputs of activations, and what is padded, which is a copy.
pub(crate) fn generator_activations((c, made): (f64, f64), f: f64, b: f64, (height, width): (usize, usize)) -> f64 {
    let side = |n: usize| (n as i64 + missing(n as i64)) as f64;
    let (h, w) = (side(height), side(width));
    let area = h * w;
    // Convolution and norm at full size, twice at half the size, and again on the way up.
    let ends = f * area * (2.0 + 1.0 + 0.5 + 1.0 + 2.0);
    let wide = (c + f) * (h + 6.0) * (w + 6.0) + 3.0 * made * area;
    let inner = f * area / 4.0;
    let padded = 4.0 * f * (h / 4.0 + 2.0) * (w / 4.0 + 2.0);
    ends + wide + b * (4.0 * inner + 2.0 * padded)
}

fn sides(x: &Tensor) -> Result<(i64, i64)> {
    let (_, _, height, width) = x.size4()?;
    Ok((height, width))
}

/// Pixels that `side` lacks to a size the network can take.
fn missing(side: i64) -> i64 {
    let wanted = side.max(SMALLEST_SIDE);
    (wanted + FACTOR - 1) / FACTOR * FACTOR - side
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
    use crate::nn::Initialisation;
    use crate::random::Seed;
    use tch::{Device, Kind};

    fn small() -> Generator {
        let init =
            Initialiser { seed: Seed(0), scheme: Some(Initialisation::Paper), device: Device::Cpu, kind: Kind::Float };
        Generator::new("G_A", GeneratorShape { input: 3, output: 3, features: 4, blocks: 2 }, &init).unwrap()
    }

    #[test]
    fn any_size_comes_back_as_it_went_in() {
        let generator = small();
        for (height, width) in [(1, 1), (1, 70), (3, 5), (7, 8), (8, 8), (33, 64), (61, 59)] {
            let x = Tensor::arange(6 * height * width, (Kind::Float, Device::Cpu)).sin().view([2, 3, height, width]);
            let y = generator.forward(&x).unwrap();
            assert_eq!(y.size(), [2, 3, height, width]);
            assert!(y.isfinite().all().int64_value(&[]) == 1, "{height}x{width}");
        }
    }

    #[test]
    fn extension_mirrors() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0]).view([1, 1, 1, 3]);
        let y = extend(&x, 3, 5).unwrap();
        assert_eq!(Vec::<f32>::try_from(y.flatten(0, -1)).unwrap(), [1., 2., 3., 2., 1., 2., 3., 2.]);
    }

    #[test]
    fn wrong_rank_or_bands_is_an_error() {
        let generator = small();
        assert!(generator.forward(&Tensor::zeros([3, 8, 8], (Kind::Float, Device::Cpu))).is_err());
        assert!(generator.forward(&Tensor::zeros([1, 2, 8, 8], (Kind::Float, Device::Cpu))).is_err());
    }
}
