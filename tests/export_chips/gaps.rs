//! Scenes with gaps, flat chips, polygons, and scenes that overlap.

use ndarray::{Array2, Array3, s};

use super::*;
use geolearn::Raster;

/// Saves the satellite scene, of which a slanted swath has data: 40 %. Returns which pixels have.
pub fn swath(path: &Path, mask_alone: bool) -> Array2<bool> {
    let scene = Raster::open(asset("bluemarble_asia.tif")).unwrap();
    // Rises from 0 to 1 across the scene.
    let along = |y: usize, x: usize| (x as f64 + 0.7 * y as f64) / (512.0 + 0.7 * 320.0);
    let valid = Array2::from_shape_fn((320, 512), |(y, x)| (0.3..0.57).contains(&along(y, x)));
    let share = valid.iter().filter(|valid| **valid).count() as f64 / valid.len() as f64;
    assert!((0.35..0.45).contains(&share), "{share}");
    let image = if mask_alone { scene } else { scene.with_nodata(0.0) };
    image.with_validity(&valid).unwrap().save(path).unwrap();
    RasterFile::open(path).unwrap().read_validity().unwrap()
}

/// Against the validity of each window of the grid, counted pixel by pixel.
#[test]
fn no_window_is_below_the_minimum_share() {
    let folder = tempfile::tempdir().unwrap();
    for (mask_alone, share) in [(false, 0.9), (true, 0.9), (false, 0.5), (true, 1.0)] {
        let (scene, output) = (folder.path().join("scene.tif"), folder.path().join(format!("{mask_alone}_{share}")));
        let valid = swath(&scene, mask_alone);
        let options =
            ExportTrainingData::new(&scene, asset("shadedrelief_asia.tif"), &output).tile_size(32).stride_size(16);
        let report = options.min_valid_share(share).progress(false).val_split_pct(0.0).export().unwrap();
        let of = |window: SceneWindow| {
            let part = valid.slice(s![window.row..window.bottom(), window.column..window.right()]);
            part.iter().filter(|valid| **valid).count() as f64 / 1024.0
        };
        let grid =
            (0..=320 - 32).step_by(16).flat_map(|row| (0..=512 - 32).step_by(16).map(move |column| (row, column)));
        let grid: Vec<SceneWindow> = grid.map(|(row, column)| SceneWindow::new(column, row, 32, 32)).collect();
        let expected: Vec<SceneWindow> = grid.iter().copied().filter(|window| of(*window) >= share).collect();
        let made = &chips(&output)[0];
        assert!(expected.len() > 50 && expected.len() < grid.len() / 2, "{}", expected.len());
        assert_eq!(made.iter().map(|chip| chip.window).collect::<Vec<_>>(), expected);
        assert!(made.iter().all(|chip| chip.valid_share == [of(chip.window)]));
        let left: BTreeMap<LeftOut, u64> = report.left_out(Domain::A).collect();
        assert_eq!(left, BTreeMap::from([(LeftOut::TooFewValidPixels, (grid.len() - expected.len()) as u64)]));
        // Gaps are kept, by rasterio's word too.
        for chip in made.iter().step_by(29) {
            let own = RasterFile::open(&chip.files[0]).unwrap().read_validity().unwrap();
            let SceneWindow { row, column, .. } = chip.window;
            assert_eq!(own, valid.slice(s![row..row + 32, column..column + 32]));
            if let Some(seen) = rasterio(&chip.files[0], SceneWindow::new(0, 0, 32, 32)) {
                assert_eq!(seen["without_data"].as_u64(), Some(own.iter().filter(|valid| !**valid).count() as u64));
            }
        }
    }
}

#[test]
fn pictures_that_cannot_tell_gaps_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("scene.tif");
    for (mask_alone, format, are_left_out) in
        [(true, ChipFormat::Png, true), (false, ChipFormat::Png, false), (false, ChipFormat::Jpeg, true)]
    {
        swath(&scene, mask_alone);
        let output = folder.path().join(format!("{mask_alone}_{format}"));
        let options = ExportTrainingData::new(&scene, asset("shadedrelief_asia.tif"), &output).tile_size(32);
        let report = options.chip_format(format).progress(false).val_split_pct(0.0).export().unwrap();
        assert_eq!(report.left_out(Domain::A).any(|(reason, _)| reason == LeftOut::GapsInPicture), are_left_out);
        for chip in &chips(&output)[0] {
            let valid = RasterFile::open(&chip.files[0]).unwrap().read_validity().unwrap();
            let share = valid.iter().filter(|valid| **valid).count() as f64 / 1024.0;
            assert_eq!([share], chip.valid_share[..]);
        }
    }
}

