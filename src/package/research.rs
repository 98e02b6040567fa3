//! State dicts of the CycleGAN research code (junyanz/pytorch-CycleGAN-and-pix2pix), converted to our keys.
//!
//! Its generators are a `Sequential` called `model` with the same layers as arcgis.learn's and ours; only the second
//! convolution of a residual block has another index if there is dropout between the two.

use std::path::Path;

use tch::Tensor;

use super::state_dict;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::nn::{self, DiscriminatorShape, GeneratorShape, PlacedLayer, Plan, Upsampling, UpsamplingInit};

const PREFIX: &str = "model.";
/// Running statistics of instance norms in files from before torch 0.4, which the research code does not use either.
const UNUSED: [&str; 3] = [".running_mean", ".running_var", ".num_batches_tracked"];
/// The maximum number of residual blocks of a model.
const MOST_BLOCKS: usize = 64;

/// A generator: its tensors, with keys such as `1.weight`, and the architecture that follows from them.
#[derive(Debug)]
pub(crate) struct Generator {
    pub input: usize,
    pub output: usize,
    pub features: usize,
    pub blocks: usize,
    pub tensors: Vec<(String, Tensor)>,
}

/// A discriminator, with keys such as `0.weight`.
#[derive(Debug)]
pub(crate) struct Discriminator {
    pub channels: usize,
    pub features: usize,
    pub tensors: Vec<(String, Tensor)>,
}

/// Reads a generator such as `latest_net_G_A.pth`.
pub(crate) fn generator(path: &Path) -> Result<Generator> {
    state_dict::read(path).and_then(generator_of).map_err(|e| e.at(path))
}

/// Reads a discriminator such as `latest_net_D_A.pth`, of the basic type (`--netD basic`, a 70x70 PatchGAN).
pub(crate) fn discriminator(path: &Path) -> Result<Discriminator> {
    state_dict::read(path).and_then(discriminator_of).map_err(|e| e.at(path))
}

fn generator_of(tensors: Vec<(String, Tensor)>) -> Result<Generator> {
    let mut dict = Dict::new(tensors)?;
    let (features, input) = dict.first("1.weight", 7)?;
    let blocks = (0..=MOST_BLOCKS).take_while(|i| dict.has_below(&format!("{}.conv_block.", 10 + i))).count();
    let output = dict.rows(&format!("{}.weight", 17 + blocks));
    if blocks == 0 || blocks > MOST_BLOCKS {
        return Err(misfit("the file is not a ResNet generator")
            .expected(format!("1 to {MOST_BLOCKS} residual blocks, `model.10.conv_block.1.weight` and on"))
            .found(format!("{blocks} blocks")));
    }
    let second = if dict.has_below("10.conv_block.6.") { 6 } else { 5 };
    let plan = nn::generator(GeneratorShape {
        input,
        output,
        features,
        blocks: blocks as i64,
        upsampling: Upsampling::default(),
        upsampling_init: UpsamplingInit::default(),
        global_skip: false,
    });
    let layers = layers(&plan, |path| path.replace("conv_block.5", &format!("conv_block.{second}")));
    let tensors = dict.take_all(&layers)?;
    let [input, output, features] = [input, output, features].map(|n| n as usize);
    Ok(Generator { input, output, features, blocks, tensors })
}

/// A layer with weights: its key in the file, our key, the shape of its weight and the length of its bias.
struct Layer {
    theirs: String,
    ours: String,
    weight: [i64; 4],
    bias: i64,
}

/// The layers of a plan with the names that `theirs` makes of ours.
fn layers(plan: &Plan, theirs: impl Fn(&str) -> String) -> Vec<Layer> {
    let of = |PlacedLayer { path, layer, .. }: PlacedLayer| Layer {
        theirs: theirs(&path),
        ours: path,
        weight: layer.weight(),
        bias: layer.outputs(),
    };
    plan.weighted().into_iter().map(of).collect()
}

fn discriminator_of(tensors: Vec<(String, Tensor)>) -> Result<Discriminator> {
    let mut dict = Dict::new(tensors)?;
    let (f, channels) = dict.first("0.weight", 4)?;
    let plan = nn::discriminator(DiscriminatorShape { channels, features: f, spectral_norm: false, scales: 1 });
    let layers = layers(&plan, str::to_owned);
    let tensors = dict.take_all(&layers)?;
    Ok(Discriminator { channels: channels as usize, features: f as usize, tensors })
}

/// The tensors below `model.` that matter.
struct Dict(Vec<(String, Tensor)>);

