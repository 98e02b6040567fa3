//! Convolutions with the parameters and defaults of `torch.nn.Conv2d` and `ConvTranspose2d`.

use tch::{Kind, Tensor};

use super::init::{Initialiser, UpsamplingInit};
use super::norm::Moments;
use super::outline::Step;
use super::parameters::Parameters;
use crate::error::Result;
use crate::ffi::{self, ConvolutionForm};

/// Where a layer stands in its network, which decides how it is initialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A convolution inside the network.
    Inner,
    /// A transposed convolution.
    Upsampling,
    /// The last layer of the network.
    Last,
}

/// What stands behind a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// An instance norm of the image's own statistics, which takes the bias off again: nothing depends on it, and its
    /// gradient is 0.
    Norm,
    Nothing,
}

impl Behind {
    /// What is worth adding of a bias.
    fn bias(self, bias: &Tensor) -> Option<&Tensor> {
        (self == Self::Nothing).then_some(bias)
    }
}

/// What a convolution is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    pub input: i64,
    pub output: i64,
    pub kernel: i64,
    pub stride: i64,
    pub padding: i64,
}

/// A 2-D convolution with bias.
#[derive(Debug)]
pub(crate) struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    shape: ConvShape,
}

impl Conv2d {
    pub fn new(shape: ConvShape, role: Role, name: &str, init: &Initialiser) -> Result<Self> {
        let ConvShape { input, output, kernel, .. } = shape;
        let (weight, bias) = init.convolution(name, [output, input, kernel, kernel], output, role)?;
        Ok(Self { weight, bias, shape })
    }

    /// # Shapes
    /// (N, input, H, W) to (N, output, H', W').
    pub fn forward(&self, x: &Tensor, behind: Behind) -> Result<Tensor> {
        self.forward_by(&self.weight, x, behind)
    }

    /// The same with a weight that was made of this layer's.
    pub fn forward_by(&self, weight: &Tensor, x: &Tensor, behind: Behind) -> Result<Tensor> {
        let ConvShape { stride, padding, .. } = self.shape;
        let form = ConvolutionForm { stride, padding, transposed: false, normalised: behind == Behind::Norm };
        if let Some(made) = ffi::convolution(x, weight, &self.bias, form)? {
            return Ok(made);
        }
        let (stride, padding) = ([stride; 2], [padding; 2]);
        Ok(x.f_conv2d(weight, behind.bias(&self.bias), stride, padding, [1, 1], 1)?)
    }

    /// Weight and bias.
    pub fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// The convolution and the norm behind it in one: `(w * x + b - mean) * scale`.
    pub fn folded(&self, moments: &Moments) -> Result<Self> {
        let scale = moments.scale.f_reshape([-1, 1, 1, 1])?;
        Ok(Self { weight: self.weight.f_multiply(&scale)?, bias: folded_bias(&self.bias, moments)?, shape: self.shape })
    }

    /// What [`forward`](Self::forward) does.
    pub fn outline(&self, name: &str) -> Step {
        let ConvShape { stride, padding, .. } = self.shape;
        Step::Convolution { name: name.to_string(), stride, padding }
    }

    /// The same layer; the tensors share their memory.
    pub fn shallow_clone(&self) -> Self {
        Self { weight: self.weight.shallow_clone(), bias: self.bias.shallow_clone(), shape: self.shape }
    }

    /// Channels that it makes.
    pub fn outputs(&self) -> usize {
        self.shape.output as usize
    }

    pub fn kind(&self) -> Kind {
        self.weight.kind()
    }

    pub fn device(&self) -> tch::Device {
        self.weight.device()
    }

    pub fn collect(&self, name: &str, into: &mut Parameters) {
        collect_pair(name, &self.weight, &self.bias, into);
    }
}

/// A transposed 3x3 convolution with bias that doubles height and width (stride 2, padding 1, output padding 1).
#[derive(Debug)]
pub(crate) struct Upsampling {
    weight: Tensor,
    bias: Tensor,
}

impl Upsampling {
    pub fn new(input: i64, output: i64, start: UpsamplingInit, name: &str, init: &Initialiser) -> Result<Self> {
        let (weight, bias) = init.upsampling(name, start, input, output)?;
        Ok(Self { weight, bias })
    }

