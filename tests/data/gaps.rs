//! Tests domains and chips without data, and values that stand for nodata without being declared.

use super::warnings::warnings;
use super::*;

/// Creates chips of A filled by `fill` from (number, band, row, column).
fn floats(chips: usize, bands: usize, fill: impl Fn(usize, usize, usize, usize) -> f32) -> TempDir {
    let root = folder(0, 3);
    for chip in 0..chips {
        let samples = Array3::from_shape_fn((bands, 16, 16), |(band, y, x)| fill(chip, band, y, x));
        write(root.path(), &format!("A/{chip}.tif"), &Raster::new(samples).unwrap());
    }
    root
}

#[test]
fn a_domain_without_data_is_refused() {
    for bad_chips in [BadChips::Fail, BadChips::Skip] {
        let root = folder(0, 3);
        for name in ["A/0.tif", "A/1.tif"] {
            write(root.path(), name, &Raster::new(Array3::<u8>::zeros((3, 8, 8))).unwrap().with_nodata(0.0));
        }
        let error = options(&root).bad_chips(bad_chips).prepare().unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Layout, Some(root.path().join("A").as_path())));
        assert!(
            error.to_string().contains("domain A") && error.to_string().contains("band 1, band 2, band 3"),
            "{error}"
        );
    }
}

/// A skipped chip does not contribute to the statistics.
#[test]
fn chips_that_are_left_out_do_not_count_as_data() {
    let root = floats(3, 1, |chip, _, y, x| if chip > 0 { f32::NAN } else { (y * x) as f32 });
    let first = root.path().join("A/0.tif");
    assert!(options(&root).prepare().is_ok());
    let bytes = fs::read(&first).unwrap();
    fs::write(&first, &bytes[..bytes.len() - 40]).unwrap();
    let error = options(&root).bad_chips(BadChips::Skip).prepare().unwrap_err();
    assert!(error.to_string().contains("domain A cannot be scaled"), "{error}");
}

#[test]
fn a_band_without_data_is_named_and_can_be_left_out() {
    let root = floats(3, 3, |_, band, y, x| if band == 1 { f32::NAN } else { (y * x) as f32 });
    let error = options(&root).prepare().unwrap_err();
    assert!(error.to_string().contains("none in band 2"), "{error}");
    assert!(error.to_string().contains("PrepareData::bands(Domain::A"), "{error}");
    let data = options(&root).bands(Domain::A, [1, 3]).prepare().unwrap();
    assert_eq!(data.statistics(Domain::A).bands()[1].max, 225.0);
    let chosen = options(&root).bands(Domain::A, [3, 2]).prepare().unwrap_err();
    assert!(chosen.to_string().contains("none in band 2"), "as the files count: {chosen}");
}

/// Augmentation keeps gaps at 0.
#[test]
fn gaps_are_zero_in_every_epoch() {
    let root = floats(4, 2, |chip, _, y, x| if chip > 0 { f32::NAN } else { (3 * y + x) as f32 });
    let data = options(&root).val_split_pct(0.0).prepare().unwrap();
    for number in 0..5 {
        let empty = epoch(&data, number).iter().filter(|(_, a, _)| a.iter().all(|&value| value == 0.0)).count();
        assert_eq!(empty, 3, "of four chips in epoch {number}");
    }
    let corner = floats(3, 1, |_, _, y, x| if y < 8 && x < 8 { f32::NAN } else { 100.0 + (y * x) as f32 });
    let light = Augment::none().brightness(0.5).contrast(0.5);
    let data = options(&corner).val_split_pct(0.0).augment(light).prepare().unwrap();
    for (_, a, _) in epoch(&data, 0) {
        assert!((0..8).all(|y| a[16 * y..16 * y + 8].iter().all(|&value| value == 0.0)));
        // A has as many channels as B has bands.
        assert_eq!(a.iter().filter(|&&value| value == 0.0).count(), 3 * 64);
    }
}

