//! The ResNet generator (Johnson et al. 2016; Zhu et al. 2017, section 7.2 of arXiv:1703.10593).

use std::cell::OnceCell;

use tch::Tensor;

use super::blocked::Blocked;
use super::conv::{Behind, Conv2d, ConvShape, Role};
use super::init::{Initialiser, UpsamplingInit};
use super::layers::{EPSILON, LayerMemory, ResidualBlock, reflect};
use super::norm::{Folded, Moments, Norm, Own, too_few};
use super::outline::{Outline, Step};
use super::parameters::Parameters;
use super::upsampling::{Upsampling, UpsamplingLayer, UpsamplingShape};
use crate::error::Result;
use crate::ffi;

/// Two stride-2 convolutions halve height and width twice.
const FACTOR: i64 = 4;
/// Channels that the last layer may make by blocks on CUDA. It multiplies twice as often by them, which pays where tensor cores,
/// which make channels by the dozen, would waste more; measured with 3.
const MOST_IN_BLOCKS: usize = 8;
/// Below this side the reflection padding inside the network would be as wide as its input.
const SMALLEST_SIDE: i64 = 8;

/// What decides a generator's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GeneratorShape {
    /// Channels in.
    pub input: i64,
    /// Channels out.
    pub output: i64,
    /// Feature maps of the first layer; 64 in the paper.
    pub features: i64,
    /// Residual blocks; 9 in the paper.
    pub blocks: i64,
    /// How height and width double.
    pub upsampling: Upsampling,
    /// How transposed convolutions begin.
    pub upsampling_init: UpsamplingInit,
    /// Whether the image is added to what the last layer makes of it; needs as many channels out as in.
    pub global_skip: bool,
}

/// c7s1-f, d2f, d4f, n residual blocks, u2f, uf, c7s1-C, tanh, in the paper's notation; with a global skip, the image is added
/// before the tanh.
#[derive(Debug)]
pub(crate) struct Generator {
    name: String,
    head: Conv2d,
    down: [Conv2d; 2],
    blocks: Vec<ResidualBlock>,
    up: [UpsamplingLayer; 2],
    tail: Conv2d,
    global_skip: bool,
    /// How the last layer is computed on CUDA; made when it is first needed.
    tail_in_blocks: OnceCell<Blocked>,
}

impl Generator {
    /// `name` is the prefix of the parameters' names (`G_A`), and of the streams they are drawn from.
    pub fn new(name: &str, shape: GeneratorShape, init: &Initialiser) -> Result<Self> {
        let GeneratorShape { input, output, features, blocks, upsampling: form, upsampling_init: start, global_skip } =
            shape;
        let at = |index: i64| format!("{name}.{index}");
        let down = |input, index| {
            let shape = ConvShape { input, output: 2 * input, kernel: 3, stride: 2, padding: 1 };
            Conv2d::new(shape, Role::Inner, &at(index), init)
        };
        let wide = |input, output, role, index| {
            let shape = ConvShape { input, output, kernel: 7, stride: 1, padding: 0 };
            Conv2d::new(shape, role, &at(index), init)
        };
        let up = |input, index| {
            UpsamplingLayer::new(UpsamplingShape { form, start, input, output: input / 2 }, &at(index), init)
        };
        Ok(Self {
            name: name.to_string(),
            head: wide(input, features, Role::Inner, 1)?,
            down: [down(features, 4)?, down(2 * features, 7)?],
            blocks: (0..blocks).map(|i| ResidualBlock::new(4 * features, &at(10 + i), init)).collect::<Result<_>>()?,
            up: [up(4 * features, 10 + blocks)?, up(2 * features, 13 + blocks)?],
            tail: wide(features, output, Role::Last, 17 + blocks)?,
            global_skip,
            tail_in_blocks: OnceCell::new(),
        })
    }

    /// Where its weights lie.
    pub fn device(&self) -> tch::Device {
        self.head.device()
    }

