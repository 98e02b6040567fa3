//! The ResNet generator (Johnson et al. 2016; Zhu et al. 2017, section 7.2 of arXiv:1703.10593).

use super::conv::ConvShape;
use super::init::UpsamplingInit;
use super::plan::{Layer, Plan};
use super::upsampling::{Upsampling, UpsamplingShape};

/// Size of a generator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GeneratorShape {
    /// Input channels.
    pub input: i64,
    /// Output channels.
    pub output: i64,
    /// Feature maps of the first layer; 64 in the paper.
    pub features: i64,
    /// Residual blocks; 9 in the paper.
    pub blocks: i64,
    /// How height and width are doubled.
    pub upsampling: Upsampling,
    /// How transposed convolutions are initialized.
    pub upsampling_init: UpsamplingInit,
    /// Whether the image is added to the last layer's output; requires as many output channels as input channels.
    pub global_skip: bool,
}

/// Plans c7s1-f, d2f, d4f, n residual blocks, u2f, uf, c7s1-C, tanh, in the paper's notation; with a global skip, the
/// image is added before the tanh.
///
/// # Shapes
/// (N, channels in, H, W) to (N, channels out, H, W), of any height and width from 1.
pub(crate) fn generator(shape: GeneratorShape) -> Plan {
    let GeneratorShape { input, output, features: f, blocks, upsampling: form, upsampling_init: start, global_skip } =
        shape;
    let wide = |input, output| {
        Layer::Convolution(ConvShape { input, output, kernel: 7, stride: 1, padding: 0, has_bias: true })
    };
    let half = |input| ConvShape { input, output: 2 * input, kernel: 3, stride: 2, padding: 1, has_bias: true };
    let down = |input| Layer::Convolution(half(input));
    let double = |input| UpsamplingShape { form, start, input, output: input / 2, kernel: 3, has_bias: true };
    let up = |input| Layer::Upsampling(double(input));
    let normed = |layer| [layer, Layer::InstanceNorm, Layer::Rectify(0.0)];
    let mut layers = vec![Layer::Reflect(3)];
    layers.extend(normed(wide(input, f)));
    layers.extend([down(f), down(2 * f)].into_iter().flat_map(normed));
    layers.extend((0..blocks).map(|_| residual_block(4 * f)));
    layers.extend([up(4 * f), up(2 * f)].into_iter().flat_map(normed));
    layers.extend([Layer::Reflect(3), wide(f, output)]);
    layers.extend(global_skip.then_some(Layer::AddImage));
    layers.push(Layer::Tanh);
    // Two convolutions with stride 2 halve height and width twice. On sides below 8, the inner reflection padding would
    // be as wide as its input.
    Plan { layers, factor: 4, smallest_side: 8, spectral_norm: false }
}