#[test]
fn flat_chips_are_left_out_by_choice() {
    let folder = tempfile::tempdir().unwrap();
    let (all, some) = (folder.path().join("all"), folder.path().join("some"));
    export(&all).val_split_pct(0.0).export().unwrap();
    let report = export(&some).val_split_pct(0.0).min_std(30.0).export().unwrap();
    let scene = RasterFile::open(asset("bluemarble_asia.tif")).unwrap();
    let is_flat = |window: SceneWindow| {
        let values = window_of(&scene, window).to_f32().mapv(f64::from);
        values.outer_iter().all(|band| band.std(0.0) < 30.0)
    };
    let windows = |output: &Path| chips(output)[0].iter().map(|chip| chip.window).collect::<Vec<_>>();
    let expected: Vec<_> = windows(&all).into_iter().filter(|window| !is_flat(*window)).collect();
    assert!(expected.len() > 5 && expected.len() < 40, "{}", expected.len());
    assert_eq!(windows(&some), expected);
    assert_eq!(report.left_out(Domain::A).collect::<Vec<_>>(), [(LeftOut::Flat, 40 - expected.len() as u64)]);
}

#[test]
fn chips_lie_within_polygons() {
    let folder = tempfile::tempdir().unwrap();
    let (polygons, output) = (folder.path().join("polygons.geojson"), folder.path().join("chips"));
    // Columns 64 to 256, rows 0 to 192.
    let text =
        r#"{"type": "Polygon", "coordinates": [[[32.8, 60], [71.2, 60], [71.2, 21.6], [32.8, 21.6], [32.8, 60]]]}"#;
    fs::write(&polygons, text).unwrap();
    let report = export(&output).input_mask_polygons(Domain::A, &polygons).export().unwrap();
    let area = SceneWindow::new(64, 0, 192, 192);
    assert!(chips(&output)[0].iter().all(|chip| area.contains(chip.window)));
    assert_eq!((report.chips(Domain::A), report.chips(Domain::B)), (9, 40));
}

/// Two scenes of one folder that share half of their ground.
#[test]
fn validation_ground_is_that_of_all_scenes() {
    let folder = tempfile::tempdir().unwrap();
    let (scenes, output) = (folder.path().join("scenes"), folder.path().join("chips"));
    fs::create_dir(&scenes).unwrap();
    let whole = Raster::open(asset("bluemarble_asia.tif")).unwrap();
    let Samples::U8(samples) = whole.samples().clone() else { panic!() };
    for (name, column) in [("1.tif", 0), ("2.tif", 128)] {
        let part: Array3<u8> = samples.slice(s![.., .., column..column + 384]).to_owned();
        let part = Raster::new(part).unwrap().with_place(whole.place().shifted(0, column));
        part.save(scenes.join(name)).unwrap();
    }
    let options =
        ExportTrainingData::new(&scenes, asset("shadedrelief_asia.tif"), &output).tile_size(32).progress(false);
    let report = options.val_split_pct(0.25).export().unwrap();
    let all = &chips(&output)[0];
    let on_ground = |chip: &Chip| SceneWindow { column: chip.window.column + 128 * chip.scene, ..chip.window };
    for one in all.iter().filter(|chip| chip.validates) {
        assert!(all.iter().filter(|chip| !chip.validates).all(|other| !on_ground(one).overlaps(on_ground(other))));
    }
    assert!(report.left_out(Domain::A).any(|(reason, _)| reason == LeftOut::ValidationGroundOfAnotherScene));
    assert!(all.iter().any(|chip| chip.validates));
}

/// Twelve dates of one place. Drawn for each date by itself, the ground of validation would leave hardly any for training.
#[test]
fn scenes_of_one_place_are_split_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (scenes, output) = (folder.path().join("scenes"), folder.path().join("chips"));
    fs::create_dir(&scenes).unwrap();
    for date in 1..=12 {
        fs::copy(asset("bluemarble_asia.tif"), scenes.join(format!("{date}.tif"))).unwrap();
    }
    let options =
        ExportTrainingData::new(&scenes, asset("shadedrelief_asia.tif"), &output).tile_size(32).progress(false);
    let report = options.val_split_pct(0.2).export().unwrap();
    let all = &chips(&output)[0];
    let validating = |scene: usize| {
        all.iter().filter(|chip| chip.scene == scene && chip.validates).map(|chip| chip.window).collect::<Vec<_>>()
    };
    assert!((0..12).all(|scene| validating(scene) == validating(0)));
    // 16 x 10 windows of each date in blocks of 2 x 2 and more, of which a fifth validates; none lies between.
    assert_eq!(report.chips(Domain::A), 12 * 160);
    assert!(report.validation_chips(Domain::A).abs_diff(12 * 32) <= 12 * 8, "{}", report.validation_chips(Domain::A));
}
