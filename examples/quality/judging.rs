//! Evaluates translations, and draws them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use geolearn::evaluation::{Metrics, MetricsOptions};
use geolearn::{DataBunch, Domain, Picture, Raster};
use serde_json::{Value, json};

use crate::Outcome;
use crate::arguments::Size;
use crate::model::{Kind, Model};
use crate::{chips, training};

/// Rows in a picture.
const SHOWN: usize = 5;

/// Sorts the chips into their folders, and saves an untrained model and the value ranges.
pub fn prepare(folder: &Path, chips: &Path, paired: bool, size: &Size) -> Outcome<()> {
    chips::copy(chips, folder, paired)?;
    let data = chips::data(folder, Kind::CycleGan, 0)?;
    training::builder(&data, size).build()?.save_safetensors(folder.join("untrained.safetensors"))?;
    let range = |domain| {
        let normalizer = data.normalizer(domain);
        json!({ "min": normalizer.min(), "max": normalizer.max() })
    };
    let ranges = json!({ "a": range(Domain::A), "b": range(Domain::B) });
    Ok(std::fs::write(folder.join("ranges.json"), ranges.to_string())?)
}

/// Evaluates the baselines, which learn nothing.
pub fn baselines(folder: &Path, size: &Size, pairs: Option<[PathBuf; 2]>) -> Outcome<Value> {
    let mut model = Model::CycleGan(training::builder(&chips::data(folder, Kind::CycleGan, 0)?, size).build()?);
    Ok(json!({ "metrics": metrics(&mut model, pairs, true)? }))
}

/// Evaluates a saved model.
pub fn judge(
    (folder, kind): (&Path, Kind),
    weights: &Path,
    picture: Option<&Path>,
    pairs: Option<[PathBuf; 2]>,
) -> Outcome<Value> {
    let data = chips::data(folder, kind, 0)?;
    let mut model = kind.open(weights, &data)?;
    let metrics = metrics(&mut model, pairs.clone(), false)?;
    if let Some(picture) = picture {
        places(&model, &data, pairs)?.save(picture)?;
    }
    Ok(json!({ "metrics": metrics }))
}

fn metrics(model: &mut Model, pairs: Option<[PathBuf; 2]>, baselines: bool) -> Outcome<Metrics> {
    let mut options = MetricsOptions::new().baselines(baselines);
    if let Some([a, b]) = pairs {
        options = options.pairs(a, b);
    }
    Ok(model.compute_metrics(options)?)
}

/// Draws rows of held-out places. If both domains have images of them, each translation is next to its ground truth.
fn places(model: &Model, data: &DataBunch, pairs: Option<[PathBuf; 2]>) -> Outcome<Picture> {
    let (a, b) = match &pairs {
        Some([a, b]) => (by_stem(files(a)?), by_stem(files(b)?)),
        None => {
            let valid = |domain| by_stem(data.valid_files(domain).to_vec());
            (valid(Domain::A), valid(Domain::B))
        }
    };
    let same: Vec<_> = a.iter().filter_map(|(stem, a)| Some((a, b.get(stem)?))).collect();
    let has_truth = !same.is_empty();
    let shown = if has_truth { same } else { a.values().zip(b.values()).collect() };
    let mut rows = Vec::new();
    for (a, b) in shown.iter().step_by(shown.len().div_ceil(SHOWN).max(1)) {
        let (real_a, real_b) = (Raster::open(a)?, Raster::open(b)?);
        let made = [(a, Domain::B), (b, Domain::A)].map(|(image, to)| model.predict(image, to));
        let [made_b, made_a] = made;
        let images = [Some(real_a), made_b?, Some(real_b), made_a?];
        rows.push(images.iter().flatten().map(Raster::to_rgb_image).collect::<Vec<_>>());
    }
    let title = if has_truth { "Held-out places" } else { "Held-out chips, unpaired" };
    let columns = rows.first().map_or(0, Vec::len);
    Ok(Picture::grid(title, &["A", "A to B", "B", "B to A"][..columns], &rows)?)
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
}

fn by_stem(files: Vec<PathBuf>) -> BTreeMap<OsString, PathBuf> {
    files.into_iter().map(|file| (file.file_stem().unwrap_or_default().to_owned(), file)).collect()
}
