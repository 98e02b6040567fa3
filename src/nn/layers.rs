//! Layers without parameters, and the residual block.

use tch::Tensor;

use super::conv::{Conv2d, ConvShape, Role};
use super::init::Initialiser;
use super::parameters::Parameters;
use crate::error::Result;

/// Instance normalisation without parameters or running statistics, eps 1e-5
/// (Ulyanov et al. 2016, arXiv:1607.08022), over each plane of an NCHW tensor.
pub(crate) fn instance_norm(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_instance_norm(None::<Tensor>, None::<Tensor>, None::<Tensor>, None::<Tensor>, true, 0.0, 1e-5, true)?)
}

/// Reflects `pad` pixels over each border; each side must be longer than `pad`.
pub(crate) fn reflect(x: &Tensor, pad: i64) -> Result<Tensor> {
    Ok(x.f_reflection_pad2d([pad; 4])?)
}

/// `x + norm(conv(reflect(relu(norm(conv(reflect(x)))))))`, 3x3 convolutions (He et al. 2016, as changed by
/// Johnson et al. 2016, arXiv:1603.08155).
#[derive(Debug)]
pub(crate) struct ResidualBlock {
    first: Conv2d,
    second: Conv2d,
}

impl ResidualBlock {
    pub fn new(features: i64, name: &str, init: &Initialiser) -> Result<Self> {
        let shape = ConvShape { input: features, output: features, kernel: 3, stride: 1, padding: 0 };
        let conv = |index| Conv2d::new(shape, Role::Inner, &format!("{name}.conv_block.{index}"), init);
        Ok(Self { first: conv(1)?, second: conv(5)? })
    }

    /// # Shapes
    /// (N, features, H, W) to the same, H and W at least 2.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = instance_norm(&self.first.forward(&reflect(x, 1)?)?)?.f_relu_()?;
        let y = instance_norm(&self.second.forward(&reflect(&y, 1)?)?)?;
        Ok(x.f_add(&y)?)
    }

    pub fn collect(&self, name: &str, into: &mut Parameters) {
        self.first.collect(&format!("{name}.conv_block.1"), into);
        self.second.collect(&format!("{name}.conv_block.5"), into);
    }
}
