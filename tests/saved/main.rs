//! Tests saving, loading and predicting as a user does.

#[path = "../common/mod.rs"]
mod common;
mod described;
mod partial;
mod refused;

use std::fs;
use std::path::Path;

use common::{answer, few_chips, on_cpu, small_data, small_model};
use geolearn::{DatasetType, Domain, ErrorKind, FitOptions, PrepareData, Raster};
use ndarray::Array3;
use serde_json::Value;

#[test]
fn a_saved_model_predicts_the_same_with_and_without_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    model.fit(FitOptions::new(2).progress(false)).unwrap();
    let place = model.save(folder.path().join("models/sat2map")).unwrap();
    assert_eq!(place, folder.path().join("models/sat2map"));
    for path in [place.clone(), place.join("sat2map.emd"), place.join("sat2map.pth")] {
        for data in [None, Some(&data)] {
            let loaded = on_cpu::from_model(&path, data).unwrap();
            assert_eq!(answer(&loaded), answer(&model));
            assert_eq!((loaded.config(), loaded.history()), (model.config(), model.history()));
        }
    }
    let mut other = on_cpu::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).seed(9).build().unwrap();
    assert_ne!(answer(&other), answer(&model));
    other.load(&place).unwrap();
    assert_eq!(answer(&other), answer(&model));
    other.fit(FitOptions::new(1).progress(false)).unwrap();
    assert_eq!(other.history().epochs().len(), 3);
}

#[test]
fn a_bare_name_is_saved_below_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let model = small_model(&data);
    assert_eq!(model.save("first").unwrap(), data.path().join("models/first"));
    small_model(&data).load("first").unwrap();
    on_cpu::from_model("first", Some(&data)).unwrap();
}

#[test]
fn the_definition_holds_what_arcgis_learn_reads() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let place = small_model(&data).save(folder.path().join("m")).unwrap();
    let emd: Value = serde_json::from_slice(&fs::read(place.join("m.emd")).unwrap()).unwrap();
    assert_eq!(emd["ModelName"], "CycleGAN");
    assert_eq!(emd["ModelFile"], "m.pth");
    assert_eq!((&emd["n_intput_channel"], &emd["n_channel"], &emd["n_channel_rev"]), (&3.into(), &3.into(), &3.into()));
    assert_eq!((&emd["ImageHeight"], &emd["ImageWidth"]), (&32.into(), &32.into()));
    assert_eq!(emd["ModelParameters"]["gen_blocks"], 1);
    assert_eq!(emd["NormalizationStats"]["band_min_values"][0], data.statistics(Domain::A).bands()[0].min);
    assert_eq!(emd["NormalizationStats_b"]["band_max_values"][2], data.statistics(Domain::B).bands()[2].max);
    assert_eq!(emd["Geolearn"]["Version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_model_without_data_says_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let place = small_model(&data).save(folder.path().join("m")).unwrap();
    let mut model = on_cpu::from_model(&place, None).unwrap();
    for error in [model.fit(1).unwrap_err(), model.show_results(1).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("from_model"), "{error}");
    }
}

#[test]
fn a_failed_save_leaves_the_older_model() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    let place = model.save(folder.path().join("m")).unwrap();
    let before = fs::read(place.join("m.pth")).unwrap();
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    // A folder is in the place of the definition, so a file cannot replace it.
    fs::remove_file(place.join("m.emd")).unwrap();
    fs::create_dir(place.join("m.emd")).unwrap();
    let files = || {
        let mut names: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let names = files();
    assert_eq!(model.save(&place).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(fs::read(place.join("m.pth")).unwrap(), before);
    assert_eq!(files(), names, "no temporary file is left");
}

/// Any size, and three equivalent ways to predict.
#[test]
fn files_images_and_arrays_are_translated_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let model = small_model(&data);
    for (height, width) in [(1, 1), (2, 91), (61, 3), (64, 64), (77, 130)] {
        let image = Raster::new(Array3::from_shape_fn((3, height, width), |(c, y, x)| (40 * c + y + x) as u8)).unwrap();
        let path = folder.path().join("image.png");
        image.save(&path).unwrap();
        let map = model.predict_a2b(&path).unwrap();
        assert_eq!((map.bands(), map.height(), map.width()), (3, height, width));
        assert_eq!(map, model.predict(&path, Domain::B).unwrap());
        assert_eq!(map, model.predict_image(&image, Domain::B).unwrap());
        let array = model.predict_array(&image.samples().to_f32(), Domain::B).unwrap();
        // Rounding to integers, and f32 rounding before it.
        map.samples().to_f32().iter().zip(&array).for_each(|(m, a)| assert!((m - a).abs() <= 0.5 + 1e-4));
        assert_ne!(map, model.predict_b2a(&path).unwrap());
    }
}

/// The weights in arcgis.learn's format, without this crate's section in the definition.
#[test]
fn a_definition_without_our_section_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let model = small_model(&data);
    let place = model.save(folder.path().join("m")).unwrap();
    let path = place.join("m.emd");
    let mut emd: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    emd.as_object_mut().unwrap().remove("Geolearn");
    fs::write(&path, emd.to_string()).unwrap();
    assert_eq!(answer(&on_cpu::from_model(&place, None).unwrap()), answer(&model));
}

