//! Layers that our own kernels compute on a processor. Each gives `None` where they cannot: on another device, in another
//! dtype, under autocast, or on channels that do not fill vectors.

use tch::{Device, Kind, Tensor};

use super::linked;
use crate::error::Result;

/// Channels that fill a vector, and a panel of the matrices that residual blocks multiply.
const LANES: i64 = 8;
const PANEL: i64 = 16;

/// What a convolution with a square kernel does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvolutionForm {
    pub stride: i64,
    pub padding: i64,
    /// Transposed, with an output padding of 1.
    pub transposed: bool,
    /// Whether an instance norm takes the bias off again, so that it has no gradient.
    pub normalised: bool,
}

/// A convolution in NHWC memory; NCHW goes in and comes out.
pub(crate) fn convolution(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    form: ConvolutionForm,
) -> Result<Option<Tensor>> {
    where_it_fits(x, 1, || linked::convolution(x, weight, bias, form))
}

/// `leaky_relu(instance_norm(x), slope)`; a slope of 0 is relu.
pub(crate) fn norm_activation(x: &Tensor, slope: f64, epsilon: f64) -> Result<Option<Tensor>> {
    where_it_fits(x, LANES, || linked::norm_activation(x, slope, epsilon))
}

/// `x + norm(conv(reflect(relu(norm(conv(reflect(x)))))))` with the weights and biases of both 3x3 convolutions.
pub(crate) fn residual(x: &Tensor, parameters: [&Tensor; 4], epsilon: f64) -> Result<Option<Tensor>> {
    where_it_fits(x, PANEL, || linked::residual(x, parameters, epsilon))
}

/// Whether [`residual`] can take f32 maps of so many channels on `device`.
pub(crate) fn fits_residual(device: Device, channels: i64) -> bool {
    let map = || Tensor::f_empty([1, channels, 2, 2], (Kind::Float, Device::Cpu));
    device == Device::Cpu && map().is_ok_and(|map| linked::cpu_layers_fit(&map, PANEL))
}

fn where_it_fits(x: &Tensor, channels: i64, work: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    if !linked::cpu_layers_fit(x, channels) {
        return Ok(None);
    }
    work().map(Some)
}
