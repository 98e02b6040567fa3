//! Tests values, types and names in every layout.

use super::*;

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
    let colors = |index: usize| found[index]["colours"].clone();
    if !found.is_empty() {
        assert_eq!(colors(0), json!(["gray"]));
        assert_eq!(colors(1), json!(["red", "green", "blue"]));
        assert_eq!(colors(2), json!(["gray", "undefined", "undefined"]));
        assert_eq!(colors(3), json!(["gray", "undefined", "undefined", "undefined", "undefined"]));
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
        // Not `==`, since NaN never equals itself.
        prop_assert_eq!(file.read().unwrap().interleaved_bytes(), image.interleaved_bytes());
        let part = file.read_window(height / 2, 0, height - height / 2, width).unwrap();
        prop_assert_eq!(part.interleaved_bytes(), rows(&image, height / 2, height).interleaved_bytes());
    }
}