/// One of 1,024 samples, and not declared in any file.
#[test]
fn a_value_that_sets_the_scale_by_itself_is_named() {
    for sentinel in [f32::MIN, f32::MAX, -9999.0, 1e20] {
        let root = floats(4, 2, |chip, band, y, x| match (chip, band, y, x) {
            (2, 1, 3, 3) => sentinel,
            _ => (16 * y + x) as f32 / 255.0,
        });
        let (data, said) = warnings(|| options(&root).prepare().unwrap());
        let band = data.statistics(Domain::A).bands()[1];
        assert!(band.min == f64::from(sentinel) || band.max == f64::from(sentinel));
        assert_eq!(said.len(), 1, "{said:?}");
        for word in ["domain A", "band 2", &format!("{:?}", f64::from(sentinel)), "rio edit-info", "Percentile"] {
            assert!(said[0].contains(word), "{word}: {said:?}");
        }
        let choice = Normalization::Percentile { low: 2.0, high: 98.0 };
        let (data, said) = warnings(|| options(&root).normalization(choice).prepare().unwrap());
        assert!(said.is_empty() && data.normalizer(Domain::A).max()[1] <= 1.0, "{said:?}");
    }
}

#[test]
fn usual_values_are_no_cause_for_warnings() {
    for data in ["assets/multispectral", "assets/bluemarble", "tests/fixtures/kinds"] {
        let prepared = PrepareData::new(data, DatasetType::CycleGan).mixed_sizes(MixedSizes::Crop);
        let (_, said) = warnings(|| prepared.prepare().unwrap());
        assert_eq!(said, Vec::<String>::new(), "{data}");
    }
}

/// Compares with NumPy's percentiles in `tests/fixtures/mixtures/percentiles.json`. For f32 samples the values
/// themselves are rounded.
#[test]
fn percentiles_of_any_range_are_numpys() {
    let truth = fs::read(mixture("percentiles.json")).unwrap();
    let truth: Vec<serde_json::Value> = serde_json::from_slice(&truth).unwrap();
    assert_eq!(truth.len(), 10);
    for case in truth {
        let number = |key: &str| case[key].as_f64().unwrap();
        let (offset, scale) = (number("offset"), number("scale"));
        let value = |i: usize| offset + (i * 7919 % 4093) as f64 / 4092.0 * scale;
        let samples = |part: usize| {
            Array3::from_shape_fn((1, 1, if part == 0 { 2000 } else { 2093 }), |(.., x)| value(2000 * part + x))
        };
        let root = folder(0, 2);
        for part in 0..2 {
            let samples: Samples = match case["dtype"].as_str().unwrap() {
                "int32" => samples(part).mapv(|value| value.round_ties_even() as i32).into(),
                "float32" => samples(part).mapv(|value| value as f32).into(),
                _ => samples(part).into(),
            };
            write(root.path(), &format!("A/{part}.tif"), &Raster::new(samples).unwrap());
        }
        let choice = Normalization::Percentile { low: 2.0, high: 98.0 };
        let prepared = options(&root).val_split_pct(0.0).mixed_sizes(MixedSizes::Crop).normalization(choice);
        let (data, said) = warnings(|| prepared.prepare().unwrap());
        assert_eq!(said, Vec::<String>::new(), "{case}");
        let (low, high) = data.statistics(Domain::A).bands()[0].percentiles.unwrap();
        let allowed = 1e-9 * scale;
        assert!(
            (low - number("low")).abs() <= allowed && (high - number("high")).abs() <= allowed,
            "{low} {high} {case}"
        );
        assert_eq!((data.normalizer(Domain::A).min()[0], data.normalizer(Domain::A).max()[0]), (low, high));
    }
}

/// PNG and JPEG cannot store it.
#[test]
fn what_a_picture_cannot_hold_is_said_when_it_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let image = Raster::new(Array3::<u8>::zeros((1, 8, 8))).unwrap();
    let placed = image.clone().with_place(geolearn::raster::Place::new([10.0, 0.5, 0.0, 50.0, 0.0, -0.5]));
    let save = |image: &Raster, name: &str| warnings(|| image.save(folder.path().join(name)).unwrap()).1;
    for name in ["x.png", "x.jpg"] {
        assert!(save(&image, name).is_empty());
        assert!(save(&placed, name)[0].contains("no place"));
        assert!(save(&image.clone().with_nodata(0.0), name)[0].contains("no nodata"));
    }
    assert!(save(&placed.with_nodata(0.0), "x.tif").is_empty());
}
