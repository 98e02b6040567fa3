//! Convolutions with the parameters and defaults of `torch.nn.Conv2d` and `ConvTranspose2d`.

use tch::Tensor;

use super::init::{Initializer, Role};
use super::layers::EPSILON;
use super::norm::{Following, Moments};
use super::spectral::SpectralNorm;
use crate::error::Result;
use crate::ffi::{self, ConvolutionForm, NormForm};

/// Shape of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvShape {
    pub input: i64,
    pub output: i64,
    pub kernel: i64,
    pub stride: i64,
    pub padding: i64,
    pub has_bias: bool,
}

/// A 2-D convolution.
#[derive(Debug)]
pub(crate) struct Conv2d {
    weight: Tensor,
    /// Zeros that are not trained, if the layer has no bias.
    bias: Tensor,
    shape: ConvShape,
    spectral: Option<SpectralNorm>,
}

impl Conv2d {
    pub fn new(shape: ConvShape, role: Role, name: &str, init: &Initializer) -> Result<Self> {
        let ConvShape { input, output, kernel, .. } = shape;
        let (weight, bias) = init.convolution(name, [output, input, kernel, kernel], output, role)?;
        let bias = if shape.has_bias { bias } else { no_bias(&weight, output)? };
        Ok(Self { weight, bias, shape, spectral: None })
    }

    /// Creates a layer with these weights.
    pub fn with_weights(shape: ConvShape, [weight, bias]: [Tensor; 2]) -> Self {
        Self { weight, bias, shape, spectral: None }
    }

    /// Returns the same layer with its weight divided by an estimate of the largest singular value.
    pub fn with_spectral_norm(self, name: &str, init: &Initializer) -> Result<Self> {
        let spectral = Some(SpectralNorm::new(name, init.seed, &self.weight)?);
        Ok(Self { spectral, ..self })
    }

    /// # Shapes
    /// (N, input, H, W) to (N, output, H', W').
    pub fn forward(&self, x: &Tensor, following: Following) -> Result<Tensor> {
        let weight = &self.applied_weight()?;
        let ConvShape { stride, padding, .. } = self.shape;
        let form = ConvolutionForm { stride, padding, transposed: false, normalized: following == Following::Norm };
        if let Some(made) = ffi::convolution(x, weight, &self.bias, form)? {
            return Ok(made);
        }
        let (stride, padding) = ([stride; 2], [padding; 2]);
        Ok(x.f_conv2d(weight, following.bias(&self.bias), stride, padding, [1, 1], 1)?)
    }

    /// Computes `leaky_relu(instance_norm(conv(x)))` with our own CUDA layers, and adds a border.
    pub fn rectified(&self, x: &Tensor, slope: f64, border: i64) -> Result<Tensor> {
        let ConvShape { stride, padding, .. } = self.shape;
        let form = ConvolutionForm { stride, padding, transposed: false, normalized: true };
        ffi::convolution_norm(x, &self.applied_weight()?, form, NormForm { slope, epsilon: EPSILON, border })
    }

    /// Returns the weight that the layer computes with.
    pub fn applied_weight(&self) -> Result<Tensor> {
        match &self.spectral {
            Some(norm) => norm.applied(&self.weight),
            None => Ok(self.weight.shallow_clone()),
        }
    }

    /// Returns the spectral norm, if the weight is divided by it.
    pub fn spectral_norm(&self) -> Option<&SpectralNorm> {
        self.spectral.as_ref()
    }

    /// Returns weight and bias; a layer without bias returns zeros for it.
    pub fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// Folds the norm that follows into the convolution: `(w * x + b - mean) * scale`.
    pub fn folded(&self, moments: &Moments) -> Result<Self> {
        let scale = moments.scale.f_reshape([-1, 1, 1, 1])?;
        let weight = self.applied_weight()?.f_multiply(&scale)?;
        Ok(Self { weight, bias: folded_bias(&self.bias, moments)?, shape: self.shape, spectral: None })
    }

    /// Returns the same layer with the weight that it computes with; tensors share memory where possible.
    pub fn applied(&self) -> Result<Self> {
        let (weight, bias) = (self.applied_weight()?, self.bias.shallow_clone());
        Ok(Self { weight, bias, shape: self.shape, spectral: None })
    }

    pub fn shape(&self) -> ConvShape {
        self.shape
    }
}

/// Creates the zeros that stand in for a missing bias.
pub(super) fn no_bias(weight: &Tensor, outputs: i64) -> Result<Tensor> {
    Ok(Tensor::f_zeros([outputs], (weight.kind(), weight.device()))?)
}

/// Folds the norm that follows into the bias.
pub(super) fn folded_bias(bias: &Tensor, moments: &Moments) -> Result<Tensor> {
    Ok(bias.f_sub(&moments.mean.f_flatten(0, -1)?)?.f_multiply(&moments.scale.f_flatten(0, -1)?)?)
}
