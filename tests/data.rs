//! From folders of chips to batches.

// The option that allows this in tests does not reach the helpers of an integration test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use geolearn::{
    Augment, BadChips, DataBunch, DatasetType, Domain, ErrorKind, Normaliser, PrepareData, Raster, Split, prepare_data,
};
use ndarray::Array3;
use proptest::prelude::*;
use tempfile::TempDir;

fn write(root: &Path, name: &str, image: &Raster) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(&path).unwrap();
    path
}

/// Every pixel differs from its neighbours, and chips of different seeds differ.
fn chip(bands: usize, height: usize, width: usize, seed: usize) -> Raster {
    let value = |(b, y, x): (usize, usize, usize)| (seed * 31 + b * 57 + y * 13 + x * 7 + x * y) as u8;
    Raster::new(Array3::from_shape_fn((bands, height, width), value)).unwrap()
}

/// `a` and `b` RGB chips of 8 x 8 pixels.
fn folder(a: usize, b: usize) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, count) in [("A", a), ("B", b)] {
        for i in 0..count {
            write(root.path(), &format!("{name}/images/{i:03}.png"), &chip(3, 8, 8, i + name.len() * 100));
        }
    }
    root
}

fn options(root: &TempDir) -> PrepareData {
    PrepareData::new(root.path(), DatasetType::CycleGan)
}

fn values(tensor: &tch::Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1)).unwrap()
}

/// The shape of A's tensor, and every number of A and of B.
type Numbers = (Vec<i64>, Vec<f32>, Vec<f32>);

fn epoch(data: &DataBunch, number: u64) -> Vec<Numbers> {
    let all = data.epoch(number).unwrap().map(Result::unwrap);
    all.map(|batch| (batch.a.size(), values(&batch.a), values(&batch.b))).collect()
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

mod layouts {
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
    fn every_form_is_recognised() {
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
        for name in ["A/esri_model_definition.emd", "A/map.txt", "A/images/0.pgw", "B/stats.txt", "A/images/.DS_Store"]
        {
            fs::write(root.path().join(name), "{}").unwrap();
        }
        assert_eq!(counts(&root)[..2], [2, 2]);
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
            assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
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
        refused(
            &[("train_a", 1), ("train_b", 1), ("Images/train_a", 1), ("Images/train_b", 1)],
            &["more than one set"],
        );
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
            // The shared parent `images` must be spelt the same way for both.
            let spell = |name: &str| -> String {
                name.chars().enumerate().map(|(i, c)| if upper >> i & 1 == 1 { c.to_ascii_uppercase() } else { c }).collect()
            };
            let below = "/x".repeat(depth);
            let root = with(&[(&format!("{}{below}", spell(one)), a), (&format!("{}{below}", spell(other)), b)]);
            prop_assert_eq!(&counts(&root)[..2], &[a, b]);
        }
    }
}

mod chips {
    use super::*;

    fn truncated(bytes: &[u8], ending: &str) -> Vec<(usize, geolearn::Result<Raster>)> {
        let file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
        let cuts =
            (0..bytes.len()).step_by((bytes.len() / 150).max(1)).chain(bytes.len().saturating_sub(3)..bytes.len());
        let cut = |length| {
            fs::write(file.path(), &bytes[..length]).unwrap();
            (length, Raster::open(file.path()))
        };
        cuts.map(cut).collect()
    }

    /// The last 12 bytes of a PNG are its end chunk; without them all pixels are still there.
    #[test]
    fn truncated_files_are_errors_at_any_length() {
        let picture = chip(3, 40, 50, 1);
        for (ending, complete_from_end) in [(".png", 12 + 4), (".jpg", 0), (".bmp", 0)] {
            let mut bytes = std::io::Cursor::new(Vec::new());
            picture
                .to_rgb_image()
                .write_to(&mut bytes, image::ImageFormat::from_extension(&ending[1..]).unwrap())
                .unwrap();
            let bytes = bytes.into_inner();
            for (length, read) in truncated(&bytes, ending) {
                match read {
                    Ok(read) => {
                        assert!(
                            length + complete_from_end >= bytes.len(),
                            "{ending} cut to {length} of {} was read",
                            bytes.len()
                        );
                        assert_eq!(read, picture);
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Format, "{ending} cut to {length}: {error}"),
                }
            }
        }
    }

