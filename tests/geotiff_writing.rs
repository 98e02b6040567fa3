//! GeoTIFFs that we write hold what they were given, to our own reader and to GDAL's. The second needs a Python with
//! rasterio, named by GEOLEARN_TEST_PYTHON.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use geolearn::{
    BigTiff, Blocks, Compression, Crs, Dtype, ErrorKind, Interleave, Place, RasterFile, RasterSpec, RasterWriter,
    Samples,
};
use ndarray::{Array3, s};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const DTYPES: [Dtype; 10] = [
    Dtype::U8,
    Dtype::I8,
    Dtype::U16,
    Dtype::I16,
    Dtype::U32,
    Dtype::I32,
    Dtype::U64,
    Dtype::I64,
    Dtype::F32,
    Dtype::F64,
];
const COMPRESSIONS: [Compression; 4] = [Compression::None, Compression::Deflate, Compression::Lzw, Compression::Zstd];

/// Values of the whole range of a type, half of them smooth; of floats also those that are none.
fn samples(dtype: Dtype, shape: (usize, usize, usize), seed: u64) -> Samples {
    let bits = |(band, row, column): (usize, usize, usize)| {
        let place = ((band * shape.1 + row) * shape.2 + column) as u64;
        match band % 2 {
            0 => place.wrapping_mul(3).wrapping_add(seed),
            _ => (place ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23),
        }
    };
    let float = |bits: u64| match bits % 97 {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        _ => bits as f64 / 7.0 - 1e6,
    };
    match dtype {
        Dtype::U8 => Samples::U8(Array3::from_shape_fn(shape, |at| bits(at) as u8)),
        Dtype::I8 => Samples::I8(Array3::from_shape_fn(shape, |at| bits(at) as i8)),
        Dtype::U16 => Samples::U16(Array3::from_shape_fn(shape, |at| bits(at) as u16)),
        Dtype::I16 => Samples::I16(Array3::from_shape_fn(shape, |at| bits(at) as i16)),
        Dtype::U32 => Samples::U32(Array3::from_shape_fn(shape, |at| bits(at) as u32)),
        Dtype::I32 => Samples::I32(Array3::from_shape_fn(shape, |at| bits(at) as i32)),
        Dtype::U64 => Samples::U64(Array3::from_shape_fn(shape, bits)),
        Dtype::I64 => Samples::I64(Array3::from_shape_fn(shape, |at| bits(at) as i64)),
        Dtype::F32 => Samples::F32(Array3::from_shape_fn(shape, |at| float(bits(at)) as f32)),
        Dtype::F64 => Samples::F64(Array3::from_shape_fn(shape, |at| float(bits(at)))),
        other => panic!("samples of {other} are missing here"),
    }
}

/// Some rows of samples, by way of a copy that does not lie in one piece.
fn rows(samples: &Samples, from: usize, to: usize) -> Samples {
    macro_rules! cut {
        ($($variant:ident),*) => {
            match samples {
                $(Samples::$variant(data) => Samples::$variant(data.slice(s![.., from..to, ..]).to_owned()),)*
                other => panic!("rows of {} are missing here", other.dtype()),
            }
        };
    }
    cut!(U8, I8, U16, I16, U32, I32, U64, I64, F32, F64)
}

fn write(path: &Path, spec: RasterSpec, samples: &Samples, step: usize) {
    let (_, height, _) = spec.shape();
    let mut writer = RasterWriter::create(path, spec).unwrap();
    for from in (0..height).step_by(step) {
        writer.write_rows(&rows(samples, from, (from + step).min(height))).unwrap();
    }
    writer.finish().unwrap();
}

