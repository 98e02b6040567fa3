//! Runs the Inception network.

use tch::{Device, Kind, Tensor};

use super::graph::{Convolution, Op, inception, try_map};
use super::weights::{Folded, Weights};
use crate::device::Precision;
use crate::error::Result;
use crate::ffi;

/// The network up to its features, on a device.
pub(crate) struct Network {
    ops: Vec<Op<Layer>>,
    device: Device,
}

/// A convolution with its batch norm folded in, followed by a ReLU.
struct Layer {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: [i64; 2],
}

impl Network {
    pub fn new(mut weights: Weights, device: Device) -> Result<Self> {
        let mut layer = |convolution| Layer::new(&convolution, weights.take(&convolution)?, device);
        Ok(Self { ops: try_map(inception(), &mut layer)?, device })
    }

    pub fn device(&self) -> Device {
        self.device
    }

    /// Computes features in f32, even if training uses another precision.
    ///
    /// # Shapes
    /// (N, 3, 299, 299) in [-1, 1) on the device to (N, 2048) on the same device.
    pub fn features(&self, x: &Tensor) -> Result<Tensor> {
        let _switches = ffi::Switches::hold_on(self.device, Precision::F32.arithmetic())?;
        let maps = ffi::without_autocast(self.device, || run(&self.ops, &in_memory_of(self.device, x)?))?;
        Ok(maps.f_mean_dim([2i64, 3].as_slice(), false, Kind::Float)?)
    }
}

impl Layer {
    fn new(convolution: &Convolution, Folded { weight, bias }: Folded, device: Device) -> Result<Self> {
        let weight = in_memory_of(device, &weight.f_to_device(device)?)?;
        let Convolution { stride, padding, .. } = *convolution;
        Ok(Self { weight, bias: bias.f_to_device(device)?, stride, padding })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = x.f_conv2d(&self.weight, Some(&self.bias), [self.stride; 2], self.padding, [1, 1], 1)?;
        Ok(y.f_relu_()?)
    }
}

fn run(ops: &[Op<Layer>], x: &Tensor) -> Result<Tensor> {
    let mut x = x.shallow_clone();
    for op in ops {
        x = match op {
            Op::Convolution(layer) => layer.forward(&x)?,
            Op::AveragePool => x.f_avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None::<i64>)?,
            Op::MaxPool { stride, padding } => x.f_max_pool2d([3, 3], [*stride; 2], [*padding; 2], [1, 1], false)?,
            Op::Branches(branches) => {
                let made = branches.iter().map(|branch| run(branch, &x)).collect::<Result<Vec<_>>>()?;
                Tensor::f_cat(&made, 1)?
            }
        };
    }
    Ok(x)
}

/// Returns an NCHW tensor stored as NHWC on the CPU, which makes these convolutions twice as fast.
fn in_memory_of(device: Device, x: &Tensor) -> Result<Tensor> {
    match device {
        Device::Cpu => Ok(x.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?),
        _ => Ok(x.f_contiguous()?),
    }
}
