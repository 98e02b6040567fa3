//! What an evaluation measured.

use serde::{Deserialize, Serialize};

use crate::dataset::{Domain, PerDomain};
use crate::metrics::Resize;

/// How good the translations of a model are, beside baselines that learn nothing; from
/// [`CycleGan::compute_metrics`](crate::CycleGan::compute_metrics).
///
/// `Display` prints it as a table. Every number is `None` where it could not be measured; [`notes`](Self::notes) say
/// why. [`directions`](Self::directions) lists what the model translates into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// By the domain translated into, where the model has the direction.
    #[serde(flatten)]
    by_target: PerDomain<Option<DirectionMetrics>>,
    /// How images were brought to the size that the Inception network takes.
    pub resize: Resize,
    /// What to know when reading the numbers: few images, no weights of the network, bands that were not looked at.
    pub notes: Vec<String>,
}

/// Scores of one direction of translation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DirectionMetrics {
    /// Validation chips that were translated.
    pub translated: usize,
    /// Real validation chips of the domain translated into.
    pub real: usize,
    /// Share of the energy of real chips at the frequencies of a checkerboard; see [`Scores::checkerboard`].
    pub real_checkerboard: Option<f64>,
    /// Scores of the model.
    pub model: Scores,
    /// Scores of what learns nothing, in the order of [`Baseline`].
    pub baselines: Vec<BaselineScores>,
    /// Real chips of the domain translated into against themselves, translated there and back: how well the model
    /// inverts itself, not how good a translation is. None of a model that does not translate back.
    pub round_trip: Option<PairedScores>,
}

/// A way to make images of a domain that learns nothing but colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Baseline {
    /// The image as it is.
    NoTranslation,
    /// One flat image of the mean color of the training chips.
    MeanColor,
    /// The image with the histogram of each band matched to that of all training chips (at most 500).
    HistogramMatching,
}

/// Scores of a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BaselineScores {
    /// Which one.
    pub baseline: Baseline,
    /// Its scores.
    pub scores: Scores,
}

/// Scores of a set of translations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scores {
    /// Squared maximum mean discrepancy between the features of translated and of real images (KID; Binkowski et al.
    /// 2018, arXiv:1801.01401). Lower is better, near 0 is best; unbiased, so it can be slightly negative. The number
    /// to compare models by.
    pub kid: Option<f64>,
    /// Standard error of `kid` over images.
    pub kid_standard_error: Option<f64>,
    /// Fréchet distance between the features (FID; Heusel et al. 2017, arXiv:1706.08500). Lower is better. Biased upward
    /// for few images: compare only values of equal numbers of images.
    pub fid: Option<f64>,
    /// Mean share of an image's energy at the frequencies of a checkerboard. Compare it with that of real images.
    pub checkerboard: Option<f64>,
    /// Against the truth, where images of both domains show the same places.
    pub paired: Option<PairedScores>,
}

/// Means over pairs of images that should be equal. Pixels without data do not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PairedScores {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean absolute error of each band over all pixels, in the domain's own units; `None` of a band without data.
    pub mae: Vec<Option<f64>>,
    /// Peak signal-to-noise ratio in decibels, the mean over pairs that differ. The peak is 255 for bytes, else the range
    /// of the domain's values. Higher is better.
    pub psnr: Option<f64>,
    /// Structural similarity (Wang et al. 2004), the mean over bands; at most 1. Higher is better.
    pub ssim: Option<f64>,
    /// Pearson correlation of gradient magnitudes; at most 1. Higher is better.
    pub gradient_correlation: Option<f64>,
    /// Spectral angle in degrees (Kruse et al. 1993), of images of several bands. Lower is better.
    pub spectral_angle: Option<f64>,
}

impl Metrics {
    pub(super) fn new(by_target: PerDomain<Option<DirectionMetrics>>, resize: Resize, notes: Vec<String>) -> Self {
        Self { by_target, resize, notes }
    }

    /// Returns the scores of translations into a domain; none where the model has no such direction.
    ///
    /// ```
    /// use geolearn::evaluation::MetricsOptions;
    /// use geolearn::{CycleGan, DatasetType, Domain, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// let options = MetricsOptions::new().pairs("assets/bluemarble_test/a", "assets/bluemarble_test/b");
    /// let metrics = model.compute_metrics_with(options.baselines(false).progress(false))?;
    /// assert!(metrics.to_domain(Domain::B).is_some_and(|into_b| into_b.translated > 0));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn to_domain(&self, to: Domain) -> Option<&DirectionMetrics> {
        self.by_target.get(to).as_ref()
    }

    /// Lists the directions that the model has, by the domain translated into: from A to B first.
    ///
    /// ```
    /// use geolearn::evaluation::Metrics;
    ///
    /// fn distances(metrics: &Metrics) -> Vec<String> {
    ///     metrics.directions().map(|(to, direction)| format!("FID to {to}: {:?}", direction.model.fid)).collect()
    /// }
    /// ```
    pub fn directions(&self) -> impl Iterator<Item = (Domain, &DirectionMetrics)> {
        [Domain::B, Domain::A].into_iter().filter_map(|to| Some((to, self.to_domain(to)?)))
    }
}

impl DirectionMetrics {
    /// Returns the baselines that are at least as good as the model: in KID, and where there are pairs in SSIM too. Where
    /// there are any, a GAN is not needed, or not trained enough.
    pub fn baselines_that_win(&self) -> Vec<Baseline> {
        let ssim = |scores: &Scores| scores.paired.as_ref().and_then(|paired| paired.ssim);
        let not_worse = |model: Option<f64>, other: Option<f64>| model.zip(other).map(|(model, other)| other <= model);
        let wins = |other: &Scores| {
            let kid = not_worse(self.model.kid, other.kid);
            // Higher values are better.
            let ssim = not_worse(ssim(other), ssim(&self.model));
            (kid.is_some() || ssim.is_some()) && kid != Some(false) && ssim != Some(false)
        };
        self.baselines.iter().filter(|row| wins(&row.scores)).map(|row| row.baseline).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(kid: Option<f64>, ssim: Option<f64>) -> Scores {
        let pairs = |ssim| PairedScores {
            pairs: 1,
            mae: Vec::new(),
            psnr: None,
            ssim: Some(ssim),
            gradient_correlation: None,
            spectral_angle: None,
        };
        Scores { kid, paired: ssim.map(pairs), ..Scores::default() }
    }

    /// A set of sharp images that show another place has a good KID; blurred truth has a good SSIM.
    #[test]
    fn a_baseline_wins_where_nothing_speaks_against_it() {
        let wins = |model: Scores, baseline: Scores| {
            let row = BaselineScores { baseline: Baseline::NoTranslation, scores: baseline };
            let (baselines, round_trip, real_checkerboard) = (vec![row], None, None);
            let all = DirectionMetrics { translated: 2, real: 2, real_checkerboard, model, baselines, round_trip };
            !all.baselines_that_win().is_empty()
        };
        let model = || scores(Some(0.2), Some(0.4));
        assert!(wins(model(), scores(Some(0.2), Some(0.5))));
        assert!(!wins(model(), scores(Some(0.1), Some(0.3))));
        assert!(!wins(model(), scores(Some(0.3), Some(0.5))));
        assert!(wins(scores(Some(0.2), None), scores(Some(0.1), None)));
        assert!(!wins(scores(None, Some(0.4)), scores(None, Some(0.3))));
        assert!(!wins(scores(None, None), scores(None, None)));
    }
}
