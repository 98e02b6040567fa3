//! Scenes translated in tiles: seams, edges, windows, stopping and going on.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

#[path = "common/on_cpu.rs"]
mod on_cpu;

use std::path::{Path, PathBuf};

use geolearn::{
    Compression, CycleGan, Domain, Dtype, ErrorKind, NormStatistics, Raster, RasterFile, RasterOptions, RasterReport,
    RasterSpec, RasterWriter, Samples, StopSignal,
};
use ndarray::{Array3, Axis, s};

const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

fn model() -> CycleGan {
    on_cpu::from_model("assets/models/sat2relief", None).unwrap()
}

fn options() -> RasterOptions {
    RasterOptions::new(Domain::B).progress(false)
}

/// Tiles of 128 pixels, so that the bundled scene is 12 of them.
fn tiled() -> RasterOptions {
    options().tile_size(128)
}

fn translated(options: RasterOptions) -> (Array3<f32>, RasterReport) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let report = model().predict_raster(SCENE, &output, options).unwrap();
    (Raster::open(output).unwrap().samples().to_f32(), report)
}

fn write(path: &Path, values: Array3<u8>, nodata: Option<f64>) {
    let (bands, height, width) = values.dim();
    let spec = RasterSpec::new(bands, height, width, Dtype::U8);
    let mut writer = RasterWriter::create(path, nodata.map_or(spec.clone(), |value| spec.nodata(value))).unwrap();
    writer.write_rows(&Samples::U8(values)).unwrap();
    writer.finish().unwrap();
}

fn scene() -> Array3<u8> {
    match Raster::open(SCENE).unwrap().into_samples() {
        Samples::U8(values) => values,
        other => unreachable!("{:?}", other.dtype()),
    }
}

fn mean_difference(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
    (a - b).mapv(f32::abs).mean().unwrap()
}

/// Mean gradient across the borders of tiles, against that everywhere: 1 where borders are as any other place.
fn seams(image: &Array3<f32>, report: &RasterReport) -> f32 {
    let (rows, columns) = report.tile_borders();
    assert!(!rows.is_empty() && !columns.is_empty(), "there are no tiles beside each other");
    let of_axis = |(axis, borders): (usize, &[usize])| {
        let length = image.len_of(Axis(axis));
        let cut = |from: usize, to: usize| image.slice_axis(Axis(axis), (from..to).into()).to_owned();
        let gradient = (cut(1, length) - cut(0, length - 1)).mapv(f32::abs);
        let across: Vec<usize> = borders.iter().map(|border| border - 1).collect();
        gradient.select(Axis(axis), &across).mean().unwrap() / gradient.mean().unwrap()
    };
    [(1, rows), (2, columns)].map(of_axis).iter().sum::<f32>() / 2.0
}

/// The scene is small enough to be its own measure. The seam metric may be 5 % off the untiled image's own, and tiles may
/// take 1.4 times the work of tiles without overlap at their usual size.
#[test]
fn tiles_are_as_the_whole_and_have_no_seams() {
    let (whole, report) = translated(options());
    assert_eq!(report.network_pixels(), report.pixels(), "a scene that fits is translated as a whole");
    let (tiles, tiles_report) = translated(tiled());
    assert_eq!(tiles_report.tile_borders(), (&[108, 216][..], &[128, 256, 384][..]), "tiles are evened out");
    let (arcgis, arcgis_report) = translated(options().statistics(NormStatistics::Tile { padding: None }));
    let (local, local_report) = translated(tiled().statistics(NormStatistics::Local { spacing: None }));
    let reports = [&tiles_report, &local_report, &arcgis_report];
    let off = [&tiles, &local, &arcgis].map(|image| mean_difference(image, &whole));
    let seams_of: Vec<f32> = [&tiles, &local, &arcgis]
        .iter()
        .zip(reports)
        .map(|(image, report)| seams(image, report) / seams(&whole, report))
        .collect();
    let (bare, bare_report) = translated(tiled().statistics(NormStatistics::Tile { padding: Some(0) }));
    let bare = seams(&bare, &bare_report) / seams(&whole, &bare_report);
    println!("off {off:?} of 255, seams {seams_of:?}, arcgis work {}", arcgis_report.network_pixels());
    assert!((seams_of[0] - 1.0).abs() < 0.05, "{seams_of:?}");
    assert!(bare > 1.5, "the measure does not see seams where they are: {bare}");
    assert!(off[0] < 0.3 * off[2] && off[0] < off[1], "{off:?}");
    assert!(arcgis_report.network_pixels() as f64 > 3.9 * arcgis_report.pixels() as f64);
}

