//! Tests that work running at the same time in one folder does not interfere.

use crate::common::on_cpu;
use std::path::{Path, PathBuf};
use std::process::Command;

use geolearn::{Domain, Raster, RasterOptions};

use super::{common, data, last, model, options};

const SCENE: &str = "assets/scenes/bluemarble_asia.tif";
/// Names the output of a child; without it the child's test does nothing.
const OUTPUT: &str = "GEOLEARN_TEST_BESIDE_OUTPUT";

fn translate(output: &Path) {
    let model = on_cpu::from_model("tests/fixtures/models/sat2relief", None).unwrap();
    model.predict_raster(SCENE, output, RasterOptions::new(Domain::B).tile_size(32).progress(false)).unwrap();
}

/// Not a test of its own: the child process runs it.
#[test]
#[ignore = "run by the test of two processes"]
fn child() {
    if let Some(output) = std::env::var_os(OUTPUT) {
        translate(Path::new(&output));
    }
}

/// Returns files that are being written, or were when their process was killed.
fn half_written(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "part")).collect()
}

/// A fit removes leftovers of killed processes from its folder, but not the unfinished output of a running one.
#[test]
#[cfg(unix)]
fn a_fit_leaves_the_unfinished_output_of_another_process_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 4, 4));
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    let output = run.join("out.tif");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["beside::child", "--exact", "--ignored", "--quiet"])
        .env(OUTPUT, &output)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while half_written(&run).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it wrote");
        std::thread::yield_now();
    }
    std::fs::write(run.join(".geolearn-left.part"), "by a killed process").unwrap();
    let mut trained = model(&data);
    trained.fit(options(1, &run)).unwrap();
    assert!(!run.join(".geolearn-left.part").exists());
    assert!(child.wait().unwrap().success(), "its output was taken away");
    assert_eq!(Raster::open(&output).unwrap().bands(), 3);
    assert!(last(&run).exists() && half_written(&run).is_empty());
}

/// Each has its own unfinished file; one of them becomes the output, and it is complete.
#[test]
fn one_output_made_twice_at_once_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (output, expected) = (folder.path().join("out.tif"), folder.path().join("expected.tif"));
    translate(&expected);
    std::thread::scope(|scope| {
        (0..3).for_each(|_| drop(scope.spawn(|| translate(&output))));
    });
    assert_eq!(Raster::open(&output).unwrap(), Raster::open(&expected).unwrap());
    assert!(half_written(folder.path()).is_empty());
}

/// Two fits in one process and one folder, with separate checkpoints.
#[test]
fn two_concurrent_fits_equal_separate_ones() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 4, 4));
    let fit = |name: &str| {
        let history = geolearn::train::HistoryFile::new(folder.path().join(format!("{name}.csv")));
        let mut trained = model(&data);
        trained.fit(options(2, &folder.path().join(name)).callback(history)).unwrap();
        common::answer(&trained)
    };
    let alone = fit("alone");
    let both = std::thread::scope(|scope| {
        let threads = ["first", "second"].map(|name| scope.spawn(move || fit(name)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(both.iter().all(|answer| *answer == alone));
    assert!(half_written(folder.path()).is_empty());
}