    /// # Shapes
    /// (N, input, H, W) to (N, output, 2H, 2W).
    pub fn forward(&self, x: &Tensor, behind: Behind) -> Result<Tensor> {
        let form = ConvolutionForm { stride: 2, padding: 1, transposed: true, normalised: behind == Behind::Norm };
        if let Some(made) = ffi::convolution(x, &self.weight, &self.bias, form)? {
            return Ok(made);
        }
        Ok(x.f_conv_transpose2d(&self.weight, behind.bias(&self.bias), [2, 2], [1, 1], [1, 1], 1, [1, 1])?)
    }

    /// The convolution and the norm behind it in one.
    pub fn folded(&self, moments: &Moments) -> Result<Self> {
        let scale = moments.scale.f_reshape([1, -1, 1, 1])?;
        Ok(Self { weight: self.weight.f_multiply(&scale)?, bias: folded_bias(&self.bias, moments)? })
    }

    /// What [`forward`](Self::forward) does.
    pub fn outline(&self, name: &str) -> Step {
        Step::Upsampling { name: name.to_string() }
    }

    pub fn collect(&self, name: &str, into: &mut Parameters) {
        collect_pair(name, &self.weight, &self.bias, into);
    }
}

fn folded_bias(bias: &Tensor, moments: &Moments) -> Result<Tensor> {
    Ok(bias.f_sub(&moments.mean.f_flatten(0, -1)?)?.f_multiply(&moments.scale.f_flatten(0, -1)?)?)
}

fn collect_pair(name: &str, weight: &Tensor, bias: &Tensor, into: &mut Parameters) {
    into.push((format!("{name}.weight"), weight.shallow_clone()));
    into.push((format!("{name}.bias"), bias.shallow_clone()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Initialisation;
    use crate::random::Seed;
    use tch::Device;

    /// How far apart the four pixels are that a pixel of the same map everywhere becomes, away from the borders.
    fn grid(start: UpsamplingInit) -> f64 {
        let scheme = Some(Initialisation::Paper);
        let init = Initialiser { seed: Seed(5), scheme, device: Device::Cpu, kind: Kind::Double };
        let layer = Upsampling::new(16, 8, start, "layer", &init).unwrap();
        let x = Tensor::ones([1, 16, 6, 6], (Kind::Double, Device::Cpu));
        let made = layer.forward(&x, Behind::Nothing).unwrap().narrow(2, 2, 8).narrow(3, 2, 8);
        (made.amax([2, 3], false) - made.amin([2, 3], false)).max().double_value(&[])
    }

    /// A flat map has no energy at the frequency of the grid with a bilinear start; 1e-14 is the rounding of sums of 64
    /// weights near 0.02. The other start makes a grid of the size of a weight.
    #[test]
    fn a_bilinear_start_makes_no_checkerboard() {
        assert!(grid(UpsamplingInit::Bilinear) < 1e-14, "{}", grid(UpsamplingInit::Bilinear));
        assert!(grid(UpsamplingInit::Scheme) > 0.02, "{}", grid(UpsamplingInit::Scheme));
    }

    /// Between the pixels of a map stands their mean, as in bilinear interpolation.
    #[test]
    fn a_bilinear_start_interpolates() {
        let scheme = Some(Initialisation::Paper);
        let init = Initialiser { seed: Seed(5), scheme, device: Device::Cpu, kind: Kind::Double };
        let layer = Upsampling::new(1, 1, UpsamplingInit::Bilinear, "layer", &init).unwrap();
        let x = Tensor::from_slice(&[1.0, 5.0, 3.0, 7.0]).view([1, 1, 2, 2]);
        let made = layer.forward(&x, Behind::Nothing).unwrap();
        let gain = made.double_value(&[0, 0, 0, 0]);
        let found = Vec::<f64>::try_from((made / gain).narrow(2, 0, 3).narrow(3, 0, 3).flatten(0, -1)).unwrap();
        let expected = [1.0, 3.0, 5.0, 2.0, 4.0, 6.0, 3.0, 5.0, 7.0];
        found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{found:?}"));
    }
}
