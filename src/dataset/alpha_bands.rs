//! Handling of bands that files call alpha.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Number of chips to examine. Near infrared is recognized in the first one.
const LOOKED_AT: usize = 16;

/// How the last band of a domain's files is used if they call it alpha.
///
/// | Variant | The band |
/// |---|---|
/// | `Auto` | is a mask, as with `Mask`. One exception: in a TIFF of four 8-bit bands, GDAL calls the fourth band alpha whatever it contains. It is a mask only if it contains nothing but 0 and 255 in up to 16 chips spread over the domain; otherwise it is a band, as with `Band`, and a warning says so |
/// | `Mask` | is not used as a band: pixels where it is 0 have no data |
/// | `Band` | is an ordinary band, such as near infrared |
///
/// A band selected by [`bands`](crate::PrepareData::bands) is used in any case. A model remembers the choice for the
/// images that it translates. In PNG files, alpha is always the mask.
///
/// ```
/// use geolearn::dataset::AlphaBands;
/// use geolearn::{DatasetType, Domain, PrepareData};
///
/// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan)
///     .alpha_bands(Domain::A, AlphaBands::Band)
///     .prepare()?;
/// assert_eq!(data.bands(Domain::A), 3);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlphaBands {
    /// Decided by the contents of the files. The default.
    #[default]
    Auto,
    /// Always the mask.
    Mask,
    /// Always a band.
    Band,
}

impl AlphaBands {
    /// Returns whether alpha is the mask, which models do not store.
    pub(crate) fn is_default(&self) -> bool {
        *self != Self::Band
    }

    /// Decides by calling `has_doubtful_alpha` on some of the files, and warns if alpha is not a mask. A file that
    /// cannot be read is ignored here; it is reported when all files are read.
    pub(super) fn settled(
        self,
        files: &[&PathBuf],
        has_doubtful_alpha: impl Fn(&Path) -> bool,
    ) -> (Self, Option<String>) {
        if self != Self::Auto {
            return (self, None);
        }
        let count = files.len().min(LOOKED_AT);
        let mut looked = (0..count).map(|index| files[index * files.len() / count]);
        match looked.find(|file| has_doubtful_alpha(file)) {
            Some(file) => (Self::Band, Some(remark(file))),
            None => (Self::Mask, None),
        }
    }
}

fn remark(file: &Path) -> String {
    format!(
        "band 4 is called alpha, as GDAL calls the fourth of four bands of bytes whatever it holds, but has other values than 0 \
         and 255 in {}, so it is a band like the others. If it is a mask, call PrepareData::alpha_bands with AlphaBands::Mask; \
         AlphaBands::Band says that it is not",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Limits, has_doubtful_alpha};

    #[test]
    fn values_decide_where_the_word_of_the_file_does_not() {
        let settled = |choice: AlphaBands, names: &[&str]| {
            let files: Vec<PathBuf> = names.iter().map(|name| PathBuf::from("tests/fixtures").join(name)).collect();
            let look = |file: &Path| has_doubtful_alpha(file, &Limits::default()).unwrap_or(false);
            let (choice, remark) = choice.settled(&files.iter().collect::<Vec<_>>(), look);
            (choice, remark.is_some_and(|remark| remark.contains(names[names.len() - 1])))
        };
        let (near_infrared, mask) = ("masks/near_infrared.tif", "masks/alpha_rgba.tif");
        assert_eq!(settled(AlphaBands::Auto, &[mask, mask, near_infrared]), (AlphaBands::Band, true));
        assert_eq!(settled(AlphaBands::Auto, &[mask, "tiff/la.png", "no.tif"]), (AlphaBands::Mask, false));
        // Two bands, or 16 bits: nobody writes alpha there by accident.
        assert_eq!(settled(AlphaBands::Auto, &["masks/alpha_gray.tif", "masks/alpha_uint16.tif"]).0, AlphaBands::Mask);
        assert_eq!(settled(AlphaBands::Mask, &[near_infrared]), (AlphaBands::Mask, false));
        assert_eq!(settled(AlphaBands::Band, &[]), (AlphaBands::Band, false));
        assert_eq!(settled(AlphaBands::Auto, &[]), (AlphaBands::Mask, false));
    }
}
