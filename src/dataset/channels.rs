//! How many channels the tensors of each domain have.

use serde::{Deserialize, Serialize};

/// Channels of the networks where the domains differ in their number of bands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Channels {
    /// As many for both domains as the larger has bands; the other repeats its last band. arcgis.learn's way with
    /// CycleGAN, and the only one of which it can read such models. The default, but for pairs.
    #[default]
    Shared,
    /// Each domain has its own number. Generators then differ in their number of input and output channels, and there
    /// is no identity loss, for no generator can be shown an image of its own domain. arcgis.learn's way with Pix2Pix, and the
    /// default for pairs.
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
