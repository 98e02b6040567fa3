//! Pictures of sample translations.

use image::RgbImage;
use tch::Tensor;

use crate::dataset::{DataBunch, Domain, Split};
use crate::error::Result;
use crate::plot::Picture;
use crate::train::translator::Translator;

/// Draws rows of translations of fixed chips: validation chips, or training chips if there are none. Left: A, its
/// translation into B, and that translated back; right: the same from B. For a model with one direction: a chip, its
/// translation, and the real chip of that domain at the same position in the list.
///
/// ```
/// use geolearn::train::show_results;
/// use geolearn::{CycleGan, DatasetType, prepare_data};
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
/// `Usage` if `rows` is 0; whatever reading the chips or libtorch reports.
pub fn show_results(model: &dyn Translator, data: &DataBunch, rows: usize) -> Result<Picture> {
    Picture::check_rows(rows)?;
    let mut pictures = Vec::new();
    let split = shown_split(data);
    let most = Domain::BOTH.map(|domain| data.count(domain, split)).into_iter().max().unwrap_or(0);
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

/// Returns whether translations into `to` can be translated back.
fn returns(model: &dyn Translator, to: Domain) -> bool {
    model.targets().contains(&to.other())
}

/// Returns the headings above the pictures of one direction.
fn columns(model: &dyn Translator, to: Domain) -> [String; 3] {
    let from = to.other();
    let last = if returns(model, to) { format!("{from} to {to} to {from}") } else { to.to_string() };
    [from.to_string(), format!("{from} to {to}"), last]
}

/// Returns the validation split, whose chips do not change, or the training split if there is none.
fn shown_split(data: &DataBunch) -> Split {
    if data.valid_len(Domain::A).min(data.valid_len(Domain::B)) > 0 { Split::Valid } else { Split::Train }
}

/// Returns a chip, its translation into `to`, and that translated back or else a real chip of `to`.
fn translation(model: &dyn Translator, data: &DataBunch, to: Domain, index: usize) -> Result<[RgbImage; 3]> {
    let from = to.other();
    let chip = chip(data, from, index)?;
    let made = model.translate(&chip, to)?;
    let last = if returns(model, to) {
        data.shown(from, &model.translate(&made, from)?, 0)?
    } else {
        data.shown(to, &self::chip(data, to, index)?, 0)?
    };
    Ok([data.shown(from, &chip, 0)?, data.shown(to, &made, 0)?, last])
}

/// Returns a chip to show; indices wrap around if a domain has fewer.
fn chip(data: &DataBunch, domain: Domain, index: usize) -> Result<Tensor> {
    let split = shown_split(data);
    data.chips(domain, split, &[index % data.count(domain, split).max(1)])
}
