//! Tests folder layouts with pairs, and missing partners.

use geolearn::ErrorKind;

use super::*;

/// Creates folders with this many chips, named alike in all of them.
fn with(folders: &[(&str, usize)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, count) in folders {
        for i in 0..*count {
            write(root.path(), &format!("{name}/{i}.png"), &chip(8, 8, i + name.len()));
        }
    }
    root
}

fn counts(root: &TempDir) -> [usize; 3] {
    let data = options(root.path()).val_split_pct(0.0).prepare().unwrap();
    [Split::Train, Split::Valid, Split::Test].map(|split| stems(&data, split).len())
}

#[test]
fn every_form_is_recognized() {
    for (a, b) in [
        ("images", "images2"),
        ("Images", "Labels"),
        ("Images/train_a", "Images/train_b"),
        ("train_a", "train_b"),
        ("trainA", "trainB"),
        ("A", "B"),
        ("A/images", "B/images"),
        ("images/north/2020", "images2/north/2020"),
    ] {
        assert_eq!(counts(&with(&[(a, 3), (b, 3)])), [3, 0, 0], "{a} {b}");
    }
}

#[test]
fn unpaired_data_know_no_forms_of_pairs() {
    for folders in [&[("images", 2), ("images2", 2)][..], &[("train", 2)]] {
        let root = with(folders);
        let error = PrepareData::new(root.path(), DatasetType::CycleGan).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Layout);
        assert!(!error.expectation().unwrap().contains("images2"), "{error}");
    }
    let error = options(with(&[("images", 1)]).path()).prepare().unwrap_err();
    assert!(error.expectation().unwrap().contains("`images` and `images2`"), "{error}");
}

#[test]
fn two_forms_in_one_folder_are_refused() {
    for (folders, named) in [
        (&[("images", 1), ("images2", 1), ("labels", 1)][..], ["images2", "labels"]),
        (&[("trainA", 1), ("trainB", 1), ("train", 1)], ["trainA", "train"]),
    ] {
        let error = options(with(folders).path()).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Layout);
        assert_eq!(error.finding().unwrap(), named.map(|name| format!("`{name}`")).join(" and "));
    }
}

#[test]
fn fixed_sets_are_paired_too() {
    let with_sets = |sets: &[(&str, usize)]| counts(&with(&[&[("trainA", 3), ("trainB", 3)], sets].concat()));
    assert_eq!(with_sets(&[("valid_a", 2), ("valid_b", 2)]), [3, 2, 0]);
    assert_eq!(with_sets(&[("testA", 2), ("testB", 2)]), [3, 2, 0]);
    assert_eq!(with_sets(&[("valA", 1), ("valB", 1), ("testA", 2), ("testB", 2)]), [3, 1, 2]);
    assert_eq!(with_sets(&[("testA", 2)]), [3, 0, 0], "test chips of one domain have no partners");
    let tiles = with(&[("images", 3), ("images2", 3), ("val_a", 1), ("val_b", 1)]);
    assert_eq!(counts(&tiles), [3, 1, 0]);
    let uneven = with(&[("trainA", 3), ("trainB", 3), ("valA", 2), ("valB", 1)]);
    let error = options(uneven.path()).prepare().unwrap_err();
    assert!(error.finding().unwrap().contains("1.png has no partner"), "{error}");
}

/// Export Training Data writes statistics of `images` and of `images2` under different keys. Missing ones are measured.
#[test]
fn statistics_beside_tiles_are_those_of_their_domain() {
    let root = with(&[("images", 2), ("images2", 2)]);
    let list = |mean: f64| {
        let band = serde_json::json!({"Min": 1, "Max": 200, "Mean": mean, "StdDev": 3});
        serde_json::json!([band, band, band])
    };
    let definition = root.path().join("esri_model_definition.emd");
    let of_both = serde_json::json!({"AllTilesStats": list(70.5), "AllTilesStats2": list(90.25)});
    let of_first = serde_json::json!({"AllTilesStats": list(70.5)});
    for (text, second) in [(of_both, Some(90.25)), (of_first, None)] {
        fs::write(&definition, text.to_string()).unwrap();
        let data = options(root.path()).prepare().unwrap();
        assert_eq!(data.statistics_file(Domain::A), Some(definition.as_path()));
        assert_eq!(data.statistics(Domain::A).bands()[2].mean, 70.5);
        assert_eq!(data.statistics_file(Domain::B), second.map(|_| definition.as_path()));
        let mean = data.statistics(Domain::B).bands()[2].mean;
        assert_eq!(mean == 90.25, second.is_some(), "{mean}");
    }
}

/// Each file is the left half of one chip and the right half of the other, in each set.
#[test]
fn files_hold_both_chips_side_by_side() {
    let root = tempfile::tempdir().unwrap();
    let pair = |i: usize| [chip(8, 8, i), chip(8, 8, 100 + i)];
    for (i, name) in ["train/0.png", "train/1.tif", "train/sub/2.png", "val/3.png", "test/4.png"].iter().enumerate() {
        let [left, right] = pair(i);
        write(root.path(), name, &side_by_side(&left, &right));
    }
    for (left_half, order) in [(Domain::A, [0, 1]), (Domain::B, [1, 0])] {
        let data = options(root.path()).left_half(left_half).prepare().unwrap();
        assert_eq!([Split::Train, Split::Valid, Split::Test].map(|split| data.pairs(split).len()), [3, 1, 1]);
        for (split, first, count) in [(Split::Train, 0, 3), (Split::Valid, 3, 1), (Split::Test, 4, 1)] {
            for i in 0..count {
                for (domain, half) in [Domain::A, Domain::B].into_iter().zip(order) {
                    let found = data.image(domain, split, i).unwrap();
                    assert_eq!(found.samples(), pair(first + i)[half].samples(), "{domain} {i}");
                }
            }
        }
        assert_eq!((data.chip_size(Domain::A), data.chip_size(Domain::B)), ((8, 8), (8, 8)));
    }
}

/// Each domain has the statistics of its own halves, and files with one chip are rejected by name.
#[test]
fn halves_are_domains_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    let flat = |value: u8| Raster::new(Array3::from_elem((1, 8, 8), value)).unwrap();
    for (i, (left, right)) in [(10, 200), (20, 210), (30, 220)].into_iter().enumerate() {
        write(root.path(), &format!("train/{i}.png"), &side_by_side(&flat(left), &flat(right)));
    }
    let data = options(root.path()).prepare().unwrap();
    let of = |domain| {
        let band = data.statistics(domain).bands()[0];
        (band.min, band.mean, band.max)
    };
    assert_eq!((of(Domain::A), of(Domain::B)), ((10.0, 20.0, 30.0), (200.0, 210.0, 220.0)));
    assert!(data.to_string().contains("2 training and 1 validation pairs, by halves of files"), "{data}");

    write(root.path(), "train/single.png", &flat(0));
    let error = options(root.path()).prepare().unwrap_err();
    assert!(error.path().unwrap().ends_with("train/single.png"), "{error}");
    for word in ["twice the height", "8 x 8"] {
        assert!(error.to_string().contains(word), "expected {word:?} in: {error}");
    }
    let data = options(root.path()).bad_chips(BadChips::Skip).prepare().unwrap();
    assert_eq!((data.skipped().len(), data.len(Domain::A) + data.valid_len(Domain::A)), (1, 3));
}
