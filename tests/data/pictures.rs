//! Reads PNG, JPEG and BMP both as files (`RasterFile`) and as chips (`Raster::open`), and compares with rasterio
//! (`fixtures/pictures/make.py`).

use geolearn::raster::RasterFile;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::*;

const PLACE: [f64; 6] = [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_100_000.0];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures").join(name)
}

fn stored(name: &str) -> Samples {
    RasterFile::open(fixture(name)).unwrap().read().unwrap()
}

fn shown(name: &str) -> Samples {
    Raster::open(fixture(name)).unwrap().into_samples()
}

#[test]
fn files_are_what_rasterio_reads() {
    let truth: Map<String, Value> = serde_json::from_slice(&fs::read(fixture("truth.json")).unwrap()).unwrap();
    assert!(truth.len() >= 16, "{}", truth.len());
    for (name, facts) in truth {
        if facts.get("refused").is_some() {
            let error = RasterFile::open(fixture(&name)).unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(fixture(&name).as_path())));
            continue;
        }
        let file = RasterFile::open(fixture(&name)).unwrap();
        let samples = file.read().unwrap();
        let (bands, height, width) = samples.shape();
        assert_eq!(json!([bands, height, width]), facts["shape"], "{name}");
        assert_eq!(json!(file.info().dtype().name()), facts["dtype"], "{name}");
        assert_eq!(json!(file.info().place().transform()), facts["transform"], "{name}");
        if let Some(is_alike) = jpeg::is_as_elsewhere(&fixture(&name), &samples) {
            assert!(is_alike, "{name}");
            continue;
        }
        let hash: String =
            Sha256::digest(samples.interleaved_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(json!(hash), facts["sha256"], "{name}");
    }
}

/// The georeference applies to the pixels as stored, so a georeferenced picture is not rotated.
#[test]
fn a_picture_is_turned_where_it_has_no_place() {
    for name in ["exif6.jpg", "exif6_placed.png"] {
        let chip = Raster::open(fixture(name)).unwrap();
        assert_eq!((chip.height(), chip.width(), chip.place().transform()), (48, 64, PLACE), "{name}");
        assert_eq!(chip.samples(), &stored(name), "{name}");
    }
    for name in ["exif6_unplaced.jpg", "exif6_unplaced.png", "exif6_16bit.png"] {
        let chip = Raster::open(fixture(name)).unwrap();
        assert_eq!((chip.height(), chip.width(), chip.place().has_transform()), (64, 48, false), "{name}");
        let (turned, stored) = (chip.samples().band(0).unwrap(), stored(name).band(0).unwrap());
        // Orientation 6: the first row is the right side of the upright picture.
        let expected = ndarray::Array2::from_shape_fn((64, 48), |(y, x)| stored[(47 - x, y)]);
        assert_eq!(turned, expected, "{name}");
    }
}

/// `prepare_data` reads what the headers promise.
#[test]
fn turned_chips_are_chips_of_one_size() {
    let root = tempfile::tempdir().unwrap();
    for domain in ["A", "B"] {
        fs::create_dir_all(root.path().join(domain)).unwrap();
        for (i, name) in ["exif6_unplaced.jpg", "exif6_unplaced.png"].into_iter().enumerate() {
            let ending = Path::new(name).extension().unwrap().to_str().unwrap();
            fs::copy(fixture(name), root.path().join(format!("{domain}/{i}.{ending}"))).unwrap();
        }
    }
    let data = options(&root).val_split_pct(0.0).prepare().unwrap();
    assert_eq!((data.chip_size(Domain::A), data.chip_size(Domain::B)), ((64, 48), (64, 48)));
    assert!(!epoch(&data, 0).is_empty());
}

#[test]
fn a_jpeg_is_the_same_by_both_doors() {
    for name in ["rgb.jpg", "jfif_adobe0.jpg", "extra_bytes_between_headers.jpg", "grey_adobe_after_sof.jpg"] {
        assert_eq!(shown(name), stored(name), "{name}");
    }
}

/// `jfif_adobe0.jpg` is the same stream with an Adobe segment that declares RGB; JFIF's colors take precedence.
#[test]
fn jfif_decides_what_colors_are() {
    assert_eq!(shown("jfif_adobe0.jpg"), shown("rgb.jpg"));
}

#[test]
fn a_bmp_of_gray_colors_is_one_band_and_others_are_three() {
    assert_eq!(shown("grey8.bmp"), stored("grey8.bmp"));
    let bits = stored("grey1.bmp").to_f32() * 255.0;
    assert_eq!((shown("grey1.bmp").shape().0, shown("grey1.bmp").to_f32()), (1, bits));
    let palette = |index: f64| [index * 19.0, 255.0 - index * 17.0, index * 7.0];
    for name in ["rle8.bmp", "rle4.bmp", "indexed8.bmp"] {
        let (colors, indices) = (shown(name), stored(name).band(0).unwrap());
        assert_eq!(colors.shape(), (3, 48, 64), "{name}");
        for band in 0..3 {
            assert_eq!(colors.band(band).unwrap(), indices.mapv(|index| palette(index)[band]), "{name}");
        }
    }
}

