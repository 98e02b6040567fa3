//! Tests the effects of augmentation on a chip.

use super::*;

/// Band k is band 0 plus a constant, so after scaling all channels are equal if their geometry is the same.
fn shifted_bands(height: usize, width: usize) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, seed) in [("A/0.png", 0), ("A/1.png", 3), ("B/0.png", 5), ("B/1.png", 9)] {
        let value = |(band, y, x): (usize, usize, usize)| ((seed + y * 11 + x * 5 + x * y) % 200 + 20 * band) as u8;
        write(root.path(), name, &Raster::new(Array3::from_shape_fn((3, height, width), value)).unwrap());
    }
    root
}

fn chips(data: &DataBunch, epochs: u64) -> Vec<(Vec<i64>, Vec<f32>)> {
    (0..epochs).flat_map(|number| epoch(data, number)).map(|(size, a, _)| (size, a)).collect()
}

#[test]
fn all_bands_get_the_same_geometry() {
    let root = shifted_bands(10, 10);
    let augment = Augment::default().zoom(2.0).crop(7);
    let data = options(&root).augment(augment).val_split_pct(0.0).prepare().unwrap();
    for (size, chip) in chips(&data, 20) {
        assert_eq!(size, [1, 3, 7, 7]);
        let [first, rest] = [&chip[..49], &chip[49..]];
        for other in rest.chunks(49) {
            // Equal up to rounding: all bands have the same scale, but different offsets.
            let worst = first.iter().zip(other).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{worst}");
        }
    }
}

/// Without zoom and lighting, a chip is one of the eight symmetries of the file, and all eight occur.
#[test]
fn flips_and_turns_reach_all_eight_forms() {
    let root = shifted_bands(6, 6);
    let augment = Augment::none().flip_horizontal(true).flip_vertical(true).quarter_turns(true);
    let data = options(&root).augment(augment).val_split_pct(0.0).prepare().unwrap();
    let plain = data.normalizer(Domain::A).normalize_raster(&data.image(Domain::A, Split::Train, 0).unwrap()).unwrap();
    let mut forms = Vec::new();
    for flipped in [false, true] {
        let mut form = plain.clone();
        if flipped {
            form.invert_axis(ndarray::Axis(2));
        }
        for _ in 0..4 {
            forms.push(form.iter().copied().collect::<Vec<f32>>());
            form.swap_axes(1, 2);
            form.invert_axis(ndarray::Axis(1));
        }
    }
    let other = data.normalizer(Domain::A).normalize_raster(&data.image(Domain::A, Split::Train, 1).unwrap()).unwrap();
    let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
    let own = |chip: &&Vec<f32>| (sum(chip) - sum(other.as_slice().unwrap())).abs() > 1.0;
    let seen = chips(&data, 100);
    let mut found: Vec<usize> = seen
        .iter()
        .map(|(_, chip)| chip)
        .filter(own)
        .map(|chip| forms.iter().position(|form| form == chip).expect("a form of the file"))
        .collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, (0..8).collect::<Vec<_>>());
}

#[test]
fn chips_that_are_not_square_keep_their_shape() {
    let root = shifted_bands(6, 10);
    let data = options(&root).prepare().unwrap();
    assert!(chips(&data, 20).iter().all(|(size, _)| size == &[1, 3, 6, 10]));
    let cropped = options(&root).augment(Augment::default().crop(5)).prepare().unwrap();
    assert!(chips(&cropped, 5).iter().all(|(size, _)| size == &[1, 3, 5, 5]));
}

#[test]
fn none_leaves_the_chip_alone() {
    let root = shifted_bands(6, 6);
    let data = options(&root).augment(Augment::none()).val_split_pct(0.0).prepare().unwrap();
    let plain: Vec<Vec<f32>> = (0..2).map(|i| values(&data.chips(Domain::A, Split::Train, &[i]).unwrap())).collect();
    assert!(chips(&data, 3).iter().all(|(_, chip)| plain.contains(chip)));
}

#[test]
fn every_epoch_varies_anew() {
    let root = shifted_bands(12, 12);
    let data = options(&root).val_split_pct(0.0).prepare().unwrap();
    let mut all: Vec<Vec<u32>> =
        chips(&data, 10).iter().map(|(_, chip)| chip.iter().map(|value| value.to_bits()).collect()).collect();
    let drawn = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), drawn);
}

/// Lighting changes photographs but not radar, and both are rotated.
#[test]
fn light_may_fall_on_one_domain_alone() {
    let root = shifted_bands(6, 6);
    let turned = Augment::none().flip_vertical(true).quarter_turns(true);
    let augment = turned.brightness_of(Domain::B, 0.2).contrast_of(Domain::B, 0.2);
    let data = options(&root).augment(augment).val_split_pct(0.0).prepare().unwrap();
    let sorted = |chip: &[f32]| {
        let mut values: Vec<u32> = chip.iter().map(|value| value.to_bits()).collect();
        values.sort_unstable();
        values
    };
    let plain = |domain| -> Vec<Vec<u32>> {
        (0..2).map(|i| sorted(&values(&data.chips(domain, Split::Train, &[i]).unwrap()))).collect()
    };
    let [plain_a, plain_b] = [Domain::A, Domain::B].map(plain);
    let seen: Vec<_> = (0..5).flat_map(|number| epoch(&data, number)).collect();
    assert!(seen.iter().all(|(_, a, _)| plain_a.contains(&sorted(a))));
    assert!(seen.iter().all(|(_, _, b)| !plain_b.contains(&sorted(b))));
}

/// A chip that increases linearly from left to right shows the direction of a rotation.
#[test]
fn chips_turn_by_at_most_the_angle() {
    let root = tempfile::tempdir().unwrap();
    for name in ["A/0.png", "A/1.png", "B/0.png", "B/1.png"] {
        let ramp = Array3::from_shape_fn((1, 33, 33), |(_, _, x)| (x * 7) as u8);
        write(root.path(), name, &Raster::new(ramp).unwrap());
    }
    let augment = Augment::none().rotate(30.0).rotate_probability(1.0);
    let data = options(&root).augment(augment).val_split_pct(0.0).prepare().unwrap();
    let angles: Vec<f64> = chips(&data, 40)
        .iter()
        .map(|(_, chip)| {
            // Nothing is mirrored near the center.
            let at = |y: usize, x: usize| f64::from(chip[y * 33 + x]);
            f64::atan2(at(20, 16) - at(12, 16), at(16, 20) - at(16, 12)).to_degrees()
        })
        .collect();
    // Bilinear sampling of a ramp is exact up to f32 rounding.
    assert!(angles.iter().all(|angle| angle.abs() < 30.0 + 1e-3), "{angles:?}");
    assert!(angles.iter().any(|&angle| angle > 15.0) && angles.iter().any(|&angle| angle < -15.0), "{angles:?}");
}