    /// Translates images.
    ///
    /// # Shapes
    /// (N, channels in, H, W) to (N, channels out, H, W), of any height and width from 1: sides that are no multiple of 4, or too
    /// short for the network's own padding, are extended by reflection and cropped back.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_with(x, &mut Own)
    }

    /// The same with norms of other statistics; they see images of the size that [`extended`] gives.
    pub fn forward_with(&self, x: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        let x = x.f_to_device(self.device())?.f_to_kind(self.head.kind())?;
        let (height, width) = sides(&x)?;
        let made = self.network(&extended(&x)?, norm)?;
        cropped(&cropped(&made, 2, height)?, 3, width)
    }

    fn network(&self, x: &Tensor, norm: &mut dyn Norm) -> Result<Tensor> {
        if norm.behind() == Behind::Norm && ffi::cuda_layers_fit(x) {
            return self.bordered_network(x);
        }
        let mut y = norm.rectified(&self.head.forward(&reflect(x, 3)?, norm.behind())?)?;
        for conv in &self.down {
            y = norm.rectified(&conv.forward(&y, norm.behind())?)?;
        }
        for block in &self.blocks {
            y = norm.residual(block, &y)?;
        }
        for conv in &self.up {
            y = norm.rectified(&conv.forward(&y, norm.behind())?)?;
        }
        self.image(&self.tail.forward(&reflect(&y, 3)?, Behind::Nothing)?, x)
    }

    /// What the last layer's `made` becomes, of an image `x`.
    fn image(&self, made: &Tensor, x: &Tensor) -> Result<Tensor> {
        // In mixed precision the last layer gives bfloat16; losses are not to.
        let made = made.f_to_kind(x.kind())?;
        Ok(if self.global_skip { made.f_add(x)?.f_tanh()? } else { made.f_tanh()? })
    }

    /// The same by layers of our own on CUDA, with each image's own statistics.
    fn bordered_network(&self, x: &Tensor) -> Result<Tensor> {
        let rectified = |conv: &Conv2d, x: &Tensor, border| conv.normalised_by(conv.parameters()[0], x, 0.0, border);
        let before_block = |i: usize| i64::from(i < self.blocks.len());
        let mut y = rectified(&self.head, &reflect(x, 3)?, 0)?;
        y = rectified(&self.down[0], &y, 0)?;
        y = rectified(&self.down[1], &y, before_block(0))?;
        for (i, block) in self.blocks.iter().enumerate() {
            y = block.bordered(&y, before_block(i + 1))?;
        }
        y = self.up[1].rectified(&self.up[0].rectified(&y, 0)?, 3)?;
        self.image(&self.bordered_tail(&y)?, x)
    }

    fn bordered_tail(&self, y: &Tensor) -> Result<Tensor> {
        if self.tail.outputs() > MOST_IN_BLOCKS {
            return self.tail.forward(y, Behind::Nothing);
        }
        let blocks = match self.tail_in_blocks.get() {
            Some(blocks) => blocks,
            None => {
                let made = Blocked::new(7, self.device(), self.tail.kind())?;
                self.tail_in_blocks.get_or_init(|| made)
            }
        };
        blocks.forward(&self.tail, y)
    }

    /// This network with fixed statistics in place of its norms: they become part of the convolutions before them, so
    /// that nothing but convolutions is left to do, and what becomes of a pixel depends on its surroundings alone.
    pub fn folded(&self, statistics: &[Moments]) -> Result<FoldedGenerator> {
        let mut left = statistics.iter();
        let mut next = || left.next().ok_or_else(too_few);
        let head = self.head.folded(next()?)?;
        let down = [self.down[0].folded(next()?)?, self.down[1].folded(next()?)?];
        let blocks = self.blocks.iter().map(|block| block.folded(next()?, next()?)).collect::<Result<_>>()?;
        let up = [self.up[0].folded(next()?)?, self.up[1].folded(next()?)?];
        let tail = self.tail.shallow_clone();
        Ok(FoldedGenerator(Self {
            name: self.name.clone(),
            head,
            down,
            blocks,
            up,
            tail,
            global_skip: self.global_skip,
            tail_in_blocks: OnceCell::new(),
        }))
    }

    /// Feature maps of the first layer.
    pub fn features(&self) -> usize {
        self.head.outputs()
    }

    /// How far from a pixel its output can depend on the input, in pixels, where statistics are fixed.
    pub fn reach(&self) -> usize {
        // 3 and 3 of the first and last layers, 1 + 2 on the way down, at most 4 + 2 on the way up, and each of the two
        // convolutions of a block one pixel of a quarter of the size.
        let further = 2 * self.up[0].further_reach() + self.up[1].further_reach();
        15 + further + 8 * self.blocks.len()
    }

    /// The prefix of the parameters' names.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What [`forward`](Self::forward) does, with the names of parameters without their prefix.
    pub fn outline(&self) -> Outline {
        let n = self.blocks.len();
        let ends_layer = || [Step::InstanceNorm(EPSILON), Step::Relu];
        let mut steps = vec![Step::Reflect(3), self.head.outline("1")];
        steps.extend(ends_layer());
        for (i, conv) in self.down.iter().enumerate() {
            steps.push(conv.outline(&(4 + 3 * i).to_string()));
            steps.extend(ends_layer());
        }
        steps.extend(self.blocks.iter().enumerate().map(|(i, block)| block.outline(&(10 + i).to_string())));
        for (i, conv) in self.up.iter().enumerate() {
            steps.extend(conv.outline(&(10 + n + 3 * i).to_string()));
            steps.extend(ends_layer());
        }
        steps.extend([Step::Reflect(3), self.tail.outline(&(17 + n).to_string())]);
        steps.extend(self.global_skip.then_some(Step::AddImage));
        steps.push(Step::Tanh);
        Outline { steps, factor: FACTOR, smallest_side: SMALLEST_SIDE }
    }

    /// Parameters in the order of PyTorch's `state_dict`.
    pub fn parameters(&self) -> Parameters {
        let mut list = Parameters::new();
        let at = |index: usize| format!("{}.{index}", self.name);
        let n = self.blocks.len();
        self.head.collect(&at(1), &mut list);
        for (i, conv) in self.down.iter().enumerate() {
            conv.collect(&at(4 + 3 * i), &mut list);
        }
        for (i, block) in self.blocks.iter().enumerate() {
            block.collect(&at(10 + i), &mut list);
        }
        for (i, conv) in self.up.iter().enumerate() {
            conv.collect(&at(10 + n + 3 * i), &mut list);
        }
        self.tail.collect(&at(17 + n), &mut list);
        list
    }
}

