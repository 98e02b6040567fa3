//! Tests that partners stay together and get the same geometry.

use std::collections::BTreeSet;

use geolearn::dataset::{Batch, MixedSizes};
use ndarray::Array2;
use proptest::prelude::*;

use super::*;

/// Creates chips with one value each, which identifies them: i in A, 100 + i in B.
fn flat_pairs(count: usize) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for i in 0..count {
        for (folder, value) in [("trainA", i), ("trainB", 100 + i)] {
            let image = Raster::new(Array3::from_elem((1, 4, 4), value as u8)).unwrap();
            write(root.path(), &format!("{folder}/{i:02}.png"), &image);
        }
    }
    root
}

/// Returns the number of each pair, checked in both domains.
fn numbers(batch: &Batch, data: &DataBunch) -> Vec<usize> {
    let of = |domain: Domain, tensor: &tch::Tensor, first: f64| -> Vec<usize> {
        let band = data.statistics(domain).bands()[0];
        let value = |chip: &Vec<f32>| (f64::from(chip[0]) + 1.0) / 2.0 * (band.max - band.min) + band.min - first;
        chips(tensor).iter().map(|chip| value(chip).round() as usize).collect()
    };
    let (a, b) = (of(Domain::A, &batch.a, 0.0), of(Domain::B, &batch.b, 100.0));
    assert_eq!(a, b, "partners do not come together");
    a
}

#[test]
fn an_epoch_goes_through_all_pairs() {
    let root = flat_pairs(23);
    let data = options(root.path()).val_split_pct(0.0).batch_size(4).prepare().unwrap();
    let drawn = |number| -> Vec<usize> {
        data.epoch(number).unwrap().flat_map(|batch| numbers(&batch.unwrap(), &data)).collect()
    };
    let (first, second) = (drawn(0), drawn(1));
    for order in [&first, &second] {
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..23).collect());
        assert_eq!(order.len(), 23);
    }
    assert_ne!(first, second);
    assert_eq!(first, drawn(0));
    let rest: Vec<usize> = data.epoch_from(0, 2).unwrap().flat_map(|batch| numbers(&batch.unwrap(), &data)).collect();
    assert_eq!(rest, first[8..]);
}

#[test]
fn the_split_keeps_pairs_together() {
    let root = flat_pairs(20);
    let mut validated = BTreeSet::new();
    for seed in 0..6 {
        let data = options(root.path()).seed(seed).val_split_pct(0.3).batch_size(4).prepare().unwrap();
        let (train, valid) = (stems(&data, Split::Train), stems(&data, Split::Valid));
        assert_eq!((train.len(), valid.len()), (14, 6));
        let all: BTreeSet<_> = train.iter().chain(&valid).cloned().collect();
        assert_eq!(all.len(), 20);
        let batches: Vec<_> = data.validation().unwrap().map(Result::unwrap).collect();
        let seen: Vec<usize> = batches.iter().flat_map(|batch| numbers(batch, &data)).collect();
        assert_eq!(seen, valid.iter().map(|stem| stem.parse().unwrap()).collect::<Vec<usize>>());
        validated.insert(valid);
    }
    assert!(validated.len() > 1, "the seed changes nothing");
}