fn hash(samples: &Samples) -> String {
    Sha256::digest(samples.interleaved_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn layouts() -> [(Blocks, Interleave); 4] {
    let tiles = Blocks::Tiles { width: 16, height: 32 };
    [
        (tiles, Interleave::Pixel),
        (tiles, Interleave::Band),
        (Blocks::Strips { rows: 7 }, Interleave::Pixel),
        (Blocks::Strips { rows: 7 }, Interleave::Band),
    ]
}

/// What rasterio finds in each file. `None`, and a line that says so, where there is no Python to test with.
fn rasterio(files: &[PathBuf]) -> Option<Vec<Value>> {
    let Some(python) = std::env::var_os("GEOLEARN_TEST_PYTHON") else {
        eprintln!("skipped: GEOLEARN_TEST_PYTHON does not name a Python with rasterio");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/geotiff/check.py");
    let output = Command::new(python).arg(script).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn names_in(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_type_compression_and_layout_is_what_gdal_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, mut expected) = (Vec::new(), Vec::new());
    for dtype in DTYPES {
        for compression in COMPRESSIONS {
            for (layout, (blocks, interleave)) in layouts().into_iter().enumerate() {
                let path = folder.path().join(format!("{dtype}_{compression:?}_{layout}.tif"));
                let samples = samples(dtype, (2, 45, 37), 11);
                let spec = RasterSpec::new(2, 45, 37, dtype).compression(compression);
                write(&path, spec.blocks(blocks).interleave(interleave), &samples, 10);
                assert_eq!(hash(&RasterFile::open(&path).unwrap().read().unwrap()), hash(&samples), "{path:?}");
                let tile = if layout < 2 { [32, 16] } else { [7, 37] };
                let compression = match compression {
                    Compression::None => Value::Null,
                    other => format!("{other:?}").to_uppercase().into(),
                };
                expected.push(json!([[2, 45, 37], dtype.name(), hash(&samples), compression, tile]));
                files.push(path);
            }
        }
    }
    for (index, found) in rasterio(&files).unwrap_or_default().iter().enumerate() {
        let keys = ["shape", "dtype", "sha256", "compression", "blocks"];
        let found = json!(keys.map(|key| &found[key]));
        assert_eq!(found, expected[index], "{:?}", files[index]);
    }
}

#[test]
fn bands_are_marked_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = [(1, Dtype::U8), (3, Dtype::U8), (3, Dtype::U16), (5, Dtype::U8), (255, Dtype::U8)];
    let write = |(bands, dtype): (usize, Dtype)| {
        let path = folder.path().join(format!("{bands}_{dtype}.tif"));
        write(&path, RasterSpec::new(bands, 3, 2, dtype), &samples(dtype, (bands, 3, 2), 5), 3);
        path
    };
    let found = rasterio(&shapes.map(write)).unwrap_or_default();
    let colours = |index: usize| found[index]["colours"].clone();
    if !found.is_empty() {
        assert_eq!(colours(0), json!(["gray"]));
        assert_eq!(colours(1), json!(["red", "green", "blue"]));
        assert_eq!(colours(2), json!(["gray", "undefined", "undefined"]));
        assert_eq!(colours(3), json!(["gray", "undefined", "undefined", "undefined", "undefined"]));
        assert_eq!(found[4]["shape"], json!([255, 3, 2]));
    }
}

#[test]
fn nodata_and_names_are_what_gdal_reads() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["near <infra> & \"red\"", "", "größe &amp; höhe"];
    let cases = [
        (Dtype::U8, 255.0, "255.0"),
        (Dtype::I16, -9999.0, "-9999.0"),
        (Dtype::F32, f64::NAN, "nan"),
        (Dtype::F32, f64::from(f32::MIN), "-3.4028234663852886e+38"),
        (Dtype::F64, 0.1, "0.1"),
        (Dtype::F64, f64::NEG_INFINITY, "-inf"),
        (Dtype::I64, -1e15, "-1000000000000000.0"),
        (Dtype::U64, 9e18, "9e+18"),
    ];
    let mut files = Vec::new();
    for (index, (dtype, nodata, _)) in cases.iter().enumerate() {
        let path = folder.path().join(format!("{index}.tif"));
        let spec = RasterSpec::new(3, 4, 4, *dtype).nodata(*nodata).band_names(names);
        write(&path, spec, &samples(*dtype, (3, 4, 4), 1), 4);
        let file = RasterFile::open(&path).unwrap();
        let found = file.info().nodata().unwrap();
        assert!(found == *nodata || found.is_nan() && nodata.is_nan(), "{found} {nodata}");
        assert_eq!(file.info().band_names(), [Some(names[0].into()), None, Some(names[2].into())]);
        files.push(path);
    }
    for (found, (_, _, nodata)) in rasterio(&files).unwrap_or_default().iter().zip(cases) {
        assert_eq!(found["nodata"], nodata);
        assert_eq!(found["descriptions"], json!([names[0], null, names[2]]));
    }
}

/// Number and whether it is of a geographic system.
const SYSTEMS: [(u16, bool); 20] = [
    (4326, true),
    (4258, true),
    (4269, true),
    (4674, true),
    (4979, true),
    (6318, true),
    (7844, true),
    (3035, false),
    (3395, false),
    (3413, false),
    (3857, false),
    (3995, false),
    (2056, false),
    (5514, false),
    (6933, false),
    (25832, false),
    (27700, false),
    (28992, false),
    (31370, false),
    (32633, false),
];

#[test]
fn epsg_numbers_are_what_gdal_reads() {
    let folder = tempfile::tempdir().unwrap();
    let write = |(number, _): (u16, bool)| {
        let path = folder.path().join(format!("{number}.tif"));
        let place = Place::new([0.25, 0.0, 7.0, 0.0, -0.25, 49.0]).with_epsg(number).unwrap();
        write(&path, RasterSpec::new(1, 4, 4, Dtype::U8).place(place.clone()), &samples(Dtype::U8, (1, 4, 4), 1), 4);
        let file = RasterFile::open(&path).unwrap();
        assert_eq!((file.info().place(), file.info().place().crs()), (&place, Some(&Crs::Epsg(number))));
        path
    };
    for (found, (number, is_geographic)) in rasterio(&SYSTEMS.map(write)).unwrap_or_default().iter().zip(SYSTEMS) {
        assert_eq!((&found["epsg"], &found["is_geographic"]), (&json!(number), &json!(is_geographic)));
        assert_eq!(found["transform"], json!([0.25, 0.0, 7.0, 0.0, -0.25, 49.0]));
    }
}

#[test]
fn transforms_of_any_kind_are_what_gdal_reads() {
    let folder = tempfile::tempdir().unwrap();
    let transforms = [
        [10.0, 0.0, 399960.0, 0.0, -10.0, 5300040.0],
        [0.5, 0.25, 100.0, 0.125, -0.5, 200.0],
        [10.0, 0.0, 0.0, 0.0, 20.0, 0.0],
        [-10.0, 0.0, 500.0, 0.0, -10.0, 4100.0],
        [0.0, 3.0, 500.0, -3.0, 0.0, 4100.0],
    ];
    let mut files = Vec::new();
    for (index, transform) in transforms.into_iter().enumerate() {
        for point in [false, true] {
            let path = folder.path().join(format!("{index}_{point}.tif"));
            let place = Place::new(transform).with_epsg(32633).unwrap();
            let place = if point { place.with_pixel_is_point() } else { place };
            let spec = RasterSpec::new(1, 4, 4, Dtype::U8).place(place.clone());
            write(&path, spec, &samples(Dtype::U8, (1, 4, 4), 1), 4);
            let found = RasterFile::open(&path).unwrap().info().place().clone();
            assert_eq!((found.transform(), found.pixel_is_point()), (transform, point));
            files.push((path, transform, point));
        }
    }
    let paths: Vec<_> = files.iter().map(|(path, ..)| path.clone()).collect();
    for (found, (path, transform, point)) in rasterio(&paths).unwrap_or_default().iter().zip(&files) {
        assert_eq!((&found["transform"], &found["point"]), (&json!(transform), &json!(point)), "{path:?}");
        assert_eq!(found["epsg"], 32633);
    }
}

/// Files whose place, nodata or names are out of the ordinary.
const PLACED: [&str; 13] = [
    "geotiff/escaped_name.tif",
    "geotiff/gcps.tif",
    "tiff/b13_uint16_zstd_pred2_pixel_tiled.tif",
    "tiff/b3_uint8_bigendian_none.tif",
    "tiff/esri102008.tif",
    "tiff/no_crs.tif",
    "tiff/nodata_minus9999.tif",
    "tiff/odd_1x100.tif",
    "tiff/pixel_is_point.tif",
    "tiff/positive_y_res.tif",
    "tiff/rgbn_uint8_unspecified.tif",
    "tiff/rotated_affine.tif",
    "tiff/sparse_ok.tif",
];

#[test]
fn a_copy_is_to_gdal_what_the_file_was() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |(index, name): (usize, &&str)| {
        let path = folder.path().join(format!("{index}.tif"));
        let file = RasterFile::open(fixture(name)).unwrap();
        let samples = file.read().unwrap();
        write(&path, RasterSpec::like(file.info()), &samples, 100);
        let found = RasterFile::open(&path).unwrap();
        assert_eq!(found.info(), file.info(), "{name}");
        assert_eq!(found.read().unwrap(), samples, "{name}");
        path
    };
    let copies: Vec<_> = PLACED.iter().enumerate().map(copy).collect();
    let originals = PLACED.map(fixture);
    let Some((found, expected)) = rasterio(&copies).zip(rasterio(&originals)) else { return };
    let keys = [
        "shape",
        "dtype",
        "sha256",
        "nodata",
        "descriptions",
        "transform",
        "epsg",
        "wkt",
        "point",
        "gcps",
        "gcps_epsg",
    ];
    for ((found, expected), name) in found.iter().zip(&expected).zip(PLACED) {
        for key in keys {
            assert_eq!(found[key], expected[key], "{name}: {key}");
        }
    }
    assert_eq!(found[0]["descriptions"], json!(["near <infra> & \"red\" &lt; 'x' größe"]));
    assert_eq!(found[1]["gcps"].as_array().unwrap().len(), 4);
}

