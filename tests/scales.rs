//! Tests scale and offset of samples, from chips through models to predictions, and images with different ones.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use common::on_cpu;
use geolearn::dataset::BadChips;
use geolearn::raster::{BandScale, RasterFile, Samples};
use geolearn::train::Checkpoint;
use geolearn::{DataBunch, DatasetType, Domain, ErrorKind, FitOptions, PrepareData, Raster, RasterOptions};
use ndarray::Array3;
use serde_json::{Value, json};

const REFLECTANCE: BandScale = BandScale { scale: 0.0001, offset: -0.1 };
const INDEX: BandScale = BandScale { scale: 0.001, offset: 0.5 };

fn ramp(seed: usize) -> Array3<i16> {
    Array3::from_shape_fn((1, 24, 28), |(_, y, x)| (500 + seed * 40 + y * 60 + x * 11) as i16)
}

/// Creates 16-bit chips in both domains, each with its own scale.
fn chips(root: &Path) -> PathBuf {
    for (domain, scale) in [("A", REFLECTANCE), ("B", INDEX)] {
        let folder = root.join("chips").join(domain);
        std::fs::create_dir_all(&folder).unwrap();
        for seed in 0..4 {
            let chip = Raster::new(ramp(seed)).unwrap().with_band_scales([scale]).with_nodata(-32768.0);
            chip.save(folder.join(format!("{seed}.tif"))).unwrap();
        }
    }
    root.join("chips")
}

fn prepared(chips: &Path) -> DataBunch {
    PrepareData::new(chips, DatasetType::CycleGan).batch_size(2).prepare().unwrap()
}

/// Returns what rasterio reads from a file; `None` without a test Python.
fn rasterio(file: &Path) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/geotiff/check.py");
    let arguments: [&dyn AsRef<OsStr>; 2] = [&script, &file];
    Some(serde_json::from_str::<Value>(&common::python::run(&arguments)?).unwrap()[0].clone())
}

#[test]
fn predictions_have_the_scales_of_the_domain_however_the_model_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    let data = prepared(&chips);
    assert_eq!((data.band_scales(Domain::A), data.band_scales(Domain::B)), (&[REFLECTANCE][..], &[INDEX][..]));
    let mut model = common::small_model(&data);
    let checkpoints = folder.path().join("run");
    let options = FitOptions::new(1).progress(false).checkpoint(Checkpoint::Best).checkpoint_dir(&checkpoints);
    model.fit(options).unwrap();
    model.save(folder.path().join("models/saved")).unwrap();
    model.save_safetensors(folder.path().join("model.safetensors")).unwrap();
    let mut files = std::fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().path());
    let last = files.find(|file| file.ends_with("last.safetensors")).unwrap();
    let models = [
        on_cpu::from_model(folder.path().join("models/saved"), None).unwrap(),
        on_cpu::from_model(folder.path().join("model.safetensors"), None).unwrap(),
        on_cpu::from_checkpoint(last, &data).unwrap(),
        model,
    ];
    for (index, model) in models.iter().enumerate() {
        let made = model.predict_a2b(chips.join("A/0.tif")).unwrap();
        assert_eq!(made.band_scales(), [INDEX]);
        assert_eq!(model.predict_b2a(chips.join("B/0.tif")).unwrap().band_scales(), [REFLECTANCE]);
        let output = folder.path().join(format!("{index}.tif"));
        model.predict_raster(chips.join("A/0.tif"), &output, RasterOptions::new(Domain::B).progress(false)).unwrap();
        assert_eq!(RasterFile::open(&output).unwrap().info().band_scales(), [INDEX]);
        if let Some(found) = rasterio(&output) {
            assert_eq!((&found["scales"], &found["offsets"]), (&json!([0.001]), &json!([0.5])));
        }
    }
}

#[test]
fn chips_of_other_scales_are_refused_or_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    for other in [BandScale::new(0.01, 0.5), BandScale::default()] {
        Raster::new(ramp(9)).unwrap().with_band_scales([other]).save(chips.join("B/other.tif")).unwrap();
        let error = PrepareData::new(&chips, DatasetType::CycleGan).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Layout);
        let words = error.to_string();
        assert!(words.contains("other.tif") && words.contains("0.001 x + 0.5"), "{words}");
        let data = PrepareData::new(&chips, DatasetType::CycleGan).bad_chips(BadChips::Skip).prepare().unwrap();
        assert_eq!(data.band_scales(Domain::B), [INDEX]);
        assert!(matches!(data.skipped(), [(file, _)] if file.ends_with("other.tif")), "{:?}", data.skipped());
    }
}

#[test]
fn images_of_other_scales_are_converted_and_those_without_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    let model = common::small_model(&prepared(&chips));
    let stored = ramp(1);
    let own = Raster::new(stored.clone()).unwrap().with_band_scales([REFLECTANCE]);
    let expected = model.predict_image(&own, Domain::B).unwrap();
    let values = stored.mapv(|sample| REFLECTANCE.value(sample.into()));
    let doubled = BandScale::new(0.00005, -0.2);
    let alike = [
        Raster::new(values.mapv(|value| value as f32)).unwrap(),
        Raster::new(values.clone()).unwrap(),
        Raster::new(values.mapv(|value| ((value + 0.2) / 0.00005).round() as u16)).unwrap().with_band_scales([doubled]),
        // Tags that were lost.
        Raster::new(stored.clone()).unwrap(),
    ];
    for (index, image) in alike.iter().enumerate() {
        let made = model.predict_image(image, Domain::B).unwrap();
        close(&made, &expected, 1);
        let (scene, output) =
            (folder.path().join(format!("{index}.tif")), folder.path().join(format!("{index}_b.tif")));
        image.save(&scene).unwrap();
        close(&model.predict(&scene, Domain::B).unwrap(), &expected, 1);
        model.predict_raster(&scene, &output, RasterOptions::new(Domain::B).progress(false)).unwrap();
        close(&Raster::open(&output).unwrap(), &expected, 1);
    }
    let other = own.with_band_scales([BandScale::new(0.0002, -0.1)]);
    let differs = model.predict_image(&other, Domain::B).unwrap();
    assert_ne!(differs.samples(), expected.samples(), "twice the reflectance is another image");
}

/// Gaps of a converted image remain gaps.
#[test]
fn gaps_survive_a_conversion() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    let model = common::small_model(&prepared(&chips));
    let mut values = ramp(2).mapv(|sample| REFLECTANCE.value(sample.into()) as f32);
    values.slice_mut(ndarray::s![.., 3..9, 4..11]).fill(-9999.0);
    let image = Raster::new(values.clone()).unwrap().with_nodata(-9999.0);
    let made = model.predict_image(&image, Domain::B).unwrap();
    let Samples::I16(made_values) = made.samples() else { unreachable!("chips have 16-bit samples") };
    assert_eq!(made.nodata(), Some(-32768.0));
    for (sample, value) in made_values.iter().zip(&values) {
        assert_eq!(*sample == i16::MIN, *value == -9999.0);
    }
}

/// Compares 16-bit samples that differ by rounding.
fn close(made: &Raster, expected: &Raster, most: i32) {
    let (Samples::I16(made), Samples::I16(expected)) = (made.samples(), expected.samples()) else {
        unreachable!("chips have 16-bit samples")
    };
    let off = made.iter().zip(expected).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
    assert!(off.unwrap() <= most, "{off:?}");
}