/// Opens copies of a file with `damaged` bytes in both ways.
fn refused_by_both(bytes: &[u8], what: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    for (door, read) in [
        ("chip", Raster::open(file.path()).map(Raster::into_samples)),
        ("file", RasterFile::open(file.path()).and_then(|file| file.read())),
    ] {
        let error = read.map(|samples| samples.shape()).expect_err(what);
        assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(file.path())), "{door}, {what}");
    }
}

/// A lenient decoder accepts the end marker as the end of the image and leaves the rest gray.
#[test]
fn a_jpeg_cut_anywhere_and_ended_is_refused() {
    let names =
        ["rgb.jpg", "grey_adobe_after_sof.jpg", "../tiff/jpeg_422_progressive.jpg", "../tiff/jpeg_restarts.jpg"];
    for name in names {
        let bytes = fs::read(fixture(name)).unwrap();
        let data = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
        for cut in 0..50 {
            let length = data + (bytes.len() - 10 - data) * cut / 50;
            refused_by_both(&[&bytes[..length], &[0xff, 0xd9]].concat(), &format!("{name} cut to {length}"));
        }
    }
}

#[test]
fn run_lengths_cut_anywhere_are_refused() {
    for name in ["rle8.bmp", "rle4.bmp"] {
        let bytes = fs::read(fixture(name)).unwrap();
        for length in (106..bytes.len() - 140).step_by(37) {
            refused_by_both(&bytes[..length], &format!("{name} cut to {length}"));
        }
    }
}

/// The decoder would resume at the next restart marker, with samples of another place.
#[test]
fn a_jpeg_without_a_part_between_restart_markers_is_refused() {
    let bytes = fs::read(fixture("../tiff/jpeg_restarts.jpg")).unwrap();
    let is_restart = |at: &usize| bytes[*at] == 0xff && (0xd0..=0xd7).contains(&bytes[at + 1]);
    let restarts: Vec<usize> = (0..bytes.len() - 1).filter(is_restart).collect();
    assert!(restarts.len() > 2, "{restarts:?}");
    for pair in restarts.windows(2) {
        refused_by_both(&[&bytes[..pair[0]], &bytes[pair[1]..]].concat(), "a part that is missing");
        refused_by_both(&[&bytes[..pair[0]], &bytes[pair[0] + 2..]].concat(), "a marker that is missing");
        let half = (pair[0] + pair[1]) / 2;
        refused_by_both(&[&bytes[..half], &bytes[pair[1]..]].concat(), "half a part");
    }
}

/// The crate `png` panics when asked to expand a palette of this length.
#[test]
fn a_palette_of_parts_of_a_color_is_named_or_skipped() {
    for name in ["plte_4_bytes.png", "plte_none.png"] {
        refused_by_both(&fs::read(fixture(name)).unwrap(), name);
    }
    let root = folder(4, 4);
    let bad = root.path().join("A/images/001.png");
    fs::copy(fixture("plte_4_bytes.png"), &bad).unwrap();
    let error = options(&root).prepare().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(bad.as_path())));
    let data = options(&root).bad_chips(BadChips::Skip).prepare().unwrap();
    assert_eq!(data.skipped().iter().map(|(file, _)| file).collect::<Vec<_>>(), [&bad]);
}

fn any_change() -> impl Strategy<Value = (usize, f64, u8, f64)> {
    (0..8usize, 0.0..1.0, any::<u8>(), 0.3..1.3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Both ways give an image or an error, and the same one.
    #[test]
    fn damage_anywhere_is_an_error_or_an_image((which, at, byte, kept) in any_change()) {
        let names = [
            "exif6_unplaced.jpg", "grey_adobe_after_sof.jpg", "exif6_unplaced.png", "exif6_16bit.png", "rle8.bmp",
            "rle4.bmp", "grey1.bmp", "grey8.bmp",
        ];
        let mut bytes = fs::read(fixture(names[which])).unwrap();
        let place = (at * bytes.len().min(1500) as f64) as usize;
        bytes[place] = byte;
        bytes.truncate((kept * bytes.len() as f64) as usize);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        let limits = geolearn::raster::Limits::default().max_sample_bytes(16 << 20);
        let chip = Raster::open_within(file.path(), &limits);
        let read = RasterFile::open_within(file.path(), &limits).and_then(|file| file.read());
        prop_assert_eq!(chip.is_ok(), read.is_ok());
        if let Err(error) = chip {
            prop_assert_eq!(error.path(), Some(file.path()));
        }
    }
}
