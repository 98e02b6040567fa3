//! Translates a scene with a small model.

use std::path::{Path, PathBuf};

use geolearn::inference::RasterReport;
use geolearn::raster::{RasterFile, RasterSpec, RasterWriter, Samples};
use geolearn::{CycleGan, Domain, RasterOptions};
use serde_json::json;

use crate::memory;
use crate::work::{Outcome, asset, write_line};

/// The published architecture with 16 features and 4 blocks; relative to the assets.
const MODEL: &str = "../tests/fixtures/models/sat2relief";
const SCENE: &str = "scenes/bluemarble_asia.tif";
/// The first run is slower, because it selects kernels.
const RUNS: [&str; 2] = ["first", "second"];

/// Translates the bundled scene, or a scene of `side` x `side` pixels that repeats it, twice; writes a line for each
/// run.
pub fn run(file: &Path, side: Option<usize>) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let scene = match side {
        Some(side) => repeated(&folder.path().join("scene.tif"), side)?,
        None => asset(SCENE),
    };
    let model = CycleGan::from_model(asset(MODEL), None)?;
    for run in RUNS {
        memory::reset(model.device().torch());
        let output = folder.path().join(format!("{run}.tif"));
        let report = model.predict_raster(&scene, &output, RasterOptions::new(Domain::B).progress(false))?;
        write_line(file, &row(run, &report, &model))?;
    }
    Ok(())
}

fn row(run: &str, report: &RasterReport, model: &CycleGan) -> serde_json::Value {
    json!({
        "run": run,
        "device": if model.device().torch().is_cuda() { "cuda" } else { "cpu" },
        "megapixels": report.pixels() as f64 / 1e6,
        "seconds": report.time().as_secs_f64(),
        "read_seconds": report.read_time().as_secs_f64(),
        "network_seconds": report.network_time().as_secs_f64(),
        "write_seconds": report.write_time().as_secs_f64(),
        "memory_mib": memory::peak_mib(model.device().torch()),
    })
}

fn repeated(path: &Path, side: usize) -> Outcome<PathBuf> {
    let file = RasterFile::open(asset(SCENE))?;
    let Samples::U8(part) = file.read()? else {
        return Err("the bundled scene is expected to have 8-bit samples".into());
    };
    let (bands, height, width) = part.dim();
    let mut writer = RasterWriter::create(path, RasterSpec::new(bands, side, side, file.info().dtype()))?;
    for from in (0..side).step_by(height) {
        let rows = height.min(side - from);
        let values = ndarray::Array3::from_shape_fn((bands, rows, side), |(c, y, x)| part[[c, y, x % width]]);
        writer.write_rows(&Samples::U8(values))?;
    }
    writer.finish()?;
    Ok(path.to_path_buf())
}
