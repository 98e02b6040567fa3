//! Statistics that Export Training Data writes next to the chips.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::statistics::{BandStatistics, Statistics};
use crate::error::{Error, ErrorKind, Result};
use crate::store;

const FILE: &str = "esri_model_definition.emd";
/// Far above what hundreds of bands need.
const MAX_BYTES: u64 = 4 << 20;

/// The folder of the second image of each pair in the format Export_Tiles.
const SECOND_IMAGES: &str = "images2";
/// Keys of the statistics of the first and of the second images.
const STATISTICS: &str = "AllTilesStats";
const SECOND_STATISTICS: &str = "AllTilesStats2";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Band {
    min: f64,
    max: f64,
    mean: f64,
    std_dev: f64,
}

/// Returns the definition for a folder of chips: in that folder, or next to it if the folder is `images` or `images2`.
pub(super) fn definition_of(chips: &Path) -> Option<PathBuf> {
    let is_images = is_named(chips, "images") || is_named(chips, SECOND_IMAGES);
    let beside = chips.parent().filter(|_| is_images);
    [Some(chips), beside].into_iter().flatten().map(|folder| folder.join(FILE)).find(|file| file.is_file())
}

fn is_named(folder: &Path, name: &str) -> bool {
    folder.file_name().is_some_and(|found| found.to_string_lossy().eq_ignore_ascii_case(name))
}

/// Returns the key under which a definition stores the statistics of a folder of chips.
fn key_of(file: &Path, chips: &Path) -> &'static str {
    let is_beside = file.parent() != Some(chips);
    if is_beside && is_named(chips, SECOND_IMAGES) { SECOND_STATISTICS } else { STATISTICS }
}

/// Reads `MinCellSize` and `MaxCellSize` as Esri writes them (`x`, `y`, and a spatial reference). `None` if the file,
/// which was read before, does not contain them or no longer exists.
pub(super) fn cell_sizes(file: &Path) -> Option<[Value; 2]> {
    let bytes = store::read_capped(file, MAX_BYTES).ok()?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let definition: Value = serde_json::from_slice(bytes).ok()?;
    let [least, most] = ["MinCellSize", "MaxCellSize"].map(|key| definition.get(key).filter(|size| size.is_object()));
    Some([least?.clone(), most?.clone()])
}

/// Returns the statistics of the bands `bands` (from 0) for `count` chips of a folder; `None` if the file has none.
///
/// # Errors
/// [`ErrorKind::Format`] if the file is damaged or describes a different number of bands.
pub(super) fn statistics(file: &Path, chips: &Path, count: usize, bands: &[usize]) -> Result<Option<Statistics>> {
    let bytes = store::read_capped(file, MAX_BYTES)?;
    parse(&bytes, key_of(file, chips), count, bands).map_err(|error| error.at(file))
}

pub(super) fn parse(bytes: &[u8], key: &str, count: usize, bands: &[usize]) -> Result<Option<Statistics>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let damaged = |e| Error::new(ErrorKind::Format, "statistics of the chips cannot be read").because(e);
    let mut definition: Map<String, Value> = serde_json::from_slice(bytes).map_err(damaged)?;
    let stated = definition.remove(key).unwrap_or_default();
    let all: Option<Vec<Band>> = serde_json::from_value(stated).map_err(damaged)?;
    let Some(all) = all.filter(|bands| !bands.is_empty()) else { return Ok(None) };
    let wrong = |what: String| Error::new(ErrorKind::Format, format!("key `{key}` has a wrong value")).expected(what);
    if all.len() != count {
        return Err(wrong(format!("{count} bands, as the chips have")).found(all.len()));
    }
    let chosen = bands.iter().filter_map(|&band| all.get(band));
    let checked = chosen.map(|band| band.checked().ok_or_else(|| wrong("finite numbers in order".into())));
    Ok(Some(Statistics::new(checked.collect::<Result<_>>()?)))
}

