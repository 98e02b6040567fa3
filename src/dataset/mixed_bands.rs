//! Handling of chips that differ in their number of bands.

use serde::{Deserialize, Serialize};

/// What to do with chips that differ in their number of bands from the others of their domain.
///
/// | Variant | Bands of a file | Converted to |
/// |---|---|---|
/// | `Fail` | any | unchanged; `prepare` fails if they differ, and lists them |
/// | `Rgb` | gray, with or without alpha | three equal bands |
/// | | red, green, and blue, with or without alpha | those three |
///
/// Alpha is the band that a file declares as opacity. This option is not needed for domains with selected
/// [`bands`](crate::PrepareData::bands), because these are looked up in each file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MixedBands {
    /// Not accepted. The default, since differences are usually a mistake.
    #[default]
    Fail,
    /// Every chip becomes red, green, and blue.
    Rgb,
}

impl MixedBands {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the indices of the used bands; all of them if they are neither gray nor RGB.
    pub(super) fn indices(self, bands: usize, alpha: Option<usize>) -> Vec<usize> {
        let without_alpha = if alpha.is_some_and(|alpha| alpha + 1 == bands) { bands - 1 } else { bands };
        match (self, bands, without_alpha) {
            (Self::Rgb, 1, _) | (Self::Rgb, 2, 1) => vec![0; 3],
            (Self::Rgb, 4, 3) => vec![0, 1, 2],
            _ => (0..bands).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_becomes_three_equal_bands_and_alpha_goes() {
        let indices = |bands, alpha| MixedBands::Rgb.indices(bands, alpha);
        assert_eq!((indices(1, None), indices(2, Some(1))), (vec![0; 3], vec![0; 3]));
        assert_eq!((indices(3, None), indices(4, Some(3))), (vec![0, 1, 2], vec![0, 1, 2]));
        // Near infrared is not alpha, and it is unclear how a model of thirteen bands should treat gray.
        assert_eq!((indices(4, None).len(), indices(2, None).len(), indices(13, Some(12)).len()), (4, 2, 13));
        assert_eq!(MixedBands::Fail.indices(4, Some(3)).len(), 4);
    }
}
