//! Tests scenes translated in tiles: seams, edges, gaps, windows.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

#[path = "../common/on_cpu.rs"]
mod on_cpu;
mod outputs;
mod resumed;

use std::path::Path;
use std::sync::mpsc;

use geolearn::inference::{NormStatistics, RasterReport};
use geolearn::raster::{Dtype, RasterFile, RasterSpec, RasterWriter, Samples};
use geolearn::train::StopSignal;
use geolearn::{CycleGan, Domain, ErrorKind, Raster, RasterOptions};
use ndarray::{Array3, Axis, s};

const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

fn model() -> CycleGan {
    on_cpu::from_model("tests/fixtures/models/sat2relief", None).unwrap()
}

fn options() -> RasterOptions {
    RasterOptions::new(Domain::B).progress(false)
}

/// Tiles of 128 pixels, so that the bundled scene has 12 of them.
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

/// Returns the mean gradient across tile borders relative to that everywhere; 1 if borders are like any other place.
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

/// The scene is small enough to translate as a whole, which is the reference. The seam metric may differ by 5 % from
/// the untiled image's, and tiles may take 1.4 times the work of tiles of the default size without overlap.
#[test]
fn tiles_equal_the_whole_and_have_no_seams() {
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

/// A picture that EXIF would rotate has its world file's georeference, which applies to the pixels as stored; GDAL
/// reads 48 rows of 64.
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
    // Tiles start elsewhere, so halos are cut elsewhere; what is beyond a halo changes a pixel only slightly.
    assert!(off <= 3.0, "{off}");
    // In a scene that fits into one tile, the window still uses the statistics of the scene.
    let (whole, _) = translated(options());
    let (part, _) = translated(options().window(51, 77, 130, 211));
    let off = mean_difference(&part, &whole.slice(s![.., 51..181, 77..288]).to_owned());
    assert!(off < 0.1, "{off}");
}

#[test]
fn gaps_stay_gaps_and_change_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // The left part is translated alone, and then next to an area without data larger than the tiles.
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
    // As a whole: the gap is masked out of the statistics, so only its border differs.
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
    // Constant areas have no deviation; an image of only gaps has no statistics at all.
    for (value, nodata) in [(7, None), (0, Some(0.0))] {
        let (from, to) = (folder.path().join("from.tif"), folder.path().join("to.tif"));
        write(&from, Array3::from_elem((3, 90, 90), value), nodata);
        model.predict_raster(&from, &to, options().tile_size(32).halo(8)).unwrap();
        let made = Raster::open(&to).unwrap().samples().to_f32();
        let is_gap = nodata.is_some();
        assert!(made.iter().all(|&value| is_gap == (value == 0.0)), "{value}");
    }
}

/// With every method, a signal that is already set stops the work before anything passes through the network.
#[test]
fn a_signal_stops_every_strategy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Nearly all gaps, which no network processes.
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
                // After the first rows: the signal arrives during the work.
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
                // An image of one tile may finish before the signal arrives.
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

/// With every method; for a folder, progress covers all scenes.
#[test]
fn progress_is_reported_and_can_end_the_work() {
    let model = model();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let local = NormStatistics::Local { spacing: None };
    for statistics in [NormStatistics::Scene, local, NormStatistics::Tile { padding: None }] {
        let (told, shares) = mpsc::channel();
        let watched = tiled().statistics(statistics).on_progress(move |share| told.send(share).unwrap());
        model.predict_raster(SCENE, &output, watched).unwrap();
        let shares: Vec<f64> = shares.iter().collect();
        assert!(shares.len() > 3 && shares.is_sorted(), "{statistics:?}: {shares:?}");
        assert_eq!((shares[0], shares.last()), (0.0, Some(&1.0)), "{statistics:?}");
    }
    std::fs::remove_file(&output).unwrap();
    let signal = StopSignal::new();
    let switch = signal.clone();
    let stopped = tiled().stop_signal(signal).on_progress(move |share| {
        if share > 0.2 {
            switch.stop();
        }
    });
    let error = model.predict_raster(SCENE, &output, stopped).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped);
    assert!(!output.exists());
}