/// A generator whose norms have statistics of their own; see [`Generator::folded`].
pub(crate) struct FoldedGenerator(Generator);

impl FoldedGenerator {
    /// # Shapes
    /// As [`Generator::forward`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward_with(x, &mut Folded)
    }
}

/// Images of sides that the network can take: lengthened at their ends by mirroring.
///
/// # Shapes
/// (N, C, H, W) to the same with H and W multiples of 4, at least 8.
pub(crate) fn extended(x: &Tensor) -> Result<Tensor> {
    let (height, width) = sides(x)?;
    extend(&extend(x, 2, missing(height))?, 3, missing(width))
}

/// Values that autograd keeps of one image, of `c` channels that become `made`, through a generator of `f` features and
/// `b` blocks: inputs of convolutions and norms, outputs of activations, and what is padded, which is a copy.
pub(crate) fn generator_activations(
    (c, made): (f64, f64),
    f: f64,
    b: f64,
    (height, width): (usize, usize),
    layers: LayerMemory,
    upsampling: Upsampling,
) -> f64 {
    let side = |n: usize| (n as i64 + missing(n as i64)) as f64;
    let (h, w) = (side(height), side(width));
    let area = h * w;
    // Convolution and norm at full size, twice at half the size, and again on the way up, where the last norm of our own
    // layers is the one with a border.
    let last = if layers == LayerMemory::Bordered { 1.0 } else { 2.0 };
    let ends = f * area * (2.0 + 1.0 + 0.5 + 1.0 + last);
    let wide = (c + f) * (h + 6.0) * (w + 6.0) + 3.0 * made * area;
    let inner = f * area / 4.0;
    let padded = 4.0 * f * (h / 4.0 + 2.0) * (w / 4.0 + 2.0);
    let block = match layers {
        LayerMemory::AsOne => 3.0 * inner,
        LayerMemory::Bordered => 2.0 * inner + 2.0 * padded,
        LayerMemory::ByParts => 4.0 * inner + 2.0 * padded,
    };
    let doubled = match upsampling {
        Upsampling::Transposed => 0.0,
        // Maps of twice the size before each of the two convolutions, and with a border.
        Upsampling::Resize => 2.0 * f * area * (1.0 + 2.0),
    };
    ends + wide + b * block + doubled
}

/// The first `length` rows or columns. All of them are the tensor itself: to cut costs a copy on the way back.
fn cropped(x: &Tensor, dim: i64, length: i64) -> Result<Tensor> {
    if x.size()[dim as usize] == length {
        return Ok(x.shallow_clone());
    }
    Ok(x.f_narrow(dim, 0, length)?)
}

fn sides(x: &Tensor) -> Result<(i64, i64)> {
    let (_, _, height, width) = x.size4()?;
    Ok((height, width))
}

/// Pixels that `side` lacks to a size the network can take.
fn missing(side: i64) -> i64 {
    let wanted = side.max(SMALLEST_SIDE);
    (wanted + FACTOR - 1) / FACTOR * FACTOR - side
}

