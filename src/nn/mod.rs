//! Choices in networks: how weights begin, and how maps are enlarged.
// What networks are made of is written down in plans (`generator`, `discriminator`), from which everything else follows.
// Tensors are NCHW. A layer holds plain tensors; their names are those of PyTorch's `state_dict`.

mod activations;
mod blocked;
mod conv;
mod discriminator;
mod forward;
mod generator;
mod init;
mod layers;
mod network;
mod norm;
mod parameters;
mod plan;
mod spectral;
mod units;
mod upsampling;

// The emulator of the kernels needs Linux.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod cuda_layer_tests;

pub(crate) use activations::activations;
pub(crate) use conv::ConvShape;
pub(crate) use discriminator::{Discriminator, DiscriminatorShape, SMALLEST_TRAINING_SIDE, discriminator};
pub(crate) use generator::{GeneratorShape, generator};
pub(crate) use init::Initialiser;
pub use init::{Initialisation, UpsamplingInit};
pub(crate) use layers::{EPSILON, LayerMemory};
pub(crate) use network::{FoldedNetwork, Network};
pub(crate) use norm::{Field, Gathered, Moments, NodeLine};
pub(crate) use parameters::{Parameters, bytes_of, copied, load_parameters};
pub(crate) use plan::{Layer, PlacedLayer, Plan, inside, placed};
pub use upsampling::Upsampling;
