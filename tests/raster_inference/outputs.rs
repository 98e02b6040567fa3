//! Tests names and georeferences of outputs, and what is rejected before one is written.

use std::path::{Path, PathBuf};

use geolearn::inference::{NormStatistics, RasterReport};
use geolearn::{ErrorKind, Raster, RasterOptions};
use ndarray::{Array3, s};

use super::resumed::parts_of;
use super::{SCENE, model, options, scene, write};

#[test]
fn a_folder_and_windows_become_separate_files() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).unwrap();
    let scene = scene();
    write(&inputs.join("b.tif"), scene.slice(s![.., ..100, ..90]).to_owned(), None);
    write(&inputs.join("a.tiff"), scene.slice(s![.., 100..180, ..90]).to_owned(), None);
    std::fs::write(inputs.join("notes.txt"), "no image").unwrap();
    let model = model();
    let names = |report: &RasterReport| {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        report.outputs().iter().map(name).collect::<Vec<_>>()
    };
    let output = folder.path().join("out");
    let report = model.predict_raster(&inputs, &output, options().statistics(NormStatistics::Inputs)).unwrap();
    assert_eq!(names(&report), ["a.tif", "b.tif"]);
    assert_eq!(report.pixels(), 180 * 90);
    assert!(report.outputs().iter().all(|path| Raster::open(path).is_ok()));
    let windows = options().window(0, 0, 40, 50).window(40, 20, 30, 30);
    let report = model.predict_raster(SCENE, &output, windows.resume(true)).unwrap();
    assert_eq!(names(&report), ["bluemarble_asia_0_0.tif", "bluemarble_asia_40_20.tif"]);
    assert_eq!(std::fs::read_dir(&output).unwrap().count(), 4, "no folder of rows is left");
}

#[test]
fn impossible_outputs_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let gray = folder.path().join("grey.tif");
    write(&gray, Array3::from_elem((1, 20, 20), 5), None);
    let model = model();
    let usage = |input: &Path, output: &Path, options: RasterOptions, says: &str| {
        let error = model.predict_raster(input, output, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    let scene = Path::new(SCENE);
    usage(&gray, &output, options(), "grey.tif");
    usage(scene, &folder.path().join("out.png"), options(), ".png");
    usage(&gray, &gray, options(), "grey.tif");
    usage(scene, scene, options(), "replace an input");
    usage(scene, &output, options().window(0, 0, 321, 1), "320 rows");
    usage(scene, &output, options().window(0, 0, 0, 1), "at least a pixel");
    usage(scene, &output, options().window(usize::MAX, 0, 2, 1), "320 rows");
    usage(scene, &output, options().tile_size(7), "tile size");
    usage(scene, &output, options().tile_size(0), "tile size");
    usage(scene, &output, options().tile_size(usize::MAX), "tile size");
    usage(scene, &output, options().halo(2000), "halo");
    usage(scene, &output, options().halo(usize::MAX), "halo");
    usage(scene, &output, options().window(usize::MAX, usize::MAX, usize::MAX, usize::MAX), "320 rows");
    usage(scene, &output, options().statistics(NormStatistics::Local { spacing: Some(usize::MAX) }), "spacing");
    usage(scene, &output, options().statistics(NormStatistics::Local { spacing: Some(1) }), "spacing");
    usage(scene, &output, options().statistics(NormStatistics::Tile { padding: Some(32) }), "padding");
    usage(scene, &output, options().statistics(NormStatistics::Tile { padding: Some(usize::MAX) }), "padding");
    let wide = NormStatistics::Tile { padding: Some(32) };
    usage(scene, &output, options().resume(true).statistics(wide), "padding");
    assert!(!parts_of(&output).exists());
    usage(scene, &folder.path().join("x"), options().window(0, 0, 4, 4).window(0, 0, 4, 4), "same name");
    let taken = folder.path().join("taken.tif");
    std::fs::create_dir(&taken).unwrap();
    usage(scene, &taken, options(), "a folder");
    let several = options().window(0, 0, 4, 4).window(4, 4, 4, 4);
    std::fs::create_dir_all(folder.path().join("y/bluemarble_asia_4_4.tif")).unwrap();
    usage(scene, &folder.path().join("y"), several, "a folder");
    let missing = model.predict_raster("no/such.tif", &output, options()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Io);
    assert!(!output.exists());
}

/// Non-UTF-8 names; with resuming, from folders and with windows.
#[test]
#[cfg(target_os = "linux")]
fn names_that_are_no_text_are_kept_byte_for_byte() {
    use std::os::unix::ffi::OsStrExt;
    let name = |bytes: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).unwrap();
    let scenes = [name(b"caf\xe9.tif"), name(b"caf\xe8.tif")];
    for (scene, from) in scenes.iter().zip([0, 100]) {
        write(&inputs.join(scene), self::scene().slice(s![.., from..from + 60, ..70]).to_owned(), None);
    }
    let model = model();
    for resume in [false, true] {
        let output = folder.path().join(format!("out_{resume}"));
        let report = model.predict_raster(&inputs, &output, options().resume(resume)).unwrap();
        let mut expected: Vec<PathBuf> = scenes.iter().map(|scene| output.join(scene)).collect();
        expected.sort();
        assert_eq!(report.outputs(), expected);
        assert!(Raster::open(&expected[0]).unwrap() != Raster::open(&expected[1]).unwrap());
        assert_eq!(std::fs::read_dir(&output).unwrap().count(), 2);
        let single = output.join(name(b"na\xefve.tif"));
        model.predict_raster(inputs.join(&scenes[0]), &single, options().resume(resume)).unwrap();
        assert_eq!(Raster::open(&single).unwrap(), Raster::open(output.join(&scenes[0])).unwrap());
        let windows = options().resume(resume).window(0, 0, 20, 20).window(20, 10, 20, 20);
        let report = model.predict_raster(inputs.join(&scenes[0]), output.join("parts"), windows).unwrap();
        assert_eq!(report.outputs()[1], output.join("parts").join(name(b"caf\xe9_20_10.tif")));
        assert!(report.outputs()[1].exists());
    }
}

