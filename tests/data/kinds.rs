//! Tests chips with many bands and with sample types other than 8-bit.

use super::*;

fn multispectral() -> PrepareData {
    PrepareData::new("assets/multispectral", DatasetType::CycleGan).val_split_pct(0.0)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kinds")
}

/// Radar backscatter in decibels and heights in meters, in two sizes, with gaps.
fn gaps() -> PrepareData {
    PrepareData::new(fixtures(), DatasetType::CycleGan).val_split_pct(0.0).mixed_sizes(MixedSizes::Crop)
}

fn truth(name: &str) -> Vec<BTreeMap<String, f64>> {
    let text = fs::read(fixtures().join("truth.json")).unwrap();
    serde_json::from_value(serde_json::from_slice::<serde_json::Value>(&text).unwrap()[name].clone()).unwrap()
}

/// Against NumPy. Sums in another order differ by some units in the last place of the largest value; percentiles of
/// floating-point samples are kept within 1/4096, and lie between neighbors that are that far apart again.
fn meets(data: &DataBunch, domain: Domain, name: &str, percentile_tolerance: f64) {
    let close = |ours: f64, numpy: f64, share: f64| (ours - numpy).abs() <= share * numpy.abs().max(1.0);
    for (band, numpy) in data.statistics(domain).bands().iter().zip(truth(name)) {
        assert_eq!((band.min, band.max), (numpy["min"], numpy["max"]), "{name}");
        assert!(close(band.mean, numpy["mean"], 1e-12) && close(band.std, numpy["std"], 1e-12), "{name}: {band:?}");
        let (low, high) = band.percentiles.unwrap();
        let met = close(low, numpy["low"], percentile_tolerance) && close(high, numpy["high"], percentile_tolerance);
        assert!(met, "{name}: {band:?} {numpy:?}");
    }
}

#[test]
fn statistics_are_numpys() {
    let data = multispectral().prepare().unwrap();
    assert_eq!((data.bands(Domain::A), data.dtype(Domain::A)), (13, Dtype::U16));
    meets(&data, Domain::A, "multispectral_a", 1e-12);
    meets(&data, Domain::B, "multispectral_b", 1e-12);
    let data = gaps().prepare().unwrap();
    assert_eq!(Domain::BOTH.map(|domain| data.dtype(domain)), [Dtype::F32, Dtype::I16]);
    meets(&data, Domain::A, "decibels", 1e-3);
    meets(&data, Domain::B, "heights", 1e-12);
}

#[test]
fn values_come_back_in_their_own_type() {
    for data in [multispectral().prepare().unwrap(), gaps().prepare().unwrap()] {
        for domain in Domain::BOTH {
            let image = data.image(domain, Split::Train, 1).unwrap();
            let normalizer = data.normalizer(domain);
            let tensor = normalizer.normalize_raster(&image).unwrap();
            assert!(tensor.iter().all(|value| (-1.0..=1.0).contains(value)), "{domain}");
            let back = normalizer.to_raster(tensor.view()).unwrap();
            assert_eq!(back.dtype(), image.dtype());
            for band in 0..image.bands() {
                let (values, back) = (image.samples().band(band).unwrap(), back.samples().band(band).unwrap());
                for (&value, &back) in
                    values.iter().zip(&back).filter(|(v, _)| v.is_finite() && Some(**v) != image.nodata())
                {
                    // An f32 holds 24 bits, of which two roundings take some.
                    let allowed = if image.dtype() == Dtype::F32 { 1e-5 } else { 0.0 };
                    assert!((value - back).abs() <= allowed, "{domain} band {band}: {value} {back}");
                }
            }
        }
    }
}

#[test]
fn what_has_no_data_is_the_middle_of_the_range() {
    let data = gaps().prepare().unwrap();
    let [height, width] = [24, 20];
    assert_eq!(data.chip_size(Domain::A), (height, width));
    let chips = data.chips(Domain::A, Split::Train, &[0]).unwrap();
    let at = |y: i64, x: i64| chips.double_value(&[0, 0, y, x]);
    assert_eq!([at(0, 0), at(2, 4), at(5, 5), at(5, 8)], [0.0; 4]);
    assert_ne!(at(4, 0), 0.0);
}