impl Band {
    fn checked(&self) -> Option<BandStatistics> {
        let Self { min, max, mean, std_dev: std } = *self;
        let sound = min <= mean && mean <= max && (max - min).is_finite() && std >= 0.0 && std.is_finite();
        sound.then_some(BandStatistics { min, max, mean, std, percentiles: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(list: &str) -> Vec<u8> {
        format!("\u{feff}{{\"Framework\": \"x\", \"AllTilesStats\": {list}}}").into_bytes()
    }

    #[test]
    fn bands_are_read_in_the_order_asked_for() {
        let two = r#"[{"BandIndex": 0, "Min": 1, "Max": 9.5, "Mean": 4, "StdDev": 2}, {"Min": -3, "Max": 3, "Mean": 0, "StdDev": 1}]"#;
        let statistics = parse(&with(two), STATISTICS, 2, &[1, 0]).unwrap().unwrap();
        let [first, second] = statistics.bands() else { panic!("{statistics:?}") };
        assert_eq!((first.min, first.max, first.mean, first.std, first.percentiles), (-3.0, 3.0, 0.0, 1.0, None));
        assert_eq!(second.max, 9.5);
    }

    /// As in the Export_Tiles format: one file describes both folders.
    #[test]
    fn second_images_have_statistics_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["images", "Images2"].map(|name| folder.path().join(name));
        std::fs::create_dir(&second).unwrap();
        let file = folder.path().join(FILE);
        let band = |mean: f64| format!(r#"[{{"Min": 0, "Max": 9, "Mean": {mean}, "StdDev": 1}}]"#);
        let text = format!(r#"{{"AllTilesStats": {}, "AllTilesStats2": {}}}"#, band(2.0), band(7.0));
        std::fs::write(&file, text).unwrap();
        let mean = |chips: &Path| {
            let file = definition_of(chips).unwrap();
            statistics(&file, chips, 1, &[0]).unwrap().map(|statistics| statistics.bands()[0].mean)
        };
        assert_eq!((mean(&first), mean(&second)), (Some(2.0), Some(7.0)));
        // Damage to one part leaves the other intact.
        std::fs::write(&file, format!(r#"{{"AllTilesStats": {}, "AllTilesStats2": 7}}"#, band(2.0))).unwrap();
        assert_eq!(mean(&first), Some(2.0));
        assert_eq!(statistics(&file, &second, 1, &[0]).unwrap_err().kind(), ErrorKind::Format);
        // Statistics of the first images do not apply to the second ones, unless the file is in their folder.
        std::fs::write(&file, format!(r#"{{"AllTilesStats": {}}}"#, band(2.0))).unwrap();
        assert_eq!((mean(&first), mean(&second)), (Some(2.0), None));
        std::fs::rename(&file, second.join(FILE)).unwrap();
        assert_eq!((definition_of(&first), mean(&second)), (None, Some(2.0)));
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_sound_numbers(cut in 0usize..400, place in 0usize..400, byte in any::<u8>(), bands in 0usize..3) {
            let mut bytes = with(r#"[{"Min": 1, "Max": 9.5, "Mean": 4, "StdDev": 2}, {"Min": -3, "Max": 3, "Mean": 0, "StdDev": 1}]"#);
            bytes.truncate(cut);
            if let Some(damaged) = bytes.get_mut(place) {
                *damaged = byte;
            }
            if let Ok(Some(statistics)) = parse(&bytes, STATISTICS, bands, &[0, 1]) {
                for band in statistics.bands() {
                    prop_assert!(band.min <= band.max && (band.max - band.min).is_finite() && band.std >= 0.0);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert_eq!(parse(b"{}", STATISTICS, 1, &[0]).unwrap(), None);
        assert_eq!(parse(&with("[]"), STATISTICS, 1, &[0]).unwrap(), None);
        for bad in [
            r#"[{"Min": 1, "Max": 2, "Mean": 1}]"#,
            r#"[{"Min": 5, "Max": 2, "Mean": 3, "StdDev": 1}]"#,
            r#"[{"Min": 0, "Max": 2, "Mean": 1, "StdDev": -1}]"#,
            r#"[{"Min": 0, "Max": 1e400, "Mean": 1, "StdDev": 1}]"#,
            r#"[{"Min": 0, "Max": 2, "Mean": 1, "StdDev": 1}, {"Min": 0, "Max": 2, "Mean": 1, "StdDev": 1}]"#,
            "7",
        ] {
            assert_eq!(parse(&with(bad), STATISTICS, 1, &[0]).unwrap_err().kind(), ErrorKind::Format, "{bad}");
        }
    }
}