/// Creates pairs of identical chips, of sizes up to the given ones.
fn twins(sizes: &[(usize, usize)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (i, (height, width)) in sizes.iter().enumerate() {
        for folder in ["images", "images2"] {
            write(root.path(), &format!("{folder}/{i}.png"), &chip(*height, *width, i));
        }
    }
    root
}

/// The geometric augmentations.
fn any_geometry() -> impl Strategy<Value = Augment> {
    let rotate = prop_oneof![Just(0.0), 0.0f64..45.0];
    (any::<[bool; 3]>(), prop_oneof![Just(1.0), 1.0f64..3.0], prop::option::of(1usize..8), rotate).prop_map(
        |([horizontal, vertical, turns], zoom, crop, rotate)| {
            let augment = Augment::none().flip_horizontal(horizontal).flip_vertical(vertical);
            augment.quarter_turns(turns).zoom(zoom).crop(crop).rotate(rotate)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is drawn, identical partners stay identical bit for bit.
    #[test]
    fn partners_get_the_same_geometry(
        augment in any_geometry(), seed in any::<u64>(), number in 0u64..1000, batch_size in 1usize..4, workers in 0usize..3,
        size in (8usize..14, 8usize..14), others in prop::option::of(prop_oneof![Just(MixedSizes::Crop), Just(MixedSizes::Pad), Just(MixedSizes::Resize)]),
    ) {
        let (height, width) = size;
        let larger = if others.is_some() { (height + 3, width + 2) } else { size };
        let root = twins(&[size, larger, size, larger]);
        let options = options(root.path()).augment(augment).seed(seed).batch_size(batch_size).workers(workers).val_split_pct(0.0);
        let data = options.mixed_sizes(others.unwrap_or_default()).prepare().unwrap();
        for (a, b) in epoch(&data, number) {
            prop_assert!(a == b);
        }
    }
}

/// Guards the test above against chips that are all alike: the geometry differs from draw to draw.
#[test]
fn geometry_differs_between_draws() {
    let root = twins(&[(8, 8)]);
    let data = options(root.path()).augment(Augment::default().brightness(0.0).contrast(0.0)).prepare().unwrap();
    let drawn: Vec<_> = (0..8).map(|number| epoch(&data, number).remove(0).0).collect();
    assert!(drawn.iter().skip(1).any(|chip| *chip != drawn[0]));
}

/// B is the ground truth, so its values stay unchanged; lighting changes A only on request, and not by default.
#[test]
fn light_falls_on_a_alone() {
    let root = twins(&[(8, 8), (8, 8), (8, 8)]);
    let prepared = |options: PrepareData| options.val_split_pct(0.0).prepare().unwrap();
    let plain = prepared(options(root.path()));
    let light = Augment::default().brightness(0.2).contrast(0.2);
    let lit = prepared(options(root.path()).augment(light));
    let mut darker_or_brighter = 0;
    for number in 0..3 {
        for ((a, b), (lit_a, lit_b)) in epoch(&plain, number).into_iter().zip(epoch(&lit, number)) {
            assert!(a == b, "lighting is on by default");
            assert!(b == lit_b, "lighting changes B");
            darker_or_brighter += usize::from(a != lit_a);
        }
    }
    assert_eq!(darker_or_brighter, 9);
}

/// A row shows a pair, in the order of the first epoch: for identical partners both columns show the same picture.
#[test]
fn pictures_show_pairs() {
    let root = twins(&[(16, 16), (16, 16), (16, 16)]);
    let other = twins(&[(16, 16), (16, 16), (16, 16)]);
    // In other data one partner is black.
    for i in 0..3 {
        write(other.path(), &format!("images2/{i}.png"), &Raster::new(Array3::from_elem((3, 16, 16), 0u8)).unwrap());
    }
    // Without gray pixels: the text and the space between.
    let colors = |pixel: [u8; 3]| if pixel[0] == pixel[1] && pixel[1] == pixel[2] { [0; 3] } else { pixel };
    let columns = |root: &TempDir| {
        let picture = options(root.path()).prepare().unwrap().show_batch(2).unwrap();
        let picture = picture.as_rgb_image();
        let column = |x: u32| (0..picture.height()).map(|y| colors(picture.get_pixel(x, y).0)).collect::<Vec<_>>();
        let columns = (0..picture.width()).map(column);
        columns.filter(|column| column.iter().any(|pixel| *pixel != [0; 3])).collect::<Vec<_>>()
    };
    let (twins, alone) = (columns(&root), columns(&other));
    let (left, right) = twins.split_at(twins.len() / 2);
    assert!(!left.is_empty() && left == right, "columns of {} and {}", left.len(), right.len());
    assert_eq!(alone.len(), left.len(), "the partner is not the one in the data");
}

/// Files that contain both chips give the same batches as two folders.
#[test]
fn halves_give_the_batches_of_folders() {
    let (folders, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for i in 0..5 {
        let (a, b) = (chip(8, 8, i), chip(8, 8, 50 + i));
        write(folders.path(), &format!("A/{i}.png"), &a);
        write(folders.path(), &format!("B/{i}.png"), &b);
        write(files.path(), &format!("train/{i}.png"), &side_by_side(&a, &b));
    }
    let [folders, files] = [folders.path(), files.path()].map(|root| options(root).batch_size(2).prepare().unwrap());
    assert_eq!(epoch(&folders, 2), epoch(&files, 2));
    let validation = |data: &DataBunch| values(&data.validation().unwrap().next().unwrap().unwrap().b);
    assert_eq!(validation(&folders), validation(&files));
}

/// The mask of a file applies to both chips in it.
#[test]
fn masks_are_cut_with_the_halves() {
    let root = tempfile::tempdir().unwrap();
    let valid = Array2::from_shape_fn((32, 64), |place| place != (3, 5) && place != (7, 32 + 9));
    let both = side_by_side(&chip(32, 32, 1), &chip(32, 32, 2)).with_validity(&valid).unwrap();
    write(root.path(), "train/1.tif", &both);
    let data = options(root.path()).val_split_pct(0.0).augment(Augment::none()).prepare().unwrap();
    let batch = data.epoch(0).unwrap().next().unwrap().unwrap();
    let gaps = |chips: &tch::Tensor| -> Vec<(i64, i64)> {
        let places = (0..32).flat_map(|y| (0..32).map(move |x| (y, x)));
        places.filter(|&(y, x)| (0..3).all(|band| chips.double_value(&[0, band, y, x]) == 0.0)).collect()
    };
    assert_eq!((gaps(&batch.a), gaps(&batch.b)), (vec![(3, 5)], vec![(7, 9)]));
}
