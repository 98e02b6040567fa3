//! The kind of a data set.

use super::domain::Domain;

/// The kind of a data set, which decides which folders are read and how chips are drawn.
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
    /// Tells whether each chip has a partner in the other domain.
    pub(crate) fn is_paired(self) -> bool {
        self == Self::Pix2Pix
    }

    /// Returns the domain whose random draws decide for a domain's chips: of pairs domain A for both, so that they stay
    /// together.
    pub(super) fn leader(self, domain: Domain) -> Domain {
        if self.is_paired() { Domain::A } else { domain }
    }
}
