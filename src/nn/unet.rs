//! The U-Net generator (Ronneberger et al. 2015, arXiv:1505.04597; Isola et al. 2017, arXiv:1611.07004), as
//! arcgis.learn builds it.

use super::conv::ConvShape;
use super::init::UpsamplingInit;
use super::plan::{Layer, Plan};
use super::upsampling::{Upsampling, UpsamplingShape};

pub(super) const SLOPE: f64 = 0.2;
/// From this level on, the number of feature maps stays constant, and dropout is used in training.
pub(super) const DEEP: i64 = 4;

/// Size of a U-Net.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnetShape {
    /// Input channels.
    pub input: i64,
    /// Output channels.
    pub output: i64,
    /// Feature maps of the first layer; 64 in arcgis.learn.
    pub features: i64,
    /// How often height and width are halved; 8 times in arcgis.learn.
    pub levels: i64,
}

/// Plans `levels` 4x4 convolutions that halve height and width; transposed ones that double them again, each of which
/// also sees the map of the same size from the way down; and at the end a doubling of pixels and a 4x4 convolution,
/// which is the only one with a bias.
///
/// Images whose sides are not multiples of 2^levels are extended by mirroring and cropped again, as in all networks
/// here; otherwise maps of odd sides would not match those of the way up.
///
/// # Shapes
/// (N, channels in, H, W) to (N, channels out, H, W), of any height and width from 1.
pub(crate) fn unet(shape: UnetShape) -> Plan {
    let side = 1 << shape.levels;
    let layers = vec![shape.down(1), Layer::Skip(shape.below(2)), shape.last()];
    Plan { layers, factor: side, smallest_side: side, spectral_norm: false }
}

impl UnetShape {
    /// Returns the feature maps of a level.
    pub(super) fn features(self, level: i64) -> i64 {
        self.features << (level.min(DEEP) - 1)
    }

    /// Lists the layers from this level down and back up.
    fn below(self, level: i64) -> Vec<Layer> {
        let inner = (level < self.levels).then(|| Layer::Skip(self.below(level + 1)));
        std::iter::once(self.down(level)).chain(inner).chain([self.up(level)]).collect()
    }

    /// Returns the convolution that leads into a level.
    fn down(self, level: i64) -> Layer {
        let input = if level == 1 { self.input } else { self.features(level - 1) };
        let shape =
            ConvShape { input, output: self.features(level), kernel: 4, stride: 2, padding: 1, has_bias: false };
        let mut layers = vec![Layer::Convolution(shape)];
        // The innermost map may be a single pixel, which has no deviation.
        layers.extend((1 < level && level < self.levels).then_some(Layer::InstanceNorm));
        layers.push(Layer::Rectify(SLOPE));
        layers.extend((level >= DEEP).then_some(Layer::Dropout));
        block(format!("down{level}"), layers)
    }

    /// Returns the transposed convolution that leads out of a level.
    fn up(self, level: i64) -> Layer {
        let times = if level < self.levels { 2 } else { 1 };
        let shape = UpsamplingShape {
            form: Upsampling::Transposed,
            start: UpsamplingInit::Scheme,
            input: times * self.features(level),
            output: self.features(level - 1),
            kernel: 4,
            has_bias: false,
        };
        let mut layers = vec![Layer::Upsampling(shape), Layer::InstanceNorm, Layer::Rectify(0.0)];
        layers.extend((level > DEEP).then_some(Layer::Dropout));
        block(format!("up{}", self.levels - level + 1), layers)
    }

    fn last(self) -> Layer {
        let (input, output) = (2 * self.features(1), self.output);
        let shape = ConvShape { input, output, kernel: 4, stride: 1, padding: 1, has_bias: true };
        let layers = vec![Layer::Enlarge, Layer::ZeroPad, Layer::Convolution(shape), Layer::Tanh];
        Layer::Module("final".to_owned(), layers)
    }
}

