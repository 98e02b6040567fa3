//! Tests the folder layouts, and the errors for folders without one.

use super::*;

fn with(folders: &[(&str, usize)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, count) in folders {
        fs::create_dir_all(root.path().join(name)).unwrap();
        for i in 0..*count {
            write(root.path(), &format!("{name}/{i}.png"), &chip(3, 8, 8, i));
        }
    }
    root
}

fn counts(root: &TempDir) -> [usize; 6] {
    let data = options(root).val_split_pct(0.0).prepare().unwrap();
    let of = |split| [Domain::A, Domain::B].map(|domain| data.files(domain, split).len());
    let ([ta, tb], [va, vb], [sa, sb]) = (of(Split::Train), of(Split::Valid), of(Split::Test));
    [ta, tb, va, vb, sa, sb]
}

#[test]
fn every_form_is_recognized() {
    for (a, b) in [
        ("A/images", "B/images"),
        ("A", "B"),
        ("a", "b"),
        ("A/images", "B"),
        ("Images/train_a", "Images/train_b"),
        ("train_a", "train_b"),
        ("trainA", "trainB"),
        ("TRAIN_A/Images", "train_B/IMAGES"),
        ("A/north/2020", "B/south"),
    ] {
        assert_eq!(counts(&with(&[(a, 2), (b, 3)])), [2, 3, 0, 0, 0, 0], "{a} {b}");
    }
}

#[test]
fn fixed_sets_are_used() {
    let with_sets = |sets: &[(&str, usize)]| counts(&with(&[&[("trainA", 3), ("trainB", 3)], sets].concat()));
    assert_eq!(with_sets(&[("valid_a", 1), ("valid_b", 2)]), [3, 3, 1, 2, 0, 0]);
    assert_eq!(with_sets(&[("valA", 1), ("valB", 2)]), [3, 3, 1, 2, 0, 0]);
    assert_eq!(with_sets(&[("testA", 1), ("testB", 2)]), [3, 3, 1, 2, 0, 0]);
    assert_eq!(with_sets(&[("val_a", 1), ("val_b", 2), ("test_a", 2), ("test_b", 1)]), [3, 3, 1, 2, 2, 1]);
    assert_eq!(with_sets(&[("testA", 2)]), [3, 3, 0, 0, 2, 0], "one test folder alone cannot validate");
    let older = with(&[("Images/train_a", 2), ("Images/train_b", 2), ("Images/valid_a", 1), ("Images/valid_b", 1)]);
    assert_eq!(counts(&older), [2, 2, 1, 1, 0, 0]);
}

#[test]
fn esri_files_beside_the_chips_are_passed_over() {
    let root = with(&[("A/images", 2), ("B/images", 2)]);
    for name in ["A/esri_model_definition.emd", "A/map.txt", "A/images/0.pgw", "B/stats.txt", "A/images/.DS_Store"] {
        fs::write(root.path().join(name), "{}").unwrap();
    }
    assert_eq!(counts(&root)[..2], [2, 2]);
}

#[test]
fn chips_of_a_format_that_is_not_read_come_with_a_way_out() {
    let root = with(&[("A/images", 0), ("B/images", 2)]);
    fs::write(root.path().join("A/images/0.mrf"), "<MRF_META/>").unwrap();
    let error = options(&root).prepare().unwrap_err().to_string();
    assert!(error.contains("(.mrf)") && error.contains("gdal_translate -of GTiff"), "{error}");
}

#[test]
fn a_missing_folder_is_named() {
    let error = prepare_data("no/such/folder", DatasetType::CycleGan).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(Path::new("no/such/folder"))));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(prepare_data(file.path(), DatasetType::CycleGan).unwrap_err().kind(), ErrorKind::Io);
}

fn refused(folders: &[(&str, usize)], words: &[&str]) {
    let error = options(&with(folders)).prepare().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Layout, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "expected {word:?} in: {error}");
    }
}

#[test]
fn an_unknown_form_lists_what_was_looked_for_and_found() {
    refused(
        &[("satellite", 3), ("maps", 1)],
        &["`train_a` and `train_b`", "`A/images`", "`maps/` (1 image)", "`satellite/` (3 images)"],
    );
    refused(&[("A", 2)], &["`A/` (2 images)"]);
    refused(&[], &["found nothing"]);
}

#[test]
fn a_folder_without_chips_is_named_with_what_it_has() {
    refused(&[("A", 2), ("B", 0)], &["B: the folder has no chips", "`A/` (2 images)"]);
    refused(&[("A", 2), ("B", 2), ("valid_a", 1)], &["only one domain has a validation folder", "valid_a"]);
}

#[test]
fn two_forms_at_once_are_refused() {
    refused(&[("A", 1), ("B", 1), ("trainA", 1), ("trainB", 1)], &["more than one set", "`A` and `trainA`"]);
    refused(&[("train_a", 1), ("trainA", 1), ("trainB", 1)], &["`trainA` and `train_a`"]);
    refused(&[("train_a", 1), ("train_b", 1), ("Images/train_a", 1), ("Images/train_b", 1)], &["more than one set"]);
    refused(&[("A", 1), ("B", 1), ("valid_a", 1), ("val_a", 1), ("val_b", 1)], &["`val_a` and `valid_a`"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_differ_only_by_case_are_refused() {
    refused(&[("A", 1), ("a", 1), ("B", 1)], &["`A` and `a`"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_letter_case_and_depth(form in 0usize..5, upper in any::<u32>(), depth in 0usize..3, a in 1usize..4, b in 1usize..4) {
        let (one, other) = [("a/images", "b/images"), ("a", "b"), ("images/train_a", "images/train_b"), ("train_a", "train_b"), ("traina", "trainb")][form];
        // The shared parent `images` must be spelled the same way for both.
        let spell = |name: &str| -> String {
            name.chars().enumerate().map(|(i, c)| if upper >> i & 1 == 1 { c.to_ascii_uppercase() } else { c }).collect()
        };
        let below = "/x".repeat(depth);
        let root = with(&[(&format!("{}{below}", spell(one)), a), (&format!("{}{below}", spell(other)), b)]);
        prop_assert_eq!(&counts(&root)[..2], &[a, b]);
    }
}
