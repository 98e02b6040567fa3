//! Tests partners that are missing, damaged, or differ in size or place.

use geolearn::dataset::MixedSizes;
use geolearn::raster::Place;
use geolearn::{Error, ErrorKind};

use super::warnings::warnings;
use super::*;

fn pairs(count: usize) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for i in 0..count {
        write(root.path(), &format!("images/{i:03}.tif"), &chip(8, 8, i));
        write(root.path(), &format!("images2/{i:03}.png"), &chip(8, 8, 100 + i));
    }
    root
}

fn skipping(root: &TempDir) -> DataBunch {
    options(root.path()).bad_chips(BadChips::Skip).val_split_pct(0.0).prepare().unwrap()
}

fn failing(root: &TempDir) -> Error {
    options(root.path()).prepare().unwrap_err()
}

/// Returns the names of skipped chips, each with part of the reason.
fn assert_skipped(data: &DataBunch, expected: &[(&str, &str)]) {
    let mut skipped: Vec<_> = data.skipped().to_vec();
    skipped.sort();
    let found: Vec<_> = skipped.iter().map(|(file, _)| file.strip_prefix(data.path()).unwrap()).collect();
    assert_eq!(found, expected.iter().map(|(name, _)| Path::new(name)).collect::<Vec<_>>());
    for ((_, reason), (name, part)) in skipped.iter().zip(expected) {
        assert!(reason.contains(part), "{name}: expected {part:?} in {reason:?}");
    }
}

#[test]
fn missing_partners_are_named_and_counted() {
    let root = pairs(12);
    for i in 0..7 {
        fs::remove_file(root.path().join(format!("images2/{i:03}.png"))).unwrap();
    }
    fs::remove_file(root.path().join("images/011.tif")).unwrap();
    let error = failing(&root);
    assert_eq!((error.kind(), error.summary()), (ErrorKind::Layout, "8 chips have no partner"));
    let found = error.finding().unwrap();
    assert!((0..5).all(|i| found.contains(&format!("{i:03}.tif has no partner in"))), "{found}");
    assert!(found.ends_with("and 3 more") && !found.contains("005.tif"), "{found}");
    assert!(error.advice().unwrap().contains("BadChips::Skip"), "{error}");

    let data = skipping(&root);
    assert_eq!(stems(&data, Split::Train), ["007", "008", "009", "010"]);
    assert_eq!(data.skipped().len(), 8);
    assert_eq!(epoch(&data, 0).len(), 4);
}

#[test]
fn nothing_is_left_where_no_names_agree() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "A/one.png", &chip(8, 8, 0));
    write(root.path(), "B/two.png", &chip(8, 8, 0));
    assert_eq!(failing(&root).summary(), "2 chips have no partner");
    let error = options(root.path()).bad_chips(BadChips::Skip).prepare().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Layout, "{error}");
}

#[test]
fn chips_of_one_name_are_refused() {
    let root = pairs(2);
    write(root.path(), "images/000.png", &chip(8, 8, 0));
    let error = failing(&root);
    assert_eq!(error.kind(), ErrorKind::Layout);
    assert!(error.path().unwrap().ends_with("images/000.tif"), "{error}");
    assert!(error.finding().unwrap().ends_with("images/000.png"), "{error}");
}

