//! What is taken to be of images whose networks come from files that do not say.

use crate::dataset::{DomainSpec, Normalizer, Selection};
use crate::error::Result;

/// Side of the chips that the research code trains on by default (`--crop_size 256`); its files do not say.
const CHIP: usize = 256;

/// Describes a domain of images of 8 bits that are scaled by the whole range.
pub(crate) fn eight_bit_domain(bands: usize) -> Result<DomainSpec> {
    Ok(DomainSpec {
        normalizer: Normalizer::new(vec![0.0; bands], vec![255.0; bands], bands)?,
        // Not known, and nothing here is scaled by them.
        mean: Vec::new(),
        std: Vec::new(),
        chip: (CHIP, CHIP),
        selection: Selection::all(bands),
        band_names: vec![None; bands],
        band_scales: Vec::new(),
    })
}
