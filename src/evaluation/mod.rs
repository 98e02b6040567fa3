//! Evaluation of a trained model: quality metrics of its translations, compared with those of baselines.
//!
//! [`CycleGan::compute_metrics`](crate::CycleGan::compute_metrics) returns [`Metrics`].

mod baselines;
mod direction;
mod images;
mod judge;
mod options;
mod paired;
mod pairs;
mod scores;
mod table;

pub use options::MetricsOptions;
pub use scores::{Baseline, BaselineScores, DirectionMetrics, Metrics, PairedScores, Scores};
pub(crate) use table::rows as table;

use crate::dataset::{DataBunch, Domain, PerDomain};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Counter;
use crate::train::Translator;
use baselines::Baselines;
use direction::Evaluation;
use judge::FeatureNetwork;

/// FID and KID are usually reported for at least this many images.
const FEW: usize = 2048;

/// Measures the translations of `model` in each direction that it supports.
///
/// # Errors
/// `Usage` if there are no images to measure on; errors of reading images and weights or of libtorch.
pub(crate) fn compute_metrics(model: &dyn Translator, data: &DataBunch, options: &MetricsOptions) -> Result<Metrics> {
    let pairs = pairs::find(data, options.pairs.as_ref())?;
    if Domain::BOTH.iter().all(|&domain| data.valid_len(domain) == 0) && pairs.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "there are no images to measure the model on").at(data.path()).help(
            "Prepare the data with val_split_pct above 0 or with folders valid_a and valid_b, or name folders of images \
             of the same places with MetricsOptions::pairs.",
        ));
    }
    let (network, missing) = FeatureNetwork::find(model.torch_device(), options)?;
    let baselines = options.baselines.then(|| Baselines::new(data)).transpose()?;
    let progress = Counter::new(options.progress, "Metrics", "images", images(model.targets(), data, pairs.len()));
    let evaluation = Evaluation { model, data, network, baselines, pairs, window: options.ssim_window, progress };
    let real = PerDomain::try_from_fn(|domain| evaluation.real(domain))?;
    let direction = |to| model.targets().contains(&to).then(|| evaluation.direction(to, &real)).transpose();
    Ok(Metrics::new(PerDomain::try_from_fn(direction)?, options.resize, notes(data, missing)))
}

/// Counts the images that will be processed: real images, translations of them and of pairs, round trips.
fn images(targets: &[Domain], data: &DataBunch, pairs: usize) -> usize {
    let real: usize = Domain::BOTH.map(|domain| data.valid_len(domain)).iter().sum();
    let of_direction = |to: &Domain| {
        let back = if targets.contains(&to.other()) { data.valid_len(*to) } else { 0 };
        data.valid_len(to.other()) + pairs + back
    };
    real + targets.iter().map(of_direction).sum::<usize>()
}

/// Returns notes for reading the numbers.
fn notes(data: &DataBunch, missing: Option<Error>) -> Vec<String> {
    let mut notes = Vec::new();
    let fewest = Domain::BOTH.map(|domain| data.valid_len(domain)).into_iter().min().unwrap_or(0);
    match (fewest, missing) {
        (_, Some(error)) => notes.push(format!("KID and FID are left out: {error}")),
        (0 | 1, None) => {
            notes.push(format!("KID and FID need two images of each domain or more; there is a domain of {fewest}."))
        }
        (n, None) if n < FEW => notes.push(format!(
            "{n} images are few: FID is biased upward below {FEW}, so compare it only with FID of the same number of images, and \
             KID within its standard error."
        )),
        _ => {}
    }
    for domain in Domain::BOTH.into_iter().filter(|&domain| data.bands(domain) > 3) {
        let bands = data.colors(domain).bands.map(|band| (band + 1).to_string()).join(", ");
        notes.push(format!(
            "KID, FID and checkerboard of domain {domain} look at its bands {bands}, as show_batch does."
        ));
    }
    notes
}
