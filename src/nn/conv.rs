//! Convolutions with the parameters and defaults of `torch.nn.Conv2d` and `ConvTranspose2d`.

use tch::{Kind, Tensor};

use super::init::Initialiser;
use super::layers::EPSILON;
use super::norm::Moments;
use super::outline::Step;
use super::parameters::Parameters;
use crate::error::Result;
use crate::ffi::{self, ConvolutionForm, NormForm};

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
    pub(super) fn bias(self, bias: &Tensor) -> Option<&Tensor> {
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

    /// `leaky_relu(instance_norm(conv(x)))` by layers of our own on CUDA, with a border.
    pub fn normalised_by(&self, weight: &Tensor, x: &Tensor, slope: f64, border: i64) -> Result<Tensor> {
        let ConvShape { stride, padding, .. } = self.shape;
        let form = ConvolutionForm { stride, padding, transposed: false, normalised: true };
        ffi::convolution_norm(x, weight, form, NormForm { slope, epsilon: EPSILON, border })
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

pub(super) fn folded_bias(bias: &Tensor, moments: &Moments) -> Result<Tensor> {
    Ok(bias.f_sub(&moments.mean.f_flatten(0, -1)?)?.f_multiply(&moments.scale.f_flatten(0, -1)?)?)
}

pub(super) fn collect_pair(name: &str, weight: &Tensor, bias: &Tensor, into: &mut Parameters) {
    into.push((format!("{name}.weight"), weight.shallow_clone()));
    into.push((format!("{name}.bias"), bias.shallow_clone()));
}
