//! Statistics in file metadata, as GDAL and ArcGIS save them after examining an image.

use super::number;

/// The statistics of a band in the metadata of a file, or in the `.aux.xml` next to it.
///
/// They are meant for people, and for viewers that need a range immediately. Training computes its own statistics,
/// because these numbers may cover only part of the pixels (`STATISTICS_APPROXIMATE`), describe the scene that a chip
/// was cut from, or be older than the samples.
///
/// ```
/// use geolearn::raster::RasterFile;
///
/// let file = RasterFile::open("tests/fixtures/masks/statistics.tif")?;
/// let stated = file.info().stated_statistics()[0].unwrap();
/// assert_eq!((stated.min, stated.max, stated.mean), (3.0, 250.0, Some(117.25)));
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StatedStatistics {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation.
    pub std: Option<f64>,
}

impl StatedStatistics {
    /// Reads them from GDAL's metadata of a band; `None` without a minimum and a maximum.
    pub(super) fn of_metadata<'a>(items: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let (mut min, mut max, mut mean, mut std) = (None, None, None, None);
        for (key, text) in items {
            let place = match key {
                "STATISTICS_MINIMUM" => &mut min,
                "STATISTICS_MAXIMUM" => &mut max,
                "STATISTICS_MEAN" => &mut mean,
                "STATISTICS_STDDEV" => &mut std,
                _ => continue,
            };
            *place = number::leading(text).filter(|value| value.is_finite());
        }
        let (min, max) = (min?, max?);
        (min <= max).then_some(Self { min, max, mean, std })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_needed_and_must_be_one() {
        let of = |items: &[(&'static str, &'static str)]| StatedStatistics::of_metadata(items.iter().copied());
        let (low, high) = (("STATISTICS_MINIMUM", "-1.5"), ("STATISTICS_MAXIMUM", "7"));
        let range = StatedStatistics { min: -1.5, max: 7.0, mean: None, std: None };
        assert_eq!(of(&[high, low, ("AREA", "x"), ("STATISTICS_MEAN", "nan")]), Some(range));
        assert_eq!((of(&[low]), of(&[("STATISTICS_MINIMUM", "8"), high])), (None, None));
        let whole = of(&[low, high, ("STATISTICS_MEAN", "2"), ("STATISTICS_STDDEV", "0.5")]).unwrap();
        assert_eq!((whole.mean, whole.std), (Some(2.0), Some(0.5)));
    }
}