    /// A lenient decoder gives the picture up to here, and grey from here on.
    #[test]
    fn a_marker_within_the_scan_data_of_a_jpeg_is_an_error() {
        let mut bytes = fs::read(fixture("jpg_named.png")).unwrap();
        let middle = bytes.len() * 2 / 3;
        bytes[middle..middle + 2].copy_from_slice(&[0xff, 0xd8]);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        assert_eq!(Raster::open(file.path()).unwrap_err().kind(), ErrorKind::Format);
    }

    /// Flipped bits mostly leave codes that mean something else, which no decoder can see.
    #[test]
    fn flipped_bits_in_a_jpeg_never_panic() {
        let bytes = fs::read(fixture("jpg_named.png")).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        for place in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[place] = !damaged[place];
            fs::write(file.path(), damaged).unwrap();
            // Damage to the header may also ask for another size or another kind of JPEG.
            let _ = Raster::open(file.path());
        }
    }

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chips").join(name)
    }

    fn extremes(image: &Raster) -> Vec<(u8, u8)> {
        image.data().outer_iter().map(|band| (*band.iter().min().unwrap(), *band.iter().max().unwrap())).collect()
    }

    fn shape(image: &Raster) -> (usize, usize, usize) {
        image.data().dim()
    }

    #[test]
    fn formats_are_told_by_content() {
        let image = Raster::open(fixture("jpg_named.png")).unwrap();
        assert_eq!(shape(&image), (3, 100, 140));
        // JPEG decoders may differ by a level or two (ITU T.83).
        for ((low, high), (rasterio_low, rasterio_high)) in
            extremes(&image).into_iter().zip([(115, 222), (104, 218), (78, 197)])
        {
            assert!(u8::abs_diff(low, rasterio_low) <= 2 && u8::abs_diff(high, rasterio_high) <= 2, "{low} {high}");
        }
    }

    #[test]
    fn grey_alpha_palette_and_orientation() {
        let grey = Raster::open(fixture("gray.jpg")).unwrap();
        assert_eq!((shape(&grey), extremes(&grey)), ((1, 100, 140), vec![(105, 219)]));
        let without_alpha = Raster::open(fixture("la.png")).unwrap();
        assert_eq!((shape(&without_alpha), extremes(&without_alpha)), ((1, 100, 140), vec![(105, 221)]));
        assert_eq!(shape(&Raster::open(fixture("palette.png")).unwrap()), (3, 100, 140));
        assert_eq!(shape(&Raster::open(fixture("exif_rotated.jpg")).unwrap()), (3, 140, 100), "stored lying");
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        let kind = |name| Raster::open(fixture(name)).unwrap_err().kind();
        assert_eq!(kind("gray16.png"), ErrorKind::Unsupported);
        assert_eq!(kind("cmyk.jpg"), ErrorKind::Unsupported);
        assert_eq!(kind("png_bad_crc.png"), ErrorKind::Format);
        assert_eq!(kind("README.md"), ErrorKind::Format);
        assert_eq!(kind("none.png"), ErrorKind::Io);
        let root = tempfile::tempdir().unwrap();
        for (bytes, expected) in [(&b""[..], ErrorKind::Format), (b"II*\0\x08\0\0\0", ErrorKind::Unsupported)] {
            fs::write(root.path().join("x.png"), bytes).unwrap();
            assert_eq!(Raster::open(root.path().join("x.png")).unwrap_err().kind(), expected);
        }
    }

    /// A PNG that states 60,000 x 60,000 pixels must be refused before anything is allocated.
    #[test]
    fn a_bomb_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = write(root.path(), "x.png", &chip(3, 4, 4, 0));
        let mut bytes = fs::read(&path).unwrap();
        bytes[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let checksum = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
        fs::write(&path, bytes).unwrap();
        let error = Raster::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limits, "{error}");
        assert!(error.to_string().contains("60000 x 60000"), "{error}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes
            .iter()
            .fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1))))
    }

    #[test]
    fn bad_chips_fail_or_are_left_out() {
        let root = folder(4, 4);
        for name in ["A/images/001.png", "B/images/003.png"] {
            let path = root.path().join(name);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
        let error = options(&root).prepare().unwrap_err();
        assert_eq!(
            (error.kind(), error.path()),
            (ErrorKind::Format, Some(root.path().join("A/images/001.png").as_path()))
        );
        assert!(error.to_string().contains("BadChips::Skip"), "{error}");

        let data = options(&root).bad_chips(BadChips::Skip).val_split_pct(0.0).prepare().unwrap();
        assert_eq!(names(data.train_files(Domain::A)), ["000.png", "002.png", "003.png"]);
        assert_eq!(names(data.train_files(Domain::B)), ["000.png", "001.png", "002.png"]);
        let skipped: Vec<_> =
            data.skipped().iter().map(|(file, _)| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(skipped, ["001.png", "003.png"]);
        assert_eq!(epoch(&data, 0).len(), 3);
    }

    #[test]
    fn mixed_sizes_are_listed_left_out_or_resized() {
        let root = folder(4, 2);
        write(root.path(), "A/images/odd.png", &chip(3, 8, 9, 0));
        let error = options(&root).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Layout);
        for word in ["4 of 8 x 8", "1 of 9 x 8", "odd.png", "resize_to"] {
            assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
        }
        let data = options(&root).bad_chips(BadChips::Skip).prepare().unwrap();
        assert_eq!((data.len(Domain::A) + data.valid_len(Domain::A), data.skipped().len()), (4, 1));
        let data = options(&root).resize_to(6).prepare().unwrap();
        assert_eq!((data.chip_size(Domain::A), data.skipped().len()), ((6, 6), 0));
        assert_eq!(data.epoch(0).unwrap().next().unwrap().unwrap().a.size(), [1, 3, 6, 6]);
    }

    #[test]
    fn mixed_bands_are_listed_or_left_out() {
        let root = folder(3, 2);
        write(root.path(), "A/images/grey.png", &chip(1, 8, 8, 0));
        let error = options(&root).prepare().unwrap_err();
        assert!(error.to_string().contains("1 of 8 x 8 pixels with 1 band (such as"), "{error}");
        assert!(!error.to_string().contains("resize_to"), "resizing would not help: {error}");
        assert_eq!(options(&root).bad_chips(BadChips::Skip).prepare().unwrap().bands(Domain::A), 3);
    }

    #[test]
    fn a_chip_that_goes_away_during_training_is_named() {
        for workers in [0, 2] {
            let root = folder(3, 3);
            let data = options(&root).workers(workers).val_split_pct(0.0).prepare().unwrap();
            let gone = root.path().join("B/images/001.png");
            fs::remove_file(&gone).unwrap();
            let results: Vec<_> = data.epoch(0).unwrap().collect();
            let error = results.last().unwrap().as_ref().unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(gone.as_path())));
        }
    }

    #[test]
    fn a_chip_that_changes_during_training_is_named() {
        let root = folder(3, 3);
        let data = options(&root).val_split_pct(0.0).prepare().unwrap();
        let changed = write(root.path(), "A/images/002.png", &chip(3, 9, 8, 0));
        let error = data.epoch(0).unwrap().find_map(Result::err).unwrap();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(changed.as_path())));
    }
}