#[test]
fn a_custom_system_is_carried_and_can_be_replaced() {
    let file = RasterFile::open(fixture("tiff/esri102008.tif")).unwrap();
    let place = file.info().place();
    assert!(matches!(place.crs(), Some(Crs::Text(_))), "{place:?}");
    assert_eq!(place.shifted(0, 0), *place);
    let other = place.clone().with_epsg(5070).unwrap();
    assert_eq!((other.transform(), other.crs()), (place.transform(), Some(&Crs::Epsg(5070))));
    assert_ne!(other, *place);
}

#[test]
fn a_part_of_a_warped_image_keeps_its_points() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.tif");
    let file = RasterFile::open(fixture("geotiff/gcps.tif")).unwrap();
    assert!(file.info().place().has_control_points() && !file.info().place().has_transform());
    let spec = RasterSpec::new(1, 4, 5, Dtype::I16).place(file.info().place().shifted(2, 3));
    write(&path, spec, &file.read_window(2, 3, 4, 5).unwrap(), 4);
    let Some(found) = rasterio(&[path]) else { return };
    let first = [-2.0, -3.0, 11.5, 48.25, 500.0];
    assert_eq!((&found[0]["gcps"][0], &found[0]["gcps_epsg"]), (&json!(first), &json!(4326)));
}

