//! Writes the files that ArcGIS Export Training Data puts next to chips.
//!
//! Keys come from Esri's page "Deep learning training data contents" and from what `prepare_data` of arcgis.learn
//! reads.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::chip_record::ChipRecord;
use super::formats::MetadataFormat;
use super::options::ExportTrainingData;
use super::plan::Job;
use crate::dataset::bands::Asked;
use crate::dataset::pass;
use crate::dataset::shape::Shape;
use crate::dataset::statistics::BandStatistics;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Counter;
use crate::raster::{Crs, Limits, Place, Source};
use crate::store;

/// Statistics of one band over all chips of a folder.
struct Band {
    name: String,
    statistics: BandStatistics,
    /// Samples that have data.
    count: f64,
}

/// Writes the files of a job.
///
/// # Errors
/// [`ErrorKind::Usage`] if a band has no data in any chip; errors from reading chips and writing files.
pub(super) fn write(options: &ExportTrainingData, job: &Job, chips: &[ChipRecord]) -> Result<()> {
    let mut all = Vec::new();
    for (index, _) in job.domains.iter().enumerate() {
        all.push(bands(options, job, chips, index)?);
    }
    let folder = folder(options, job);
    let write = |name: &str, text: String| store::write(&folder.join(name), text.as_bytes());
    write("map.txt", map(options.metadata_format, chips))?;
    write("stats.txt", summary(options, chips, &all))?;
    write("esri_accumulated_stats.json", pretty(&accumulated(options, job, chips, &all)))?;
    write("esri_model_definition.emd", pretty(&definition(options, job, &all)))
}

/// Returns the folder that contains the folders of chips.
fn folder(options: &ExportTrainingData, job: &Job) -> PathBuf {
    let images = job.domains.first().map_or("", |domain| options.metadata_format.folder(*domain));
    let parent = Path::new(images).parent().unwrap_or(Path::new(""));
    options.output.join(parent)
}

/// Measures the bands of one image of the chips, in the same way as `prepare_data`.
fn bands(options: &ExportTrainingData, job: &Job, chips: &[ChipRecord], index: usize) -> Result<Vec<Band>> {
    let files: Vec<PathBuf> =
        chips.iter().filter_map(|chip| chip.files.get(index)).map(|file| options.output.join(file)).collect();
    let files: Vec<&PathBuf> = files.iter().collect();
    let image = job.scenes.first().and_then(|scene| scene.images.get(index));
    let (Some(image), true) = (image, !files.is_empty()) else { return Ok(Vec::new()) };
    let shape = Shape { bands: image.bands(), dtype: image.dtype(), height: options.tile.1, width: options.tile.0 };
    let counter = Counter::new(options.control.progress, "Statistics", "chips", files.len());
    let (sums, failed) = pass::over(&files, shape, &Asked::default(), &Limits::default(), &counter);
    if let Some((_, error)) = failed.into_iter().next() {
        return Err(error);
    }
    let counts = sums.counts();
    let measured = sums.measured((2.0, 98.0)).into_iter().zip(counts).enumerate();
    measured
        .map(|(band, (measured, count))| {
            let name = name_of(image, band);
            let empty = || {
                Error::new(ErrorKind::Usage, "a band has no data in any chip")
                    .at(&options.output)
                    .found(format!("none in {name}"))
            };
            let statistics = measured.ok_or_else(empty)?.band;
            Ok(Band { name, statistics, count })
        })
        .collect()
}

/// Returns the name of a band in the file, or else the usual name.
fn name_of(image: &Source, band: usize) -> String {
    let colors = ["Red", "Green", "Blue"];
    let own = image.band_names().get(band).cloned().flatten();
    let color = || colors.get(band).filter(|_| image.bands() == 3).map(|name| (*name).to_string());
    own.or_else(color).unwrap_or_else(|| format!("Band_{}", band + 1))
}

/// Returns one line per chip: its file, and its partner's.
fn map(format: MetadataFormat, chips: &[ChipRecord]) -> String {
    let within = |file: &String| match format {
        MetadataFormat::CycleGan => file.split_once('/').map_or(file.clone(), |(_, file)| file.to_string()),
        MetadataFormat::ExportTiles => file.clone(),
    };
    chips.iter().map(|chip| chip.files.iter().map(within).collect::<Vec<_>>().join(" ") + "\n").collect()
}

