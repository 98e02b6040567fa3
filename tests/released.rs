//! Tests that everything any release saved still opens: `tests/fixtures/released/<version>/<form>`.
//!
//! After a change of the saved formats, `cargo test --test released -- --ignored` adds the forms of the version in
//! Cargo.toml if they do not exist yet. Existing files are never overwritten.

#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{few_chips, on_cpu};
use geolearn::dataset::{Channels, Normalization};
use geolearn::models::LoadOptions;
use geolearn::tch::Tensor;
use geolearn::{CycleGan, DatasetType, Domain, FitOptions, PrepareData, Raster};
use ndarray::Array3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/released")
}

/// Returns both translations of a fixed image in the units of its domain, concatenated.
fn answer(model: &CycleGan, bands: [usize; 2]) -> Tensor {
    let one = |domain: Domain, bands| {
        let image = Array3::from_shape_fn((bands, 20, 28), |(c, y, x)| ((c + 1) * (2 * y + x)) as f32);
        let values = model.predict_array(&image, domain.other()).unwrap();
        Tensor::from_slice(values.as_standard_layout().as_slice().unwrap())
    };
    Tensor::cat(&[one(Domain::A, bands[0]), one(Domain::B, bands[1])], 0)
}

/// Creates some bands of 8-bit samples.
fn image(bands: usize) -> Raster {
    Raster::new(Array3::from_shape_fn((bands, 20, 28), |(c, y, x)| (c + y + x) as u8)).unwrap()
}

fn open(path: &Path) -> CycleGan {
    CycleGan::from_model_with(path, LoadOptions::new().device(geolearn::Device::Cpu)).unwrap()
}

/// Parses `a_b` at the end of a form's name.
fn bands(form: &Path) -> [usize; 2] {
    let name = form.file_stem().unwrap().to_str().unwrap();
    let mut ends = name.rsplit('_').map(|number| number.parse().unwrap());
    let b = ends.next().unwrap();
    [ends.next().unwrap(), b]
}

#[test]
fn every_released_format_opens_and_gives_the_same_outputs() {
    let mut seen = 0;
    for version in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for form in fs::read_dir(&version).unwrap().map(|entry| entry.unwrap().path()) {
            if form.extension().is_some_and(|extension| extension == "npy") {
                continue;
            }
            let expected = Tensor::read_npy(version.join(form.file_stem().unwrap()).with_extension("npy")).unwrap();
            let model = open(&form);
            let found = answer(&model, bands(&form));
            // Values up to some thousands; another CPU or libtorch rounds differently in the seventh digit, and norms
            // of small images amplify that.
            let off = ((&found - &expected).abs() / (expected.abs() + 1.0)).max().double_value(&[]);
            assert!(off <= 1e-3, "{}: off by {off}", form.display());
            // Not determined by the weights alone.
            assert_eq!(model.history().epochs().len(), 1, "{}", form.display());
            assert_eq!(model.config().pool_size, 50, "{}", form.display());
            let named = form.file_stem().unwrap().to_str().unwrap().starts_with("own_channels");
            let picture = model.predict_image(&image(bands(&form)[1]), Domain::A).unwrap();
            assert_eq!(picture.band_names().iter().flatten().any(|name| name == "NIR"), named, "{}", form.display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} forms");
}

#[test]
#[ignore = "adds fixtures for the version in Cargo.toml"]
fn write_the_forms_of_this_version() {
    let target = folder().join(env!("CARGO_PKG_VERSION"));
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir_all(&target).unwrap();
    let rgb = PrepareData::new(few_chips(scratch.path(), 6, 5), DatasetType::CycleGan).resize_to(32);
    let rgb = rgb.batch_size(2).prepare().unwrap();
    let bands = PrepareData::new("assets/multispectral", DatasetType::CycleGan).channels(Channels::Own).crop_size(32);
    let bands = bands.normalization(Normalization::Percentile { low: 2.0, high: 98.0 });
    let bands = bands.bands(Domain::A, ["Red", "NIR"]).batch_size(8).prepare().unwrap();
    for (data, form, bands) in [
        (&rgb, "folder", [3, 3]),
        (&rgb, "package", [3, 3]),
        (&rgb, "single", [3, 3]),
        (&bands, "own_channels", [2, 3]),
    ] {
        let mut model = on_cpu::builder(data).gen_blocks(1).gen_features(4).disc_features(4).build().unwrap();
        model.fit(FitOptions::new(1).progress(false)).unwrap();
        let name = format!("{form}_{}_{}", bands[0], bands[1]);
        let saved = model.save(scratch.path().join(&name)).unwrap();
        let add = |from: PathBuf, to: PathBuf| {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        };
        let record = target.join(format!("{name}.npy"));
        if record.exists() {
            println!("{name} is there already");
            continue;
        }
        if form == "single" {
            model.save_safetensors(target.join(format!("{name}.safetensors"))).unwrap();
        } else if form == "package" {
            add(saved.join(format!("{name}.dlpk")), target.join(format!("{name}.dlpk")));
        } else {
            for suffix in ["emd", "pth"] {
                let file = format!("{name}.{suffix}");
                add(saved.join(&file), target.join(&name).join(&file));
            }
        }
        answer(&model, bands).write_npy(record).unwrap();
    }
}
