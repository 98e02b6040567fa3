//! CPU layers computed by this crate's own kernels. Each returns `None` if it does not apply: on another device, in
//! another dtype, under autocast, or if the channels do not fill vectors.

use tch::{Device, Kind, Tensor};

use super::forms::ConvolutionForm;
use super::linked;
use crate::error::Result;

/// Number of channels that fill a vector, and a panel of the matrices in residual blocks.
const LANES: i64 = 8;
const PANEL: i64 = 16;

/// Computes a convolution in NHWC memory; input and output are NCHW.
pub(crate) fn convolution(x: &Tensor, weight: &Tensor, bias: &Tensor, form: ConvolutionForm) -> Result<Option<Tensor>> {
    where_it_fits(x, 1, || linked::convolution(x, weight, bias, form))
}

/// Computes `leaky_relu(instance_norm(x), slope)`; a slope of 0 is ReLU.
pub(crate) fn norm_activation(x: &Tensor, slope: f64, epsilon: f64) -> Result<Option<Tensor>> {
    where_it_fits(x, LANES, || linked::norm_activation(x, slope, epsilon))
}

/// Computes `x + norm(conv(reflect(relu(norm(conv(reflect(x)))))))` with the weights and biases of both 3x3
/// convolutions.
pub(crate) fn residual(x: &Tensor, parameters: [&Tensor; 4], epsilon: f64) -> Result<Option<Tensor>> {
    where_it_fits(x, PANEL, || linked::residual(x, parameters, epsilon))
}

/// Computes `x + conv(reflect(relu(conv(reflect(x)))))` without gradients: a residual block whose norms have been
/// folded into its convolutions.
pub(crate) fn residual_without_norms(x: &Tensor, parameters: [&Tensor; 4]) -> Result<Option<Tensor>> {
    where_it_fits(x, PANEL, || linked::residual_without_norms(x, parameters))
}

/// Returns whether [`residual`] supports f32 maps with this number of channels on `device`.
pub(crate) fn fits_residual(device: Device, channels: i64) -> bool {
    let map = || Tensor::f_empty([1, channels, 2, 2], (Kind::Float, Device::Cpu));
    device == Device::Cpu && map().is_ok_and(|map| linked::cpu_layers_fit(&map, PANEL))
}

/// Returns whether this crate's CPU layers apply to `x`; if so, results do not depend on the number of threads.
pub(crate) fn has_own_layers(x: &Tensor) -> bool {
    linked::cpu_layers_fit(x, 1) && fits_residual(x.device(), PANEL)
}

