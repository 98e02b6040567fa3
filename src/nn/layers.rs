//! Layers without parameters.

use tch::{Kind, Tensor};

use crate::error::Result;
use crate::ffi;

/// Added to variances by instance normalization.
pub(crate) const EPSILON: f64 = 1e-5;

/// Which tensors autograd keeps for layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerMemory {
    /// A norm with its activation is one autograd node, and so is a residual block.
    AsOne,
    /// A convolution with norm, activation and border is one node, and so is a residual block: our own CUDA layers.
    Bordered,
    /// Each operator is a node.
    ByParts,
}

impl LayerMemory {
    /// Returns how residual blocks with so many channels run, in f32 or cast to bfloat16.
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

/// Applies instance normalization without parameters or running statistics, eps 1e-5 (Ulyanov et al. 2016,
/// arXiv:1607.08022), to each plane of an NCHW tensor.
pub(crate) fn instance_norm(x: &Tensor) -> Result<Tensor> {
    with_right_gradient(normed(x)?)
}

fn normed(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_instance_norm(None::<Tensor>, None::<Tensor>, None::<Tensor>, None::<Tensor>, true, 0.0, EPSILON, true)?)
}

/// Corrects the gradient of instance norm on the CPU: libtorch 2.11 computes a wrong one for a batch of one whose
/// gradient is in NHWC memory, so such a gradient is copied to NCHW first.
fn with_right_gradient(y: Tensor) -> Result<Tensor> {
    if y.device() == tch::Device::Cpu { ffi::with_contiguous_gradient(&y) } else { Ok(y) }
}

/// Computes `leaky_relu(instance_norm(x), slope)`.
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

/// Reflects by copying. CUDA's own reflection adds up its gradients in a varying order.
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

    /// Convolutions return gradients in NHWC memory; for a batch of one, that once made the gradients entirely wrong.
    /// The expected numbers come from the definition, `y = (x - mean) / sqrt(variance + eps)`, in elementary operators
    /// and f64.
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

    /// Images are equal bit for bit; gradients are sums of the same few numbers in another order.
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
