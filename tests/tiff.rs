//! Compares raster files of many kinds with what rasterio reads (`fixtures/tiff/README.md`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::ErrorKind;
use geolearn::raster::{Crs, Limits, RasterFile, Samples};
use proptest::prelude::*;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

#[path = "tiff/forms.rs"]
mod forms;
#[path = "common/jpeg.rs"]
mod jpeg;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiff")
}

fn truth() -> Map<String, Value> {
    serde_json::from_slice(&fs::read(folder().join("truth.json")).unwrap()).unwrap()
}

/// Returns the readable files, with what rasterio reports.
fn good() -> impl Iterator<Item = (PathBuf, Value)> {
    truth()
        .into_iter()
        .filter(|(_, facts)| facts.get("kind").is_none())
        .map(|(name, facts)| (folder().join(name), facts))
}

fn hash(samples: &Samples) -> String {
    Sha256::digest(samples.interleaved_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn headers_say_what_rasterio_says() {
    for (path, truth) in good() {
        let file = RasterFile::open(&path).unwrap();
        let info = file.info();
        let shape = [info.bands(), info.height(), info.width()];
        assert_eq!(serde_json::json!(shape), serde_json::json!([truth["count"], truth["h"], truth["w"]]), "{path:?}");
        assert_eq!(info.dtype().name(), truth["dtype"], "{path:?}");
        assert_eq!(serde_json::json!(info.place().transform()), truth["transform"], "{path:?}");
        assert_eq!(serde_json::json!(info.band_names()), truth["descriptions"], "{path:?}");
        let nodata = truth["nodata"].as_str().map(|text| text.parse::<f64>().unwrap());
        assert_eq!(info.nodata().map(f64::to_bits), nodata.map(f64::to_bits), "{path:?}");
        assert_eq!(info.place().crs().is_some(), truth["has_crs"], "{path:?}");
        if let Some(number) = truth["epsg"].as_u64() {
            assert_eq!(info.place().crs(), Some(&Crs::Epsg(number as u16)), "{path:?}");
        }
    }
}

#[test]
fn samples_are_rasterios() {
    let (mut equal, mut alike) = (0, 0);
    for (path, truth) in good() {
        let samples = RasterFile::open(&path).unwrap().read().unwrap();
        if let Some(is_alike) = jpeg::is_as_elsewhere(&path, &samples) {
            assert!(is_alike, "{path:?}");
            alike += 1;
            continue;
        }
        assert_eq!(hash(&samples), truth["sha256"], "{path:?}");
        equal += 1;
    }
    assert!(equal >= 49 && alike >= 16, "only {equal} and {alike} files were compared");
}

/// `palette` in the truth is the number of colors and the sums of their red, green and blue.
#[test]
fn palettes_and_alpha_are_rasterios() {
    for (path, truth) in good() {
        let file = RasterFile::open(&path).unwrap();
        let sums = |colors: &[[u8; 3]]| [0, 1, 2].map(|part| colors.iter().map(|c| u64::from(c[part])).sum::<u64>());
        let colors = file.info().palette().map(|colors| {
            let [red, green, blue] = sums(colors);
            [colors.len() as u64, red, green, blue]
        });
        assert_eq!(serde_json::json!(colors), truth["palette"], "{path:?}");
        assert_eq!(serde_json::json!(file.info().alpha_band()), truth["alpha"], "{path:?}");
        assert_eq!(file.info().has_palette(), colors.is_some(), "{path:?}");
    }
}

/// A folder of many chips is opened one file at a time.
#[test]
fn a_picture_is_opened_by_its_header() {
    for name in ["jpeg_420.jpg", "gray16.png", "palette.bmp"] {
        let whole = fs::read(folder().join(name)).unwrap();
        let begun = tempfile::NamedTempFile::new().unwrap();
        fs::write(begun.path(), &whole[..whole.len() * 3 / 4]).unwrap();
        let file = RasterFile::open(begun.path()).unwrap();
        assert_eq!(file.info().bands(), RasterFile::open(folder().join(name)).unwrap().info().bands());
        assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Format, "{name}");
    }
}

/// GDAL reads the same pixels with a 60 KB segment before them.
#[test]
fn long_segments_before_the_size_of_a_jpeg_are_passed_over() {
    let whole = fs::read(folder().join("jpeg_420.jpg")).unwrap();
    let segment = [&[0xff, 0xe1, 0xea, 0x60][..], &[0xc0; 59_998]].concat();
    let longer = tempfile::NamedTempFile::new().unwrap();
    fs::write(longer.path(), [&whole[..2], &segment, &segment, &whole[2..]].concat()).unwrap();
    let samples = RasterFile::open(longer.path()).unwrap().read().unwrap();
    assert_eq!(samples, RasterFile::open(folder().join("jpeg_420.jpg")).unwrap().read().unwrap());
}

#[test]
fn what_cannot_be_read_is_an_error_of_the_right_kind() {
    for (name, facts) in truth() {
        let Some(kind) = facts["kind"].as_str() else { continue };
        // GDAL reads fax compression, if built in (`gdal/corpus.rs`).
        if cfg!(feature = "gdal") && name.contains("ccitt") {
            continue;
        }
        let path = folder().join(&name);
        let error = RasterFile::open(&path).and_then(|file| file.read()).unwrap_err();
        assert_eq!(format!("{:?}", error.kind()), kind, "{error}");
        assert!(error.to_string().contains(&name), "{error}");
        if kind == "Unsupported" {
            assert!(error.to_string().contains("gdal_translate"), "{error}");
        }
    }
}

#[test]
fn a_part_beyond_the_edge_is_refused() {
    let file = RasterFile::open(folder().join("odd_1x100.tif")).unwrap();
    for (row, column, height, width) in [(0, 1, 1, 1), (99, 0, 2, 1), (0, 0, 0, 1), (usize::MAX, 0, 2, 1)] {
        let error = file.read_window(row, column, height, width).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

#[test]
fn limits_are_kept_before_anything_is_read() {
    let path = folder().join("b13_uint16_zstd_pred2_pixel_tiled.tif");
    let file = RasterFile::open_within(&path, &Limits::default().max_pixels(100)).unwrap();
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Limits);
    assert!(file.read_window(0, 0, 10, 10).is_ok());
    // A tile is decoded as a whole, so its 64 x 64 x 13 x 2 bytes count.
    let file = RasterFile::open_within(&path, &Limits::default().max_sample_bytes(100_000)).unwrap();
    assert_eq!(file.read_window(0, 0, 1, 1).unwrap_err().kind(), ErrorKind::Limits);
}

/// Creates a TIFF of 40,000 x 40,000 bytes in tiles of 256 x 256, of which only the one at (1, 1) is stored, filled
/// with 7; nodata is 9.
fn huge_and_sparse() -> Vec<u8> {
    const TILES: u32 = 157 * 157;
    let entries = 11u16;
    let offsets = 8 + 2 + u32::from(entries) * 12 + 4;
    let (counts, data) = (offsets + 4 * TILES, offsets + 8 * TILES);
    let mut bytes = [&b"II*\0"[..], &8u32.to_le_bytes(), &entries.to_le_bytes()].concat();
    let (short, long, text) = (3u16, 4u16, 2u16);
    for (tag, kind, count, value) in [
        (256u16, long, 1, 40_000),
        (257, long, 1, 40_000),
        (258, short, 1, 8),
        (259, short, 1, 1),
        (262, short, 1, 1),
        (277, short, 1, 1),
        (322, short, 1, 256),
        (323, short, 1, 256),
        (324, long, TILES, offsets),
        (325, long, TILES, counts),
        (42113, text, 2, u32::from(b'9')),
    ] {
        bytes
            .extend([&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat());
    }
    bytes.extend([0; 4]);
    let values = |stored: u32| (0..TILES).flat_map(move |tile| (if tile == 158 { stored } else { 0u32 }).to_le_bytes());
    bytes.extend(values(data).chain(values(256 * 256)));
    bytes.extend([7; 256 * 256]);
    bytes
}

#[test]
fn a_part_of_a_huge_sparse_file_needs_little_memory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), huge_and_sparse()).unwrap();
    let file = RasterFile::open_within(file.path(), &Limits::default().max_sample_bytes(1 << 20)).unwrap();
    assert_eq!((file.info().height(), file.info().nodata()), (40_000, Some(9.0)));
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Limits);
    let edge = file.read_window(250, 250, 10, 10).unwrap().band(0).unwrap();
    assert_eq!((edge[(5, 5)], edge[(5, 6)], edge[(6, 5)], edge[(6, 6)]), (9.0, 9.0, 9.0, 7.0));
    assert_eq!(file.read_window(39_990, 39_990, 10, 10).unwrap().band(0).unwrap().sum(), 900.0);
}

