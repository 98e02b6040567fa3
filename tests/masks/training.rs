//! Tests that statistics and tensors respect the mask.

use std::path::Path;

use geolearn::dataset::{AlphaBands, Augment, MixedSizes, Split};
use geolearn::raster::RasterFile;
use geolearn::tch::Tensor;
use geolearn::{DataBunch, DatasetType, Domain, PrepareData, Raster};
use ndarray::{Array2, Array3, Axis};
use tempfile::TempDir;

use super::common::{on_cpu, small_model};
use super::{disk, fixture};

/// Creates chips of a domain that are all copies of this file, under different names.
fn copies(root: &Path, domain: &str, name: &str, count: usize) {
    let (_, ending) = name.split_once('.').unwrap();
    let folder = root.join(domain);
    std::fs::create_dir_all(&folder).unwrap();
    for index in 0..count {
        for beside in ["", ".msk", ".aux.xml"] {
            let from = fixture(&format!("{name}{beside}"));
            if from.exists() {
                std::fs::copy(from, folder.join(format!("{index}.{ending}{beside}"))).unwrap();
            }
        }
    }
}

fn options(name: &str) -> (TempDir, PrepareData) {
    let root = tempfile::tempdir().unwrap();
    copies(root.path(), "A", name, 3);
    copies(root.path(), "B", "all_valid.tif", 3);
    let options = PrepareData::new(root.path(), DatasetType::CycleGan).workers(0).cache(false);
    (root, options)
}

/// Returns the minimum, maximum and mean of a band over its valid pixels.
fn measured(name: &str, band: usize) -> [f64; 3] {
    let file = RasterFile::open(fixture(name)).unwrap();
    let (samples, valid) = (file.read().unwrap().band(band).unwrap(), file.read_validity().unwrap());
    let values: Vec<f64> = samples.iter().zip(&valid).filter(|(_, valid)| **valid).map(|(value, _)| *value).collect();
    let ends = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).unwrap();
    [ends(f64::min), ends(f64::max), values.iter().sum::<f64>() / values.len() as f64]
}

fn chip_of_a(data: &DataBunch) -> Array3<f32> {
    array(&data.chips(Domain::A, Split::Train, &[0]).unwrap())
}

/// Returns the only image in a batch.
fn array(batch: &Tensor) -> Array3<f32> {
    let size: Vec<usize> = batch.size().iter().map(|side| *side as usize).collect();
    let values = Vec::<f32>::try_from(batch.flatten(0, -1)).unwrap();
    Array3::from_shape_vec((size[1], size[2], size[3]), values).unwrap()
}

#[test]
fn hidden_pixels_count_for_nothing_and_are_zero() {
    for (name, bands) in [
        ("internal_tiled.tif", 3),
        ("internal_planar.tif", 2),
        ("internal_before_nodata.tif", 1),
        ("beside.png", 3),
        ("beside.tif", 3),
        ("alpha_rgba.tif", 3),
        ("alpha_uint16.tif", 3),
        ("alpha_gray.tif", 1),
        ("alpha_before_nodata.tif", 3),
        ("alpha.png", 3),
        ("color_rgb16.png", 3),
        ("nodata_by_band.tif", 3),
    ] {
        let (_root, options) = options(name);
        let data = options.prepare().unwrap();
        assert_eq!(data.bands(Domain::A), bands, "{name}");
        for (band, found) in data.statistics(Domain::A).bands().iter().enumerate() {
            let [min, max, mean] = measured(name, band);
            assert_eq!((found.min, found.max), (min, max), "{name}, band {band}");
            assert!((found.mean - mean).abs() < 1e-9, "{name}, band {band}: {} and not {mean}", found.mean);
        }
        let (chip, disk) = (chip_of_a(&data), disk());
        for ((_, y, x), value) in chip.indexed_iter().filter(|((band, ..), _)| *band < bands) {
            assert!(disk[(y, x)] || *value == 0.0, "{name}: {value} at ({y}, {x})");
        }
        assert!(chip.iter().any(|value| *value == 1.0) && chip.iter().any(|value| *value == -1.0), "{name}");
    }
}

