//! Tests translations that resume after a stop or a kill.

use std::path::{Path, PathBuf};

use geolearn::inference::NormStatistics;
use geolearn::raster::{Compression, Dtype, OverviewResampling, RasterSpec, RasterWriter, Samples};
use geolearn::train::StopSignal;
use geolearn::{CycleGan, ErrorKind, Raster, RasterOptions};
use ndarray::{Array3, s};
use serde_json::{Value, json};

use super::{SCENE, model, options, scene, tiled, write};

#[test]
fn a_stopped_translation_leaves_no_file_and_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let model = model();
    let stop = StopSignal::new();
    stop.stop();
    let error = model.predict_raster(SCENE, &output, tiled().stop_signal(stop.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");

    for statistics in [NormStatistics::Scene, NormStatistics::Tile { padding: None }] {
        let options = || tiled().statistics(statistics).tile_size(64).resume(true);
        let expected = folder.path().join("expected.tif");
        model.predict_raster(SCENE, &expected, options().resume(false)).unwrap();
        stopped_half_way(&model, &output, options());
        let report = model.predict_raster(SCENE, &output, options()).unwrap();
        let all = model.predict_raster(SCENE, &expected, options().resume(false)).unwrap();
        assert!(report.network_pixels() < all.network_pixels(), "{statistics:?}: finished rows were made again");
        assert_eq!(Raster::open(&output).unwrap(), Raster::open(&expected).unwrap());
        assert!(!parts_of(&output).exists());
        std::fs::remove_file(&output).unwrap();
    }
}

/// The overview directories are where the format requires them, whichever run did which part.
#[test]
fn a_stopped_translation_becomes_the_same_cloud_optimized_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let model = model();
    let options = || tiled().tile_size(64).cloud_optimized(OverviewResampling::Average);
    // It does not fit in one tile of 512 x 512 pixels.
    write(&path("scene.tif"), ndarray::concatenate![ndarray::Axis(1), scene(), scene()], None);
    model.predict_raster(path("scene.tif"), path("plain.tif"), tiled().tile_size(64)).unwrap();
    model.predict_raster(path("scene.tif"), path("whole.tif"), options()).unwrap();
    stopped_half_way_of(&model, &path("scene.tif"), &path("resumed.tif"), options().resume(true));
    model.predict_raster(path("scene.tif"), path("resumed.tif"), options().resume(true)).unwrap();
    let bytes = |name: &str| std::fs::read(path(name)).unwrap();
    assert_eq!(bytes("resumed.tif"), bytes("whole.tif"));
    assert!(bytes("whole.tif").starts_with(b"II*\0\xc0\0\0\0GDAL_STRUCTURAL_METADATA"));
    assert_eq!(Raster::open(path("whole.tif")).unwrap(), Raster::open(path("plain.tif")).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "nothing else is left");
}

/// Runs the named test in a child process, with the output in its environment, and kills it once `is_time`.
fn killed(test: &str, output: &Path, is_time: impl Fn() -> bool) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(KILLED, output)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !is_time() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

const KILLED: &str = "GEOLEARN_TEST_KILLED";