/// Plans `x + norm(conv(reflect(relu(norm(conv(reflect(x)))))))` with 3x3 convolutions (He et al. 2016, as modified by
/// Johnson et al. 2016, arXiv:1603.08155).
fn residual_block(features: i64) -> Layer {
    let shape = ConvShape { input: features, output: features, kernel: 3, stride: 1, padding: 0, has_bias: true };
    let normed = || [Layer::Reflect(1), Layer::Convolution(shape), Layer::InstanceNorm];
    Layer::Residual(normed().into_iter().chain([Layer::Rectify(0.0)]).chain(normed()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{GatheringNorm, Initialization, Initializer, Network};
    use crate::random::Seed;
    use tch::{Device, Kind, Tensor};

    fn small() -> Network {
        with(Upsampling::Transposed)
    }

    const BOTH: [Upsampling; 2] = [Upsampling::Transposed, Upsampling::Resize];

    fn with(upsampling: Upsampling) -> Network {
        made(upsampling, false)
    }

    fn made(upsampling: Upsampling, global_skip: bool) -> Network {
        let init =
            Initializer { seed: Seed(0), scheme: Some(Initialization::Paper), device: Device::Cpu, kind: Kind::Float };
        let upsampling_init = UpsamplingInit::Scheme;
        let shape =
            GeneratorShape { input: 3, output: 3, features: 4, blocks: 2, upsampling, upsampling_init, global_skip };
        Network::new("G_A", generator(shape), &init).unwrap()
    }

    #[test]
    fn outputs_have_the_size_of_inputs() {
        let sizes = [(1, 1), (1, 70), (3, 5), (7, 8), (8, 8), (33, 64), (61, 59)];
        for (generator, (height, width)) in BOTH.into_iter().flat_map(|form| sizes.map(|size| (with(form), size))) {
            let x = Tensor::arange(6 * height * width, (Kind::Float, Device::Cpu)).sin().view([2, 3, height, width]);
            let y = generator.forward(&x).unwrap();
            assert_eq!(y.size(), [2, 3, height, width]);
            assert!(y.isfinite().all().int64_value(&[]) == 1, "{height}x{width}");
        }
    }

    /// 1e-4: the folded weights are rounded once more, and the error passes through seven layers.
    #[test]
    fn folded_statistics_give_the_same_image() {
        for generator in BOTH.map(with).into_iter().chain([made(Upsampling::Transposed, true)]) {
            let x = Tensor::arange(2 * 3 * 36 * 28, (Kind::Float, Device::Cpu)).sin().view([2, 3, 36, 28]);
            let mut pooled = GatheringNorm::pooled(None);
            let expected = generator.forward_with(&x, &mut pooled).unwrap();
            let made = generator.folded(&pooled.layers).unwrap().forward(&x).unwrap();
            assert!((made - expected).abs().max().double_value(&[]) < 1e-4);
            assert!(generator.folded(&pooled.layers[1..]).is_err());
        }
    }

    /// Measures how far a change of the pixel at an end of a line of 96 reaches.
    fn reach_from(generator: &Network, end: i64) -> usize {
        let x = Tensor::arange(3 * 96 * 8, (Kind::Float, Device::Cpu)).sin().view([1, 3, 8, 96]);
        let mut pooled = GatheringNorm::pooled(None);
        let _ = generator.forward_with(&x, &mut pooled).unwrap();
        let folded = generator.folded(&pooled.layers).unwrap();
        let changed = x.copy();
        let _ = changed.narrow(3, end, 1).fill_(1.0);
        let difference = (folded.forward(&x).unwrap() - folded.forward(&changed).unwrap()).abs().amax([0, 1, 2], false);
        let felt = (0..96).filter(|&pixel| difference.double_value(&[pixel]) > 1e-5);
        felt.map(|pixel| pixel.abs_diff(end)).max().unwrap() as usize
    }

    /// Pixels farther away change nothing but rounding, which the pixels of a Winograd tile share; nearer ones do
    /// change the output, to the left or to the right.
    #[test]
    fn reach_bounds_the_influence_of_a_pixel() {
        for generator in BOTH.map(with) {
            let (told, found) = (generator.plan().reach(), [0, 95].map(|end| reach_from(&generator, end)));
            let farthest = found[0].max(found[1]);
            assert!((told - 7..=told).contains(&farthest), "{found:?} of {told}");
        }
    }

    /// Before the tanh, the outputs differ by the image, up to rounding in f32; sizes that need extending are included.
    #[test]
    fn a_global_skip_adds_the_image() {
        let (plain, skipping) = (made(Upsampling::Transposed, false), made(Upsampling::Transposed, true));
        for (height, width) in [(32, 28), (13, 30)] {
            let x =
                Tensor::arange(6 * height * width, (Kind::Float, Device::Cpu)).sin().view([2, 3, height, width]) * 0.5;
            let [alone, with_image] = [&plain, &skipping].map(|generator| generator.forward(&x).unwrap());
            let apart = (with_image - (alone.atanh() + &x).tanh()).abs().max().double_value(&[]);
            assert!(apart < 1e-6, "{apart}");
        }
    }

    /// PyTorch's numbering of modules for two blocks; `state_dict` has them in this order.
    #[test]
    fn layers_have_pytorchs_names() {
        let names: Vec<String> = small().parameters().into_iter().map(|(name, _)| name).collect();
        let layers = [
            "1",
            "4",
            "7",
            "10.conv_block.1",
            "10.conv_block.5",
            "11.conv_block.1",
            "11.conv_block.5",
            "12",
            "15",
            "19",
        ];
        let expected = layers.iter().flat_map(|layer| ["weight", "bias"].map(|part| format!("G_A.{layer}.{part}")));
        assert_eq!(names, expected.collect::<Vec<_>>());
        assert_eq!(small().plan().encoder(), ["1", "4", "7"]);
    }

    #[test]
    fn wrong_rank_or_bands_is_an_error() {
        let generator = small();
        assert!(generator.forward(&Tensor::zeros([3, 8, 8], (Kind::Float, Device::Cpu))).is_err());
        assert!(generator.forward(&Tensor::zeros([1, 2, 8, 8], (Kind::Float, Device::Cpu))).is_err());
    }
}