mod batches {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bits_with_any_number_of_workers() {
        let root = folder(7, 11);
        let data = |workers, seed| options(&root).batch_size(3).workers(workers).seed(seed).prepare().unwrap();
        for number in [0, 5] {
            let reference = epoch(&data(0, 1), number);
            assert_eq!(reference, epoch(&data(1, 1), number));
            assert_eq!(reference, epoch(&data(3, 1), number));
            assert_ne!(reference, epoch(&data(3, 2), number));
        }
        assert_ne!(epoch(&data(0, 1), 0), epoch(&data(0, 1), 1));
    }

    /// Augmentation must not depend on how chips fall into batches either.
    #[test]
    fn the_batch_size_changes_no_chip() {
        let root = folder(5, 5);
        let all = |size| {
            let data = options(&root).batch_size(size).prepare().unwrap();
            epoch(&data, 0).into_iter().flat_map(|(_, a, _)| a).collect::<Vec<f32>>()
        };
        assert_eq!(all(1), all(3));
    }

    #[test]
    fn an_epoch_draws_the_larger_domain_once_and_the_smaller_evenly() {
        let root = folder(3, 8);
        let data = options(&root).val_split_pct(0.0).batch_size(3).augment(Augment::none()).prepare().unwrap();
        let batches = epoch(&data, 0);
        assert_eq!(batches.iter().map(|(size, ..)| size[0]).collect::<Vec<_>>(), [3, 3, 2], "the last is smaller");
        assert_eq!(data.epoch(0).unwrap().len(), 3);
        let counts = |pick: fn(&Numbers) -> &Vec<f32>| {
            let mut counts = BTreeMap::new();
            for chip in batches.iter().flat_map(|batch| pick(batch).chunks(3 * 64)) {
                *counts.entry(chip.iter().map(|value| value.to_bits()).collect::<Vec<_>>()).or_insert(0) += 1;
            }
            let mut counts: Vec<usize> = counts.into_values().collect();
            counts.sort_unstable();
            counts
        };
        assert_eq!(counts(|batch| &batch.1), [2, 3, 3]);
        assert_eq!(counts(|batch| &batch.2), [1; 8]);
    }

