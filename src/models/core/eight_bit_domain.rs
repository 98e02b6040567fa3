//! The assumed domain of images whose networks come from files that do not describe it.

use crate::dataset::{DomainSpec, Normalizer, Selection};
use crate::error::Result;

/// Side of the chips that the research code trains on by default (`--crop_size 256`); its files do not state it.
const CHIP: usize = 256;

/// Describes a domain of 8-bit images that are scaled by their whole range.
pub(crate) fn eight_bit_domain(bands: usize) -> Result<DomainSpec> {
    Ok(DomainSpec {
        normalizer: Normalizer::new(vec![0.0; bands], vec![255.0; bands], bands)?,
        // Unknown, and not used for scaling here.
        mean: Vec::new(),
        std: Vec::new(),
        chip: (CHIP, CHIP),
        selection: Selection::all(bands),
        band_names: vec![None; bands],
        band_scales: Vec::new(),
    })
}