/// It is killed between two partial results.
#[test]
fn a_killed_translation_resumes() {
    let options = || tiled().tile_size(64).resume(true);
    if let Some(output) = std::env::var_os(KILLED) {
        model().predict_raster(SCENE, output, options()).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    killed("resumed::a_killed_translation_resumes", &output, || pieces(&output) >= 2);
    assert!(!output.exists() && pieces(&output) >= 2);
    let model = model();
    let report = model.predict_raster(SCENE, &output, options()).unwrap();
    let expected = folder.path().join("expected.tif");
    let all = model.predict_raster(SCENE, &expected, options().resume(false)).unwrap();
    assert!(report.network_pixels() < all.network_pixels());
    assert_eq!(std::fs::read(&output).unwrap(), std::fs::read(&expected).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn the_next_run_removes_what_a_killed_one_left() {
    if let Some(output) = std::env::var_os(KILLED) {
        model().predict_raster(SCENE, output, tiled().tile_size(64)).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    killed("resumed::the_next_run_removes_what_a_killed_one_left", &output, || files() > 0);
    assert!(!output.exists() && files() == 1);
    model().predict_raster(SCENE, &output, tiled().window(0, 0, 8, 8)).unwrap();
    assert_eq!(files(), 1, "the output alone");
}

/// Returns how many partial results of an output are on disk.
fn pieces(output: &Path) -> usize {
    let entries = std::fs::read_dir(parts_of(output)).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("piece_")).count()
}

/// Returns as soon as the second partial result is on disk.
fn stopped_half_way(model: &CycleGan, output: &Path, options: RasterOptions) {
    stopped_half_way_of(model, Path::new(SCENE), output, options);
}

fn stopped_half_way_of(model: &CycleGan, scene: &Path, output: &Path, options: RasterOptions) {
    let stop = StopSignal::new();
    let (signal, watched) = (stop.clone(), output.to_path_buf());
    let watcher = std::thread::spawn(move || {
        while pieces(&watched) < 2 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        signal.stop();
    });
    let error = model.predict_raster(scene, output, options.stop_signal(stop)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    watcher.join().unwrap();
    assert!(!output.exists() && parts_of(output).exists());
}

pub fn parts_of(output: &Path) -> PathBuf {
    PathBuf::from(format!("{}.parts", output.display()))
}

/// Whatever exists under the output's name: a complete output is recognized by its length and time.
#[test]
fn a_replaced_output_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).unwrap();
    write(&inputs.join("a.tif"), scene().slice(s![.., ..100, ..90]).to_owned(), None);
    write(&inputs.join("b.tif"), scene().slice(s![.., ..100, ..90]).to_owned(), None);
    let model = model();
    let output = folder.path().join("out");
    let options = || options().resume(true);
    // The second scene cannot be written, so the record of the first one stays.
    std::fs::create_dir_all(output.join("b.tif.parts/mine")).unwrap();
    let first = output.join("a.tif");
    model.predict_raster(&inputs, &output, options()).unwrap_err();
    let made = std::fs::read(&first).unwrap();
    let time = |path: &Path| path.metadata().unwrap().modified().unwrap();
    let before = time(&first);
    model.predict_raster(&inputs, &output, options()).unwrap_err();
    assert_eq!(time(&first), before, "it is complete");
    std::fs::write(&first, "something else").unwrap();
    model.predict_raster(&inputs, &output, options()).unwrap_err();
    assert_eq!(std::fs::read(&first).unwrap(), made);
}

/// Replaced by a scene of the same length and time: partial results of the old scene are not used.
#[test]
#[cfg(unix)]
fn a_replaced_scene_starts_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let raw = |name: &str, values: Array3<u8>| {
        let (bands, height, width) = values.dim();
        let spec = RasterSpec::new(bands, height, width, Dtype::U8).compression(Compression::None);
        let mut writer = RasterWriter::create(path(name), spec).unwrap();
        writer.write_rows(&Samples::U8(values)).unwrap();
        writer.finish().unwrap();
    };
    raw("scene.tif", scene());
    raw("other.tif", scene().mapv(|value| 255 - value));
    let length = |name: &str| path(name).metadata().unwrap().len();
    assert_eq!(length("scene.tif"), length("other.tif"));
    let model = model();
    let options = || tiled().tile_size(64).resume(true);
    stopped_half_way_of(&model, &path("scene.tif"), &path("out.tif"), options());
    let time = path("scene.tif").metadata().unwrap().modified().unwrap();
    std::fs::File::options().write(true).open(path("other.tif")).unwrap().set_modified(time).unwrap();
    std::fs::rename(path("other.tif"), path("scene.tif")).unwrap();
    model.predict_raster(path("scene.tif"), path("out.tif"), options()).unwrap();
    model.predict_raster(path("scene.tif"), path("expected.tif"), options().resume(false)).unwrap();
    assert_eq!(Raster::open(path("out.tif")).unwrap(), Raster::open(path("expected.tif")).unwrap());
}

#[test]
fn pieces_of_another_scene_or_model_are_not_used_and_foreign_folders_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let model = model();
    stopped_half_way(&model, &output, tiled().tile_size(64).resume(true));
    let other = tiled().tile_size(64).halo(16).resume(true);
    model.predict_raster(SCENE, &output, other.clone()).unwrap();
    let expected = folder.path().join("expected.tif");
    model.predict_raster(SCENE, &expected, other.clone().resume(false)).unwrap();
    assert_eq!(Raster::open(&output).unwrap(), Raster::open(&expected).unwrap());

    let mine = parts_of(&output).join("mine.txt");
    std::fs::create_dir(parts_of(&output)).unwrap();
    std::fs::write(&mine, "precious").unwrap();
    let error = model.predict_raster(SCENE, &output, other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(mine.exists());
}

/// Another build of the same version can resume unfinished work, so this format must not change by accident. After a
/// deliberate change, unfinished work starts over.
#[test]
fn unfinished_work_has_the_same_fingerprint_in_every_build() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    stopped_half_way(&model(), &output, tiled().tile_size(64).window(0, 0, 320, 400).resume(true));
    let mut job: Value = serde_json::from_slice(&std::fs::read(parts_of(&output).join("job.json")).unwrap()).unwrap();
    let job = job.as_object_mut().unwrap();
    // Identity of the file, and of the release.
    assert!(job.remove("scene").unwrap().to_string().contains("bluemarble_asia.tif"));
    assert_eq!(job.remove("geolearn").unwrap(), env!("CARGO_PKG_VERSION"));
    let of_scaling = |least: &str, most: &str| {
        format!(
            "Normalizer {{ min: {least}, max: {most}, channels: 3, \
             values: Values {{ dtype: U8, nodata: None, clip: false }} }}"
        )
    };
    let from = of_scaling("[0.0, 0.0, 0.0]", "[254.0, 254.0, 253.0]");
    let to = of_scaling("[103.0, 106.0, 99.0]", "[240.0, 242.0, 253.0]");
    let expected = json!({
        "files": null,
        "part": "Part { rows: 0..320, columns: 0..400 }",
        "statistics": "Scene",
        "asked_for": [64, null],
        "arithmetic": "F32 Cpu",
        "compression": "Deflate",
        "scaling": format!("{from} {to} (64, 64)"),
        "weights": "59585261",
        "sizes": [64, 32],
    });
    assert_eq!(Value::from(job.clone()), expected);
}