#[test]
fn offsets_are_of_64_bits_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (big_tiff, magic) in [(BigTiff::Auto, b"II*\0"), (BigTiff::Always, b"II+\0")] {
        let path = folder.path().join(format!("{big_tiff:?}.tif"));
        let image = samples(Dtype::U16, (1, 40, 40), 3);
        write(&path, RasterSpec::new(1, 40, 40, Dtype::U16).big_tiff(big_tiff), &image, 9);
        assert!(fs::read(&path).unwrap().starts_with(magic));
        assert_eq!(RasterFile::open(&path).unwrap().read().unwrap(), image);
        if let Some(found) = rasterio(&[path]) {
            assert_eq!(found[0]["sha256"], hash(&image));
        }
    }
}

#[test]
fn what_compresses_well_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let ramp = Samples::U16(Array3::from_shape_fn((4, 300, 300), |(b, y, x)| (1000 * b + 5 * y + 3 * x) as u16));
    for compression in [Compression::Deflate, Compression::Lzw, Compression::Zstd] {
        let path = folder.path().join(format!("{compression:?}.tif"));
        write(&path, RasterSpec::new(4, 300, 300, Dtype::U16).compression(compression), &ramp, 300);
        let bytes = fs::metadata(&path).unwrap().len();
        assert!(bytes < 4 * 300 * 300 * 2 / 20, "{compression:?}: {bytes}");
    }
}

