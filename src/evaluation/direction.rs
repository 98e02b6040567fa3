//! One direction of translation: the model, baselines and round trips.

use super::baselines::Baselines;
use super::images::{EvaluatedImage, Source, translated};
use super::judge::{FeatureNetwork, ImageSet, Measured};
use super::paired::PairSums;
use super::pairs::{Pairs, misfit};
use super::scores::{Baseline, BaselineScores, DirectionMetrics, PairedScores, Scores};
use crate::dataset::{DataBunch, Domain, PerDomain, Split};
use crate::error::Result;
use crate::metrics::SsimWindow;
use crate::progress::Counter;
use crate::train::Translator;

const BASELINES: [Baseline; 3] = [Baseline::NoTranslation, Baseline::MeanColor, Baseline::HistogramMatching];

/// What all directions share.
pub(super) struct Evaluation<'a> {
    pub model: &'a dyn Translator,
    pub data: &'a DataBunch,
    pub network: FeatureNetwork,
    pub baselines: Option<Baselines<'a>>,
    pub pairs: Pairs,
    pub window: SsimWindow,
    pub progress: Counter,
}

/// A way to make an image of a domain from one of the other; `None` if it cannot.
type Make<'m> = dyn Fn(&Source) -> Result<Option<EvaluatedImage>> + 'm;

impl Evaluation<'_> {
    /// Measures the real validation chips of a domain.
    pub fn real(&self, domain: Domain) -> Result<Measured> {
        let mut set = ImageSet::default();
        for chip in 0..self.data.valid_len(domain) {
            let raster = self.data.image(domain, Split::Valid, chip)?;
            self.progress.one(set.add(&self.network, self.data.colors(domain).paint(&raster)))?;
        }
        set.finish(&self.network)
    }

    /// Scores everything that makes images of `to`.
    pub fn direction(&self, to: Domain, real: &PerDomain<Measured>) -> Result<DirectionMetrics> {
        let model = |source: &Source| translated(self.model, self.data, source, to).map(Some);
        let set = self.measure(to, &|source| self.progress.one(model(source)))?;
        let model = self.scores(to, &set, real, &model)?;
        let mut baselines = Vec::new();
        if let Some(made) = &self.baselines {
            for baseline in BASELINES {
                let make = |source: &Source| made.apply(baseline, source, to);
                let scores = match baseline {
                    // Its images are the real ones of the other domain, which have been measured already.
                    Baseline::NoTranslation => self.scores(to, real.get(to.other()), real, &make)?,
                    _ => self.scores(to, &self.measure(to, &make)?, real, &make)?,
                };
                baselines.push(BaselineScores { baseline, scores });
            }
        }
        Ok(DirectionMetrics {
            translated: self.data.valid_len(to.other()),
            real: self.data.valid_len(to),
            real_checkerboard: real.get(to).checkerboard,
            model,
            baselines,
            round_trip: self.round_trip(to)?,
        })
    }

    /// Measures the images made from all validation chips of the other domain.
    fn measure(&self, to: Domain, make: &Make<'_>) -> Result<Measured> {
        let mut set = ImageSet::default();
        for chip in 0..self.data.valid_len(to.other()) {
            if let Some(made) = make(&self.source(to.other(), chip)?)? {
                set.add(&self.network, made.picture)?;
            }
        }
        set.finish(&self.network)
    }

    /// Reads a validation chip.
    fn source(&self, domain: Domain, chip: usize) -> Result<Source> {
        Source::of(self.data, domain, self.data.image(domain, Split::Valid, chip)?)
    }

    /// Scores a set of images against real ones, and the images made from pairs against the truth.
    fn scores(&self, to: Domain, set: &Measured, real: &PerDomain<Measured>, make: &Make<'_>) -> Result<Scores> {
        Ok(Scores { paired: self.paired(to, make)?, ..set.against(real.get(to))? })
    }

    /// Compares the image made from one half of each pair with the other half.
    fn paired(&self, to: Domain, make: &Make<'_>) -> Result<Option<PairedScores>> {
        let mut sums = PairSums::new(self.data, to, self.window);
        for pair in &self.pairs {
            let (source, truth) = (pair.get(to.other()), pair.get(to));
            let made = make(&Source::of(self.data, to.other(), source.read(self.data, to.other())?)?)?;
            let Some(raster) = made.and_then(|made| made.raster) else {
                continue;
            };
            let expected = truth.read(self.data, to)?;
            let size = (raster.height(), raster.width());
            if size != (expected.height(), expected.width()) {
                return Err(misfit(source, truth, size, (expected.height(), expected.width())));
            }
            sums.add(&raster, &expected)?;
        }
        Ok(sums.scores())
    }

    /// Compares validation chips with their round trips.
    fn round_trip(&self, domain: Domain) -> Result<Option<PairedScores>> {
        if !self.model.targets().contains(&domain.other()) {
            return Ok(None);
        }
        let mut sums = PairSums::new(self.data, domain, self.window);
        for chip in 0..self.data.valid_len(domain) {
            let source = self.source(domain, chip)?;
            let back = self.model.translate(&self.model.translate(&source.tensor, domain.other())?, domain)?;
            if let Some(raster) =
                self.progress.one(EvaluatedImage::made(self.data, domain, &back, &source.raster)?.raster)
            {
                sums.add(&raster, &source.raster)?;
            }
        }
        Ok(sums.scores())
    }
}
