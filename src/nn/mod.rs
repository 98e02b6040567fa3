//! Network options: how weights are initialized, and how feature maps are upsampled.
// Networks are described by plans (`generator`, `unet`, `folded_unet`, `discriminator`, `pair_discriminator`), from
// which everything else follows. Tensors are NCHW. A layer holds plain tensors, named as in PyTorch's `state_dict`.

mod activations;
mod blocked;
mod conv;
mod discriminator;
mod dropout;
mod folded_unet;
mod forward;
mod generator;
mod init;
mod layers;
mod network;
mod norm;
mod pair_discriminator;
mod parameters;
mod plan;
mod spectral;
mod unet;
mod units;
mod upsampling;

// The emulator of the kernels needs Linux.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod cuda_layer_tests;

pub(crate) use activations::activations;
pub(crate) use conv::ConvShape;
pub(crate) use discriminator::{Discriminator, DiscriminatorShape, SMALLEST_TRAINING_SIDE, discriminator};
pub(crate) use dropout::NormWithDropout;
pub(crate) use folded_unet::folded_unet;
pub(crate) use generator::{GeneratorShape, generator};
pub(crate) use init::Initializer;
pub use init::{Initialization, UpsamplingInit};
pub(crate) use layers::{EPSILON, LayerMemory};
pub(crate) use network::{FoldedNetwork, Network, no_fixed_statistics};
pub(crate) use norm::{GatheringNorm, InterpolatedNorm, Moments, NodeLine};
pub(crate) use pair_discriminator::{PairDiscriminatorShape, SMALLEST_PAIR_SIDE, pair_discriminator};
pub(crate) use parameters::{Parameters, bytes_of, copied, load_parameters};
pub(crate) use plan::{Layer, PlacedLayer, Plan, inside, placed};
pub(crate) use unet::{UnetShape, unet};
pub use upsampling::Upsampling;
pub(crate) use upsampling::UpsamplingShape;