/// The statistics are those of the remaining pairs.
#[test]
fn a_damaged_chip_takes_its_partner_with_it() {
    let root = pairs(4);
    let extreme =
        Raster::new(Array3::from_shape_fn((3, 8, 8), |(_, y, x)| if x + y == 0 { 0u8 } else { 255 })).unwrap();
    write(root.path(), "images/002.tif", &extreme);
    for name in ["images/001.tif", "images2/002.png"] {
        let path = root.path().join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    assert_ne!(failing(&root).kind(), ErrorKind::Usage);
    let data = skipping(&root);
    assert_eq!(stems(&data, Split::Train), ["000", "003"]);
    assert_skipped(
        &data,
        &[
            ("images/001.tif", ""),
            ("images/002.tif", "its partner"),
            ("images2/001.png", "its partner"),
            ("images2/002.png", ""),
        ],
    );
    let clean = pairs(4);
    for name in ["images/001.tif", "images/002.tif", "images2/001.png", "images2/002.png"] {
        fs::remove_file(clean.path().join(name)).unwrap();
    }
    let expected = skipping(&clean);
    for domain in [Domain::A, Domain::B] {
        assert_eq!(data.statistics(domain), expected.statistics(domain), "{domain}");
    }
    assert_eq!(epoch(&data, 3), epoch(&expected, 3));
}

#[test]
fn partners_of_other_sizes_are_named_with_both() {
    let root = pairs(3);
    write(root.path(), "images2/001.png", &chip(8, 10, 7));
    for choice in [MixedSizes::Fail, MixedSizes::Crop, MixedSizes::Pad] {
        let error = options(root.path()).mixed_sizes(choice).prepare().unwrap_err();
        assert_eq!((error.kind(), error.summary()), (ErrorKind::Layout, "1 of 3 pairs do not fit together"));
        let found = error.finding().unwrap();
        for word in ["001.tif has 8 x 8 pixels", "001.png has 10 x 8"] {
            assert!(found.contains(word), "expected {word:?} in: {found}");
        }
        assert!(error.advice().unwrap().contains("resize_to"), "{error}");
    }
    let data = skipping(&root);
    assert_eq!(stems(&data, Split::Train), ["000", "002"]);
    assert_skipped(&data, &[("images/001.tif", "has 8 x 8 pixels"), ("images2/001.png", "its partner")]);
    let resized = options(root.path()).resize_to(6).val_split_pct(0.0).prepare().unwrap();
    assert_eq!((resized.len(Domain::A), resized.len(Domain::B), resized.chip_size(Domain::B)), (3, 3, (6, 6)));
}

/// Resizing each domain to its most common size does not make the domains equal.
#[test]
fn domains_of_other_sizes_are_refused() {
    let root = tempfile::tempdir().unwrap();
    for i in 0..3 {
        write(root.path(), &format!("A/{i}.png"), &chip(8, 8, i));
        write(root.path(), &format!("B/{i}.png"), &chip(16, 16, i));
    }
    let error = options(root.path()).mixed_sizes(MixedSizes::Resize).prepare().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Layout);
    assert_eq!(error.finding().unwrap(), "8 x 8 pixels in A, 16 x 16 in B");
    assert!(options(root.path()).resize_to(8).prepare().is_ok());
}

/// Writes both chips of a pair with these corners, and pixels of 10 and of the given number of meters.
fn placed(root: &TempDir, name: &str, [a, b]: [(f64, u16); 2], size: usize, pixel: f64) {
    for (folder, (east, epsg), size, pixel) in [("A", a, 8, 10.0), ("B", b, size, pixel)] {
        let place = Place::new([pixel, 0.0, east, 0.0, -pixel, 5_000_000.0]).with_epsg(epsg).unwrap();
        write(root.path(), &format!("{folder}/{name}.tif"), &chip(size, size, 0).with_place(place));
    }
}

#[test]
fn partners_of_other_places_are_refused() {
    let root = tempfile::tempdir().unwrap();
    placed(&root, "apart", [(500_000.0, 32633), (500_080.0, 32633)], 8, 10.0);
    placed(&root, "same", [(500_000.0, 32633), (500_000.0, 32633)], 8, 10.0);
    let error = failing(&root);
    assert_eq!((error.kind(), error.summary()), (ErrorKind::Layout, "1 of 2 pairs do not fit together"));
    assert!(error.finding().unwrap().contains("apart.tif shows another place than its partner"), "{error}");
    let data = skipping(&root);
    assert_eq!(stems(&data, Split::Train), ["same"]);
    assert_skipped(&data, &[("A/apart.tif", "another place"), ("B/apart.tif", "its partner")]);
}

/// Plausible mismatches are reported once per kind; matching pairs are not.
#[test]
fn partners_that_may_not_fit_are_told_of() {
    let root = tempfile::tempdir().unwrap();
    placed(&root, "same", [(500_000.0, 32633), (500_004.0, 32633)], 8, 10.0);
    // Half as many pixels, twice as large: the same corners.
    placed(&root, "coarse", [(500_000.0, 32633), (500_000.0, 32633)], 4, 20.0);
    let prepared = || options(root.path()).resize_to(8).prepare();
    let (data, warned) = warnings(prepared);
    assert_eq!((data.unwrap().skipped().len(), warned), (0, Vec::<String>::new()));

    placed(&root, "shifted", [(500_000.0, 32633), (500_020.0, 32633)], 8, 10.0);
    placed(&root, "shifted more", [(500_000.0, 32633), (500_030.0, 32633)], 8, 10.0);
    placed(&root, "zone", [(500_000.0, 32633), (500_000.0, 32634)], 8, 10.0);
    let (data, warned) = warnings(prepared);
    assert_eq!(data.unwrap().skipped().len(), 0);
    assert_eq!(warned.len(), 2, "{warned:?}");
    for (text, count, word) in
        [(&warned[0], "2 of 5 pairs", "up to 3.0 pixels"), (&warned[1], "1 of 5 pairs", "coordinate system")]
    {
        assert!(text.contains(count) && text.contains(word), "{text}");
    }
}