/// A picture that EXIF would turn has its world file's place, which is of the pixels as stored; GDAL reads 48 rows of 64.
#[test]
fn a_picture_with_a_place_is_translated_as_it_is_stored() {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures/exif6.jpg");
    let model = model();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    model.predict_raster(&picture, &output, options()).unwrap();
    for made in [Raster::open(&output).unwrap(), model.predict(&picture, Domain::B).unwrap()] {
        assert_eq!((made.height(), made.width()), (48, 64));
        assert_eq!(made.place().transform(), [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_100_000.0]);
    }
    let alone = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures/exif6_unplaced.jpg");
    model.predict_raster(&alone, folder.path().join("alone.tif"), options()).unwrap();
    for made in [Raster::open(folder.path().join("alone.tif")).unwrap(), model.predict(&alone, Domain::B).unwrap()] {
        assert_eq!((made.height(), made.width(), made.place().has_transform()), (64, 48, false));
    }
}

#[test]
fn a_window_is_a_part_of_the_scene() {
    let (all, _) = translated(tiled());
    let (part, _) = translated(tiled().window(51, 77, 130, 211));
    let off = (&part - &all.slice(s![.., 51..181, 77..288])).mapv(f32::abs).fold(0f32, |a, &b| a.max(b));
    // Tiles begin elsewhere, so halos are cut elsewhere; what is beyond a halo changes a pixel by little.
    assert!(off <= 3.0, "{off}");
    // In a scene that fits into one tile the window's statistics are those of the scene all the same.
    let (whole, _) = translated(options());
    let (part, _) = translated(options().window(51, 77, 130, 211));
    let off = mean_difference(&part, &whole.slice(s![.., 51..181, 77..288]).to_owned());
    assert!(off < 0.1, "{off}");
}

#[test]
fn gaps_stay_gaps_and_change_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // The left part is a scene of its own, and once one beside an area without data that is larger than the tiles.
    let left = scene().slice(s![.., .., ..256]).mapv(|value| value.max(1));
    let mut wide = Array3::zeros((3, 320, 640));
    wide.slice_mut(s![.., .., ..256]).assign(&left);
    write(&path("left.tif"), left, None);
    write(&path("wide.tif"), wide, Some(0.0));
    let model = model();
    let run = |from: &str, to: &str, options| {
        let report = model.predict_raster(path(from), path(to), options).unwrap();
        (Raster::open(path(to)).unwrap(), report)
    };
    for (name, statistics) in [
        ("scene", NormStatistics::Scene),
        ("local", NormStatistics::Local { spacing: None }),
        ("inputs", NormStatistics::Inputs),
        ("tile", NormStatistics::Tile { padding: None }),
    ] {
        let (made, report) = run("wide.tif", &format!("{name}.tif"), options().tile_size(64).statistics(statistics));
        assert_eq!(made.nodata(), Some(0.0));
        let values = made.samples().to_f32();
        assert!(values.slice(s![.., .., 256..]).iter().all(|&value| value == 0.0), "{name}");
        assert!(values.slice(s![.., .., ..256]).iter().all(|&value| value != 0.0), "{name}");
        assert!(report.network_pixels() < 5 * 320 * 640 * 9 / 10, "{name}: {}", report.network_pixels());
    }
    // Whole: the gap is masked out of the statistics, so just its border differs.
    let (alone, _) = run("left.tif", "alone.tif", options());
    let (beside, _) = run("wide.tif", "beside.tif", options());
    let values = |image: &Raster| image.samples().to_f32().slice(s![.., .., ..192]).to_owned();
    let off = mean_difference(&values(&alone), &values(&beside));
    println!("off by {off} beside the gap");
    assert!(off < 2.0, "{off}");
}

#[test]
fn scenes_of_any_size_and_content_are_translated() {
    let folder = tempfile::tempdir().unwrap();
    let model = model();
    for (height, width) in [(1, 1), (1, 700), (700, 1), (2, 3), (131, 257), (127, 5)] {
        for statistics in [
            NormStatistics::Scene,
            NormStatistics::Inputs,
            NormStatistics::Local { spacing: Some(16) },
            NormStatistics::Tile { padding: Some(7) },
        ] {
            let (from, to) = (folder.path().join("from.tif"), folder.path().join("to.tif"));
            let columns: Vec<usize> = (0..width).map(|x| x % 512).collect();
            let rows: Vec<usize> = (0..height).map(|y| y % 320).collect();
            write(&from, scene().select(Axis(1), &rows).select(Axis(2), &columns), None);
            model.predict_raster(&from, &to, options().tile_size(32).halo(8).statistics(statistics)).unwrap();
            let info = RasterFile::open(&to).unwrap();
            assert_eq!((info.info().height(), info.info().width()), (height, width), "{statistics:?}");
        }
    }
    // Areas of one value have no deviation; an image of nothing but gaps has no statistics at all.
    for (value, nodata) in [(7, None), (0, Some(0.0))] {
        let (from, to) = (folder.path().join("from.tif"), folder.path().join("to.tif"));
        write(&from, Array3::from_elem((3, 90, 90), value), nodata);
        model.predict_raster(&from, &to, options().tile_size(32).halo(8)).unwrap();
        let made = Raster::open(&to).unwrap().samples().to_f32();
        let is_gap = nodata.is_some();
        assert!(made.iter().all(|&value| is_gap == (value == 0.0)), "{value}");
    }
}

