//! Tests complete workflows with chips and scenes that GDAL reads.

use std::fs;

use gdal::programs::raster::build_vrt;
use geolearn::{DatasetType, Domain, FitOptions, PrepareData, RasterOptions};

use super::*;

/// Converts the same chips to lossless JPEG 2000 and MRF.
fn copied(chips: &Path, to: &Path, driver: &str, ending: &str, options: &[&str]) {
    for domain in ["A", "B"] {
        let folder = to.join(domain).join("images");
        fs::create_dir_all(&folder).unwrap();
        for entry in fs::read_dir(chips.join(domain).join("images")).unwrap() {
            let path = entry.unwrap().path();
            let name = Path::new(path.file_name().unwrap()).with_extension(ending);
            translate(&path, &folder.join(name), driver, options);
        }
    }
}

/// Statistics and batches equal those of the original PNGs, and a model trains on them.
#[test]
fn chips_of_other_formats_train_as_those_that_they_were_made_of() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 6, 5);
    let prepared = |root: &Path| {
        PrepareData::new(root, DatasetType::CycleGan).resize_to(32).batch_size(2).val_split_pct(0.2).prepare().unwrap()
    };
    let expected = prepared(&chips);
    for (driver, ending, options) in
        [("JP2OpenJPEG", "jp2", LOSSLESS_TILES), ("MRF", "mrf", &["COMPRESS=DEFLATE", "BLOCKSIZE=64"][..])]
    {
        let root = folder.path().join(ending);
        copied(&chips, &root, driver, ending, options);
        let data = prepared(&root);
        for domain in [Domain::A, Domain::B] {
            assert_eq!(data.statistics(domain), expected.statistics(domain), "{driver}");
            let names =
                |files: &[PathBuf]| files.iter().map(|file| file.file_stem().unwrap().to_owned()).collect::<Vec<_>>();
            assert_eq!(names(data.train_files(domain)), names(expected.train_files(domain)), "sidecars are no chips");
            for (ours, theirs) in data.train_files(domain).iter().zip(expected.train_files(domain)) {
                assert_eq!(Raster::open(ours).unwrap().samples(), Raster::open(theirs).unwrap().samples());
            }
        }
        let learned = |data| {
            let mut model = common::small_model(data);
            model.fit(FitOptions::new(1).progress(false)).unwrap();
            common::answer(&model)
        };
        assert_eq!(learned(&data), learned(&expected), "{driver}");
    }
}

/// Four parts of the scene, combined by GDAL, are translated like the scene itself.
#[test]
fn a_mosaic_is_translated_as_the_scene_that_it_was_cut_from() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let scene = file("assets/scenes/bluemarble_asia.tif");
    let whole = Raster::open(&scene).unwrap();
    let (height, width) = (whole.height(), whole.width());
    let mut parts = Vec::new();
    for (row, rows) in [(0, 120), (120, height - 120)] {
        for (column, columns) in [(0, 200), (200, width - 200)] {
            let path = folder.path().join(format!("{row}_{column}.tif"));
            let samples = whole
                .samples()
                .to_f32()
                .slice(ndarray::s![.., row..row + rows, column..column + columns])
                .mapv(|v| v as u8);
            Raster::new(samples).unwrap().with_place(whole.place().shifted(row, column)).save(&path).unwrap();
            parts.push(Dataset::open(path).unwrap());
        }
    }
    let mosaic = folder.path().join("mosaic.vrt");
    build_vrt(Some(&mosaic), &parts, None).unwrap().flush_cache().unwrap();
    let model = common::on_cpu::from_model("tests/fixtures/models/sat2relief", None).unwrap();
    let translated = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        model.predict_raster(from, &to, RasterOptions::new(Domain::B).tile_size(128).progress(false)).unwrap();
        Raster::open(to).unwrap()
    };
    let (from_mosaic, from_scene) = (translated(&mosaic, "mosaic.tif"), translated(&scene, "scene.tif"));
    assert_eq!(from_mosaic.samples(), from_scene.samples());
    assert_eq!(from_mosaic.place().crs(), from_scene.place().crs());
    for (ours, theirs) in from_mosaic.place().transform().iter().zip(from_scene.place().transform()) {
        assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
    }
    // A folder of scenes can contain it too.
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir_all(&input).unwrap();
    translate(&scene, &input.join("scene.jp2"), "JP2OpenJPEG", LOSSLESS_TILES);
    model.predict_raster(&input, &output, RasterOptions::new(Domain::B).tile_size(128).progress(false)).unwrap();
    assert_eq!(Raster::open(output.join("scene.tif")).unwrap().samples(), from_scene.samples());
}