/// Wraps layers in a `Sequential` called `model`, in a module of this name.
pub(super) fn block(name: String, layers: Vec<Layer>) -> Layer {
    Layer::Module(name, vec![Layer::Module("model".to_owned(), layers)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::nn::{
        GatheringNorm, Initialization, Initializer, Network, NormWithDropout, PairDiscriminatorShape, activations,
    };
    use crate::nn::{LayerMemory, pair_discriminator};
    use crate::peers::Portion;
    use crate::random::Seed;
    use crate::testing::fixture;
    use tch::{Device, Kind, Tensor};

    const SMALL: UnetShape = UnetShape { input: 2, output: 3, features: 2, levels: 5 };

    fn network(shape: UnetShape) -> Network {
        let scheme = Some(Initialization::Kaiming);
        let init = Initializer { seed: Seed(1), scheme, device: Device::Cpu, kind: Kind::Double };
        Network::new("G", unet(shape), &init).unwrap()
    }

    fn images(n: i64, height: i64, width: i64) -> Tensor {
        Tensor::arange(n * 2 * height * width, (Kind::Double, Device::Cpu)).sin().view([n, 2, height, width])
    }

    /// As listed by arcgis.learn 2.4.4 for three bands (`tests/fixtures/arcgis/README.md`).
    #[test]
    fn names_and_shapes_are_those_of_arcgis() {
        let text = std::fs::read_to_string(fixture("arcgis/pix2pix_state_dict.txt")).unwrap();
        let judge = pair_discriminator(PairDiscriminatorShape { channels: 6, features: 64 });
        let generator = unet(UnetShape { input: 3, output: 3, features: 64, levels: 8 });
        let mut found = Vec::new();
        for (name, plan) in [("D", &judge), ("G", &generator)] {
            for placed in plan.weighted() {
                let path = format!("{name}.{}", placed.path);
                found.push(format!("{path}.weight {:?}", placed.layer.weight()));
                found.extend(placed.layer.has_bias().then(|| format!("{path}.bias [{}]", placed.layer.outputs())));
            }
        }
        assert_eq!(found, text.lines().collect::<Vec<_>>());
        assert_eq!(generator.parameter_count(), 54_404_099);
        let network = network(SMALL);
        let listed: Vec<String> = network.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(listed.len(), 5 + 4 + 2);
        assert_eq!((listed[0].as_str(), listed[10].as_str()), ("G.down1.model.0.weight", "G.final.2.bias"));
        assert_eq!(network.plan().encoder().last().unwrap(), "down5.model.0");
    }

    #[test]
    fn modules_are_those_of_arcgis() {
        let text = std::fs::read_to_string(fixture("arcgis/pix2pix_modules.txt")).unwrap();
        let plan = unet(UnetShape { input: 3, output: 3, features: 64, levels: 8 });
        let name = |(path, is_norm): (String, bool)| {
            let path = if path.is_empty() { "G".to_owned() } else { format!("G.{path}") };
            format!("{path}{}", if is_norm { " norm" } else { "" })
        };
        let found: Vec<String> = plan.modules().into_iter().map(name).collect();
        assert_eq!(found, text.lines().filter(|line| line.starts_with('G')).collect::<Vec<_>>());
    }

    #[test]
    fn outputs_have_the_size_of_inputs() {
        let network = network(SMALL);
        for (height, width) in [(1, 1), (3, 40), (32, 32), (33, 64), (70, 31)] {
            let made = network.forward(&images(2, height, width)).unwrap();
            assert_eq!(made.size(), [2, 3, height, width]);
            assert!(made.isfinite().all().int64_value(&[]) == 1, "{height}x{width}");
        }
    }

    /// Level by level in libtorch's own operators; 1e-12 is rounding.
    #[test]
    fn it_equals_its_layers_run_one_by_one() {
        let (network, x) = (network(SMALL), images(2, 64, 32));
        let parameters = network.parameters();
        let weight = |name: &str| &parameters.iter().find(|(other, _)| *other == format!("G.{name}")).unwrap().1;
        let norm = |x: Tensor| {
            x.instance_norm(None::<Tensor>, None::<Tensor>, None::<Tensor>, None::<Tensor>, true, 0.0, 1e-5, false)
        };
        let mut maps: Vec<Tensor> = Vec::new();
        for level in 1..=5 {
            let from = maps.last().unwrap_or(&x);
            let weight = weight(&format!("down{level}.model.0.weight"));
            let made = from.conv2d(weight, None::<Tensor>, [2, 2], [1, 1], [1, 1], 1);
            let made = if (2..5).contains(&level) { norm(made) } else { made };
            maps.push(made.maximum(&(&made * 0.2)));
        }
        let mut y = maps.pop().unwrap();
        for up in 1..=4 {
            let weight = weight(&format!("up{up}.model.0.weight"));
            y = norm(y.conv_transpose2d(weight, None::<Tensor>, [2, 2], [1, 1], [0, 0], 1, [1, 1])).relu();
            y = Tensor::cat(&[y, maps.pop().unwrap()], 1);
        }
        let y = y.repeat_interleave_self_int(2, 2, None).repeat_interleave_self_int(2, 3, None);
        let y = y.constant_pad_nd([1, 0, 1, 0]);
        let (last, bias) = (weight("final.2.weight"), weight("final.2.bias"));
        let expected = y.conv2d(last, Some(bias), [1, 1], [1, 1], [1, 1], 1).tanh();
        let made = network.forward(&x).unwrap();
        assert!((made - &expected).abs().max().double_value(&[]) < 1e-12);
        assert!(expected.std(true).double_value(&[]) > 0.1);
    }

    /// In evaluation mode, nothing is dropped.
    #[test]
    fn values_are_dropped_by_step() {
        let (network, x) = (network(SMALL), images(2, 32, 32));
        let made =
            |step| network.forward_with(&x, &mut NormWithDropout::new(Seed(5), step, Portion::whole(2))).unwrap();
        assert_eq!(made(3), made(3));
        let apart = |a: Tensor, b: Tensor| (a - b).abs().mean(Kind::Double).double_value(&[]);
        assert!(apart(made(3), made(4)) > 1e-4);
        assert!(apart(made(3), network.forward(&x).unwrap()) > 1e-4);
        assert_eq!(network.forward(&x).unwrap(), network.forward(&x).unwrap());
    }

    #[test]
    fn statistics_cannot_be_fixed() {
        let (network, x) = (network(SMALL), images(1, 32, 32));
        let mut pooled = GatheringNorm::pooled(None);
        let _ = network.forward_with(&x, &mut pooled).unwrap();
        let counted: usize = pooled.layers.iter().map(|layer| layer.mean.numel()).sum();
        assert_eq!(network.plan().normed_channels(2), counted);
        let error = network.folded(&pooled.layers).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("NormStatistics::Tile"), "{error}");
    }

    /// Counted by hand for one layer of each kind: 4 features, 2 levels, 2 channels of 8 x 8 pixels.
    #[test]
    fn memory_of_training_is_counted() {
        let plan = unet(UnetShape { input: 2, output: 1, features: 4, levels: 2 });
        let found = activations(&plan, 2, (8, 8), LayerMemory::ByParts);
        let image = 2 * 64;
        // After the convolution and its rectifier.
        let down = 2 * 4 * 16 + 2 * 8 * 4;
        // The transposed convolution, with its rectifier in place; then the concatenation of both maps.
        let up = 2 * 4 * 16 + 8 * 16;
        let last = 8 * 81 + 3 * 64;
        assert_eq!(found, f64::from(image + down + up + last));
    }
}