#[test]
fn bands_are_chosen_by_number_and_name() {
    let data = multispectral().bands(Domain::A, ["NIR", "red", "Green"]).bands(Domain::B, [2]).prepare().unwrap();
    let names: Vec<_> = data.band_names(Domain::A).iter().flatten().collect();
    assert_eq!(names, ["NIR", "Red", "Green"]);
    assert_eq!(Domain::BOTH.map(|domain| (data.bands(domain), data.channels(domain))), [(3, 3), (1, 3)]);
    let all = multispectral().prepare().unwrap();
    let (some, every) =
        (data.image(Domain::A, Split::Train, 3).unwrap(), all.image(Domain::A, Split::Train, 3).unwrap());
    for (ours, theirs) in [(0, 7), (1, 3), (2, 2)] {
        assert_eq!(some.samples().band(ours), every.samples().band(theirs));
        assert_eq!(data.statistics(Domain::A).bands()[ours], all.statistics(Domain::A).bands()[theirs]);
    }
    let batch = data.epoch(0).unwrap().next().unwrap().unwrap();
    assert_eq!((batch.a.size(), batch.b.size()), (vec![1, 3, 64, 64], vec![1, 3, 64, 64]));
}

#[test]
fn bands_that_are_not_there_are_refused() {
    for (bands, word) in
        [(vec![Band::from(14)], "1 to 13"), (vec!["B99".into()], "SWIR1"), (vec![2.into(), 2.into()], "twice")]
    {
        let error = multispectral().bands(Domain::A, bands).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = multispectral().bands(Domain::A, [1, 2]).rgb_bands(Domain::A, [4, 3, 2]).prepare().unwrap_err();
    assert!(error.to_string().contains("[1, 2]"), "{error}");
}

#[test]
fn domains_may_have_channels_of_their_own() {
    let data = multispectral().channels(Channels::Own).prepare().unwrap();
    let batch = data.epoch(0).unwrap().next().unwrap().unwrap();
    assert_eq!((batch.a.size(), batch.b.size()), (vec![1, 13, 64, 64], vec![1, 3, 64, 64]));
}

#[test]
fn normalizations_scale_as_they_say() {
    let band = |choice| {
        let data = multispectral().normalization(choice).prepare().unwrap();
        let normalizer = data.normalizer(Domain::A);
        (normalizer.min()[3], normalizer.max()[3])
    };
    let red = &truth("multispectral_a")[3];
    assert_eq!(band(Normalization::MinMax), (red["min"], red["max"]));
    assert_eq!(band(Normalization::Percentile { low: 2.0, high: 98.0 }), (red["low"], red["high"]));
    assert_eq!(band(Normalization::Percentile { low: 0.0, high: 100.0 }), (red["min"], red["max"]));
    let (low, high) = band(Normalization::MeanStd);
    assert!(
        (low - (red["mean"] - 3.0 * red["std"])).abs() < 1e-8 && (high - (red["mean"] + 3.0 * red["std"])).abs() < 1e-8
    );
    for (low, high) in [(98.0, 2.0), (5.0, 5.0), (-1.0, 50.0), (0.0, 101.0), (f64::NAN, 98.0)] {
        let error = multispectral().normalization(Normalization::Percentile { low, high }).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{low} {high}");
    }
}

#[test]
fn percentiles_cut_what_lies_beyond() {
    let data = multispectral().normalization(Normalization::Percentile { low: 10.0, high: 90.0 }).prepare().unwrap();
    let all: Vec<usize> = (0..data.len(Domain::A)).collect();
    let values = values(&data.chips(Domain::A, Split::Train, &all).unwrap());
    let share = |value: f32| values.iter().filter(|&&other| other == value).count() as f64 / values.len() as f64;
    assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
    // A tenth of the valid samples, which are nearly all.
    assert!((0.08..0.12).contains(&share(-1.0)) && (0.08..0.12).contains(&share(1.0)), "{}", share(1.0));
}

#[test]
fn pictures_show_the_bands_asked_for() {
    let shown = |data: DataBunch| data.show_batch(1).unwrap().into_rgb_image();
    let still = || multispectral().augment(Augment::none());
    let named = shown(still().prepare().unwrap());
    assert_eq!(named, shown(still().rgb_bands(Domain::A, [4, 3, 2]).prepare().unwrap()), "red, green and blue by name");
    assert_ne!(named, shown(still().rgb_bands(Domain::A, ["NIR", "Red", "Green"]).prepare().unwrap()));
}

#[test]
fn mixed_sizes_are_cut_padded_or_resized() {
    let root = folder(3, 2);
    write(root.path(), "A/images/odd.png", &chip(3, 11, 6, 0));
    let size = |choice| {
        let data = options(&root).mixed_sizes(choice).val_split_pct(0.0).prepare().unwrap();
        let batches = epoch(&data, 0);
        assert!(batches.iter().all(|(size, ..)| size[2..] == [data.chip_size(Domain::A).0 as i64, data.chip_size(Domain::A).1 as i64]));
        assert_eq!((batches.len(), data.skipped().len()), (4, 0));
        data.chip_size(Domain::A)
    };
    assert_eq!(size(MixedSizes::Crop), (8, 6));
    assert_eq!(size(MixedSizes::Pad), (11, 8));
    assert_eq!(size(MixedSizes::Resize), (8, 8));
}

/// A chip that is damaged after its header, or whose header is wrong, does not determine the common size.
#[test]
fn damaged_chips_do_not_decide_the_size() {
    let root = folder(3, 2);
    let small = fs::read(write(root.path(), "A/images/small.png", &chip(3, 4, 4, 0))).unwrap();
    fs::write(root.path().join("A/images/small.png"), &small[..small.len() - 30]).unwrap();
    fs::copy(Path::new("tests/fixtures/tiff/bomb_both.tif"), root.path().join("A/images/bomb.tif")).unwrap();
    for choice in [MixedSizes::Crop, MixedSizes::Pad] {
        let data = options(&root).mixed_sizes(choice).bad_chips(BadChips::Skip).prepare().unwrap();
        assert_eq!((data.chip_size(Domain::A), data.skipped().len()), ((8, 8), 2));
    }
}

#[test]
fn crops_come_from_any_place_and_validation_from_whole_chips() {
    let root = folder(4, 4);
    let data = options(&root).crop_size(5).augment(Augment::none()).val_split_pct(0.25).prepare().unwrap();
    let crops: Vec<Numbers> = (0..8).flat_map(|number| epoch(&data, number)).collect();
    assert!(crops.iter().all(|(size, ..)| size[..] == [1, 3, 5, 5]));
    let mut seen: Vec<Vec<u32>> = crops.iter().map(|(_, a, _)| a.iter().map(|v| v.to_bits()).collect()).collect();
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 12, "{} different crops of 3 chips", seen.len());
    assert_eq!(data.validation().unwrap().next().unwrap().unwrap().a.size(), [1, 3, 8, 8]);
    assert_eq!(options(&root).crop_size(0).prepare().unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(options(&root).crop_size(9).prepare().unwrap_err().kind(), ErrorKind::Usage);
}

fn esri(root: &TempDir, name: &str, bands: &[(f64, f64, f64, f64)]) {
    let list: Vec<_> = bands
        .iter()
        .map(|(min, max, mean, std)| serde_json::json!({"Min": min, "Max": max, "Mean": mean, "StdDev": std}))
        .collect();
    fs::write(root.path().join(name), serde_json::json!({"AllTilesStats": list}).to_string()).unwrap();
}

#[test]
fn statistics_of_export_training_data_are_used() {
    let root = folder(3, 3);
    esri(&root, "A/esri_model_definition.emd", &[(1.0, 250.0, 100.0, 20.0); 3]);
    let data = options(&root).prepare().unwrap();
    let band = data.statistics(Domain::A).bands()[2];
    assert_eq!((band.min, band.max, band.mean, band.std, band.percentiles), (1.0, 250.0, 100.0, 20.0, None));
    assert_eq!(data.statistics_file(Domain::A), Some(root.path().join("A/esri_model_definition.emd").as_path()));
    assert_eq!(data.statistics_file(Domain::B), None);
    // The file has no percentiles, and statistics of two bands do not fit three.
    let percentile =
        options(&root).normalization(Normalization::Percentile { low: 2.0, high: 98.0 }).prepare().unwrap();
    assert_eq!(percentile.statistics_file(Domain::A), None);
    esri(&root, "A/esri_model_definition.emd", &[(1.0, 250.0, 100.0, 20.0); 2]);
    assert_eq!(options(&root).prepare().unwrap().statistics_file(Domain::A), None);
    fs::write(root.path().join("A/esri_model_definition.emd"), "not JSON").unwrap();
    assert_eq!(options(&root).prepare().unwrap().statistics_file(Domain::A), None);
}

#[test]
fn wide_pngs_are_chips_too() {
    let root = tempfile::tempdir().unwrap();
    for domain in ["A", "B"] {
        for i in 0..2u16 {
            let samples = Array3::from_shape_fn((3, 8, 8), |(b, y, x)| 257 * i + (1000 * b + 100 * y + 7 * x) as u16);
            let path = write(root.path(), &format!("{domain}/{i}.png"), &Raster::new(samples.clone()).unwrap());
            assert_eq!(Raster::open(path).unwrap().samples(), &Samples::U16(samples));
        }
    }
    let data = options(&root).val_split_pct(0.0).prepare().unwrap();
    assert_eq!((data.dtype(Domain::A), data.statistics(Domain::A).bands()[0].max), (Dtype::U16, 1006.0));
}

/// Chips of more than 8 MiB in total, so that their statistics are cached.
#[test]
fn what_was_found_is_kept_until_a_chip_changes() {
    let root = tempfile::tempdir().unwrap();
    let large = |seed: usize| {
        let noise =
            move |(b, y, x): (usize, usize, usize)| (((seed + b + y * 31 + x * 17) * 2_654_435_761) >> 13) as u8;
        Raster::new(Array3::from_shape_fn((3, 1100, 1100), noise)).unwrap()
    };
    let first = write(root.path(), "A/0.png", &large(1));
    for domain in ["A", "B"] {
        write(root.path(), &format!("{domain}/1.png"), &large(2));
        fs::copy(&first, root.path().join(format!("{domain}/2.png"))).unwrap();
    }
    let size: u64 =
        fs::read_dir(root.path().join("A")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size > 9 << 20, "{size}");
    let prepared = || options(&root).val_split_pct(0.0).prepare().unwrap();
    let before = prepared();
    let kept = root.path().join(".geolearn/survey_a.json");
    let text = fs::read_to_string(&kept).unwrap();
    assert_eq!(prepared().statistics(Domain::A), before.statistics(Domain::A));
    // The statistics come from the cache as long as it matches the folder.
    fs::write(&kept, text.replacen("\"min\":0.0", "\"min\":-5.0", 1)).unwrap();
    assert_eq!(prepared().statistics(Domain::A).bands()[0].min, -5.0);
    let without = options(&root).val_split_pct(0.0).cache(false).prepare().unwrap();
    assert_eq!(without.statistics(Domain::A).bands()[0].min, 0.0);
    fs::write(&kept, "{}").unwrap();
    assert_eq!(prepared().statistics(Domain::A), before.statistics(Domain::A));
    fs::remove_file(root.path().join("A/1.png")).unwrap();
    let fewer = prepared();
    assert_eq!(fewer.len(Domain::A), 2);
}