/// Lengthens dimension `dim` at its end by mirroring, again and again where the image is short.
fn extend(x: &Tensor, dim: i64, by: i64) -> Result<Tensor> {
    if by == 0 {
        return Ok(x.shallow_clone());
    }
    let n = x.size()[dim as usize];
    let period = (2 * n - 2).max(1);
    let mirrored = (0..n + by).map(|i| if i % period < n { i % period } else { period - i % period });
    let index = Tensor::f_from_slice(&mirrored.collect::<Vec<_>>())?.f_to_device(x.device())?;
    Ok(x.f_index_select(dim, &index)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Gathered, Initialisation};
    use crate::random::Seed;
    use tch::{Device, Kind};

    fn small() -> Generator {
        with(Upsampling::Transposed)
    }

    const BOTH: [Upsampling; 2] = [Upsampling::Transposed, Upsampling::Resize];

    fn with(upsampling: Upsampling) -> Generator {
        made(upsampling, false)
    }

    fn made(upsampling: Upsampling, global_skip: bool) -> Generator {
        let init =
            Initialiser { seed: Seed(0), scheme: Some(Initialisation::Paper), device: Device::Cpu, kind: Kind::Float };
        let upsampling_init = UpsamplingInit::Scheme;
        let shape =
            GeneratorShape { input: 3, output: 3, features: 4, blocks: 2, upsampling, upsampling_init, global_skip };
        Generator::new("G_A", shape, &init).unwrap()
    }

    #[test]
    fn any_size_comes_back_as_it_went_in() {
        let sizes = [(1, 1), (1, 70), (3, 5), (7, 8), (8, 8), (33, 64), (61, 59)];
        for (generator, (height, width)) in BOTH.into_iter().flat_map(|form| sizes.map(|size| (with(form), size))) {
            let x = Tensor::arange(6 * height * width, (Kind::Float, Device::Cpu)).sin().view([2, 3, height, width]);
            let y = generator.forward(&x).unwrap();
            assert_eq!(y.size(), [2, 3, height, width]);
            assert!(y.isfinite().all().int64_value(&[]) == 1, "{height}x{width}");
        }
    }

    /// 1e-4: the folded weights are rounded once more, and seven layers pass it on.
    #[test]
    fn folded_statistics_give_the_same_image() {
        for generator in BOTH.map(with).into_iter().chain([made(Upsampling::Transposed, true)]) {
            let x = Tensor::arange(2 * 3 * 36 * 28, (Kind::Float, Device::Cpu)).sin().view([2, 3, 36, 28]);
            let mut pooled = Gathered::pooled(None);
            let expected = generator.forward_with(&x, &mut pooled).unwrap();
            let made = generator.folded(&pooled.layers).unwrap().forward(&x).unwrap();
            assert!((made - expected).abs().max().double_value(&[]) < 1e-4);
            assert!(generator.folded(&pooled.layers[1..]).is_err());
        }
    }

    /// How far from a pixel at an end of a line of 96 its change is felt.
    fn reach_from(generator: &Generator, end: i64) -> usize {
        let x = Tensor::arange(3 * 96 * 8, (Kind::Float, Device::Cpu)).sin().view([1, 3, 8, 96]);
        let mut pooled = Gathered::pooled(None);
        let _ = generator.forward_with(&x, &mut pooled).unwrap();
        let folded = generator.folded(&pooled.layers).unwrap();
        let changed = x.copy();
        let _ = changed.narrow(3, end, 1).fill_(1.0);
        let difference = (folded.forward(&x).unwrap() - folded.forward(&changed).unwrap()).abs().amax([0, 1, 2], false);
        let felt = (0..96).filter(|&pixel| difference.double_value(&[pixel]) > 1e-5);
        felt.map(|pixel| pixel.abs_diff(end)).max().unwrap() as usize
    }

    /// What lies further away than that changes nothing but rounding, which the pixels of a tile of Winograd's share; what lies
    /// nearer does, to the left or to the right.
    #[test]
    fn reach_is_how_far_a_pixel_looks() {
        for generator in BOTH.map(with) {
            let (told, found) = (generator.reach(), [0, 95].map(|end| reach_from(&generator, end)));
            let farthest = found[0].max(found[1]);
            assert!((told - 7..=told).contains(&farthest), "{found:?} of {told}");
        }
    }

    /// What stands before the tanh differs by the image, up to rounding of f32; sizes that are extended too.
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

    #[test]
    fn extension_mirrors() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0]).view([1, 1, 1, 3]);
        let y = extend(&x, 3, 5).unwrap();
        assert_eq!(Vec::<f32>::try_from(y.flatten(0, -1)).unwrap(), [1., 2., 3., 2., 1., 2., 3., 2.]);
    }

    #[test]
    fn wrong_rank_or_bands_is_an_error() {
        let generator = small();
        assert!(generator.forward(&Tensor::zeros([3, 8, 8], (Kind::Float, Device::Cpu))).is_err());
        assert!(generator.forward(&Tensor::zeros([1, 2, 8, 8], (Kind::Float, Device::Cpu))).is_err());
    }
}
