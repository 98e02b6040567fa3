//! Checks that images read from and written to bytes match those of files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::ndarray::Array3;
use geolearn::raster::{BandScale, Limits, Place, RasterFormat, Samples};
use geolearn::{ErrorKind, Raster};

/// All images among the fixtures, valid and invalid.
fn images() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (mut folders, mut found) = (vec![fixtures], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if matches!(&*ending, "tif" | "tiff" | "png" | "jpg" | "bmp") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Compares bit for bit, so that NaN equals itself.
fn assert_same(found: &Raster, expected: &Raster, what: &Path) {
    let bytes = |image: &Raster| image.samples().interleaved_bytes();
    assert!(found.samples().shape() == expected.samples().shape() && found.dtype() == expected.dtype(), "{what:?}");
    assert!(bytes(found) == bytes(expected), "{what:?}: samples differ");
    assert_eq!(found.place(), expected.place(), "{what:?}");
    assert_eq!(found.nodata().map(f64::to_bits), expected.nodata().map(f64::to_bits), "{what:?}");
    assert_eq!(found.band_names(), expected.band_names(), "{what:?}");
    assert_eq!(found.band_scales(), expected.band_scales(), "{what:?}");
}

/// Copies a file alone into a folder, since bytes have no sidecar files.
#[test]
fn bytes_give_what_the_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    let (mut good, mut bad) = (0, 0);
    for path in images() {
        let bytes = fs::read(&path).unwrap();
        let alone = folder.path().join(path.file_name().unwrap());
        fs::write(&alone, &bytes).unwrap();
        match (Raster::open(&alone), Raster::from_bytes(&bytes)) {
            (Ok(expected), Ok(found)) => {
                assert_same(&found, &expected, &path);
                good += 1;
            }
            (Err(expected), Err(found)) => {
                assert_eq!((found.kind(), found.path()), (expected.kind(), None), "{path:?}");
                let named = format!("{}: ", alone.display());
                let told = expected.to_string().replacen(&named, "in memory: ", 1);
                // Images in memory are never passed to GDAL.
                let told = told.replace(" A build with the feature `gdal` has GDAL try such files.", "");
                assert_eq!(found.to_string(), told, "{path:?}");
                bad += 1;
            }
            (expected, found) => panic!("{path:?}: file {expected:?}, bytes {found:?}"),
        }
        fs::remove_file(&alone).unwrap();
    }
    assert!(good >= 150 && bad >= 15, "{good} good, {bad} bad");
}

/// Truncated anywhere, or with a changed byte in the header, bytes give an image or an error.
#[test]
fn damaged_bytes_give_no_panic() {
    let mut refused = 0;
    for path in images().iter().filter(|path| fs::metadata(path).unwrap().len() < 20_000).step_by(7) {
        let bytes = fs::read(path).unwrap();
        for length in [0, 1, 7, 8, bytes.len() / 3, bytes.len().saturating_sub(1)] {
            refused += usize::from(Raster::from_bytes(&bytes[..length.min(bytes.len())]).is_err());
        }
        for at in (4..bytes.len().min(200)).step_by(13) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            let _ = Raster::from_bytes(&changed);
        }
    }
    assert!(refused >= 50, "{refused}");
}

#[test]
fn limits_hold_for_bytes() {
    let path = "assets/bluemarble/A/images/y0300_x0900.png";
    let bytes = fs::read(path).unwrap();
    for limits in [
        Limits::default().max_file_bytes(bytes.len() as u64 - 1),
        Limits::default().max_pixels(64 * 64 - 1),
        Limits::default().max_sample_bytes(3 * 64 * 64 - 1),
    ] {
        let (found, expected) =
            (Raster::from_bytes_within(&bytes, &limits).unwrap_err(), Raster::open_within(path, &limits).unwrap_err());
        assert_eq!(found.kind(), ErrorKind::Limits);
        assert_eq!(found.to_string(), expected.to_string().replacen(path, "in memory", 1));
    }
    let exact = Limits::default().max_file_bytes(bytes.len() as u64);
    assert_eq!(Raster::from_bytes_within(&bytes, &exact).unwrap(), Raster::open(path).unwrap());
}

/// A scene of several tiles with every kind of metadata.
fn scene() -> Raster {
    let samples = Array3::from_shape_fn((13, 300, 270), |(b, y, x)| (b * 4000 + y * 31 + x * 7) as u16);
    let place = Place::new([10.0, 0.0, 399_960.0, 0.0, -10.0, 5_300_040.0]).with_epsg(32_633).unwrap();
    let names = (0..13).map(|band| format!("B{band}"));
    let scales = [BandScale::new(0.0001, -0.1)];
    Raster::new(samples).unwrap().with_place(place).with_nodata(7.0).with_band_names(names).with_band_scales(scales)
}

#[test]
fn a_geotiff_keeps_all_and_is_the_file_that_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.tif");
    let floats = Raster::new(Array3::from_elem((1, 5, 7), f32::NAN)).unwrap().with_nodata(f64::NAN);
    for image in [scene(), floats] {
        let bytes = image.to_bytes(RasterFormat::GeoTiff).unwrap();
        assert_same(&Raster::from_bytes(&bytes).unwrap(), &image, &path);
        image.save(&path).unwrap();
        assert!(fs::read(&path).unwrap() == bytes, "the bytes differ from those of the file");
    }
}

#[test]
fn pictures_in_memory_are_those_that_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let wide = |bands| Samples::from(Array3::from_shape_fn((bands, 9, 11), |(b, y, x)| (b * 900 + y * 400 + x) as u16));
    let narrow = |bands| Samples::from(Array3::from_shape_fn((bands, 9, 11), |(b, y, x)| (b * 90 + y * 11 + x) as u8));
    for (samples, format, name) in [
        (wide(1), RasterFormat::Png, "a.png"),
        (wide(3), RasterFormat::Png, "b.png"),
        (narrow(1), RasterFormat::Png, "c.png"),
        (narrow(3), RasterFormat::Jpeg, "d.jpg"),
    ] {
        let (image, path) = (Raster::new(samples).unwrap(), folder.path().join(name));
        let bytes = image.to_bytes(format).unwrap();
        image.save(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
        let read = Raster::from_bytes(&bytes).unwrap();
        assert_eq!(read.samples().shape(), image.samples().shape());
        assert!(format == RasterFormat::Jpeg || read == image, "{name}");
    }
}

#[test]
fn a_format_that_cannot_hold_the_image_is_refused() {
    let floats = Raster::new(Array3::<f32>::zeros((3, 4, 4))).unwrap();
    let wide = Raster::new(Array3::<u16>::zeros((3, 4, 4))).unwrap();
    for (image, format, found) in [
        (scene(), RasterFormat::Png, "13"),
        (scene(), RasterFormat::Jpeg, "13"),
        (floats, RasterFormat::Png, "float32"),
        (wide, RasterFormat::Jpeg, "uint16"),
    ] {
        let error = image.to_bytes(format).unwrap_err();
        assert_eq!((error.kind(), error.finding(), error.path()), (ErrorKind::Unsupported, Some(found), None));
        assert!(error.to_string().starts_with("in memory: ") && error.advice().is_some(), "{error}");
    }
}
