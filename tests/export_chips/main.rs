//! Chips that are cut from scenes: against windows of the scenes, by this crate and by rasterio, whose Python
//! GEOLEARN_TEST_PYTHON names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

mod arcgis;
mod gaps;
mod refused;
mod resumed;
mod statistics;

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use geolearn::dataset::{ChipFormat, ExportTrainingData, LeftOut, MetadataFormat, SceneWindow};
use geolearn::raster::{RasterFile, Samples};
use geolearn::{DatasetType, Domain, PrepareData, prepare_data};
use serde_json::Value;

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenes").join(name)
}

/// Satellite and relief of the same ground: 512 x 320 pixels.
fn export(output: &Path) -> ExportTrainingData {
    let options = ExportTrainingData::new(asset("bluemarble_asia.tif"), asset("shadedrelief_asia.tif"), output);
    options.tile_size(64).progress(false)
}

/// One chip, or a pair, as the manifest has it.
struct Chip {
    files: Vec<PathBuf>,
    scene: usize,
    window: SceneWindow,
    rotation: u64,
    validates: bool,
    valid_share: Vec<f64>,
}

/// The chips of each job: of pairs there is one.
fn chips(output: &Path) -> Vec<Vec<Chip>> {
    let manifest: Value = serde_json::from_slice(&fs::read(output.join("training_data.json")).unwrap()).unwrap();
    let chip = |chip: &Value| Chip {
        files: chip["files"].as_array().unwrap().iter().map(|file| output.join(file.as_str().unwrap())).collect(),
        scene: chip["scene"].as_u64().unwrap() as usize,
        window: serde_json::from_value(chip["window"].clone()).unwrap(),
        rotation: chip["rotation"].as_u64().unwrap(),
        validates: chip["use"] == "validation",
        valid_share: serde_json::from_value(chip["valid_share"].clone()).unwrap(),
    };
    let exports = manifest["exports"].as_array().unwrap().iter();
    exports.map(|export| export["chips"].as_array().unwrap().iter().map(chip).collect()).collect()
}

fn window_of(scene: &RasterFile, window: SceneWindow) -> Samples {
    scene.read_window(window.row, window.column, window.height, window.width).unwrap()
}

/// What rasterio finds in a window of a file. `None` where there is no Python to test with.
fn rasterio(path: &Path, window: SceneWindow) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/geotiff/window.py");
    let window = [window.row, window.column, window.height, window.width].map(|number| number.to_string());
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&script, &path];
    arguments.extend(window.iter().map(|number| number as &dyn AsRef<OsStr>));
    Some(serde_json::from_str(&common::python::run(&arguments)?).unwrap())
}

#[test]
fn chips_are_the_pixels_of_the_scenes() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("chips");
    let report = export(&output).metadata_format(MetadataFormat::ExportTiles).start_index(100).export().unwrap();
    let [pairs] = &chips(&output)[..] else { panic!() };
    assert_eq!((pairs.len(), report.chips(Domain::A), report.chips(Domain::B)), (40, 40, 40));
    let scenes = ["bluemarble_asia.tif", "shadedrelief_asia.tif"].map(|name| RasterFile::open(asset(name)).unwrap());
    for (index, pair) in pairs.iter().enumerate() {
        let names = ["images", "images2"].map(|folder| output.join(format!("{folder}/{:09}.tif", 100 + index)));
        assert_eq!(pair.files, names);
        for (file, scene) in pair.files.iter().zip(&scenes) {
            let chip = RasterFile::open(file).unwrap();
            assert_eq!(chip.read().unwrap(), window_of(scene, pair.window));
            let place = scene.info().place().shifted(pair.window.row, pair.window.column);
            assert_eq!(chip.info().place(), &place);
        }
    }
    for pair in pairs.iter().step_by(13) {
        let whole = SceneWindow::new(0, 0, 64, 64);
        let Some(chip) = rasterio(&pair.files[0], whole) else { return };
        let scene = rasterio(&asset("bluemarble_asia.tif"), pair.window).unwrap();
        for fact in ["shape", "dtype", "transform", "epsg", "wkt", "sha256", "mask_sha256"] {
            assert_eq!(chip[fact], scene[fact], "{fact}");
        }
    }
}

/// What `prepare_data` of arcgis.learn looks for, by which it tells the type.
#[test]
fn files_of_export_training_data_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("chips");
    for (format, folders) in [(MetadataFormat::CycleGan, &["A", "B"][..]), (MetadataFormat::ExportTiles, &[""])] {
        let output = output.join(format.to_string());
        export(&output).metadata_format(format).export().unwrap();
        for folder in folders.iter().map(|folder| output.join(folder)) {
            let json = |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).unwrap()).unwrap();
            let stats = json("esri_accumulated_stats.json");
            let definition = json("esri_model_definition.emd");
            assert_eq!(
                (&stats["MetaDataMode"], &definition["MetaDataMode"]),
                (&format.to_string().into(), &format.to_string().into())
            );
            assert_eq!(
                (&stats["NumBands"], &stats["TileSizeX"], &stats["TileSizeY"]),
                (&3.into(), &64.into(), &64.into())
            );
            let tiles = stats["NumTiles"].as_u64().unwrap();
            let state = &stats["BandStatsState"][2];
            let (squares, count) = (state["M2"].as_f64().unwrap(), state["Num"].as_f64().unwrap());
            assert_eq!(count, (tiles * 64 * 64) as f64);
            let std = definition["AllTilesStats"][2]["StdDev"].as_f64().unwrap();
            // A square and its root: two roundings.
            assert!(((squares / count).sqrt() - std).abs() < 1e-12 * std);
            let map = fs::read_to_string(folder.join("map.txt")).unwrap();
            assert_eq!(map.lines().count() as u64, tiles);
            let files = map.split_whitespace().map(|file| folder.join(file));
            let each = if format == MetadataFormat::CycleGan { 1 } else { 2 };
            assert_eq!(files.clone().filter(|file| file.is_file()).count() as u64, each * tiles);
            assert!(
                fs::read_to_string(folder.join("stats.txt"))
                    .unwrap()
                    .starts_with(&format!("images = {tiles} *3*64*64\n"))
            );
        }
    }
}

