//! The 70x70 PatchGAN discriminator (Isola et al. 2017, arXiv:1611.07004; Zhu et al. 2017, section 7.2).

use tch::Tensor;

use super::conv::{Behind, Conv2d, ConvShape, Role};
use super::init::Initialiser;
use super::layers::{LayerMemory, norm_activation};
use super::parameters::Parameters;
use super::spectral::SpectralNorm;
use crate::error::Result;
use crate::ffi;

const SLOPE: f64 = 0.2;
/// Indices of the convolutions in PyTorch's `Sequential`.
const INDICES: [usize; 5] = [0, 2, 5, 8, 11];
/// What is added to the name of a network that judges images at half size.
const HALF: &str = "_half";
/// Below this side the last convolution has fewer pixels than its kernel needs.
pub(crate) const SMALLEST_TRAINING_SIDE: i64 = 24;

/// What decides a discriminator's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiscriminatorShape {
    pub channels: i64,
    /// Feature maps of the first layer; 64 in the paper.
    pub features: i64,
    /// Whether each weight is divided by its largest singular value.
    pub spectral_norm: bool,
    /// Networks that judge an image: at its size, and with two of them at half of it as well.
    pub scales: usize,
}

/// Five 4x4 convolutions, C-f-2f-4f-8f-1; gives one raw score for each overlapping 70x70 patch.
#[derive(Debug)]
pub(crate) struct Discriminator {
    name: String,
    convs: Vec<Conv2d>,
    /// One for each convolution, or none.
    spectral: Vec<SpectralNorm>,
    /// A network of the same form that judges images at half size (Wang et al. 2018, arXiv:1711.11585, section 3.2).
    half: Option<Box<Discriminator>>,
}

impl Discriminator {
    /// `name` is the prefix of the parameters' names (`D_A`).
    pub fn new(name: &str, shape: DiscriminatorShape, init: &Initialiser) -> Result<Self> {
        let DiscriminatorShape { channels, features, spectral_norm, scales } = shape;
        let widths = [channels, features, 2 * features, 4 * features, 8 * features, 1];
        let strides = [2, 2, 2, 1, 1];
        let conv = |i: usize| {
            let role = if i == 4 { Role::Last } else { Role::Inner };
            let shape =
                ConvShape { input: widths[i], output: widths[i + 1], kernel: 4, stride: strides[i], padding: 1 };
            Conv2d::new(shape, role, &format!("{name}.{}", INDICES[i]), init)
        };
        let convs = (0..5).map(conv).collect::<Result<Vec<_>>>()?;
        let normed = if spectral_norm { convs.as_slice() } else { &[] };
        let norm = |(conv, index): (&Conv2d, usize)| {
            SpectralNorm::new(&format!("{name}.{index}"), init.seed, conv.parameters()[0])
        };
        let spectral = normed.iter().zip(INDICES).map(norm).collect::<Result<_>>()?;
        let of_half = |_| Self::new(&format!("{name}{HALF}"), DiscriminatorShape { scales: 1, ..shape }, init);
        let half = (scales > 1).then_some(()).map(of_half).transpose()?.map(Box::new);
        Ok(Self { name: name.to_string(), convs, spectral, half })
    }

    /// Each network with the images as it sees them: at their size, and at half of it where there is a second scale.
    ///
    /// # Shapes
    /// (N, C, H, W), sides of at least 24 for each scale, to a list of such.
    pub fn views(&self, x: &Tensor) -> Result<Vec<(&Self, Tensor)>> {
        let mut list = vec![(self, x.shallow_clone())];
        if let Some(half) = &self.half {
            // Borders count as no pixels.
            list.push((half, x.f_avg_pool2d([3, 3], [2, 2], [1, 1], false, false, None::<i64>)?));
        }
        Ok(list)
    }