    #[test]
    fn values_are_within_one_and_reach_both_ends() {
        let root = folder(4, 4);
        let data = options(&root).augment(Augment::none()).val_split_pct(0.0).prepare().unwrap();
        let all: Vec<f32> = epoch(&data, 0).into_iter().flat_map(|(_, a, b)| [a, b].concat()).collect();
        let low = all.iter().copied().fold(f32::INFINITY, f32::min);
        let high = all.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // The epsilon of the scaling keeps the largest value just below 1.
        assert!(low == -1.0 && high <= 1.0 && high > 1.0 - 1e-5, "{low} {high}");
        let varied = options(&root).augment(Augment::default().brightness(1.0).contrast(1.0)).prepare().unwrap();
        assert!(epoch(&varied, 0).iter().all(|(_, a, _)| a.iter().all(|value| (-1.0..=1.0).contains(value))));
    }

    #[test]
    fn grey_and_colour_meet_in_three_channels() {
        let root = tempfile::tempdir().unwrap();
        for i in 0..3 {
            write(root.path(), &format!("A/{i}.png"), &chip(1, 8, 8, i));
            write(root.path(), &format!("B/{i}.jpg"), &chip(3, 12, 10, i));
        }
        let data = options(&root).prepare().unwrap();
        assert_eq!((data.bands(Domain::A), data.bands(Domain::B), data.channels()), (1, 3, 3));
        assert_eq!((data.chip_size(Domain::A), data.chip_size(Domain::B)), ((8, 8), (12, 10)));
        let batch = data.epoch(0).unwrap().next().unwrap().unwrap();
        assert_eq!((batch.a.size(), batch.b.size()), (vec![1, 3, 8, 8], vec![1, 3, 12, 10]));
        let a = values(&batch.a);
        assert_eq!(a[..64], a[64..128]);
        assert_eq!(a[..64], a[128..]);
        assert_eq!(data.normaliser(Domain::A).bands(), 1);
    }

    #[test]
    fn validation_is_fixed_and_as_it_is() {
        let root = folder(20, 40);
        let data = options(&root).batch_size(3).prepare().unwrap();
        assert_eq!((data.valid_len(Domain::A), data.valid_len(Domain::B)), (2, 4));
        let pass = || data.validation().unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let (one, two) = (pass(), pass());
        assert_eq!(one.iter().map(|batch| batch.size()).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(values(&one[0].a), values(&two[0].a));
        let expected = data.chips(Domain::A, Split::Valid, &[0, 1, 0]).unwrap();
        assert_eq!(values(&one[0].a), values(&expected));
        let image = data.image(Domain::B, Split::Valid, 3).unwrap();
        let back = data.normaliser(Domain::B).normalise_raster(&image).unwrap();
        assert_eq!(values(&one[1].b), back.iter().copied().collect::<Vec<_>>());
    }

    #[test]
    fn train_and_validation_share_no_chip() {
        let root = folder(30, 30);
        let data = options(&root).val_split_pct(0.3).prepare().unwrap();
        for domain in Domain::BOTH {
            let mut all = [data.train_files(domain), data.valid_files(domain)].concat();
            assert_eq!((all.len(), data.valid_len(domain)), (30, 9));
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 30);
        }
        assert_ne!(
            names(data.valid_files(Domain::A)),
            names(data.valid_files(Domain::B)),
            "each domain has its own draw"
        );
    }

