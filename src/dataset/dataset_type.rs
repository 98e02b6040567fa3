//! The type of a dataset.

use super::domain::Domain;

/// The type of a dataset, which determines which folders are read and how chips are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatasetType {
    /// Unpaired chips of two domains.
    CycleGan,
    /// Pairs of chips that show the same place in both domains, for translation from A. They are drawn and augmented
    /// together. [`CycleGan`](crate::CycleGan) accepts them, too, but does not use the pairing.
    Pix2Pix,
}

impl DatasetType {
    /// Returns whether each chip has a partner in the other domain.
    pub(crate) fn is_paired(self) -> bool {
        self == Self::Pix2Pix
    }

    /// Returns the domain whose random draws apply to a domain's chips: A for both domains of pairs, so that partners
    /// stay together.
    pub(super) fn leader(self, domain: Domain) -> Domain {
        if self.is_paired() { Domain::A } else { domain }
    }
}
