//! Layers without parameters.

use tch::{Kind, Tensor};

use crate::error::Result;
use crate::ffi;

/// What instance normalization adds to a variance.
pub(crate) const EPSILON: f64 = 1e-5;

/// What autograd keeps of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerMemory {
    /// A norm with its activation, or a residual block, is one node.
    AsOne,
    /// A convolution with norm, activation and border is one node, and so is a residual block: layers of our own on CUDA.
    Bordered,
    /// Each operator is a node of its own.
    ByParts,
}

impl LayerMemory {
    /// Of residual blocks of so many channels, in f32 or cast to bfloat16.
    pub fn of(device: tch::Device, channels: i64, cast: bool) -> Self {
        let kind = if cast { Kind::BFloat16 } else { Kind::Float };
        let has_own_layers =
            || Tensor::f_zeros([1, 8, 8, 8], (kind, device)).is_ok_and(|map| ffi::cuda_layers_fit(&map));
        if has_own_layers() {
            Self::Bordered
        } else if !cast && ffi::fits_residual(device, channels) {
            Self::AsOne
        } else {
            Self::ByParts
        }
    }
}

/// Instance normalization without parameters or running statistics, eps 1e-5
/// (Ulyanov et al. 2016, arXiv:1607.08022), over each plane of an NCHW tensor.
pub(crate) fn instance_norm(x: &Tensor) -> Result<Tensor> {
    with_right_gradient(normed(x)?)
}

fn normed(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_instance_norm(None::<Tensor>, None::<Tensor>, None::<Tensor>, None::<Tensor>, true, 0.0, EPSILON, true)?)
}

/// Corrects the gradient of instance norm on the processor: libtorch 2.11 computes a wrong one for a batch of one whose gradient
/// is in NHWC memory, so there the gradient is copied to NCHW first.
fn with_right_gradient(y: Tensor) -> Result<Tensor> {
    if y.device() == tch::Device::Cpu { ffi::with_contiguous_gradient(&y) } else { Ok(y) }
}

/// `leaky_relu(instance_norm(x), slope)`.
pub(crate) fn norm_activation(x: &Tensor, slope: f64) -> Result<Tensor> {
    match ffi::norm_activation(x, slope, EPSILON)? {
        Some(made) => Ok(made),
        None if slope == 0.0 => with_right_gradient(normed(x)?.f_relu_()?),
        None => ffi::leaky_relu(&instance_norm(x)?, slope),
    }
}

/// Reflects `pad` pixels over each border; each side must be longer than `pad`.
pub(crate) fn reflect(x: &Tensor, pad: i64) -> Result<Tensor> {
    if x.device().is_cuda() && ffi::is_deterministic() {
        return reflect_by_flips(x, pad);
    }
    Ok(x.f_reflection_pad2d([pad; 4])?)
}

/// The same of copies. CUDA's own reflection adds up its gradients in an order that is not fixed.
fn reflect_by_flips(x: &Tensor, pad: i64) -> Result<Tensor> {
    [2, 3].into_iter().try_fold(x.shallow_clone(), |x, dim| {
        let n = x.size()[dim as usize];
        let before = x.f_narrow(dim, 1, pad)?.f_flip([dim])?;
        let after = x.f_narrow(dim, n - 1 - pad, pad)?.f_flip([dim])?;
        Ok(Tensor::f_cat(&[before, x, after], dim)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Gradients come in NHWC memory from convolutions; for a batch of one that once made them wrong altogether. The numbers
    /// are those of the definition: `y = (x - mean) / sqrt(variance + eps)` by operators of its own, in f64.
    #[test]
    fn gradients_of_instance_norm_do_not_depend_on_memory() {
        let waves = |shape: &[i64], pitch: f64| {
            (Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu)) * pitch).sin().view(shape)
        };
        for shape in [[1, 20, 9, 7], [2, 20, 9, 7], [1, 4, 8, 8], [1, 1, 3, 5]] {
            let towards = waves(&shape, 1.3);
            let gradient = |work: &dyn Fn(&Tensor) -> Tensor, towards: &Tensor| {
                let x = waves(&shape, 0.37).set_requires_grad(true);
                Tensor::run_backward(&[(work(&x) * towards).sum(Kind::Double)], &[&x], false, false).remove(0)
            };
            let by_definition = |x: &Tensor| {
                let centered = x - x.mean_dim([2, 3].as_slice(), true, Kind::Double);
                let variance = centered.square().mean_dim([2, 3].as_slice(), true, Kind::Double);
                centered / (variance + EPSILON).sqrt()
            };
            let exact = gradient(&by_definition, &towards);
            for towards in [towards.shallow_clone(), crate::ffi::channels_last(&towards).unwrap()] {
                let found = gradient(&|x| instance_norm(x).unwrap(), &towards);
                assert!((found - &exact).abs().max().double_value(&[]) < 1e-12, "{shape:?}");
            }
        }
    }

    /// Images are equal to the bit; gradients are sums of the same few numbers in another order.
    #[test]
    fn reflection_by_copies_is_the_same() {
        let x = (Tensor::arange(2 * 3 * 5 * 7, (Kind::Double, Device::Cpu)) * 1.7).sin().view([2, 3, 5, 7]);
        for pad in [1, 3] {
            let gradient = |pad_with: fn(&Tensor, i64) -> Result<Tensor>| {
                let x = x.copy().set_requires_grad(true);
                let y = pad_with(&x, pad).unwrap();
                let weights = Tensor::arange(y.numel() as i64, (Kind::Double, Device::Cpu)).cos().view_as(&y);
                let grads = Tensor::run_backward(&[(&y * weights).sum(Kind::Double)], &[&x], false, false);
                (y.detach(), grads[0].shallow_clone())
            };
            let ((image, by_kernel), (copied, by_copies)) = (gradient(reflect), gradient(reflect_by_flips));
            assert_eq!(image, copied);
            assert!((by_kernel - by_copies).abs().max().double_value(&[]) < 1e-14);
        }
    }
}