    #[test]
    fn one_chip_is_enough() {
        let root = folder(1, 5);
        let data = options(&root).prepare().unwrap();
        assert_eq!((data.len(Domain::A), data.valid_len(Domain::A), data.len(Domain::B)), (1, 0, 5));
        assert_eq!((epoch(&data, 0).len(), data.validation().unwrap().len()), (5, 0));
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let root = folder(2, 2);
        for (wrong, name) in [
            (options(&root).batch_size(0), "batch_size"),
            (options(&root).val_split_pct(1.0), "val_split_pct"),
            (options(&root).val_split_pct(f64::NAN), "val_split_pct"),
            (options(&root).resize_to(0), "resize_to"),
            (options(&root).prefetch(0), "prefetch"),
            (options(&root).workers(10_000), "workers"),
            (options(&root).augment(Augment::none().zoom(0.5)), "zoom"),
            (options(&root).augment(Augment::none().zoom(f64::NAN)), "zoom"),
            (options(&root).augment(Augment::none().brightness(-0.1)), "brightness"),
            (options(&root).augment(Augment::none().contrast(2.0)), "contrast"),
            (options(&root).augment(Augment::none().crop(0)), "crop"),
            (options(&root).augment(Augment::none().crop(9)), "crop"),
        ] {
            let error = wrong.prepare().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let data = options(&root).prepare().unwrap();
        assert_eq!(data.chips(Domain::A, Split::Train, &[7]).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(data.chips(Domain::A, Split::Train, &[]).unwrap_err().kind(), ErrorKind::Usage);
    }

    #[test]
    fn the_summary_names_the_essentials() {
        let root = folder(20, 30);
        let text = options(&root).batch_size(4).prepare().unwrap().to_string();
        for word in [
            "A: 18 training and 2 validation chips, 8 x 8 pixels, 3 bands",
            "B: 27 training",
            "7 batches of 4",
            "seed 42",
        ] {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }

    #[test]
    fn a_bunch_can_be_shared_between_threads() {
        fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
        shared(&options(&folder(2, 2)).prepare().unwrap());
    }

    #[test]
    fn statistics_do_not_depend_on_the_number_of_threads() {
        let root = folder(9, 9);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| options(&root).prepare().unwrap().statistics(Domain::A).clone())
        };
        assert_eq!(with(1), with(3));
    }
}

mod augmentation {
    use super::*;

    /// Band k is band 0 plus a constant, so after scaling all channels are equal, unless their geometry differs.
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
                // Equal up to rounding: the scale of each band is the same, its offset is not.
                let worst = first.iter().zip(other).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-5, "{worst}");
            }
        }
    }

    /// Without zoom and light, a chip is one of the eight symmetric forms of the file, and all eight come up.
    #[test]
    fn flips_and_turns_reach_all_eight_forms() {
        let root = shifted_bands(6, 6);
        let augment = Augment::none().flip_horizontal(true).flip_vertical(true).quarter_turns(true);
        let data = options(&root).augment(augment).val_split_pct(0.0).prepare().unwrap();
        let plain =
            data.normaliser(Domain::A).normalise_raster(&data.image(Domain::A, Split::Train, 0).unwrap()).unwrap();
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
        let other =
            data.normaliser(Domain::A).normalise_raster(&data.image(Domain::A, Split::Train, 1).unwrap()).unwrap();
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
        let plain: Vec<Vec<f32>> =
            (0..2).map(|i| values(&data.chips(Domain::A, Split::Train, &[i]).unwrap())).collect();
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
}

mod normalisation {
    use super::*;

