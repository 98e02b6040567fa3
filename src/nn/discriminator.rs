//! The 70x70 PatchGAN discriminator (Isola et al. 2017, arXiv:1611.07004; Zhu et al. 2017, section 7.2).

use tch::Tensor;

use super::conv::ConvShape;
use super::init::Initializer;
use super::network::Network;
use super::parameters::Parameters;
use super::plan::{Layer, Plan};
use crate::error::Result;

const SLOPE: f64 = 0.2;
/// Suffix of the name of a network that judges images at half size.
const HALF: &str = "_half";
/// On shorter sides, the last convolution has fewer pixels than its kernel needs.
pub(crate) const SMALLEST_TRAINING_SIDE: i64 = 24;

/// Size of a discriminator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiscriminatorShape {
    pub channels: i64,
    /// Feature maps of the first layer; 64 in the paper.
    pub features: i64,
    /// Whether each weight is divided by its largest singular value (spectral norm).
    pub spectral_norm: bool,
    /// Number of networks that judge an image: one at full size, and with two another at half size.
    pub scales: usize,
}

/// Plans five 4x4 convolutions, C-f-2f-4f-8f-1, that return one raw score for each overlapping 70x70 patch.
///
/// # Shapes
/// (N, C, H, W), sides of at least 24, to (N, 1, H', W').
pub(crate) fn discriminator(shape: DiscriminatorShape) -> Plan {
    let DiscriminatorShape { channels, features: f, spectral_norm, .. } = shape;
    let conv = |input, output, stride| {
        Layer::Convolution(ConvShape { input, output, kernel: 4, stride, padding: 1, has_bias: true })
    };
    let normed = |input, output, stride| [conv(input, output, stride), Layer::InstanceNorm, Layer::Rectify(SLOPE)];
    let mut layers = vec![conv(channels, f, 2), Layer::Rectify(SLOPE)];
    layers.extend(normed(f, 2 * f, 2));
    layers.extend(normed(2 * f, 4 * f, 2));
    layers.extend(normed(4 * f, 8 * f, 1));
    layers.push(conv(8 * f, 1, 1));
    // Images that are too small are an error: scores of mirrored pixels would mean nothing.
    Plan { layers, factor: 1, smallest_side: 1, spectral_norm }
}

/// A discriminator: one network, or one for each scale.
#[derive(Debug)]
pub(crate) struct Discriminator {
    /// Judges images at full size.
    full: Network,
    /// A network of the same shape that judges images at half size (Wang et al. 2018, arXiv:1711.11585, section 3.2).
    half: Option<Network>,
}

impl Discriminator {
    /// Creates a discriminator; `name` is the prefix of its parameters' names (`D_A`).
    pub fn new(name: &str, shape: DiscriminatorShape, init: &Initializer) -> Result<Self> {
        let network = |name: &str| Network::new(name, discriminator(shape), init);
        let half = (shape.scales > 1).then(|| network(&format!("{name}{HALF}"))).transpose()?;
        Ok(Self { full: network(name)?, half })
    }

    /// Returns each network with the images it judges: at full size, and at half size if there is a second scale.
    ///
    /// # Shapes
    /// (N, C, H, W), sides of at least 24 for each scale, to a list of such.
    pub fn views(&self, x: &Tensor) -> Result<Vec<(&Network, Tensor)>> {
        let mut list = vec![(&self.full, x.shallow_clone())];
        if let Some(half) = &self.half {
            // Pixels beyond the border do not count.
            list.push((half, x.f_avg_pool2d([3, 3], [2, 2], [1, 1], false, false, None::<i64>)?));
        }
        Ok(list)
    }

    /// Returns the network that judges images at full size; higher scores mean more realistic.
    #[cfg(test)]
    pub fn full(&self) -> &Network {
        &self.full
    }

    /// Returns all networks, the full-size one first.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        std::iter::once(&self.full).chain(&self.half)
    }

    /// Updates the estimates of spectral norms after the weights have changed.
    pub fn update_spectral_norms(&self) -> Result<()> {
        self.networks().try_for_each(Network::update_spectral_norms)
    }

    /// Starts the estimates of spectral norms over, for other weights.
    pub fn restart_spectral_norms(&self) -> Result<()> {
        self.networks().try_for_each(Network::restart_spectral_norms)
    }

    /// Returns what training changes besides the parameters: the vectors of the spectral norms.
    pub fn vectors(&self) -> Parameters {
        self.networks().flat_map(Network::vectors).collect()
    }

    /// Returns the parameters in the order of PyTorch's `state_dict`, those of the second scale last.
    pub fn parameters(&self) -> Parameters {
        self.networks().flat_map(Network::parameters).collect()
    }

    /// Returns the parameters of a discriminator without spectral norms that gives the same scores.
    pub fn applied_parameters(&self) -> Result<Parameters> {
        let lists = self.networks().map(Network::applied_parameters).collect::<Result<Vec<_>>>()?;
        Ok(lists.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Initialization, Initializer};
    use crate::random::Seed;
    use tch::{Device, Kind};

    #[test]
    fn patch_scores_have_the_papers_size() {
        let init =
            Initializer { seed: Seed(0), scheme: Some(Initialization::Paper), device: Device::Cpu, kind: Kind::Float };
        let shape = DiscriminatorShape { channels: 3, features: 4, spectral_norm: false, scales: 1 };
        let disc = Discriminator::new("D_A", shape, &init).unwrap();
        let side = |n| {
            let x = Tensor::zeros([1, 3, n, n], (Kind::Float, Device::Cpu));
            disc.full().forward(&x).map(|y| y.size())
        };
        assert_eq!(side(256).unwrap(), [1, 1, 30, 30]);
        assert_eq!(side(SMALLEST_TRAINING_SIDE).unwrap(), [1, 1, 1, 1]);
        assert!(side(16).is_err());
    }

    /// The second network has the same shape as the first and its own names. It sees means of 3 x 3 pixels, fewer at a
    /// border.
    #[test]
    fn a_second_scale_judges_images_at_half_size() {
        let init =
            Initializer { seed: Seed(0), scheme: Some(Initialization::Paper), device: Device::Cpu, kind: Kind::Double };
        let shape = DiscriminatorShape { channels: 1, features: 2, spectral_norm: true, scales: 2 };
        let disc = Discriminator::new("D_A", shape, &init).unwrap();
        let x = Tensor::arange(48 * 48, (Kind::Double, Device::Cpu)).view([1, 1, 48, 48]);
        let views = disc.views(&x).unwrap();
        assert_eq!(views.iter().map(|(_, view)| view.size()[2]).collect::<Vec<_>>(), [48, 24]);
        assert_eq!(views[1].0.forward(&views[1].1).unwrap().size(), [1, 1, 1, 1]);
        // Pixels (0, 0), (0, 1), (1, 0), (1, 1); and the nine around (2, 2).
        assert_eq!(views[1].1.double_value(&[0, 0, 0, 0]), (1.0 + 48.0 + 49.0) / 4.0);
        assert_eq!(views[1].1.double_value(&[0, 0, 1, 1]), 2.0 * 48.0 + 2.0);
        let mut names: Vec<String> = disc.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!((names.len(), names[10].as_str()), (20, "D_A_half.0.weight"));
        let folded: Vec<String> = disc.applied_parameters().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(folded, names);
        assert_eq!(disc.vectors().len(), 20);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 20);
    }
}
