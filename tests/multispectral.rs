//! Tests models between domains with different bands, types and gaps.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

#[path = "common/warnings.rs"]
mod warnings;

#[path = "common/on_cpu.rs"]
mod on_cpu;

use std::path::{Path, PathBuf};

use geolearn::dataset::{Channels, MixedBands, Normalization, Split};
use geolearn::models::cyclegan::CycleGanBuilder;
use geolearn::raster::{Crs, Dtype, Samples};
use geolearn::train::Checkpoint;
use geolearn::{DataBunch, DatasetType, Domain, ErrorKind, FitOptions, PrepareData, Raster, RasterOptions};
use ndarray::Array3;

fn options() -> PrepareData {
    PrepareData::new("assets/multispectral", DatasetType::CycleGan)
        .normalization(Normalization::Percentile { low: 2.0, high: 98.0 })
        .crop_size(32)
        .batch_size(4)
}

fn small(data: &DataBunch) -> CycleGanBuilder {
    on_cpu::builder(data).gen_blocks(1).gen_features(4).disc_features(4)
}

fn first(data: &DataBunch, domain: Domain) -> &std::path::Path {
    &data.files(domain, Split::Train)[0]
}

fn quiet() -> FitOptions {
    FitOptions::new(1).progress(false)
}

/// Corners of every fifth chip, starting with the first, have no data.
#[test]
fn translations_keep_place_and_gaps_and_have_the_other_domains_bands() {
    let data = options().val_split_pct(0.0).prepare().unwrap();
    let model = small(&data).build().unwrap();
    let source = Raster::open(first(&data, Domain::A)).unwrap();
    let picture = model.predict_a2b(first(&data, Domain::A)).unwrap();
    assert_eq!((picture.bands(), picture.height(), picture.width(), picture.dtype()), (3, 64, 64, Dtype::U8));
    assert_eq!(picture.place(), source.place());
    assert_eq!(picture.place().crs(), Some(&Crs::Epsg(4326)));
    let names: Vec<_> = picture.band_names().iter().flatten().collect();
    assert_eq!(names, ["red", "green", "blue"]);
    let (values, made) = (source.samples().band(0).unwrap(), picture.samples().band(0).unwrap());
    assert!(values.iter().any(|&value| value == 0.0), "the chip has a gap");
    assert_eq!(picture.nodata(), Some(0.0), "B has no value of its own for it");
    for (value, made) in values.iter().zip(&made) {
        assert_eq!(*value == 0.0, *made == 0.0);
    }
    let spectra = model.predict_b2a(first(&data, Domain::B)).unwrap();
    assert_eq!((spectra.bands(), spectra.dtype(), spectra.nodata()), (13, Dtype::U16, Some(0.0)));
    assert!(spectra.samples().band(7).unwrap().iter().all(|&value| value != 0.0), "nothing is missing in B");
    assert_eq!(spectra.band_names()[7].as_deref(), Some("NIR"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spectra.tif");
    spectra.save(&path).unwrap();
    assert_eq!(Raster::open(&path).unwrap(), spectra);
}

#[test]
fn a_saved_model_keeps_bands_types_and_scaling() {
    let data = options().bands(Domain::A, ["NIR", "Red", "Green"]).prepare().unwrap();
    let mut model = small(&data).build().unwrap();
    model.fit(quiet()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let loaded = on_cpu::from_model(model.save(folder.path().join("m")).unwrap(), None).unwrap();
    // First all 13 bands of the file, of which three are used; then only these.
    let file = first(&data, Domain::A);
    let picture = model.predict_a2b(file).unwrap();
    assert_eq!(loaded.predict_a2b(file).unwrap(), picture);
    let three = data.image(Domain::A, Split::Train, 0).unwrap();
    assert_eq!((three.bands(), &loaded.predict_image(&three, Domain::B).unwrap()), (3, &picture));
    let back = loaded.predict_b2a(first(&data, Domain::B)).unwrap();
    assert_eq!((back.bands(), back.dtype(), back.band_names()[0].as_deref()), (3, Dtype::U16, Some("NIR")));
    let (low, high) = data.statistics(Domain::A).bands()[0].percentiles.unwrap();
    let made = back.samples().band(0).unwrap();
    assert!(made.iter().all(|value| (low.floor()..=high.ceil()).contains(value)));
    let error = loaded.predict_image(&Raster::open(file).unwrap(), Domain::B).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn generators_may_have_other_channels_out_than_in() {
    let data = options().channels(Channels::Own).prepare().unwrap();
    let mut model = small(&data).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = folder.path().join("checkpoints");
    let history = model.fit(quiet().checkpoint(Checkpoint::Last).checkpoint_dir(&checkpoints)).unwrap();
    assert_eq!(history.last("identity"), Some(0.0), "no generator sees images of its own domain");
    let file = first(&data, Domain::A);
    let picture = model.predict_a2b(file).unwrap();
    let saved = model.save(folder.path().join("m")).unwrap();
    assert_eq!(on_cpu::from_model(&saved, Some(&data)).unwrap().predict_a2b(file).unwrap(), picture);
    let resumed = on_cpu::from_checkpoint(checkpoints.join("last.safetensors"), &data).unwrap();
    assert_eq!(resumed.predict_a2b(file).unwrap(), picture);
    let estimate = model.memory_estimate().unwrap();
    let shared = small(&options().prepare().unwrap()).build().unwrap().memory_estimate().unwrap();
    assert!(estimate.parameters < shared.parameters && estimate.activations < shared.activations);
    // The same weights do not fit if both domains have 13 channels.
    assert_eq!(
        small(&options().prepare().unwrap()).build().unwrap().load(&saved).unwrap_err().kind(),
        ErrorKind::Usage
    );
}

/// Returns the path of a file that `make.py` in that folder made with rasterio.
fn mixture(name: &str) -> PathBuf {
    Path::new("tests/fixtures/mixtures").join(name)
}

/// Uses the first files as domain A, and the second as B.
fn chips(folder: &Path, a: &[&str], b: &[&str]) -> PrepareData {
    for (domain, files) in [("A", a), ("B", b)] {
        std::fs::create_dir_all(folder.join(domain)).unwrap();
        for (i, name) in files.iter().enumerate() {
            std::fs::copy(mixture(name), folder.join(domain).join(format!("{i}.tif"))).unwrap();
        }
    }
    PrepareData::new(folder, DatasetType::CycleGan).val_split_pct(0.0)
}

const ORDERS: [&str; 3] = ["order/bgrn.tif", "order/rgbn.tif", "order/rgbn.tif"];
const COLORS: [&str; 2] = ["colours/rgb.tif", "colours/rgb.tif"];

/// Both files show one scene, with their bands in different orders.
#[test]
fn bands_chosen_by_name_are_found_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = chips(&at("chips"), &ORDERS, &COLORS).bands(Domain::A, ["Red", "Green", "Blue"]).prepare().unwrap();
    let mut model = small(&data).build().unwrap();
    model.fit(quiet().checkpoint(Checkpoint::Last).checkpoint_dir(at("run"))).unwrap();
    let saved = model.save(at("m")).unwrap();
    model.save_safetensors(at("m.safetensors")).unwrap();
    let expected = model.predict_a2b(mixture(ORDERS[0])).unwrap();
    let models = [
        ("itself", model),
        ("saved", on_cpu::from_model(saved, None).unwrap()),
        ("one file", on_cpu::from_model(at("m.safetensors"), None).unwrap()),
        ("a checkpoint", on_cpu::from_checkpoint(at("run/last.safetensors"), &data).unwrap()),
    ];
    let unnamed = Raster::open(mixture(ORDERS[1])).unwrap();
    for (what, model) in models {
        for file in ORDERS {
            assert_eq!(model.predict_a2b(mixture(file)).unwrap(), expected, "{what}, {file}");
            let options = RasterOptions::new(Domain::B).progress(false);
            model.predict_raster(mixture(file), at("out.tif"), options).unwrap();
            assert_eq!(Raster::open(at("out.tif")).unwrap().samples(), expected.samples(), "{what}, {file}");
        }
        let images = [0, 1].map(|index| data.image(Domain::A, Split::Train, index).unwrap());
        assert!(images.iter().all(|image| model.predict_image(image, Domain::B).unwrap() == expected), "{what}");
        let Samples::U16(bands) = images[0].samples().clone() else { panic!("{images:?}") };
        let turned = Raster::new(bands.slice(ndarray::s![..;-1, .., ..]).to_owned()).unwrap();
        let turned = turned.with_band_names(["Blue", "Green", "Red"]);
        assert_eq!(model.predict_image(&turned, Domain::B).unwrap(), expected, "{what}");
        let error = model.predict_a2b(mixture("order/red.tif")).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Usage, Some(mixture("order/red.tif").as_path())));
        assert!(error.to_string().contains("Green"), "{what}: {error}");
        // A file without band names has the order of the first chip.
        let blank = at("blank.tif");
        Raster::open(mixture(ORDERS[0])).unwrap().with_band_names(Vec::<String>::new()).save(&blank).unwrap();
        assert_eq!(model.predict_a2b(&blank).unwrap().samples(), expected.samples(), "{what}");
        unnamed.clone().with_band_names(["", "", "", ""]).save(&blank).unwrap();
        assert_ne!(model.predict_a2b(&blank).unwrap().samples(), expected.samples(), "{what}");
    }
}

/// Three of four chips declare -32768, the first does not.
#[test]
fn gaps_have_the_value_that_chips_of_the_domain_declare() {
    let folder = tempfile::tempdir().unwrap();
    let heights = ["nodata/0.tif", "nodata/1.tif", "nodata/2.tif", "nodata/3.tif"];
    let data = chips(folder.path(), &COLORS, &heights).prepare().unwrap();
    let model = small(&data).build().unwrap();
    let image =
        Raster::new(Array3::from_shape_fn((3, 28, 28), |(_, y, _)| if y < 5 { f32::NAN } else { y as f32 })).unwrap();
    let made = model.predict_image(&image, Domain::B).unwrap();
    assert_eq!((made.dtype(), made.nodata()), (Dtype::I16, Some(-32768.0)));
    let values = made.samples().band(0).unwrap();
    assert!(values.indexed_iter().all(|((y, _), &value)| (value == -32768.0) == (y < 5)));
}

/// Single pixels of one band are not gaps; pixels of all bands are, even if the target type differs.
#[test]
fn arrays_have_gaps_where_images_have() {
    let folder = tempfile::tempdir().unwrap();
    let data = chips(folder.path(), &COLORS, &["nodata/1.tif", "nodata/2.tif"]).prepare().unwrap();
    let model = small(&data).build().unwrap();
    let array = Array3::from_shape_fn((3, 30, 41), |(band, y, x)| match (band, y, x) {
        (_, 3..7, 10..20) | (1, 20, 20) => f32::NAN,
        (_, 29, 40) => f32::INFINITY,
        _ => (7 * y + x) as f32 % 256.0,
    });
    for (to, array) in [(Domain::B, array.clone()), (Domain::A, array.slice(ndarray::s![..1, .., ..]).to_owned())] {
        let made = model.predict_array(&array, to).unwrap();
        let image = model.predict_image(&Raster::new(array).unwrap(), to).unwrap();
        let empty = image.nodata().unwrap();
        let gaps = |band: usize| image.samples().band(band).unwrap().mapv(|value| value == empty);
        for (band, plane) in made.outer_iter().enumerate() {
            assert_eq!(plane.mapv(f32::is_nan), gaps(band), "{to}");
        }
        assert_eq!(made.iter().filter(|value| value.is_nan()).count(), made.dim().0 * 41);
    }
}

#[test]
fn a_model_of_gray_and_color_takes_both() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["colours/grey.tif", "colours/rgb.tif", "colours/rgba.tif"];
    let data = chips(folder.path(), &files, &COLORS).mixed_bands(MixedBands::Rgb).prepare().unwrap();
    let model = small(&data).build().unwrap();
    let loaded = on_cpu::from_model(model.save(folder.path().join("m")).unwrap(), None).unwrap();
    let gray = Raster::open(mixture("colours/grey.tif")).unwrap().samples().to_f32();
    let three = ndarray::concatenate(ndarray::Axis(0), &[gray.view(), gray.view(), gray.view()]).unwrap();
    for model in [model, loaded] {
        let expected = model.predict_image(&Raster::new(three.clone()).unwrap(), Domain::B).unwrap();
        assert_eq!(model.predict_a2b(mixture("colours/grey.tif")).unwrap().samples(), expected.samples());
        let color = model.predict_a2b(mixture("colours/rgb.tif")).unwrap();
        assert_eq!(model.predict_a2b(mixture("colours/rgba.tif")).unwrap().samples(), color.samples());
        assert_ne!(color.samples(), expected.samples());
    }
}