/// The folder of partial results has its own name, which must not be too long if the output's is not.
#[test]
fn outputs_with_the_longest_names_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).unwrap();
    for letter in ["a", "b"] {
        write(&inputs.join(format!("{}.tif", letter.repeat(251))), scene().slice(s![.., ..40, ..50]).to_owned(), None);
    }
    let model = model();
    for _ in 0..2 {
        let report = model.predict_raster(&inputs, folder.path().join("out"), options().resume(true)).unwrap();
        assert!(report.outputs().iter().all(|path| path.exists()));
        assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 2);
    }
    let long = folder.path().join(format!("{}.tif", "c".repeat(250)));
    model.predict_raster(SCENE, &long, options().resume(true).window(0, 0, 9, 9)).unwrap();
    assert!(long.exists());
}

/// A file of about 200 bytes that declares a scene wider than any list of tiles should be (`make_wide.py`).
#[test]
fn a_scene_that_is_too_wide_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = model();
    let wide = Path::new("tests/fixtures/long_runs/wide.tif");
    for resume in [false, true] {
        let output = folder.path().join("out.tif");
        let error = model.predict_raster(wide, &output, options().tile_size(32).resume(resume)).unwrap_err();
        assert!([ErrorKind::Limits, ErrorKind::Format].contains(&error.kind()), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{error}");
    }
}

/// Returns the name of a scene with a window suffix.
#[test]
#[cfg(unix)]
fn a_name_that_no_file_can_have_is_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join(format!("{}.tif", "a".repeat(251)));
    write(&input, scene().slice(s![.., ..40, ..50]).to_owned(), None);
    let (model, output) = (model(), folder.path().join("out"));
    for resume in [false, true] {
        let windows = options().resume(resume).window(0, 0, 9, 9).window(9, 9, 9, 9);
        let error = model.predict_raster(&input, &output, windows).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains("259 bytes"), "{error}");
        assert_eq!(std::fs::read_dir(&output).unwrap().count(), 0);
    }
}

/// Copies the bundled scene so that its header is readable, but not its pixels.
fn write_damaged(path: &Path) {
    let mut bytes = std::fs::read(SCENE).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0xff);
    std::fs::write(path, bytes).unwrap();
}

/// With many scenes, while the statistics of all of them are gathered.
#[test]
fn a_damaged_scene_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).unwrap();
    std::fs::copy(SCENE, inputs.join("a.tif")).unwrap();
    write_damaged(&inputs.join("b.tif"));
    let model = model();
    for statistics in [NormStatistics::Inputs, NormStatistics::Scene] {
        let output = folder.path().join("out");
        let error = model.predict_raster(&inputs, &output, options().statistics(statistics)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        assert_eq!(error.path(), Some(inputs.join("b.tif").as_path()), "{error}");
    }
}

/// Statistics of all scenes may take long, so outputs are checked first: the damaged scene is not even noticed.
#[test]
#[cfg(target_os = "linux")]
fn an_unwritable_folder_is_refused_before_statistics_are_gathered() {
    let inputs = tempfile::tempdir().unwrap();
    write_damaged(&inputs.path().join("a.tif"));
    let options = options().statistics(NormStatistics::Inputs);
    let error = model().predict_raster(inputs.path(), "/proc", options).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(Path::new("/proc"))), "{error}");
}
