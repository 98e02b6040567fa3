//! Access to chips that have a partner in the other domain.

use std::path::Path;

use super::bunch::{DataBunch, Split};
use super::dataset_type::DatasetType;
use super::domain::Domain;
use super::variation::Variation;

impl DataBunch {
    /// Returns the dataset type, which determines whether chips are paired.
    ///
    /// ```
    /// use geolearn::{DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// assert_eq!(data.dataset_type(), DatasetType::Pix2Pix);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn dataset_type(&self) -> DatasetType {
        self.shared.dataset_type
    }

    /// Returns the variation of a domain's training chips. For pairs, brightness and contrast change only in A, because
    /// the values of B are what the model learns to predict.
    pub(super) fn variation(&self, domain: Domain) -> Variation {
        let variation = self.augment().variation(domain);
        match (self.dataset_type(), domain) {
            (DatasetType::Pix2Pix, Domain::B) => variation.without_light(),
            _ => variation,
        }
    }

    /// Returns the pairs in a split: the file of A and that of B, which is the same file if it contains both chips side
    /// by side. Chip i of [`files`](Self::files) and [`chips`](Self::chips) is the partner of chip i of the other
    /// domain. Unpaired data has no pairs.
    ///
    /// ```
    /// use geolearn::dataset::Split;
    /// use geolearn::{DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// for (a, b) in data.pairs(Split::Train) {
    ///     assert_eq!(a.file_stem(), b.file_stem());
    /// }
    /// assert_eq!(data.pairs(Split::Train).count() + data.pairs(Split::Valid).count(), 13);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn pairs(&self, split: Split) -> impl ExactSizeIterator<Item = (&Path, &Path)> {
        let [a, b] = [Domain::A, Domain::B].map(|domain| self.files(domain, split));
        let count = if self.dataset_type().is_paired() { a.len().min(b.len()) } else { 0 };
        a[..count].iter().zip(&b[..count]).map(|(a, b)| (a.as_path(), b.as_path()))
    }
}