/// f32 values between 10^9 and 10^9 + 255 are 64 apart.
#[test]
fn a_range_that_singles_cannot_hold_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = chips(folder.path(), &COLORS, &[]);
    let values = |from: f64| Array3::from_shape_fn((1, 28, 28), |(_, y, x)| from + ((y * 28 + x) % 256) as f64);
    let array = Array3::from_shape_fn((3, 28, 28), |(_, y, x)| (y * x % 256) as f32);
    for (from, is_coarse) in [(1e9, true), (-1e9, true), (0.0, false), (70_000.0, false)] {
        for name in ["0.tif", "1.tif"] {
            Raster::new(values(from)).unwrap().save(folder.path().join("B").join(name)).unwrap();
        }
        let model = small(&prepared.clone().prepare().unwrap()).build().unwrap();
        let (made, said) = warnings::warnings(|| model.predict_array(&array, Domain::B).unwrap());
        assert_eq!(made.dim(), (1, 28, 28));
        assert_eq!(said.len(), usize::from(is_coarse), "{from}: {said:?}");
        assert!(
            said.iter().all(|text| text.contains("predict_image") && text.contains("band 1 of domain B")),
            "{said:?}"
        );
        // In their own type they have all the values that the network produces.
        let (image, said) =
            warnings::warnings(|| model.predict_image(&Raster::new(array.clone()).unwrap(), Domain::B).unwrap());
        let mut values: Vec<f64> = image.samples().band(0).unwrap().iter().copied().collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        assert!(said.is_empty() && values.len() > 100, "{from}: {} {said:?}", values.len());
    }
}
