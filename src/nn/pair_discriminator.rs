//! The discriminator of image pairs (Isola et al. 2017, arXiv:1611.07004), as arcgis.learn builds it.

use super::conv::ConvShape;
use super::plan::{Layer, Plan};

const SLOPE: f64 = 0.2;
/// On shorter sides, norms would have a single pixel of each map.
pub(crate) const SMALLEST_PAIR_SIDE: i64 = 32;

/// Size of a pair discriminator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairDiscriminatorShape {
    /// Channels of both images together.
    pub channels: i64,
    /// Feature maps of the first layer; 64 in the paper.
    pub features: i64,
}

/// Plans four 4x4 convolutions that halve height and width, C-f-2f-4f-8f, and one without bias that returns a raw score
/// for each overlapping 94x94 patch of a pair.
///
/// # Shapes
/// (N, channels of both images, H, W), sides of at least 32, to (N, 1, H / 16, W / 16).
pub(crate) fn pair_discriminator(PairDiscriminatorShape { channels, features: f }: PairDiscriminatorShape) -> Plan {
    let halving = |input, output| {
        Layer::Convolution(ConvShape { input, output, kernel: 4, stride: 2, padding: 1, has_bias: true })
    };
    let normed = |input, output| [halving(input, output), Layer::InstanceNorm, Layer::Rectify(SLOPE)];
    let mut layers = vec![halving(channels, f), Layer::Rectify(SLOPE)];
    layers.extend(normed(f, 2 * f));
    layers.extend(normed(2 * f, 4 * f));
    layers.extend(normed(4 * f, 8 * f));
    let last = ConvShape { input: 8 * f, output: 1, kernel: 4, stride: 1, padding: 1, has_bias: false };
    layers.extend([Layer::ZeroPad, Layer::Convolution(last)]);
    let layers = vec![Layer::Module("model".to_owned(), layers)];
    // Images that are too small are an error: scores of mirrored pixels would mean nothing.
    Plan { layers, factor: 1, smallest_side: 1, spectral_norm: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Initialization, Initializer, Network};
    use crate::random::Seed;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn each_patch_has_a_score() {
        let scheme = Some(Initialization::Paper);
        let init = Initializer { seed: Seed(0), scheme, device: Device::Cpu, kind: Kind::Float };
        let plan = pair_discriminator(PairDiscriminatorShape { channels: 5, features: 2 });
        let judge = Network::new("D", plan, &init).unwrap();
        let scores = |n| judge.forward(&Tensor::zeros([2, 5, n, n], (Kind::Float, Device::Cpu))).unwrap().size();
        assert_eq!(scores(256), [2, 1, 16, 16]);
        assert_eq!(scores(SMALLEST_PAIR_SIDE), [2, 1, 2, 2]);
        assert_eq!(scores(70), [2, 1, 4, 4]);
        let names: Vec<String> = judge.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 9);
        assert_eq!(names.last().unwrap(), "D.model.12.weight");
    }
}