fn crop(whole: &Samples, band: usize, part: (usize, usize, usize, usize)) -> ndarray::Array2<f64> {
    let (row, column, height, width) = part;
    let plane = whole.band(band).unwrap();
    plane.slice(ndarray::s![row..row + height, column..column + width]).to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_part_is_that_part_of_the_whole(start in (0.0..1.0, 0.0..1.0), size in (0.0..1.0, 0.0..1.0)) {
        for (path, _) in good().filter(|(path, _)| fs::metadata(path).unwrap().len() < 40_000) {
            let file = RasterFile::open(&path).unwrap();
            let (rows, columns) = (file.info().height(), file.info().width());
            let at = |fraction: f64, length: usize| (fraction * length as f64) as usize;
            let (row, column) = (at(start.0, rows), at(start.1, columns));
            let (height, width) = (1 + at(size.0, rows - row - 1), 1 + at(size.1, columns - column - 1));
            let whole = file.read().unwrap();
            let part = file.read_window(row, column, height, width).unwrap();
            prop_assert_eq!(part.shape(), (file.info().bands(), height, width));
            for band in 0..file.info().bands() {
                prop_assert_eq!(part.band(band).unwrap(), crop(&whole, band, (row, column, height, width)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any error is acceptable; a panic, a hang or a huge allocation is not.
    #[test]
    fn damage_anywhere_is_an_error_or_an_image(
        which in 0usize..8, at in 0.0..1.0f64, near_the_header: bool, byte: u8, kept in 0.2..1.5f64,
    ) {
        let names = [
            "odd_1x100.tif", "tifffile_float16.tif", "b3_uint8_tiled_lerc.tif", "b3_uint8_tiled_webp.tif",
            "jpeg_422_progressive.jpg", "jpeg_ycbcr_strips.tif", "b1_uint64_lzw_pred2_pixel_strip.tif", "lzma_float32_pred3.tif",
        ];
        let mut bytes = fs::read(folder().join(names[which])).unwrap();
        let reach = if near_the_header { bytes.len().min(400) } else { bytes.len() };
        bytes[(at * reach as f64) as usize] = byte;
        bytes.truncate((kept * bytes.len() as f64) as usize);
        let damaged = tempfile::NamedTempFile::new().unwrap();
        fs::write(damaged.path(), &bytes).unwrap();
        let limits = Limits::default().max_sample_bytes(16 << 20);
        if let Ok(samples) = RasterFile::open_within(damaged.path(), &limits).and_then(|file| file.read()) {
            prop_assert!(samples.interleaved_bytes().len() <= 16 << 20);
        }
    }
}
