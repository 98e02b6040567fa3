//! Chips of one number of bands from pictures in gray and in color.

use serde::{Deserialize, Serialize};

/// What is done with chips that differ in their number of bands from the others of their domain.
///
/// | Variant | Bands of a file | become |
/// |---|---|---|
/// | `Fail` | any | themselves; `prepare` fails where they differ, and lists them |
/// | `Rgb` | gray, with or without alpha | three equal bands |
/// | | red, green and blue, with or without alpha | those three |
///
/// Alpha is the band that a file says holds opacity. Domains of which [`bands`](crate::PrepareData::bands) are chosen
/// need none of it: those are looked up in each file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MixedBands {
    /// Not accepted: the default, since they mostly come from a mistake.
    #[default]
    Fail,
    /// Every chip becomes red, green and blue.
    Rgb,
}

impl MixedBands {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Indices of what is used of so many bands; all of them where they are neither gray nor colors.
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
        // Near infrared is no alpha, and what a model of thirteen bands does with gray nobody knows.
        assert_eq!((indices(4, None).len(), indices(2, None).len(), indices(13, Some(12)).len()), (4, 2, 13));
        assert_eq!(MixedBands::Fail.indices(4, Some(3)).len(), 4);
    }
}