    /// Scores images at their size; higher means more like a real one.
    ///
    /// # Shapes
    /// (N, C, H, W), sides of at least 24, to (N, 1, H', W').
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let by_own_layers = ffi::cuda_layers_fit(x);
        let mut y = if by_own_layers { ffi::channels_last(x)? } else { x.shallow_clone() };
        for (i, conv) in self.convs.iter().enumerate() {
            let weight = self.weight(i)?;
            y = match i {
                0 => ffi::leaky_relu(&conv.forward_by(&weight, &y, Behind::Nothing)?, SLOPE)?,
                4 => conv.forward_by(&weight, &y, Behind::Nothing)?,
                _ if by_own_layers => conv.normalised_by(&weight, &y, SLOPE, 0)?,
                _ => norm_activation(&conv.forward_by(&weight, &y, Behind::Norm)?, SLOPE)?,
            };
        }
        // In mixed precision the last layer gives bfloat16; losses are not to.
        Ok(y.f_to_kind(x.kind())?)
    }

    /// The weight that convolution `i` computes with.
    fn weight(&self, i: usize) -> Result<Tensor> {
        let [weight, _] = self.convs[i].parameters();
        match self.spectral.get(i) {
            Some(norm) => norm.applied(weight),
            None => Ok(weight.shallow_clone()),
        }
    }

    /// Brings the estimates of spectral norms nearer to weights that have moved.
    pub fn follow_weights(&self) -> Result<()> {
        self.normed().try_for_each(|(norm, weight)| norm.iterate(weight))?;
        self.half.iter().try_for_each(|half| half.follow_weights())
    }

    /// Begins the estimates of spectral norms anew, for other weights.
    pub fn restart_norms(&self) -> Result<()> {
        self.normed().try_for_each(|(norm, weight)| norm.restart(weight))?;
        self.half.iter().try_for_each(|half| half.restart_norms())
    }

    fn normed(&self) -> impl Iterator<Item = (&SpectralNorm, &Tensor)> {
        self.spectral.iter().zip(&self.convs).map(|(norm, conv)| (norm, conv.parameters()[0]))
    }

    /// What training changes besides the parameters: vectors of the spectral norms.
    pub fn vectors(&self) -> Parameters {
        let mut list = Parameters::new();
        self.spectral.iter().for_each(|norm| norm.collect(&mut list));
        list.extend(self.half.iter().flat_map(|half| half.vectors()));
        list
    }

    /// Parameters in the order of PyTorch's `state_dict`, those of the second scale last.
    pub fn parameters(&self) -> Parameters {
        let mut list = self.own_parameters();
        list.extend(self.half.iter().flat_map(|half| half.parameters()));
        list
    }

    fn own_parameters(&self) -> Parameters {
        let mut list = Parameters::new();
        for (conv, index) in self.convs.iter().zip(INDICES) {
            conv.collect(&format!("{}.{index}", self.name), &mut list);
        }
        list
    }

    /// The parameters of a discriminator without spectral norms that scores as this one does.
    pub fn folded_parameters(&self) -> Result<Parameters> {
        let mut list = self.own_parameters();
        for (i, (_, weight)) in list.iter_mut().step_by(2).enumerate() {
            *weight = self.weight(i)?;
        }
        if let Some(half) = &self.half {
            list.extend(half.folded_parameters()?);
        }
        Ok(list)
    }
}

/// Values that autograd keeps of one image, of `c` bands, through a discriminator of `d` features.
pub(crate) fn discriminator_activations(c: f64, d: f64, (height, width): (usize, usize), layers: LayerMemory) -> f64 {
    let area = (height * width) as f64;
    // Convolution and activation, with a norm between them in all but the first and last.
    let normed = match layers {
        LayerMemory::AsOne | LayerMemory::Bordered => 2.0,
        LayerMemory::ByParts => 3.0,
    };
    c * area + d * area * (2.0 / 4.0 + normed * (2.0 / 16.0 + 4.0 / 64.0 + 8.0 / 64.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Initialisation;
    use crate::random::Seed;
    use tch::{Device, Kind};

    #[test]
    fn patch_scores_have_the_papers_size() {
        let init =
            Initialiser { seed: Seed(0), scheme: Some(Initialisation::Paper), device: Device::Cpu, kind: Kind::Float };
        let shape = DiscriminatorShape { channels: 3, features: 4, spectral_norm: false, scales: 1 };
        let discriminator = Discriminator::new("D_A", shape, &init).unwrap();
        let side = |n| {
            let x = Tensor::zeros([1, 3, n, n], (Kind::Float, Device::Cpu));
            discriminator.forward(&x).map(|y| y.size())
        };
        assert_eq!(side(256).unwrap(), [1, 1, 30, 30]);
        assert_eq!(side(SMALLEST_TRAINING_SIDE).unwrap(), [1, 1, 1, 1]);
        assert!(side(16).is_err());
    }

    /// The second network has the first one's form and names of its own, and sees means of 3 x 3 pixels, fewer at a border.
    #[test]
    fn a_second_scale_judges_images_at_half_size() {
        let init =
            Initialiser { seed: Seed(0), scheme: Some(Initialisation::Paper), device: Device::Cpu, kind: Kind::Double };
        let shape = DiscriminatorShape { channels: 1, features: 2, spectral_norm: true, scales: 2 };
        let discriminator = Discriminator::new("D_A", shape, &init).unwrap();
        let x = Tensor::arange(48 * 48, (Kind::Double, Device::Cpu)).view([1, 1, 48, 48]);
        let views = discriminator.views(&x).unwrap();
        assert_eq!(views.iter().map(|(_, view)| view.size()[2]).collect::<Vec<_>>(), [48, 24]);
        assert_eq!(views[1].0.forward(&views[1].1).unwrap().size(), [1, 1, 1, 1]);
        // Pixels (0, 0), (0, 1), (1, 0), (1, 1); and the nine around (2, 2).
        assert_eq!(views[1].1.double_value(&[0, 0, 0, 0]), (1.0 + 48.0 + 49.0) / 4.0);
        assert_eq!(views[1].1.double_value(&[0, 0, 1, 1]), 2.0 * 48.0 + 2.0);
        let mut names: Vec<String> = discriminator.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!((names.len(), names[10].as_str()), (20, "D_A_half.0.weight"));
        let folded: Vec<String> =
            discriminator.folded_parameters().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(folded, names);
        assert_eq!(discriminator.vectors().len(), 20);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 20);
    }
}
