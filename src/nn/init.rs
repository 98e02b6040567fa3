//! Initialization of parameters.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::ffi;
use crate::random::{Seed, Stream};

/// Position of a layer in its network, which decides how it is initialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A convolution inside the network.
    Inner,
    /// A transposed convolution.
    Upsampling,
    /// The last layer of the network.
    Last,
}

/// How the weights of new networks are initialized. They are drawn on the CPU from the model's seed, so that every
/// device starts from the same numbers.
///
/// ```
/// use geolearn::nn::Initialization;
/// use geolearn::{CycleGan, DatasetType, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let builder = CycleGan::builder(&data).initialization(Initialization::Kaiming);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initialization {
    /// Weights from N(0, 0.02), biases zero (Zhu et al. 2017, section 7.1 of arXiv:1703.10593). The default.
    #[default]
    Paper,
    /// Like arcgis.learn: Kaiming normal by fan-in (He et al. 2015) with zero bias, but PyTorch's default for the
    /// transposed convolutions and the last layer of each network.
    Kaiming,
}

/// How the weights of the transposed convolutions are initialized.
///
/// ```
/// use geolearn::nn::UpsamplingInit;
/// use geolearn::{CycleGan, DatasetType, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let builder = CycleGan::builder(&data).upsampling_init(UpsamplingInit::Bilinear);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UpsamplingInit {
    /// Like the other weights, independently of each other. The sums of weights then differ between the even and odd
    /// pixels of the output, which shows as a checkerboard (Odena et al. 2016, doi:10.23915/distill.00003). The
    /// default.
    #[default]
    Scheme,
    /// Bilinear interpolation times one random number for each kernel, so that every pixel of the output has the same
    /// sum of weights. The variance over all weights is that of the initialization scheme, and so is the variance of
    /// the outputs for white inputs.
    Bilinear,
}

/// Twice the kernel of bilinear interpolation by 2. The mean of its squares is 1, so random factors of a given variance
/// give weights of that variance.
const BILINEAR: [f64; 9] = [0.5, 1.0, 0.5, 1.0, 2.0, 1.0, 0.5, 1.0, 0.5];

/// Draws parameters for one set of networks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Initializer {
    pub seed: Seed,
    /// `None` leaves zeros, for weights that will be loaded.
    pub scheme: Option<Initialization>,
    pub device: Device,
    pub kind: Kind,
}

impl Initializer {
    /// Draws weight and bias of a convolution. `weight` is PyTorch's weight shape; each layer has its own stream.
    pub fn convolution(&self, name: &str, weight: [i64; 4], outputs: i64, role: Role) -> Result<(Tensor, Tensor)> {
        let Some(scheme) = self.scheme else {
            let zeros = |shape: &[i64]| Tensor::f_zeros(shape, (self.kind, self.device));
            return trained(zeros(&weight)?, zeros(&[outputs])?);
        };
        let (w, b) = self.drawn(scheme, name, weight, weight, outputs, role)?;
        trained(w, b)
    }

    /// Draws weight, (inputs, outputs, kernel, kernel), and bias of a transposed convolution with stride 2. Bilinear
    /// initialization requires 3 x 3 kernels.
    pub fn upsampling(&self, name: &str, start: UpsamplingInit, weight: [i64; 4]) -> Result<(Tensor, Tensor)> {
        let ([inputs, outputs, ..], role) = (weight, Role::Upsampling);
        let (Some(scheme), UpsamplingInit::Bilinear) = (self.scheme, start) else {
            return self.convolution(name, weight, outputs, role);
        };
        let (each, bias) = self.drawn(scheme, name, weight, [inputs, outputs, 1, 1], outputs, role)?;
        let weight = each.f_multiply(&self.tensor(&BILINEAR, &[1, 1, 3, 3])?)?.f_contiguous()?;
        trained(weight, bias)
    }

