//! Pictures of training data.

use image::RgbImage;
use tch::Tensor;

use super::bunch::DataBunch;
use super::domain::Domain;
use crate::arrays::tensor_to_array;
use crate::error::Result;
use crate::plot::Picture;

impl DataBunch {
    /// Shows the first training batches as the model gets them, augmented: each domain is a column, and each row is a
    /// pair if chips are paired.
    ///
    /// # Errors
    /// `Usage` if `rows` is 0; otherwise the error from reading the chips.
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn show_batch(&self, rows: usize) -> Result<Picture> {
        Picture::check_rows(rows)?;
        let mut pictures = Vec::new();
        for batch in self.epoch(0)? {
            let batch = batch?;
            let n = batch.a.size()[0].min(batch.b.size()[0]);
            for i in (0..n).take(rows - pictures.len()) {
                pictures.push(vec![self.shown(Domain::A, &batch.a, i)?, self.shown(Domain::B, &batch.b, i)?]);
            }
            if pictures.len() == rows {
                break;
            }
        }
        let what = if self.dataset_type().is_paired() { "pairs" } else { "chips" };
        Picture::grid(&format!("Training {what}, augmented"), &["Domain A", "Domain B"], &pictures)
    }

    /// Renders image `index` of a normalized batch in the colors of `domain`.
    pub(crate) fn shown(&self, domain: Domain, batch: &Tensor, index: i64) -> Result<RgbImage> {
        let values = tensor_to_array(&batch.f_get(index)?)?;
        Ok(self.colors(domain).paint(&self.normalizer(domain).to_raster(values.view())?))
    }
}
