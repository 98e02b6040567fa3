//! The number of channels of the tensors.

use serde::{Deserialize, Serialize};

/// Channels of the networks if the domains differ in their number of bands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Channels {
    /// Both domains have as many channels as the larger one has bands; the other domain repeats its last band. This is
    /// how arcgis.learn does it for CycleGAN, and the only form that it can open. The default, except for pairs.
    #[default]
    Shared,
    /// Each domain has its own number. Generators then differ in their number of input and output channels, and there
    /// is no identity loss, because a generator cannot take an image of its own output domain. This is how arcgis.learn
    /// does it for Pix2Pix, and the default for pairs.
    Own,
}

impl Channels {
    /// Returns the number of channels of a domain with `own` bands if the other has `other` bands.
    pub(super) fn of(self, own: usize, other: usize) -> usize {
        match self {
            Self::Shared => own.max(other),
            Self::Own => own,
        }
    }
}
