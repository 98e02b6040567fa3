//! Blocks and networks: convolutions, the ResNet generator, the PatchGAN discriminator.
//!
//! Tensors are NCHW. A layer holds plain tensors; their names are those of PyTorch's `state_dict`.

mod blocked;
mod conv;
mod discriminator;
mod generator;
mod init;
mod layers;
mod norm;
mod outline;
mod parameters;
mod spectral;
mod upsampling;

// The emulator of the kernels needs Linux.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod cuda_layer_tests;

pub(crate) use discriminator::{Discriminator, DiscriminatorShape, SMALLEST_TRAINING_SIDE, discriminator_activations};
pub(crate) use generator::{FoldedGenerator, Generator, GeneratorShape, extended, generator_activations};
pub(crate) use init::Initialiser;
pub use init::{Initialisation, UpsamplingInit};
pub(crate) use layers::LayerMemory;
pub(crate) use norm::{Field, Gathered, Moments, NodeLine};
pub(crate) use outline::{Outline, Step};
pub(crate) use parameters::{Parameters, bytes_of, copied, load_parameters};
pub use upsampling::Upsampling;
