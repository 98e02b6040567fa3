//! Everything known about a domain besides its chips: scaling, bands, and sizes.

use std::path::Path;

use super::bands::Selection;
use super::normalize::{MOST_CHANNELS, Normalizer};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{BandScale, Conversion, Dtype, MAX_SIDE};

/// Everything known about a domain besides its chips: how its images become tensors, and how tensors become images
/// again. Datasets, models, definitions, checkpoints, and exports share this type; each file format has its own
/// representation of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DomainSpec {
    pub normalizer: Normalizer,
    /// One for each band, if known.
    pub mean: Vec<f64>,
    /// One for each band, if known.
    pub std: Vec<f64>,
    /// Height and width of the chips.
    pub chip: (usize, usize),
    /// Which bands of the domain's files are used.
    pub selection: Selection,
    /// The names of the bands that are used.
    pub band_names: Vec<Option<String>>,
    /// Their scales; empty if unknown, as in models of earlier releases.
    pub band_scales: Vec<BandScale>,
}

impl DomainSpec {
    /// Checks that the numbers are consistent and in range. Every reader of a file calls this; the normalizer has
    /// already checked its own numbers.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str, expected: String, found: String| {
            Err(Error::new(ErrorKind::Format, what).expected(expected).found(found))
        };
        let Self { normalizer, mean, std, chip, selection, band_names, band_scales } = self;
        let count = normalizer.bands();
        if ![chip.0, chip.1].iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            return wrong("size of the chips is out of range", format!("1 to {MAX_SIDE} pixels"), format!("{chip:?}"));
        }
        if !selection.is_sound(count) || selection.of > MOST_CHANNELS {
            // A file may list very many bands.
            let named: Vec<_> = selection.bands.iter().take(8).map(|band| band.to_string()).collect();
            let found = format!("{} indices ({}) of {} bands", selection.bands.len(), named.join(", "), selection.of);
            let expected = format!("{count} different indices below the number of bands, at most {MOST_CHANNELS}");
            return wrong("choice of bands cannot be", expected, found);
        }
        let each = |length: usize| length == count || length == 0;
        if band_names.len() != count || !each(mean.len()) || !each(std.len()) {
            let found = format!("{} names, {} means and {} deviations", band_names.len(), mean.len(), std.len());
            return wrong("facts of the bands do not agree", format!("one for each of {count} bands"), found);
        }
        if !each(band_scales.len()) || !band_scales.iter().all(|scale| scale.is_sound()) {
            let expected = format!("finite ones other than 0 for {count} bands");
            return wrong("scales of the bands cannot be", expected, format!("{band_scales:?}"));
        }
        Ok(())
    }

    /// Returns the conversion that gives samples of this type and these scales the meaning they have in the domain.
    /// Warns about anything that is unclear.
    pub fn conversion(&self, dtype: Dtype, scales: &[BandScale], file: Option<&Path>) -> Conversion {
        let conversion = Conversion::between((dtype, scales), (self.normalizer.dtype(), &self.band_scales));
        if conversion == Conversion::Doubtful {
            tracing::warn!(
                file = file.map(|file| file.display().to_string()),
                ?scales,
                learned = ?self.band_scales,
                "scale and offset of the image are not those that the model learned from; samples are taken as they are"
            );
        }
        conversion
    }
}
