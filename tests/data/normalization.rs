//! Compares scaling with arcgis.learn's numbers.

use super::*;

/// The reference rounds to float32; see the README next to the numbers.
const TOLERANCE: f32 = 1e-6;

fn golden(name: &str) -> Array3<f32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/normalise_rgb").join(name);
    let file = npyz::NpyFile::new(fs::File::open(path).map(std::io::BufReader::new).unwrap()).unwrap();
    let shape: Vec<usize> = file.shape().iter().map(|&side| side as usize).collect();
    Array3::from_shape_vec((shape[0], shape[1], shape[2]), file.into_vec().unwrap()).unwrap()
}

#[test]
fn numbers_of_arcgis_learn_are_met() {
    let stats =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/normalise_rgb/stats.json")).unwrap();
    let stats: BTreeMap<String, Vec<f64>> = serde_json::from_slice(&stats).unwrap();
    for (domain, suffix) in [("A", ""), ("B", "_b")] {
        let extreme = |which: &str| stats[&format!("_band_{which}_values{suffix}")].clone();
        let normalizer = Normalizer::new(extreme("min"), extreme("max"), 3).unwrap();
        let (raw, expected) = (golden(&format!("raw_{domain}.npy")), golden(&format!("norm_{domain}.npy")));
        let ours = normalizer.normalize(raw.view()).unwrap();
        let worst = ours.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(worst <= TOLERANCE, "domain {domain}: {worst}");
        let bytes = normalizer.normalize_raster(&Raster::new(raw.mapv(|value| value as u8)).unwrap()).unwrap();
        assert_eq!(bytes, ours);
    }
}

#[test]
fn a_constant_band_is_no_division_by_zero() {
    let normalizer = Normalizer::new(vec![9.0], vec![9.0], 1).unwrap();
    let image = Raster::new(Array3::from_elem((1, 2, 2), 9u8)).unwrap();
    let tensor = normalizer.normalize_raster(&image).unwrap();
    assert!(tensor.iter().all(|&value| value == -1.0));
    assert_eq!(normalizer.to_raster(tensor.view()).unwrap(), image);
    let other = normalizer.normalize(Array3::from_elem((1, 1, 1), 10.0).view()).unwrap();
    assert_eq!(other[(0, 0, 0)], -1.0);
}

#[test]
fn bands_and_channels_are_checked() {
    let normalizer = Normalizer::new(vec![0.0; 2], vec![1.0; 2], 4).unwrap();
    assert_eq!(normalizer.normalize(Array3::zeros((3, 1, 1)).view()).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(normalizer.denormalize(Array3::zeros((2, 1, 1)).view()).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(normalizer.denormalize(Array3::zeros((4, 1, 1)).view()).unwrap().dim(), (2, 1, 1));
    for (min, max, channels) in [
        (vec![], vec![], 3),
        (vec![2.0], vec![1.0], 3),
        (vec![f64::NAN], vec![1.0], 3),
        (vec![0.0; 4], vec![1.0; 4], 3),
    ] {
        assert!(Normalizer::new(min, max, channels).is_err());
    }
}

#[test]
fn values_beyond_the_range_saturate_in_an_image() {
    let normalizer = Normalizer::new(vec![0.0], vec![255.0], 1).unwrap();
    let wild = Array3::from_shape_vec((1, 1, 3), vec![-3.0, 3.0, f32::NAN]).unwrap();
    assert_eq!(normalizer.to_raster(wild.view()).unwrap().samples().interleaved_bytes(), [0, 255, 0]);
}

proptest! {
    #[test]
    fn eight_bit_values_come_back_exactly(low in 0u8..=255, high in 0u8..=255, shares in prop::collection::vec(0.0f64..=1.0, 1..40), extra in 0usize..3) {
        let (min, max) = (low.min(high), low.max(high));
        let pixels: Vec<u8> = shares.iter().map(|share| (f64::from(min) + share * f64::from(max - min)).round() as u8).collect();
        let image = Raster::new(Array3::from_shape_vec((1, 1, pixels.len()), pixels).unwrap()).unwrap();
        let normalizer = Normalizer::new(vec![min.into()], vec![max.into()], 1 + extra).unwrap();
        let tensor = normalizer.normalize_raster(&image).unwrap();
        prop_assert!(tensor.iter().all(|value| (-1.0..=1.0).contains(value)));
        prop_assert_eq!(normalizer.to_raster(tensor.view()).unwrap(), image);
    }

    #[test]
    fn real_values_come_back_up_to_the_epsilon(min in -1e3f64..1e3, range in 1.0f64..1e4, shares in prop::collection::vec(0.0f64..=1.0, 1..40)) {
        let normalizer = Normalizer::new(vec![min], vec![min + range], 1).unwrap();
        let values: Vec<f32> = shares.iter().map(|share| (min + share * range) as f32).collect();
        let chip = Array3::from_shape_vec((1, 1, values.len()), values).unwrap();
        let back = normalizer.denormalize(normalizer.normalize(chip.view()).unwrap().view()).unwrap();
        // The inverse has no epsilon (1e-5); float32 is accurate to 6e-8 of the largest magnitude, rounded three times.
        let allowed = 1e-5 + 2e-7 * (min.abs() + range);
        prop_assert!(chip.iter().zip(&back).all(|(x, y)| f64::from((x - y).abs()) <= allowed));
    }
}