impl Dict {
    fn new(mut tensors: Vec<(String, Tensor)>) -> Result<Self> {
        tensors.retain(|(name, _)| !UNUSED.iter().any(|end| name.ends_with(end)));
        if let Some((name, tensor)) = tensors.iter().find(|(name, _)| name.starts_with("model.model.")) {
            return Err(misfit(format!("key `{}` is of a U-Net (`--netG unet_256` or the like)", shown(name)))
                .expected(
                    "a ResNet generator (`--netG resnet_9blocks` or `resnet_6blocks`), \
                     `model.1.weight` of shape [features, channels, 7, 7]",
                )
                .found(format!("{:?}", tensor.size()))
                .help("Pix2Pix::import_generator opens U-Nets."));
        }
        let strip = |(name, tensor): (String, Tensor)| match name.strip_prefix(PREFIX) {
            Some(rest) => Ok((rest.to_owned(), tensor)),
            None => Err(misfit(format!("key `{}` is not of the research code", shown(&name)))
                .expected("keys that begin with `model.` or `module.model.`")
                .help(BOTH_OURS)),
        };
        tensors.into_iter().map(strip).collect::<Result<_>>().map(Self)
    }

    fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor)
    }

    fn has_below(&self, prefix: &str) -> bool {
        self.0.iter().any(|(name, _)| name.starts_with(prefix))
    }

    /// Rows and columns of the first convolution.
    fn first(&self, name: &str, kernel: i64) -> Result<(i64, i64)> {
        let size = self.get(name).map(Tensor::size);
        match size.as_deref() {
            Some(&[rows @ 1..=1024, columns @ 1..=65_535, height, width]) if [height, width] == [kernel; 2] => {
                Ok((rows, columns))
            }
            _ => Err(differs(name, &format!("[features, channels, {kernel}, {kernel}]"), size)),
        }
    }

    /// 0, which no layer has, where the tensor is missing.
    fn rows(&self, name: &str) -> i64 {
        self.get(name).and_then(|tensor| tensor.size().first().copied()).filter(|rows| *rows <= 65_535).unwrap_or(0)
    }

    /// The tensors of these layers in our keys; there must be no others.
    fn take_all(&mut self, layers: &[Layer]) -> Result<Vec<(String, Tensor)>> {
        self.check_variant()?;
        let mut taken = Vec::with_capacity(2 * layers.len());
        for layer in layers {
            taken.push((
                format!("{}.weight", layer.ours),
                self.take(&format!("{}.weight", layer.theirs), &layer.weight)?,
            ));
            taken.push((format!("{}.bias", layer.ours), self.take(&format!("{}.bias", layer.theirs), &[layer.bias])?));
        }
        match self.0.first() {
            Some((name, tensor)) => Err(misfit(format!("key `{PREFIX}{}` is one too many", shown(name)))
                .expected("no such key in this architecture")
                .found(format!("{:?}", tensor.size()))),
            None => Ok(taken),
        }
    }

    /// Variants that a differing key alone would not explain.
    fn check_variant(&self) -> Result<()> {
        // Batch norm has weights, and takes the bias off the convolutions before it.
        let norm = self.0.iter().find(|(name, tensor)| name.ends_with(".weight") && tensor.dim() == 1);
        if let Some((name, tensor)) = norm {
            return Err(misfit(format!("key `{PREFIX}{}` belongs to a norm with weights", shown(name)))
                .expected("no such key: instance norm without weights (`--norm instance`, the default of CycleGAN)")
                .found(format!("{:?}, as batch norm has (`--norm batch`)", tensor.size())));
        }
        let unpadded = "10.conv_block.0.weight";
        if let Some(tensor) = self.get(unpadded) {
            return Err(misfit(format!("key `{PREFIX}{unpadded}` is of residual blocks with zero padding"))
                .expected(format!("reflection padding, `{PREFIX}10.conv_block.1.weight`"))
                .found(format!("{:?}", tensor.size())));
        }
        Ok(())
    }

    fn take(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let place = self.0.iter().position(|(other, _)| other == name);
        match place.map(|place| (place, self.0.get(place).map(|(_, tensor)| tensor.size()))) {
            Some((place, Some(size))) if size == shape => Ok(self.0.remove(place).1),
            Some((_, size)) => Err(differs(name, &format!("{shape:?}"), size)),
            None => Err(differs(name, &format!("{shape:?}"), None)),
        }
    }
}

const BOTH_OURS: &str =
    "A model of all four networks (`D_A.…`, `G_B.…`) is loaded with CycleGan::from_model or CycleGan::load_weights.";

fn differs(name: &str, expected: &str, found: Option<Vec<i64>>) -> Error {
    let found = found.map_or("no such key".to_owned(), |size| format!("{size:?}"));
    misfit(format!("key `{PREFIX}{name}` differs")).expected(expected).found(found)
}

fn misfit(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}
