//! Tests which chips are read and which are rejected.

use super::*;

fn truncated(bytes: &[u8], ending: &str) -> Vec<(usize, geolearn::Result<Raster>)> {
    let file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
    let cuts = (0..bytes.len()).step_by((bytes.len() / 150).max(1)).chain(bytes.len().saturating_sub(3)..bytes.len());
    let cut = |length| {
        fs::write(file.path(), &bytes[..length]).unwrap();
        (length, Raster::open(file.path()))
    };
    cuts.map(cut).collect()
}

/// The last 12 bytes of a PNG are its end chunk; all pixels come before it.
#[test]
fn truncated_files_are_errors_at_any_length() {
    let picture = chip(3, 40, 50, 1);
    for (ending, complete_from_end) in [(".png", 12 + 4), (".jpg", 0), (".bmp", 0)] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.to_rgb_image().write_to(&mut bytes, image::ImageFormat::from_extension(&ending[1..]).unwrap()).unwrap();
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

/// A lenient decoder returns the picture up to this point, and gray after it.
#[test]
fn a_marker_within_the_scan_data_of_a_jpeg_is_an_error() {
    let mut bytes = fs::read(fixture("jpg_named.png")).unwrap();
    let middle = bytes.len() * 2 / 3;
    bytes[middle..middle + 2].copy_from_slice(&[0xff, 0xd8]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    assert_eq!(Raster::open(file.path()).unwrap_err().kind(), ErrorKind::Format);
}

/// Flipped bits mostly give codes with a different meaning, which no decoder can detect.
#[test]
fn flipped_bits_in_a_jpeg_never_panic() {
    let bytes = fs::read(fixture("jpg_named.png")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for place in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[place] = !damaged[place];
        fs::write(file.path(), damaged).unwrap();
        // Damage to the header can also change the size or the kind of JPEG.
        let _ = Raster::open(file.path());
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chips").join(name)
}

fn extremes(image: &Raster) -> Vec<(u8, u8)> {
    #[allow(clippy::panic, reason = "a test that cannot go on says so")]
    let Samples::U8(data) = image.samples() else { panic!("{image:?}") };
    data.outer_iter().map(|band| (*band.iter().min().unwrap(), *band.iter().max().unwrap())).collect()
}

fn shape(image: &Raster) -> (usize, usize, usize) {
    image.samples().shape()
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
fn gray_alpha_palette_and_orientation() {
    let gray = Raster::open(fixture("gray.jpg")).unwrap();
    assert_eq!((shape(&gray), extremes(&gray)), ((1, 100, 140), vec![(105, 219)]));
    let without_alpha = Raster::open(fixture("la.png")).unwrap();
    assert_eq!((shape(&without_alpha), extremes(&without_alpha)), ((1, 100, 140), vec![(105, 221)]));
    assert_eq!(shape(&Raster::open(fixture("palette.png")).unwrap()), (3, 100, 140));
    assert_eq!(shape(&Raster::open(fixture("cmyk.jpg")).unwrap()), (3, 100, 140));
    assert_eq!(shape(&Raster::open(fixture("exif_rotated.jpg")).unwrap()), (3, 140, 100), "stored lying");
}

/// rasterio's `colormap(1)` of the file has (i, 255 - i, i / 2) for index i; indices range from 118 to 222.
#[test]
fn palettes_of_tiffs_become_colors_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiff/palette_uint8.tif");
    let image = Raster::open(path).unwrap();
    assert_eq!(shape(&image), (3, 100, 140));
    assert_eq!(extremes(&image), [(118, 222), (33, 137), (59, 111)]);
}

/// A world file beside a picture georeferences it.
#[test]
fn pictures_have_the_place_of_their_world_file() {
    let root = tempfile::tempdir().unwrap();
    let path = write(root.path(), "x.png", &chip(3, 4, 4, 0));
    assert!(!Raster::open(&path).unwrap().place().has_transform());
    fs::write(root.path().join("x.pgw"), "10\n0\n0\n-10\n500005\n4099995\n").unwrap();
    assert_eq!(Raster::open(&path).unwrap().place().transform(), [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_100_000.0]);
}

#[test]
fn what_cannot_be_read_says_so() {
    let kind = |name| Raster::open(fixture(name)).unwrap_err().kind();
    assert_eq!(kind("png_bad_crc.png"), ErrorKind::Format);
    assert_eq!(kind("README.md"), ErrorKind::Format);
    assert_eq!(kind("none.png"), ErrorKind::Io);
    let root = tempfile::tempdir().unwrap();
    for (bytes, expected) in [(&b""[..], ErrorKind::Format), (b"II*\0\x08\0\0\0", ErrorKind::Format)] {
        fs::write(root.path().join("x.png"), bytes).unwrap();
        assert_eq!(Raster::open(root.path().join("x.png")).unwrap_err().kind(), expected);
    }
}

/// A PNG that declares 60,000 x 60,000 pixels must be rejected before anything is allocated.
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
    assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(root.path().join("A/images/001.png").as_path())));
    assert!(error.to_string().contains("BadChips::Skip"), "{error}");

    let data = options(&root).bad_chips(BadChips::Skip).val_split_pct(0.0).prepare().unwrap();
    assert_eq!(names(data.train_files(Domain::A)), ["000.png", "002.png", "003.png"]);
    assert_eq!(names(data.train_files(Domain::B)), ["000.png", "001.png", "002.png"]);
    let skipped: Vec<_> = data.skipped().iter().map(|(file, _)| file.file_name().unwrap().to_str().unwrap()).collect();
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
        assert!(error.to_string().contains(word), "expected {word:?} in: {error}");
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
    assert!(error.to_string().contains("1 of 8 x 8 pixels with 1 band of uint8 (such as"), "{error}");
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