#[test]
fn a_stopped_translation_leaves_no_file_and_goes_on_later() {
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

/// Runs the named test in a process of its own, with the output in its environment, and kills it once `is_time`.
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

/// It is killed between two pieces of the output.
#[test]
fn a_killed_translation_goes_on() {
    let options = || tiled().tile_size(64).resume(true);
    if let Some(output) = std::env::var_os(KILLED) {
        model().predict_raster(SCENE, output, options()).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    killed("a_killed_translation_goes_on", &output, || pieces(&output) >= 2);
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
    killed("the_next_run_removes_what_a_killed_one_left", &output, || files() > 0);
    assert!(!output.exists() && files() == 1);
    model().predict_raster(SCENE, &output, tiled().window(0, 0, 8, 8)).unwrap();
    assert_eq!(files(), 1, "the output alone");
}

/// How many pieces of an output are on the disk.
fn pieces(output: &Path) -> usize {
    let entries = std::fs::read_dir(parts_of(output)).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("piece_")).count()
}

/// Ends as soon as the second piece of the output is on the disk.
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

fn parts_of(output: &Path) -> PathBuf {
    PathBuf::from(format!("{}.parts", output.display()))
}

/// Whatever stands under the output's name: what is complete is known by its length and time.
#[test]
fn an_output_that_was_replaced_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).unwrap();
    write(&inputs.join("a.tif"), scene().slice(s![.., ..100, ..90]).to_owned(), None);
    write(&inputs.join("b.tif"), scene().slice(s![.., ..100, ..90]).to_owned(), None);
    let model = model();
    let output = folder.path().join("out");
    let options = || options().resume(true);
    // The second scene cannot be written, so what is known of the first one stays.
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

/// By a scene of the same length and time: pieces of the older one are not used.
#[test]
#[cfg(unix)]
fn a_scene_that_was_replaced_begins_anew() {
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
fn rows_of_another_scene_or_model_are_not_used_and_strange_folders_are_left_alone() {
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

#[test]
fn a_folder_and_windows_become_files_of_their_own() {
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
fn what_cannot_be_done_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let grey = folder.path().join("grey.tif");
    write(&grey, Array3::from_elem((1, 20, 20), 5), None);
    let model = model();
    let usage = |input: &Path, output: &Path, options: RasterOptions, says: &str| {
        let error = model.predict_raster(input, output, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    let scene = Path::new(SCENE);
    usage(&grey, &output, options(), "grey.tif");
    usage(scene, &folder.path().join("out.png"), options(), ".png");
    usage(&grey, &grey, options(), "grey.tif");
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

/// Bytes of a name that are no text; with resumption, from folders and by windows.
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

/// The folder of pieces has a name of its own, which must not be too long where the output's is not.
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

/// Some 200 bytes that say that they are a scene wider than any list of its tiles should be (`make_wide.py`).
#[test]
fn a_scene_that_is_wide_beyond_measure_is_refused() {
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

/// Whatever the way through an image is, a signal that is there is heard before anything goes through the network.
#[test]
fn a_signal_is_heard_on_every_way_through_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Nearly nothing but gaps, which no network sees.
    let mut sparse = Array3::zeros((3, 1200, 1200));
    sparse[(0, 1199, 1199)] = 7;
    write(&path("sparse.tif"), sparse, Some(0.0));
    std::fs::copy(SCENE, path("full.tif")).unwrap();
    let model = model();
    for scene in ["sparse.tif", "full.tif"] {
        for statistics in [
            NormStatistics::Scene,
            NormStatistics::Inputs,
            NormStatistics::Local { spacing: None },
            NormStatistics::Tile { padding: None },
        ] {
            for (tile_size, resume) in [(16, false), (16, true), (1024, false)] {
                let stop = StopSignal::new();
                let options = options().tile_size(tile_size).statistics(statistics).resume(resume);
                let (signal, output) = (stop.clone(), path("out/out.tif"));
                // After the first rows: the signal comes while it is at work.
                let watcher = std::thread::spawn(move || {
                    let begun =
                        || std::fs::read_dir(output.parent().unwrap()).is_ok_and(|mut files| files.next().is_some());
                    while !begun() {
                        std::thread::yield_now();
                    }
                    signal.stop();
                });
                let made = model.predict_raster(path(scene), path("out/out.tif"), options.stop_signal(stop));
                watcher.join().unwrap();
                // An image that is one tile may be through before the signal is there.
                if tile_size == 16 {
                    let kind = made.map_err(|error| error.kind()).err();
                    assert_eq!(kind, Some(ErrorKind::Stopped), "{scene} {statistics:?} {resume}");
                    assert!(!path("out/out.tif").exists());
                }
                std::fs::remove_dir_all(path("out")).unwrap();
            }
        }
    }
}
