//! The choice of the values that are scaled to -1 and 1.

use serde::{Deserialize, Serialize};

use super::normalize::{Normalizer, Values};
use super::statistics::{BandStatistics, Statistics};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Dtype;

/// How the values of a domain are scaled to [-1, 1], the range of the networks' inputs and outputs.
///
/// | Variant | Scaled to -1 | Scaled to 1 | Values beyond |
/// |---|---|---|---|
/// | `MinMax` | the smallest value | the largest value | do not occur |
/// | `Percentile` | the lower percentile | the upper percentile | are clipped to -1 or 1 |
/// | `MeanStd` | mean - 3 standard deviations | mean + 3 standard deviations | are kept, but a generator cannot produce them |
///
/// With `MinMax`, a few bright roofs or clouds can push all other values close to -1; `Percentile` is then the better
/// choice, and the usual one for reflectances and backscatter.
///
/// ```
/// use geolearn::dataset::Normalization;
/// use geolearn::{DatasetType, Domain, PrepareData};
///
/// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan)
///     .normalization(Normalization::Percentile { low: 2.0, high: 98.0 })
///     .prepare()?;
/// let red = &data.statistics(Domain::A).bands()[0];
/// assert!(data.normalizer(Domain::A).max()[0] < red.max);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Normalization {
    /// From the smallest to the largest value, as in arcgis.learn. The default.
    #[default]
    MinMax,
    /// From one percentile to another, in percent; 2 and 98 are usual.
    Percentile {
        /// The percentile that becomes -1, as do values below it. From 0 to below `high`.
        low: f64,
        /// The percentile that becomes 1, as do values above it. At most 100.
        high: f64,
    },
    /// Three standard deviations to either side of the mean.
    MeanStd,
}

/// Standard deviations between the mean and 1.
const DEVIATIONS: f64 = 3.0;
/// Used for pictures if the normalization has no percentiles of its own.
const USUAL: (f64, f64) = (2.0, 98.0);

impl Normalization {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Percentile { low, high } if !(0.0 <= low && low < high && high <= 100.0) => {
                Err(Error::new(ErrorKind::Usage, "Normalization::Percentile is out of range")
                    .expected("0 <= low < high <= 100")
                    .found(format!("{low} and {high}")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the percentiles that statistics must contain.
    pub(super) fn percentiles(self) -> (f64, f64) {
        match self {
            Self::Percentile { low, high } => (low, high),
            _ => USUAL,
        }
    }

    /// Returns whether percentiles are needed, which the statistics of `.emd` files lack.
    pub(super) fn needs_percentiles(self) -> bool {
        matches!(self, Self::Percentile { .. })
    }

    pub(super) fn normalizer(
        self,
        statistics: &Statistics,
        channels: usize,
        dtype: Dtype,
        nodata: Option<f64>,
    ) -> Result<Normalizer> {
        let (min, max) = statistics.bands().iter().map(|band| self.range(band)).unzip();
        Ok(Normalizer::new(min, max, channels)?.with_values(Values { dtype, nodata, clip: self.needs_percentiles() }))
    }

    /// Returns whether the scale of a band would change without this extreme value.
    pub(super) fn is_set_by(self, band: &BandStatistics, extreme: f64) -> bool {
        let (low, high) = self.range(band);
        !matches!(self, Self::Percentile { .. }) || low == extreme || high == extreme
    }

    fn range(self, band: &BandStatistics) -> (f64, f64) {
        let BandStatistics { min, max, mean, std, .. } = *band;
        match self {
            Self::MinMax => (min, max),
            Self::Percentile { .. } => band.percentiles.unwrap_or((min, max)),
            Self::MeanStd => (mean - DEVIATIONS * std, mean + DEVIATIONS * std),
        }
    }
}