#[test]
fn a_saved_model_has_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    let page = |place: &Path| fs::read_to_string(place.join("model_metrics.html")).unwrap();
    let fresh = model.save(folder.path().join("fresh")).unwrap();
    assert!(page(&fresh).contains("no record of its training"));
    assert!(!fresh.join("ModelCharacteristics/loss_graph.png").exists());
    model.fit(FitOptions::new(2).progress(false)).unwrap();
    let place = model.save(folder.path().join("<b>sat & map")).unwrap();
    let html = page(&place);
    assert_eq!(html.matches("src=\"data:image/png;base64,").count(), 2);
    assert!(html.contains("<h1>&lt;b&gt;sat &amp; map</h1>") && html.contains("2 epochs"), "{html:.2000}");
    assert!(!html.contains("http") && !html.contains("<script"), "nothing is fetched or run");
    for picture in ["loss_graph.png", "show_results.png"] {
        let picture = Raster::open(place.join("ModelCharacteristics").join(picture)).unwrap();
        assert!(picture.width() >= 500, "{} x {}", picture.width(), picture.height());
    }
    // The weights matter more than the pictures.
    for domain in [Domain::A, Domain::B] {
        data.train_files(domain).iter().chain(data.valid_files(domain)).for_each(|file| fs::remove_file(file).unwrap());
    }
    let place = model.save(folder.path().join("chips_gone")).unwrap();
    assert!(page(&place).contains("Samples could not be drawn"));
    assert_eq!(answer(&on_cpu::from_model(&place, None).unwrap()), answer(&model));
}

#[test]
fn pictures_of_an_older_model_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    let place = model.save(folder.path().join("m")).unwrap();
    let pictures = || fs::read_dir(place.join("ModelCharacteristics")).unwrap().count();
    fs::write(place.join("ModelCharacteristics/mine.txt"), b"x").unwrap();
    assert_eq!(pictures(), 3);
    let fresh = small_model(&data).save(folder.path().join("fresh")).unwrap();
    on_cpu::from_model(fresh, None).unwrap().save(&place).unwrap();
    assert_eq!(pictures(), 1, "only what is not ours");
}

#[test]
fn additions_of_a_newer_release_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let place = small_model(&small_data(folder.path())).save(folder.path().join("m")).unwrap();
    let path = place.join("m.emd");
    let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let mut emd = read(&path);
    emd["Geolearn"]["Newer"] = 1.into();
    emd["Geolearn"]["Config"]["spectral_norm"] = true.into();
    emd["monitored_valid_loss"] = "n/a".into();
    fs::write(&path, emd.to_string()).unwrap();
    let again = on_cpu::from_model(&place, None).unwrap().save(folder.path().join("again")).unwrap();
    let again = read(&again.join("again.emd"));
    assert_eq!(again["Geolearn"]["Newer"], 1);
    assert_eq!(again["Geolearn"]["Config"]["spectral_norm"], true);
    assert_eq!(again["monitored_valid_loss"], "n/a");
}

#[test]
fn cell_sizes_of_exported_chips_go_into_the_definition() {
    let folder = tempfile::tempdir().unwrap();
    let chips = few_chips(folder.path(), 6, 5);
    let band = serde_json::json!({"Min": 0.0, "Max": 255.0, "Mean": 100.0, "StdDev": 50.0});
    let cell = |side: f64| serde_json::json!({"x": side, "y": side, "spatialReference": {"wkid": 32633}});
    let definition = serde_json::json!({
        "AllTilesStats": [band, band, band], "MinCellSize": cell(9.5), "MaxCellSize": cell(10.0),
    });
    fs::write(chips.join("A/esri_model_definition.emd"), definition.to_string()).unwrap();
    let data = PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).batch_size(2).prepare().unwrap();
    let place = small_model(&data).save(folder.path().join("m")).unwrap();
    // A model without data keeps it, too.
    let again = on_cpu::from_model(&place, None).unwrap().save(folder.path().join("again")).unwrap();
    for path in [place.join("m.emd"), again.join("again.emd")] {
        let emd: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!((&emd["MinCellSize"], &emd["MaxCellSize"]), (&cell(9.5), &cell(10.0)));
        assert_eq!(emd["ImageSpaceUsed"], "MAP_SPACE");
    }
    let plain = small_model(&small_data(&folder.path().join("other"))).save(folder.path().join("p")).unwrap();
    let emd: Value = serde_json::from_slice(&fs::read(plain.join("p.emd")).unwrap()).unwrap();
    assert_eq!((&emd["MinCellSize"], &emd["ImageSpaceUsed"]), (&Value::Null, &"PIXEL_SPACE".into()));
}

/// A definition of about 4.5 MB.
#[test]
fn a_model_of_thousands_of_epochs_opens_again() {
    const EPOCHS: usize = 6_500;
    let folder = tempfile::tempdir().unwrap();
    let mut model = small_model(&small_data(folder.path()));
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    let place = model.save(folder.path().join("m")).unwrap();
    let path = place.join("m.emd");
    let mut emd: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let epochs = emd.pointer_mut("/Geolearn/History/epochs").unwrap().as_array_mut().unwrap();
    *epochs = vec![epochs[0].clone(); EPOCHS];
    fs::write(&path, emd.to_string()).unwrap();
    let long = on_cpu::from_model(&place, None).unwrap();
    let place = long.save(&place).unwrap();
    assert!(path.metadata().unwrap().len() > 4 << 20);
    for file in [place.clone(), place.join("m.dlpk")] {
        assert_eq!(on_cpu::from_model(&file, None).unwrap().history().epochs().len(), EPOCHS, "{file:?}");
    }
    let one_file = folder.path().join("m.safetensors");
    long.save_safetensors(&one_file).unwrap();
    assert_eq!(on_cpu::from_model(&one_file, None).unwrap().history(), long.history());
}
