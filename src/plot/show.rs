//! Pictures of data and of what a model makes of it.

use image::RgbImage;
use tch::Tensor;

use super::picture::Picture;
use crate::arrays::tensor_to_array;
use crate::dataset::{DataBunch, Domain, Split};
use crate::error::{Error, ErrorKind, Result};
use crate::train::Translator;

impl DataBunch {
    /// Pictures of the first training batches as the model gets them, augmented: a column for each domain.
    ///
    /// # Errors
    /// `Usage` for no rows; what reading the chips reports.
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn show_batch(&self, rows: usize) -> Result<Picture> {
        check_rows(rows)?;
        let mut pictures = Vec::new();
        for batch in self.epoch(0)? {
            let batch = batch?;
            let n = batch.a.size()[0].min(batch.b.size()[0]);
            for i in (0..n).take(rows - pictures.len()) {
                pictures.push(vec![seen(self, Domain::A, &batch.a, i)?, seen(self, Domain::B, &batch.b, i)?]);
            }
            if pictures.len() == rows {
                break;
            }
        }
        Picture::grid("Training chips, augmented", &["Domain A", "Domain B"], &pictures)
    }
}

/// Rows of what `model` makes of fixed chips: validation chips, or training chips where there are none.
/// Left: A, its translation into B, and that translated back; right: the same from B.
///
/// ```
/// use geolearn::{CycleGan, DatasetType, prepare_data, show_results};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
/// // In a callback: show_results(report.model, report.data, 2)
/// let picture = show_results(&model, &data, 2)?;
/// assert!(picture.as_rgb_image().width() > 6 * 192);
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// `Usage` for no rows; what reading the chips or libtorch reports.
pub fn show_results(model: &dyn Translator, data: &DataBunch, rows: usize) -> Result<Picture> {
    check_rows(rows)?;
    let mut pictures = Vec::new();
    let split = shown_split(data);
    let most = Domain::BOTH.map(|domain| data.files(domain, split).len()).into_iter().max().unwrap_or(0);
    for i in 0..rows.min(most) {
        let mut row = round_trip(model, data, Domain::A, i)?;
        row.extend(round_trip(model, data, Domain::B, i)?);
        pictures.push(row);
    }
    let columns = ["A", "A to B", "A to B to A", "B", "B to A", "B to A to B"];
    let chips = if split == Split::Valid { "Validation chips" } else { "Training chips" };
    Picture::grid(&format!("{chips}, their translation, and that translated back"), &columns, &pictures)
}

fn check_rows(rows: usize) -> Result<()> {
    if rows == 0 {
        return Err(Error::new(ErrorKind::Usage, "a picture needs rows").expected("1 or more").found(0));
    }
    Ok(())
}

/// Validation chips, which do not change; training chips where there are none.
fn shown_split(data: &DataBunch) -> Split {
    if data.valid_len(Domain::A).min(data.valid_len(Domain::B)) > 0 { Split::Valid } else { Split::Train }
}

/// A chip of `domain`, its translation, and that translated back.
fn round_trip(model: &dyn Translator, data: &DataBunch, domain: Domain, index: usize) -> Result<Vec<RgbImage>> {
    let split = shown_split(data);
    let index = index % data.files(domain, split).len().max(1);
    let chip = data.chips(domain, split, &[index])?;
    let there = model.translate(&chip, domain.other())?;
    let back = model.translate(&there, domain)?;
    Ok(vec![seen(data, domain, &chip, 0)?, seen(data, domain.other(), &there, 0)?, seen(data, domain, &back, 0)?])
}

/// Image `index` of a normalised batch in the domain's own colours.
fn seen(data: &DataBunch, domain: Domain, batch: &Tensor, index: i64) -> Result<RgbImage> {
    let values = tensor_to_array(&batch.f_get(index)?)?;
    Ok(data.colours(domain).paint(&data.normaliser(domain).to_raster(values.view())?))
}
