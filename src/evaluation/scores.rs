//! The result of an evaluation.

use serde::{Deserialize, Serialize};

use crate::dataset::{Domain, PerDomain};
use crate::metrics::Resize;

/// How good the translations of a model are, compared with baselines that learn nothing; returned by
/// [`CycleGan::compute_metrics`](crate::CycleGan::compute_metrics).
///
/// `Display` prints it as a table. Every number is `None` if it could not be measured; [`notes`](Self::notes) say why.
/// [`directions`](Self::directions) lists the domains that the model translates into.
///
/// ```
/// use geolearn::CycleGan;
///
/// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
/// for (to, direction) in model.metrics().iter().flat_map(|metrics| metrics.directions()) {
///     println!("into {to}: KID {:?}", direction.model.kid);
/// }
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// By target domain, if the model has the direction.
    #[serde(flatten)]
    by_target: PerDomain<Option<DirectionMetrics>>,
    /// How images were resized for the Inception network.
    pub resize: Resize,
    /// Notes for reading the numbers: few images, missing weights of the network, bands that were not used.
    pub notes: Vec<String>,
}

/// Scores of one direction of translation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DirectionMetrics {
    /// Validation chips that were translated.
    pub translated: usize,
    /// Real validation chips of the target domain.
    pub real: usize,
    /// Share of the energy of real chips at the frequencies of a checkerboard; see [`Scores::checkerboard`].
    pub real_checkerboard: Option<f64>,
    /// Scores of the model.
    pub model: Scores,
    /// Scores of the baselines, in the order of [`Baseline`].
    pub baselines: Vec<BaselineScores>,
    /// Round trips: real chips of the target domain compared with themselves after translation there and back. They
    /// show how well the model inverts itself, not how good a translation is. `None` if the model does not translate
    /// back.
    pub round_trip: Option<PairedScores>,
}

/// A baseline: makes images of a domain without learning anything except colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Baseline {
    /// The unchanged image.
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
    /// Which baseline.
    pub baseline: Baseline,
    /// Its scores.
    pub scores: Scores,
}

/// Scores of a set of translations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scores {
    /// Squared maximum mean discrepancy between the features of translated and real images (KID; Binkowski et al. 2018,
    /// arXiv:1801.01401). Lower is better, and near 0 is best; it is unbiased, so it can be slightly negative. Use this
    /// score to compare models.
    pub kid: Option<f64>,
    /// Standard error of `kid` over images.
    pub kid_standard_error: Option<f64>,
    /// Fréchet distance between the features (FID; Heusel et al. 2017, arXiv:1706.08500). Lower is better. It is biased
    /// upward for few images: compare only values for equal numbers of images.
    pub fid: Option<f64>,
    /// Mean share of an image's energy at the frequencies of a checkerboard. Compare it with that of real images.
    pub checkerboard: Option<f64>,
    /// Scores against the truth, if images of both domains show the same places.
    pub paired: Option<PairedScores>,
}

/// Means over pairs of images that should be equal. Pixels without data do not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PairedScores {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean absolute error of each band over all pixels, in the domain's own units; `None` for a band without data.
    pub mae: Vec<Option<f64>>,
    /// Peak signal-to-noise ratio in decibels, the mean over pairs that differ. The peak is 255 for bytes, otherwise
    /// the range of the domain's values. Higher is better.
    pub psnr: Option<f64>,
    /// Structural similarity (Wang et al. 2004), the mean over bands; at most 1. Higher is better.
    pub ssim: Option<f64>,
    /// Pearson correlation of gradient magnitudes; at most 1. Higher is better.
    pub gradient_correlation: Option<f64>,
    /// Spectral angle in degrees (Kruse et al. 1993), for images with several bands. Lower is better.
    pub spectral_angle: Option<f64>,
}

impl Metrics {
    pub(super) fn new(by_target: PerDomain<Option<DirectionMetrics>>, resize: Resize, notes: Vec<String>) -> Self {
        Self { by_target, resize, notes }
    }

    /// Returns the scores of translations into a domain; `None` if the model does not have that direction.
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

    /// Lists the directions of the model by target domain, A to B first.
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
    /// Returns the baselines that are at least as good as the model in KID and, if there are pairs, in SSIM. If there
    /// are any, a GAN is not needed, or the model is not trained enough.
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

    /// A set of sharp images of another place has a good KID; blurred truth has a good SSIM.
    #[test]
    fn a_baseline_wins_if_no_score_contradicts() {
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
