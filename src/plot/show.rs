//! Pictures of data and of what a model makes of it.

use image::RgbImage;
use tch::Tensor;

use super::picture::Picture;
use crate::arrays::tensor_to_array;
use crate::dataset::{DataBunch, Domain, Split};
use crate::error::{Error, ErrorKind, Result};
use crate::train::Translator;

impl DataBunch {
    /// Pictures of the first training batches as the model gets them, augmented: a column for each domain, and in each row a
    /// pair, where chips are paired.
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
        let what = if self.dataset_type().is_paired() { "pairs" } else { "chips" };
        Picture::grid(&format!("Training {what}, augmented"), &["Domain A", "Domain B"], &pictures)
    }
}

/// Rows of what `model` makes of fixed chips: validation chips, or training chips where there are none.
/// Left: A, its translation into B, and that translated back; right: the same from B. Of a model of one direction: a chip,
/// its translation, and the real chip of that domain which has the same place in the list.
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
        let mut row = Vec::new();
        for &to in model.targets() {
            row.extend(translation(model, data, to, i)?);
        }
        pictures.push(row);
    }
    let columns: Vec<String> = model.targets().iter().flat_map(|&to| columns(model, to)).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let chips = if split == Split::Valid { "Validation chips" } else { "Training chips" };
    let back = model.targets().iter().any(|&to| returns(model, to));
    let beside = if back { "that translated back" } else { "real chips" };
    Picture::grid(&format!("{chips}, their translation, and {beside}"), &columns, &pictures)
}

/// Whether translations into `to` can be translated back.
fn returns(model: &dyn Translator, to: Domain) -> bool {
    model.targets().contains(&to.other())
}

/// What is above the pictures of one direction.
fn columns(model: &dyn Translator, to: Domain) -> [String; 3] {
    let from = to.other();
    let last = if returns(model, to) { format!("{from} to {to} to {from}") } else { to.to_string() };
    [from.to_string(), format!("{from} to {to}"), last]
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

/// A chip, its translation into `to`, and that translated back, else a real chip of `to`.
fn translation(model: &dyn Translator, data: &DataBunch, to: Domain, index: usize) -> Result<[RgbImage; 3]> {
    let from = to.other();
    let chip = chip(data, from, index)?;
    let made = model.translate(&chip, to)?;
    let last = if returns(model, to) {
        seen(data, from, &model.translate(&made, from)?, 0)?
    } else {
        seen(data, to, &self::chip(data, to, index)?, 0)?
    };
    Ok([seen(data, from, &chip, 0)?, seen(data, to, &made, 0)?, last])
}

/// A chip that is shown; they begin anew where a domain has fewer.
fn chip(data: &DataBunch, domain: Domain, index: usize) -> Result<Tensor> {
    let split = shown_split(data);
    data.chips(domain, split, &[index % data.files(domain, split).len().max(1)])
}

/// Image `index` of a normalised batch in the domain's own colours.
fn seen(data: &DataBunch, domain: Domain, batch: &Tensor, index: i64) -> Result<RgbImage> {
    let values = tensor_to_array(&batch.f_get(index)?)?;
    Ok(data.colours(domain).paint(&data.normaliser(domain).to_raster(values.view())?))
}
