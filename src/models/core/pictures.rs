//! The pictures of a saved model.

use super::learner::Learner;
use super::model::Model;
use super::report::{Drawn, Pictures};
use crate::dataset::Domain;
use crate::error::Result;
use crate::plot::Picture;

/// Rows of samples for chips of 256 x 256; fewer for larger ones, so that saving stays fast.
const ROWS: usize = 3;
const USUAL_AREA: usize = 256 * 256;

/// Draws the pictures. If one cannot be drawn, for example because a chip is gone, the model is saved anyway: the page
/// and a warning say why the picture is missing.
pub(super) fn draw<M: Model>(model: &Learner<M>) -> Pictures {
    let losses = match model.history.epochs() {
        [] => Err("This model holds no record of its training.".to_owned()),
        _ => drawn("Losses", || model.plot_losses()),
    };
    let results = match model.data {
        None => Err("The model was saved without data, so there are no samples.".to_owned()),
        Some(_) => drawn("Samples", || model.show_results(rows(model))),
    };
    Pictures { losses, results }
}

fn drawn(what: &str, draw: impl FnOnce() -> Result<Picture>) -> Drawn {
    draw().and_then(|picture| picture.to_png()).map_err(|error| {
        tracing::warn!(%error, what, "a picture of a saved model could not be drawn");
        format!("{what} could not be drawn: {error}.")
    })
}

fn rows<M: Model>(model: &Learner<M>) -> usize {
    let areas = Domain::BOTH.map(|domain| {
        let (height, width) = model.domain(domain).chip;
        height.saturating_mul(width)
    });
    (ROWS * USUAL_AREA / areas[0].max(areas[1]).max(1)).clamp(1, ROWS)
}