    /// Draws random numbers in the shape `drawn` as for a layer of the shape `weight`, and the bias of that layer.
    fn drawn(
        &self,
        scheme: Initialization,
        name: &str,
        weight: [i64; 4],
        drawn: [i64; 4],
        outputs: i64,
        role: Role,
    ) -> Result<(Tensor, Tensor)> {
        let mut stream = self.seed.stream(name, 0);
        // PyTorch computes fan-in from dimension 1, for transposed convolutions, too.
        let fan_in = (weight[1] * weight[2] * weight[3]) as f64;
        let torch_default = scheme == Initialization::Kaiming && role != Role::Inner;
        if torch_default {
            let bound = 1.0 / fan_in.sqrt();
            return Ok((self.uniform(&mut stream, &drawn, bound)?, self.uniform(&mut stream, &[outputs], bound)?));
        }
        let deviation = match scheme {
            Initialization::Paper => 0.02,
            Initialization::Kaiming => (2.0 / fan_in).sqrt(),
        };
        Ok((self.normal(&mut stream, &drawn, deviation)?, Tensor::f_zeros([outputs], (self.kind, self.device))?))
    }

    fn normal(&self, stream: &mut Stream, shape: &[i64], deviation: f64) -> Result<Tensor> {
        let values = stream.normals(count(shape)).into_iter().map(|v| v * deviation).collect::<Vec<_>>();
        self.tensor(&values, shape)
    }

    fn uniform(&self, stream: &mut Stream, shape: &[i64], bound: f64) -> Result<Tensor> {
        let values = (0..count(shape)).map(|_| stream.between(-bound, bound)).collect::<Vec<_>>();
        self.tensor(&values, shape)
    }

    fn tensor(&self, values: &[f64], shape: &[i64]) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(values)?.f_reshape(shape)?.f_to_kind(self.kind)?.f_to_device(self.device)?)
    }
}

/// Marks weight and bias as trainable parameters.
fn trained(weight: Tensor, bias: Tensor) -> Result<(Tensor, Tensor)> {
    Ok((ffi::with_weight_layout(weight)?.set_requires_grad(true), bias.set_requires_grad(true)))
}

fn count(shape: &[i64]) -> usize {
    shape.iter().product::<i64>() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(scheme: Initialization, role: Role) -> (Tensor, Tensor) {
        let init = Initializer { seed: Seed(3), scheme: Some(scheme), device: Device::Cpu, kind: Kind::Double };
        init.convolution("layer", [64, 32, 3, 3], 64, role).unwrap()
    }

    fn deviation(t: &Tensor) -> f64 {
        t.std(true).double_value(&[])
    }

    /// 18,432 draws: the sample deviation stays within 5 standard errors (2.6 %) of the distribution's.
    #[test]
    fn spread_is_that_of_each_scheme() {
        let fan_in = 32.0 * 9.0f64;
        for (scheme, role, expected) in [
            (Initialization::Paper, Role::Inner, 0.02),
            (Initialization::Paper, Role::Last, 0.02),
            (Initialization::Kaiming, Role::Inner, (2.0 / fan_in).sqrt()),
            (Initialization::Kaiming, Role::Last, (1.0 / fan_in).sqrt() / 3f64.sqrt()),
        ] {
            let (weight, bias) = draw(scheme, role);
            assert!((deviation(&weight) / expected - 1.0).abs() < 0.026, "{scheme:?} {role:?}");
            let zero_bias = bias.abs().max().double_value(&[]) == 0.0;
            assert_eq!(zero_bias, !(scheme == Initialization::Kaiming && role == Role::Last));
        }
    }

    /// 24,576 kernels, each one draw: the variance of all weights is within 5 standard errors (4.5 %) of the scheme's.
    #[test]
    fn a_bilinear_start_has_the_spread_of_each_scheme() {
        for scheme in [Initialization::Paper, Initialization::Kaiming] {
            let init = Initializer { seed: Seed(3), scheme: Some(scheme), device: Device::Cpu, kind: Kind::Double };
            let weights = |start| init.upsampling("layer", start, [192, 128, 3, 3]).unwrap().0;
            let (bilinear, plain) = (weights(UpsamplingInit::Bilinear), weights(UpsamplingInit::Scheme));
            assert!(bilinear.is_contiguous() && bilinear.requires_grad() && bilinear.size() == plain.size());
            let ratio = (deviation(&bilinear) / deviation(&plain)).powi(2);
            assert!((ratio - 1.0).abs() < 0.045, "{scheme:?}: {ratio}");
            let plainly = init.convolution("layer", [192, 128, 3, 3], 128, Role::Upsampling).unwrap().0;
            assert_eq!(plain, plainly);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        assert_eq!(draw(Initialization::Paper, Role::Inner).0, draw(Initialization::Paper, Role::Inner).0);
    }
}