#[test]
fn rows_that_do_not_fit_are_refused_and_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tif");
    let image = samples(Dtype::U8, (2, 20, 10), 7);
    let mut writer = RasterWriter::create(&path, RasterSpec::new(2, 20, 10, Dtype::U8)).unwrap();
    writer.write_rows(&rows(&image, 0, 15)).unwrap();
    for (wrong, words) in [
        (samples(Dtype::U16, (2, 5, 10), 0), "found uint16 of 2 bands"),
        (samples(Dtype::U8, (1, 5, 10), 0), "found uint8 of 1 bands"),
        (samples(Dtype::U8, (2, 5, 11), 0), "11 columns"),
        (samples(Dtype::U8, (2, 6, 10), 0), "at most 5 rows, found uint8 of 2 bands, 10 columns, 6 rows"),
    ] {
        let error = writer.write_rows(&wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(words) && error.to_string().contains("image.tif"), "{error}");
    }
    writer.write_rows(&samples(Dtype::U8, (2, 0, 10), 0)).unwrap();
    writer.write_rows(&rows(&image, 15, 20)).unwrap();
    writer.finish().unwrap();
    assert_eq!(RasterFile::open(&path).unwrap().read().unwrap(), image);
}

#[test]
fn an_unfinished_file_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tif");
    let begin = || {
        let mut writer = RasterWriter::create(&path, RasterSpec::new(1, 600, 10, Dtype::U8)).unwrap();
        writer.write_rows(&samples(Dtype::U8, (1, 599, 10), 0)).unwrap();
        writer
    };
    drop(begin());
    assert!(names_in(folder.path()).is_empty());
    let error = begin().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("expected 600 rows, found 599"), "{error}");
    assert!(names_in(folder.path()).is_empty());
    fs::write(&path, b"older").unwrap();
    drop(begin());
    assert_eq!(names_in(folder.path()), ["image.tif"]);
    assert_eq!(fs::read(&path).unwrap(), b"older");
}

#[test]
fn what_cannot_be_written_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tif");
    let image = || RasterSpec::new(2, 20, 10, Dtype::U8);
    for spec in [
        RasterSpec::new(0, 20, 10, Dtype::U8),
        image().blocks(Blocks::Tiles { width: 100, height: 100 }),
        image().band_names(["a", "b", "c"]),
        image().band_names(["a\0b"]),
    ] {
        let error = RasterWriter::create(&path, spec).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("image.tif"), "{error}");
    }
    assert!(names_in(folder.path()).is_empty());
    let error = RasterWriter::create(folder.path().join("no/image.tif"), image()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read(
        dtype in prop::sample::select(&DTYPES[..]),
        compression in prop::sample::select(&COMPRESSIONS[..]),
        shape in (1usize..6, 1usize..90, 1usize..90),
        tile in prop::option::of((1usize..5, 1usize..5)),
        strip in 1usize..40,
        by_band: bool,
        step in 1usize..100,
        seed: u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tif");
        let image = samples(dtype, shape, seed);
        let blocks = match tile {
            Some((across, down)) => Blocks::Tiles { width: 16 * across, height: 16 * down },
            None => Blocks::Strips { rows: strip },
        };
        let interleave = if by_band { Interleave::Band } else { Interleave::Pixel };
        let (bands, height, width) = shape;
        let spec = RasterSpec::new(bands, height, width, dtype);
        write(&path, spec.compression(compression).blocks(blocks).interleave(interleave), &image, step);
        let file = RasterFile::open(&path).unwrap();
        prop_assert_eq!((file.info().dtype(), file.read().unwrap().shape()), (dtype, shape));
        // Not `==`, to which NaN is never the same.
        prop_assert_eq!(file.read().unwrap().interleaved_bytes(), image.interleaved_bytes());
        let part = file.read_window(height / 2, 0, height - height / 2, width).unwrap();
        prop_assert_eq!(part.interleaved_bytes(), rows(&image, height / 2, height).interleaved_bytes());
    }
}