    /// Roundings to float32 in the reference, see the README beside the numbers.
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
            let normaliser = Normaliser::new(extreme("min"), extreme("max"), 3).unwrap();
            let (raw, expected) = (golden(&format!("raw_{domain}.npy")), golden(&format!("norm_{domain}.npy")));
            let ours = normaliser.normalise(raw.view()).unwrap();
            let worst = ours.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(worst <= TOLERANCE, "domain {domain}: {worst}");
            let bytes = normaliser.normalise_raster(&Raster::new(raw.mapv(|value| value as u8)).unwrap()).unwrap();
            assert_eq!(bytes, ours);
        }
    }

    #[test]
    fn a_constant_band_is_no_division_by_zero() {
        let normaliser = Normaliser::new(vec![9.0], vec![9.0], 1).unwrap();
        let image = Raster::new(Array3::from_elem((1, 2, 2), 9)).unwrap();
        let tensor = normaliser.normalise_raster(&image).unwrap();
        assert!(tensor.iter().all(|&value| value == -1.0));
        assert_eq!(normaliser.to_raster(tensor.view()).unwrap(), image);
        let other = normaliser.normalise(Array3::from_elem((1, 1, 1), 10.0).view()).unwrap();
        assert_eq!(other[(0, 0, 0)], -1.0);
    }

    #[test]
    fn bands_and_channels_are_checked() {
        let normaliser = Normaliser::new(vec![0.0; 2], vec![1.0; 2], 4).unwrap();
        assert_eq!(normaliser.normalise(Array3::zeros((3, 1, 1)).view()).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(normaliser.denormalise(Array3::zeros((2, 1, 1)).view()).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(normaliser.denormalise(Array3::zeros((4, 1, 1)).view()).unwrap().dim(), (2, 1, 1));
        for (min, max, channels) in [
            (vec![], vec![], 3),
            (vec![2.0], vec![1.0], 3),
            (vec![f64::NAN], vec![1.0], 3),
            (vec![0.0; 4], vec![1.0; 4], 3),
        ] {
            assert!(Normaliser::new(min, max, channels).is_err());
        }
    }

    #[test]
    fn values_beyond_the_range_saturate_in_an_image() {
        let normaliser = Normaliser::new(vec![0.0], vec![255.0], 1).unwrap();
        let wild = Array3::from_shape_vec((1, 1, 3), vec![-3.0, 3.0, f32::NAN]).unwrap();
        assert_eq!(normaliser.to_raster(wild.view()).unwrap().data().as_slice().unwrap(), [0, 255, 0]);
    }

    proptest! {
        #[test]
        fn eight_bit_values_come_back_exactly(low in 0u8..=255, high in 0u8..=255, shares in prop::collection::vec(0.0f64..=1.0, 1..40), extra in 0usize..3) {
            let (min, max) = (low.min(high), low.max(high));
            let pixels: Vec<u8> = shares.iter().map(|share| (f64::from(min) + share * f64::from(max - min)).round() as u8).collect();
            let image = Raster::new(Array3::from_shape_vec((1, 1, pixels.len()), pixels).unwrap()).unwrap();
            let normaliser = Normaliser::new(vec![min.into()], vec![max.into()], 1 + extra).unwrap();
            let tensor = normaliser.normalise_raster(&image).unwrap();
            prop_assert!(tensor.iter().all(|value| (-1.0..=1.0).contains(value)));
            prop_assert_eq!(normaliser.to_raster(tensor.view()).unwrap(), image);
        }

        #[test]
        fn real_values_come_back_up_to_the_epsilon(min in -1e3f64..1e3, range in 1.0f64..1e4, shares in prop::collection::vec(0.0f64..=1.0, 1..40)) {
            let normaliser = Normaliser::new(vec![min], vec![min + range], 1).unwrap();
            let values: Vec<f32> = shares.iter().map(|share| (min + share * range) as f32).collect();
            let chip = Array3::from_shape_vec((1, 1, values.len()), values).unwrap();
            let back = normaliser.denormalise(normaliser.normalise(chip.view()).unwrap().view()).unwrap();
            // The inverse has no epsilon (1e-5); float32 holds 6e-8 of the largest magnitude, three times rounded.
            let allowed = 1e-5 + 2e-7 * (min.abs() + range);
            prop_assert!(chip.iter().zip(&back).all(|(x, y)| f64::from((x - y).abs()) <= allowed));
        }
    }
}
