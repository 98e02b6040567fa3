//! Baselines: images that are made without learning anything except colors.

use ndarray::Array3;

use super::images::{EvaluatedImage, Source};
use super::scores::Baseline;
use crate::dataset::{DataBunch, Domain, PerDomain, Split};
use crate::error::Result;
use crate::metrics::{HistogramMatch, HistogramPool, MeanColor};
use crate::raster::{Raster, Sample, with_type};

/// Number of training chips whose histograms are used.
const MOST_CHIPS: usize = 500;

/// Colors of the domains, for baselines.
pub(super) struct Baselines<'a> {
    data: &'a DataBunch,
    /// `None` for a domain with a band that has no data in any of the chips.
    colors: PerDomain<Option<(HistogramMatch, MeanColor)>>,
}

impl<'a> Baselines<'a> {
    pub fn new(data: &'a DataBunch) -> Result<Self> {
        Ok(Self { data, colors: PerDomain::try_from_fn(|domain| colors(data, domain))? })
    }

    /// Makes an image of domain `to` from one of the other domain; `None` if the baseline cannot do that, for example
    /// between domains with different bands.
    pub fn apply(&self, baseline: Baseline, source: &Source, to: Domain) -> Result<Option<EvaluatedImage>> {
        let same_bands = source.raster.bands() == self.data.bands(to);
        let colors = self.colors.get(to).as_ref();
        let made = match (baseline, colors) {
            (Baseline::NoTranslation, _) => {
                let picture = self.data.colors(to.other()).paint(&source.raster);
                return Ok(Some(EvaluatedImage { picture, raster: same_bands.then(|| source.raster.clone()) }));
            }
            (Baseline::MeanColor, Some((_, mean))) => mean.translate(values(&source.raster).view())?,
            (Baseline::HistogramMatching, Some((histogram, _))) if same_bands => {
                histogram.translate(values(&source.raster).view())?
            }
            _ => return Ok(None),
        };
        Ok(Some(EvaluatedImage::of(self.data, to, in_type(self.data, to, made)?)))
    }
}

/// Returns an image of the domain's own type, with gaps where values are NaN.
fn in_type(data: &DataBunch, domain: Domain, values: Array3<f32>) -> Result<Raster> {
    let gaps = Raster::new(values.clone())?;
    let made: Raster = with_type!(data.dtype(domain), T => Raster::new(values.mapv(|value| <T as Sample>::nearest(f64::from(value))))?);
    Ok(made.with_gaps_of(&gaps, data.normalizer(domain).values().nodata))
}

fn values(image: &Raster) -> Array3<f32> {
    image.values_with_gaps().mapv(|value| value as f32)
}

/// Gathers histogram and mean of each band over the training chips; if there are very many, an even selection of them.
fn colors(data: &DataBunch, domain: Domain) -> Result<Option<(HistogramMatch, MeanColor)>> {
    let (chips, bands) = (data.len(domain), data.bands(domain));
    let (mut histogram, mut mean) = (HistogramPool::new(bands), MeanColor::new(bands));
    for chip in (0..chips).step_by(chips.div_ceil(MOST_CHIPS).max(1)) {
        let values = values(&data.image(domain, Split::Train, chip)?);
        histogram.add(values.view())?;
        mean.add(values.view())?;
    }
    let finished = histogram.finish().inspect_err(|error| tracing::warn!(%error, %domain, "a domain has no baselines"));
    Ok(finished.ok().map(|histogram| (histogram, mean)))
}
