//! What data are for.

use super::domain::Domain;

/// What the data are for; decides which folders are looked for and how chips are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatasetType {
    /// Unpaired chips of two domains.
    CycleGan,
    /// Pairs of chips that show the same place in both domains, A being the one from which is translated. They are drawn
    /// together and vary alike. [`CycleGan`](crate::CycleGan) takes them too, and makes no other use of it.
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