/// Lighting does not change masked pixels.
#[test]
fn hidden_pixels_stay_zero_in_every_epoch() {
    let (_root, options) = options("internal_tiled.tif");
    let light = Augment::none().brightness(0.5).contrast(0.5);
    let data = options.val_split_pct(0.0).augment(light).prepare().unwrap();
    let (disk, mut seen) = (disk(), 0);
    for number in 0..3 {
        for batch in data.epoch(number).unwrap() {
            let chip = array(&batch.unwrap().a);
            let hidden = chip.indexed_iter().filter(|((_, y, x), _)| !disk[(*y, *x)]);
            assert!(hidden.map(|(_, value)| *value).all(|value| value == 0.0));
            assert!(chip.iter().filter(|value| **value != 0.0).count() > 3 * 600);
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
}

/// Covers every way to make chips the same size.
#[test]
fn a_mask_goes_with_a_chip_to_its_size() {
    for mixed in [MixedSizes::Pad, MixedSizes::Resize, MixedSizes::Crop] {
        let (root, options) = options("internal_tiled.tif");
        let other = Raster::open(fixture("internal_tiled.tif")).unwrap().resize(30, 30).unwrap();
        other.save(root.path().join("A/3.tif")).unwrap();
        let data = options.mixed_sizes(mixed).val_split_pct(0.0).prepare().unwrap();
        for index in 0..4 {
            let chip = array(&data.chips(Domain::A, Split::Train, &[index]).unwrap());
            let empty = chip.lanes(Axis(0)).into_iter().filter(|pixel| pixel.iter().all(|value| *value == 0.0)).count();
            let share = empty as f64 * 3.0 / chip.len() as f64;
            assert!((0.2..0.8).contains(&share), "{mixed:?}, chip {index}: {share} of the pixels are empty");
        }
    }
}

/// GDAL reports near infrared as alpha, and the values show that it is not.
#[test]
fn near_infrared_is_no_mask() {
    let (_root, options) = options("near_infrared.tif");
    let data = options.clone().prepare().unwrap();
    assert_eq!(data.bands(Domain::A), 4);
    let infrared = data.statistics(Domain::A).bands()[3];
    assert_eq!((infrared.min, infrared.max), (0.0, 55.0), "water is data");
    let data = options.clone().bands(Domain::A, [1, 2, 3]).prepare().unwrap();
    let whole = RasterFile::open(fixture("near_infrared.tif")).unwrap().read().unwrap().band(0).unwrap();
    assert!((data.statistics(Domain::A).bands()[0].mean - whole.mean().unwrap()).abs() < 1e-9, "no pixel is left out");
    let data = options.alpha_bands(Domain::A, AlphaBands::Mask).prepare().unwrap();
    assert_eq!(data.bands(Domain::A), 3);
    assert!((data.statistics(Domain::A).bands()[0].mean - measured("near_infrared.tif", 0)[2]).abs() < 1e-9);
}

#[test]
fn alpha_is_a_band_where_that_is_wanted() {
    let (_root, options) = options("alpha_rgba.tif");
    let data = options.alpha_bands(Domain::A, AlphaBands::Band).prepare().unwrap();
    assert_eq!(data.bands(Domain::A), 4);
    assert_eq!(data.statistics(Domain::A).bands()[3].min, 0.0);
    let all = Array2::from_elem((36, 40), true);
    assert_eq!(Raster::open(fixture("alpha_rgba.tif")).unwrap().validity(), all);
}

/// A changed mask is detected even if the chips are the same.
#[test]
fn a_mask_beside_a_chip_counts_for_what_was_kept() {
    let (root, options) = options("beside.tif");
    let mean = |data: DataBunch| data.statistics(Domain::A).bands()[0].mean;
    let masked = mean(options.clone().prepare().unwrap());
    for index in 0..3 {
        std::fs::remove_file(root.path().join(format!("A/{index}.tif.msk"))).unwrap();
    }
    let whole = mean(options.prepare().unwrap());
    assert!((masked - measured("beside.tif", 0)[2]).abs() < 1e-9);
    assert!((masked - whole).abs() > 0.1, "{masked} and {whole}");
}

/// What was decided for the chips also applies to images that a model translates, and after it is saved.
#[test]
fn models_know_whether_alpha_is_a_mask() {
    let all = Array2::from_elem((36, 40), true);
    for (name, choice, expected) in [
        ("alpha_rgba.tif", AlphaBands::Auto, disk()),
        ("near_infrared.tif", AlphaBands::Auto, all),
        ("near_infrared.tif", AlphaBands::Mask, disk()),
    ] {
        let (root, options) = options(name);
        let data = options.bands(Domain::A, [1, 2, 3]).alpha_bands(Domain::A, choice).prepare().unwrap();
        let model = small_model(&data);
        let made = model.predict_a2b(fixture(name)).unwrap();
        assert_eq!(made.validity(), expected, "{name}, {choice:?}");
        let folder = root.path().join("model");
        model.save(&folder).unwrap();
        let again = on_cpu::from_model(&folder, None).unwrap().predict_a2b(fixture(name)).unwrap();
        assert_eq!(again, made, "{name}, {choice:?}");
    }
}
