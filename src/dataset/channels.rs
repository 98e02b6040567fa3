//! The choice of the tensors' numbers of channels.

use serde::{Deserialize, Serialize};

/// Channels of the networks if the domains differ in their number of bands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Channels {
    /// Both domains have as many channels as the larger one has bands; the other repeats its last band. This is
    /// arcgis.learn's way with CycleGAN, and the only one that it can open. The default, except for pairs.
    #[default]
    Shared,
    /// Each domain has its own number. Generators then differ in their number of input and output channels, and there
    /// is no identity loss, because a generator cannot take an image of its own domain. This is arcgis.learn's way with
    /// Pix2Pix, and the default for pairs.
    Own,
}

impl Channels {
    /// Channels of a domain of `own` bands beside one of `other` bands.
    pub(super) fn of(self, own: usize, other: usize) -> usize {
        match self {
            Self::Shared => own.max(other),
            Self::Own => own,
        }
    }
}