fn where_it_fits(x: &Tensor, channels: i64, work: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    if !linked::cpu_layers_fit(x, channels) {
        return Ok(None);
    }
    work().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tolerance;

    const EPSILON: f64 = 1e-5;
    /// Tolerance for sums of up to 10,000 f64 products of numbers near 1 in a different order; Winograd's transforms
    /// increase the rounding error about tenfold.
    const F64: Tolerance = Tolerance { abs: 1e-10, rel: 1e-10 };

    fn waves(shape: &[i64], pitch: f64, kind: Kind) -> Tensor {
        let count = shape.iter().product::<i64>();
        (Tensor::arange(count, (Kind::Double, Device::Cpu)) * pitch).sin().view(shape).to_kind(kind)
    }

    /// Returns the result of `work` on copies of these tensors, and the gradients of a weighted sum of it.
    fn with_gradients(inputs: &[Tensor], work: impl Fn(&[Tensor]) -> Tensor) -> Vec<Tensor> {
        let inputs: Vec<_> = inputs.iter().map(|t| t.detach().copy().set_requires_grad(true)).collect();
        let made = work(&inputs);
        let sum = (&made * waves(&made.size(), 1.3, made.kind())).sum(made.kind());
        let mut all = Tensor::run_backward(&[sum], &inputs.iter().collect::<Vec<_>>(), false, false);
        all.push(made.detach());
        all
    }

    fn alike(tolerance: Tolerance, what: &str, ours: &[Tensor], theirs: &[Tensor]) {
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(theirs).enumerate().for_each(|(i, (a, b))| tolerance.tensor(&format!("{what}, {i}"), a, b));
    }

    fn norm(x: &Tensor) -> Tensor {
        x.instance_norm(None::<Tensor>, None::<Tensor>, None::<Tensor>, None::<Tensor>, true, 0.0, EPSILON, false)
    }

    fn conv3x3(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
        x.reflection_pad2d([1; 4]).conv2d(weight, Some(bias), [1, 1], [0, 0], [1, 1], 1)
    }

    /// The same with libtorch's operators.
    fn plain_block(p: &[Tensor]) -> Tensor {
        let hidden = norm(&conv3x3(&p[0], &p[1], &p[2])).relu();
        &p[0] + norm(&conv3x3(&hidden, &p[3], &p[4]))
    }

    fn block_parameters(shape: [i64; 4], kind: Kind) -> Vec<Tensor> {
        let c = shape[1];
        let weight = |pitch| waves(&[c, c, 3, 3], pitch, kind) * (1.0 / c as f64).sqrt();
        let (first, second) = (weight(0.7), weight(0.9));
        vec![waves(&shape, 0.37, kind), first, waves(&[c], 0.5, kind), second, waves(&[c], 0.6, kind)]
    }

    /// Covers whole and partial tiles, the smallest maps, and more tiles than are processed at once.
    const MAPS: [[i64; 4]; 7] =
        [[2, 16, 8, 8], [1, 16, 5, 7], [2, 32, 9, 6], [1, 16, 2, 3], [1, 16, 3, 2], [2, 16, 2, 2], [2, 16, 70, 66]];

    #[test]
    fn a_residual_block_is_what_libtorch_makes_of_its_parts() {
        for shape in MAPS {
            let inputs = block_parameters(shape, Kind::Double);
            let ours = with_gradients(&inputs, |p| {
                residual(&p[0], [&p[1], &p[2], &p[3], &p[4]], EPSILON).unwrap().expect("a map that fits")
            });
            alike(F64, &format!("{shape:?}"), &ours, &with_gradients(&inputs, plain_block));
        }
    }

    /// Compares with f64, relative to the largest value: the rounding error is some ten units of 6e-8, two norms
    /// multiply it, and near 0 it can change the decision of the ReLU.
    #[test]
    fn a_residual_block_in_f32_is_near_f64() {
        for shape in [[2, 16, 8, 8], [1, 64, 16, 16], [2, 16, 70, 66]] {
            let exact = with_gradients(&block_parameters(shape, Kind::Double), plain_block);
            let ours = with_gradients(&block_parameters(shape, Kind::Float), |p| {
                residual(&p[0], [&p[1], &p[2], &p[3], &p[4]], EPSILON).unwrap().expect("a map that fits")
            });
            let most = |t: &Tensor| t.abs().max().double_value(&[]);
            for (i, (a, b)) in ours.iter().zip(&exact).enumerate() {
                let scale = most(b).max(1.0);
                Tolerance::abs(2e-4 * scale).tensor(&format!("{shape:?}, {i}"), a, b);
            }
        }
    }

    #[test]
    fn a_residual_block_without_norms_is_two_convolutions() {
        for shape in MAPS {
            let p = block_parameters(shape, Kind::Double);
            let ours = residual_without_norms(&p[0], [&p[1], &p[2], &p[3], &p[4]]).unwrap().unwrap();
            let hidden = conv3x3(&p[0], &p[1], &p[2]).relu();
            F64.tensor(&format!("{shape:?}"), &ours, &(&p[0] + conv3x3(&hidden, &p[3], &p[4])));
        }
    }

    #[test]
    fn norm_and_activation_are_what_libtorch_makes_of_them() {
        for (shape, slope) in [([2, 8, 9, 7], 0.0), ([1, 24, 5, 5], 0.2), ([2, 8, 40, 30], 1.0)] {
            let inputs = [waves(&shape, 0.37, Kind::Double) + 3.0];
            let ours = with_gradients(&inputs, |p| norm_activation(&p[0], slope, EPSILON).unwrap().unwrap());
            let theirs = with_gradients(&inputs, |p| {
                let z = norm(&p[0]);
                z.clamp_min(0.0) + z.clamp_max(0.0) * slope
            });
            alike(F64, &format!("{shape:?}"), &ours, &theirs);
        }
    }

    /// Every convolution of the networks, at odd sizes: (channels in, out, kernel, stride, padding, transposed).
    #[test]
    fn convolutions_are_libtorchs() {
        for (from, to, side, stride, padding, transposed) in [
            (3, 8, 7, 1, 0, false),
            (8, 3, 7, 1, 0, false),
            (5, 7, 3, 2, 1, false),
            (7, 5, 3, 2, 1, true),
            (3, 8, 4, 2, 1, false),
            (8, 16, 4, 1, 1, false),
            (16, 1, 4, 1, 1, false),
        ] {
            let form = ConvolutionForm { stride, padding, transposed, normalized: false };
            let kernel = if transposed { [from, to, side, side] } else { [to, from, side, side] };
            let inputs = [
                waves(&[2, from, 21, 18], 0.37, Kind::Double),
                waves(&kernel, 0.7, Kind::Double),
                waves(&[to], 0.5, Kind::Double),
            ];
            let ours = with_gradients(&inputs, |p| convolution(&p[0], &p[1], &p[2], form).unwrap().unwrap());
            let theirs = with_gradients(&inputs, |p| {
                let (s, d) = ([stride; 2], [padding; 2]);
                match transposed {
                    true => p[0].conv_transpose2d(&p[1], Some(&p[2]), s, d, [1, 1], 1, [1, 1]),
                    false => p[0].conv2d(&p[1], Some(&p[2]), s, d, [1, 1], 1),
                }
            });
            alike(F64, &format!("{form:?} {kernel:?}"), &ours, &theirs);
        }
    }

    #[test]
    fn a_bias_before_a_norm_has_no_gradient() {
        let form = ConvolutionForm { stride: 1, padding: 1, transposed: false, normalized: true };
        let inputs = [waves(&[1, 3, 8, 8], 0.37, Kind::Float), waves(&[8, 3, 3, 3], 0.7, Kind::Float)];
        let inputs = [inputs[0].copy(), inputs[1].copy(), waves(&[8], 0.5, Kind::Float)];
        let made = with_gradients(&inputs, |p| convolution(&p[0], &p[1], &p[2], form).unwrap().unwrap());
        assert_eq!(made[2], Tensor::zeros([8], (Kind::Float, Device::Cpu)));
    }

    #[test]
    fn what_does_not_fit_is_left_to_others() {
        let map = |channels, kind| Tensor::zeros([1, channels, 4, 4], (kind, Device::Cpu));
        assert!(norm_activation(&map(12, Kind::Float), 0.0, EPSILON).unwrap().is_none());
        assert!(norm_activation(&map(8, Kind::Half), 0.0, EPSILON).unwrap().is_none());
        assert!(norm_activation(&map(8, Kind::Float).squeeze_dim(0), 0.0, EPSILON).unwrap().is_none());
        let p = block_parameters([1, 8, 4, 4], Kind::Float);
        assert!(residual(&p[0], [&p[1], &p[2], &p[3], &p[4]], EPSILON).unwrap().is_none());
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let p = block_parameters([1, 16, 4, 4], Kind::Float);
        let with = |x: &Tensor, weight: &Tensor, bias: &Tensor| residual(x, [weight, bias, &p[3], &p[4]], EPSILON);
        assert!(with(&p[0].narrow(2, 0, 1), &p[1], &p[2]).is_err());
        assert!(with(&p[0], &p[1].narrow(0, 0, 8), &p[2]).is_err());
        assert!(with(&p[0], &p[1], &p[2].narrow(0, 0, 8)).is_err());
        assert!(with(&p[0], &p[1].to_kind(Kind::Double), &p[2]).is_err());
        assert!(norm_activation(&p[0].narrow(2, 0, 1).narrow(3, 0, 1), 0.0, EPSILON).is_err());
        let form = ConvolutionForm { stride: 1, padding: 0, transposed: false, normalized: false };
        assert!(convolution(&p[0], &p[1].narrow(1, 0, 8), &p[2], form).is_err());
    }
}
