//! U-Nets of the research code (junyanz/pytorch-CycleGAN-and-pix2pix, `--netG unet_256` or the like), in our keys.
//!
//! Its levels are modules within each other: each has a convolution, what lies below, a transposed convolution, and their batch
//! norms. In evaluation mode a batch norm is a factor and a summand for each channel, which become part of the convolution before it.

use std::path::Path;

use tch::{Kind, Tensor};

use super::state_dict;
use crate::error::{Error, ErrorKind, Result, shown};

/// What PyTorch's batch norm adds to a variance.
const EPSILON: f64 = 1e-5;
const MOST_LEVELS: usize = 10;

/// A U-Net: its tensors, with keys such as `down1.model.0.weight`, and what they say of its architecture.
#[derive(Debug)]
pub(crate) struct Unet {
    pub input: usize,
    pub output: usize,
    pub features: usize,
    pub levels: usize,
    pub tensors: Vec<(String, Tensor)>,
}

/// Reads a `latest_net_G.pth`.
///
/// # Errors
/// `Unsupported` for another architecture, naming the first key that differs; what reading the file reports.
pub(crate) fn unet(path: &Path) -> Result<Unet> {
    state_dict::read(path).and_then(|tensors| unet_of(Dict(tensors))).map_err(|e| e.at(path))
}

fn unet_of(mut dict: Dict) -> Result<Unet> {
    dict.0.retain(|(name, _)| !name.ends_with(".num_batches_tracked"));
    let levels = (1..=MOST_LEVELS).take_while(|&level| dict.has(&down_key(level))).count();
    if !(2..=MOST_LEVELS).contains(&levels) {
        return Err(misfit("the file is no U-Net of the research code (`--netG unet_256` or the like)")
            .expected(format!("2 to {MOST_LEVELS} levels, `{}` and `{}` and on", down_key(1), down_key(2)))
            .found(format!("{levels} levels")));
    }
    let first = dict.size(&down_key(1))?;
    let (features, input) = (first[0], first[1]);
    let mut tensors = Vec::new();
    let mut width = input;
    for level in 1..=levels {
        let normed = (1 < level && level < levels).then(|| format!("{}2", prefix(level)));
        let made = features << (level.min(4) - 1);
        let conv = dict.folded(&down_key(level), [made, width], normed, Direction::Down)?;
        tensors.extend(named(&format!("down{level}"), conv));
        width = made;
    }
    for level in (2..=levels).rev() {
        let place = if level == levels { 3 } else { 5 };
        let inner = features << (level.min(4) - 1);
        let (inputs, made) = (if level == levels { inner } else { 2 * inner }, features << ((level - 1).min(4) - 1));
        let norm = Some(format!("{}{}", prefix(level), place + 1));
        let key = format!("{}{place}.weight", prefix(level));
        let [weight, bias] = dict.folded(&key, [inputs, made], norm, Direction::Up)?;
        let weight = if level == levels { weight } else { swapped(&weight)? };
        tensors.extend(named(&format!("up{}", levels - level + 1), [weight, bias]));
    }
    let output = dict.size("model.model.3.weight")?[1];
    let [weight, bias] = dict.folded("model.model.3.weight", [2 * features, output], None, Direction::Up)?;
    tensors.extend(named(&format!("up{levels}"), [swapped(&weight)?, bias]));
    dict.check_empty()?;
    let [input, output, features] = [input, output, features].map(|n| n as usize);
    Ok(Unet { input, output, features, levels, tensors })
}

/// What a convolution does to the size of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Down,
    Up,
}

impl Direction {
    /// Returns the dimension of a weight that counts outputs.
    fn outputs(self) -> usize {
        if self == Self::Down { 0 } else { 1 }
    }
}

/// Returns what stands before the places of a level's layers.
fn prefix(level: usize) -> String {
    let below = |level: usize| if level == 2 { "1.model." } else { "3.model." };
    (2..=level).fold("model.model.".to_owned(), |path, level| path + below(level))
}

fn down_key(level: usize) -> String {
    format!("{}{}.weight", prefix(level), usize::from(level > 1))
}

fn named(module: &str, [weight, bias]: [Tensor; 2]) -> [(String, Tensor); 2] {
    [("weight", weight), ("bias", bias)].map(|(part, tensor)| (format!("{module}.model.0.{part}"), tensor))
}

/// Makes the weight of a transposed convolution that takes maps of the way up before those of the way down; there it is the other way
/// round.
fn swapped(weight: &Tensor) -> Result<Tensor> {
    let half = weight.size4()?.0 / 2;
    Ok(Tensor::f_cat(&[weight.f_narrow(0, half, half)?, weight.f_narrow(0, 0, half)?], 0)?)
}

/// The tensors that are not yet taken.
struct Dict(Vec<(String, Tensor)>);

impl Dict {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    /// Returns the first two sizes of the weight of a 4x4 convolution.
    fn size(&self, name: &str) -> Result<[i64; 2]> {
        let size = self.0.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor.size());
        match size.as_deref() {
            Some(&[first @ 1..=65_535, second @ 1..=65_535, 4, 4]) => Ok([first, second]),
            _ => Err(differs(name, "[channels, channels, 4, 4]", size)),
        }
    }

    fn take(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let place = self.0.iter().position(|(other, tensor)| other == name && tensor.size() == shape);
        let found = || self.0.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor.size());
        let Some(place) = place else { return Err(differs(name, &format!("{shape:?}"), found())) };
        Ok(self.0.remove(place).1.f_to_kind(Kind::Double)?)
    }

    /// Takes weight and bias of a convolution of these first two sizes, with the batch norm behind it in them.
    fn folded(
        &mut self,
        key: &str,
        [first, second]: [i64; 2],
        norm: Option<String>,
        direction: Direction,
    ) -> Result<[Tensor; 2]> {
        let weight = self.take(key, &[first, second, 4, 4])?;
        let outputs = [first, second][direction.outputs()];
        let bias_key = key.replace(".weight", ".bias");
        let bias = match self.has(&bias_key) {
            true => self.take(&bias_key, &[outputs])?,
            false => Tensor::f_zeros([outputs], (Kind::Double, weight.device()))?,
        };
        let Some(norm) = norm else { return Ok([weight, bias]) };
        let mut part = |name: &str| self.take(&format!("{norm}.{name}"), &[outputs]);
        let (gain, offset, mean, variance) =
            (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
        let epsilon = Tensor::f_full([outputs], EPSILON, (Kind::Double, weight.device()))?;
        let scale = gain.f_divide(&variance.f_add(&epsilon)?.f_sqrt()?)?;
        let mut shape = [1i64; 4];
        shape[direction.outputs()] = outputs;
        let bias = bias.f_sub(&mean)?.f_multiply(&scale)?.f_add(&offset)?;
        Ok([weight.f_multiply(&scale.f_reshape(shape)?)?, bias])
    }

    fn check_empty(&self) -> Result<()> {
        match self.0.first() {
            Some((name, tensor)) => Err(misfit(format!("key `{}` is one too many", shown(name)))
                .expected("no such key in this architecture")
                .found(format!("{:?}", tensor.size()))),
            None => Ok(()),
        }
    }
}

fn differs(name: &str, expected: &str, found: Option<Vec<i64>>) -> Error {
    let found = found.map_or("no such key".to_owned(), |size| format!("{size:?}"));
    misfit(format!("key `{name}` differs")).expected(expected).found(found)
}

fn misfit(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, what).help(
        "Generators of `--netG unet_256` or `unet_128` with `--norm batch`, the default of pix2pix, can be imported.",
    )
}