/// No pixel of a scene is in a chip that trains and in one that validates, though chips overlap by half.
#[test]
fn no_pixel_trains_and_validates() {
    let folder = tempfile::tempdir().unwrap();
    for (margin, seed) in [(0, 1), (0, 2), (9, 1)] {
        let output = folder.path().join(format!("{margin}_{seed}"));
        let options = export(&output).stride_size(32).validation_margin(margin).seed(seed);
        let report = options.val_split_pct(0.2).export().unwrap();
        let (mut training, mut validation) = (BTreeMap::new(), BTreeMap::new());
        for (job, all) in chips(&output).iter().enumerate() {
            let of = |validates: bool| {
                all.iter().filter(|chip| chip.validates == validates).map(|chip| chip.window).collect::<Vec<_>>()
            };
            training.insert(job, of(false));
            validation.insert(job, of(true));
        }
        for (job, validation) in &validation {
            assert!(
                validation.len() >= 5 && training[job].len() > 30,
                "{job}: {} {}",
                training[job].len(),
                validation.len()
            );
            for one in validation {
                assert!(training[job].iter().all(|other| !one.grown(margin).overlaps(*other)));
            }
        }
        let data = prepare_data(&output, DatasetType::CycleGan).unwrap();
        for (domain, all) in Domain::BOTH.into_iter().zip(&chips(&output)) {
            let mut expected: Vec<PathBuf> =
                all.iter().filter(|chip| chip.validates).map(|chip| chip.files[0].clone()).collect();
            expected.sort();
            assert_eq!(data.valid_files(domain), expected);
            assert_eq!(
                (data.valid_len(domain), data.len(domain) + data.valid_len(domain)),
                (report.validation_chips(domain), report.chips(domain))
            );
            let left: BTreeMap<LeftOut, u64> = report.left_out(domain).collect();
            assert_eq!(report.chips(domain) as u64 + left.values().sum::<u64>(), 15 * 9);
        }
    }
    // Without the manifest the split is by chance.
    let output = folder.path().join("0_1");
    let split = |output: &Path| PrepareData::new(output, DatasetType::CycleGan).val_split_pct(0.5).prepare().unwrap();
    let before = split(&output).valid_len(Domain::A);
    fs::remove_file(output.join("training_data.json")).unwrap();
    assert_ne!(split(&output).valid_len(Domain::A), before);
}

/// Four chips of one window, in the file formats that hold no place by themselves.
#[test]
fn pictures_have_their_place_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    for (format, ending) in [(ChipFormat::Png, "png"), (ChipFormat::Jpeg, "jpg")] {
        let output = folder.path().join(ending);
        let report = export(&output).chip_format(format).rotation_angle(90.0).tile_size(160).export().unwrap();
        assert_eq!(report.chips(Domain::A), 4 * 3 * 2);
        let scene = RasterFile::open(asset("bluemarble_asia.tif")).unwrap();
        for chip in &chips(&output)[0] {
            let file = RasterFile::open(&chip.files[0]).unwrap();
            let (place, size) = (file.info().place(), 160.0);
            assert_eq!(
                (place.crs(), chip.files[0].extension().unwrap()),
                (scene.info().place().crs(), OsStr::new(ending))
            );
            // The first pixel's outer corner goes round the window, clockwise.
            let SceneWindow { column, row, .. } = chip.window;
            let (column, row) = (column as f64, row as f64);
            let corner = match chip.rotation {
                0 => (column, row),
                90 => (column, row + size),
                180 => (column + size, row + size),
                270 => (column + size, row),
                other => panic!("{other}"),
            };
            let [_, _, east, _, _, north] = place.transform();
            // Degrees in decimal text.
            assert!((east - (20.0 + 0.2 * corner.0)).abs() < 1e-9 && (north - (60.0 - 0.2 * corner.1)).abs() < 1e-9);
            if format == ChipFormat::Png {
                let (Samples::U8(own), Samples::U8(stored)) = (file.read().unwrap(), window_of(&scene, chip.window))
                else {
                    panic!()
                };
                let turned = |(band, y, x): (usize, usize, usize)| match chip.rotation {
                    0 => stored[(band, y, x)],
                    90 => stored[(band, 159 - x, y)],
                    180 => stored[(band, 159 - y, 159 - x)],
                    _ => stored[(band, x, 159 - y)],
                };
                assert!(own.indexed_iter().all(|(at, value)| *value == turned(at)));
            }
        }
        if let Some(seen) = rasterio(&chips(&output)[0][1].files[0], SceneWindow::new(0, 0, 160, 160)) {
            assert_eq!(seen["epsg"], 4326);
            let place = RasterFile::open(&chips(&output)[0][1].files[0]).unwrap();
            for (seen, own) in seen["transform"].as_array().unwrap().iter().zip(place.info().place().transform()) {
                assert!((seen.as_f64().unwrap() - own).abs() < 1e-9);
            }
        }
    }
}
