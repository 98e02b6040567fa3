//! Which bands pictures of a domain show, and with which contrast.

use super::bands::{Band, true_colors};
use super::statistics::{BandStatistics, Statistics};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Colors, Dtype, first_bands};

/// Standard deviations on either side of the mean that are shown if percentiles are unknown.
const DEVIATIONS: f64 = 2.0;

/// Creates the colors. `asked` and `names` refer to the bands in the files, and `used` are indices of those bands.
/// 8-bit samples are shown as they are; others are stretched from the lower to the upper percentile.
pub(super) fn of(
    asked: Option<&[Band; 3]>,
    used: &[usize],
    names: &[Option<String>],
    statistics: &Statistics,
    dtype: Dtype,
) -> Result<Colors> {
    let bands = match asked {
        Some(bands) => places(bands, used, names)?,
        None => true_colors(names).and_then(|bands| all_used(bands, used)).unwrap_or(first_bands(used.len())),
    };
    let range = |band: usize| match statistics.bands().get(band) {
        Some(band) if dtype != Dtype::U8 => shown(band),
        _ => (0.0, 255.0),
    };
    Ok(Colors { bands, ranges: bands.map(range) })
}

fn places(bands: &[Band; 3], used: &[usize], names: &[Option<String>]) -> Result<[usize; 3]> {
    let mut places = [0; 3];
    for (place, band) in places.iter_mut().zip(bands) {
        let index = band.index(names)?;
        *place = used.iter().position(|&other| other == index).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "a band that is not used cannot be shown")
                .expected(format!("one of the bands {:?}", used.iter().map(|index| index + 1).collect::<Vec<_>>()))
                .found(band)
        })?;
    }
    Ok(places)
}

fn all_used(bands: [usize; 3], used: &[usize]) -> Option<[usize; 3]> {
    let place = |band: usize| used.iter().position(|&other| other == band);
    Some([place(bands[0])?, place(bands[1])?, place(bands[2])?])
}

fn shown(band: &BandStatistics) -> (f64, f64) {
    let BandStatistics { min, max, mean, std, percentiles } = *band;
    percentiles.unwrap_or(((mean - DEVIATIONS * std).max(min), (mean + DEVIATIONS * std).min(max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics() -> Statistics {
        let band = |percentiles| BandStatistics { min: 0.0, max: 100.0, mean: 40.0, std: 30.0, percentiles };
        Statistics::new(vec![band(Some((5.0, 90.0))), band(None), band(None), band(None)])
    }

    fn names(names: [&str; 4]) -> Vec<Option<String>> {
        names.map(|name| Some(name.to_string()).filter(|name| !name.is_empty())).to_vec()
    }

    #[test]
    fn bands_called_red_green_and_blue_are_shown_so() {
        let named = names(["blue", "green", "red", "nir"]);
        let colors = of(None, &[3, 2, 1, 0], &named, &statistics(), Dtype::U16).unwrap();
        assert_eq!(colors.bands, [1, 2, 3]);
        assert_eq!(colors.ranges[0], (0.0, 100.0), "two deviations, cut to the extremes");
        let without_red = of(None, &[3, 1, 0], &named, &statistics(), Dtype::U16).unwrap();
        assert_eq!((without_red.bands, without_red.ranges[0]), ([0, 1, 2], (5.0, 90.0)));
        assert_eq!(of(None, &[3], &named, &statistics(), Dtype::U8).unwrap().ranges, [(0.0, 255.0); 3]);
    }

    #[test]
    fn bands_that_are_asked_for_must_be_used() {
        let named = names(["", "", "", "nir"]);
        let asked = |bands: [Band; 3]| of(Some(&bands), &[3, 1], &named, &statistics(), Dtype::U16);
        assert_eq!(asked([4.into(), "NIR".into(), 2.into()]).unwrap().bands, [0, 0, 1]);
        assert!(asked([4.into(), 1.into(), 2.into()]).unwrap_err().to_string().contains("[4, 2]"));
    }
}