fn summary(options: &ExportTrainingData, chips: &[ChipRecord], all: &[Vec<Band>]) -> String {
    let (width, height) = options.tile;
    let bands = all.first().map_or(0, Vec::len);
    format!("images = {} *{bands}*{width}*{height}\nfeatures = 0\nclasses = 0\n", chips.len())
}

fn accumulated(options: &ExportTrainingData, job: &Job, chips: &[ChipRecord], all: &[Vec<Band>]) -> Value {
    let states = |bands: &Vec<Band>| -> Vec<Value> {
        let of = |Band { statistics, count, .. }: &Band| {
            // M1 is the mean, M2 the sum of squared distances from it.
            json!({
                "Min": statistics.min, "Max": statistics.max, "M1": statistics.mean, "M2": statistics.std.powi(2) * count,
                "Num": count,
            })
        };
        bands.iter().map(of).collect()
    };
    let mut stats = json!({
        "Version": 1,
        "NumBands": all.first().map_or(0, Vec::len),
        "TileSizeX": options.tile.0,
        "TileSizeY": options.tile.1,
        "NumClasses": 0,
        "NumTiles": chips.len(),
        "OutputFeatures": false,
        "MetaDataMode": options.metadata_format.to_string(),
        "FeatureStats": {
            "NumImagesTotal": chips.len(), "NumFeaturesTotal": 0, "NumImagesPerClass": [], "NumFeaturesPerClass": [],
        },
        "BandStatsState": all.first().map(states),
    });
    if let Some(bands) = all.get(1) {
        stats["BandStatsState2"] = json!(states(bands));
    }
    put_cell_sizes(&mut stats, job);
    stats
}

fn definition(options: &ExportTrainingData, job: &Job, all: &[Vec<Band>]) -> Value {
    let tiles = |bands: &Vec<Band>| -> Vec<Value> {
        let of = |Band { name, statistics, .. }: &Band| {
            let BandStatistics { min, max, mean, std, .. } = statistics;
            json!({"BandName": name, "Min": min, "Max": max, "Mean": mean, "StdDev": std})
        };
        bands.iter().map(of).collect()
    };
    let names: Vec<&str> = all.first().into_iter().flatten().map(|band| band.name.as_str()).collect();
    let mut definition = json!({
        "ImageHeight": options.tile.1,
        "ImageWidth": options.tile.0,
        "MetaDataMode": options.metadata_format.to_string(),
        "BlackenAroundFeature": false,
        "ImageSpaceUsed": "PIXEL_SPACE",
        "Classes": [],
        "InputRastersProps": {"RasterCount": job.scenes.len(), "SensorName": "", "BandNames": names},
        "AllTilesStats": all.first().map(tiles),
    });
    if let Some(bands) = all.get(1) {
        definition["AllTilesStats2"] = json!(tiles(bands));
    }
    if put_cell_sizes(&mut definition, job) {
        definition["ImageSpaceUsed"] = json!("MAP_SPACE");
    }
    definition
}

/// Adds the smallest and the largest cell size of the scenes, in the units of their CRS; adds nothing if no scene is
/// georeferenced.
fn put_cell_sizes(to: &mut Value, job: &Job) -> bool {
    let places = job.scenes.iter().filter_map(|scene| Some(scene.images.first()?.place()));
    let mut cells: Vec<((f64, f64), &Place)> =
        places.filter(|place| place.has_transform()).map(|p| (cell(p), p)).collect();
    cells.sort_by(|(one, _), (other, _)| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    let (Some(least), Some(most)) = (cells.first(), cells.last()) else { return false };
    for (key, ((x, y), place)) in [("MinCellSize", least), ("MaxCellSize", most)] {
        to[key] = json!({"x": x, "y": y});
        if let Some(Crs::Epsg(number)) = place.crs() {
            to[key]["spatialReference"] = json!({"wkid": number, "latestWkid": number});
        }
    }
    true
}

/// Returns the width and height of a pixel.
fn cell(place: &Place) -> (f64, f64) {
    let [a, b, _, d, e, _] = place.transform();
    (a.hypot(d), b.hypot(e))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
