//! Tests what is stored with the samples: nodata values of any type, and scales of bands.

use super::*;

/// Numbers that nodata values are built from: extremes and their neighbors, fractions, NaN and infinities.
fn values() -> Vec<f64> {
    let mut values =
        vec![0.0, 0.1, 0.5, 1.0, 1e-300, 5e-324, 1e15, 2f64.powi(53), 1e19, 1e39, 3.4e38, f64::MAX, f64::INFINITY];
    for bits in [7, 8, 15, 16, 31, 32, 63, 64] {
        let power = 2f64.powi(bits);
        values.extend([power, power - 1.0, power + 1.0]);
    }
    values.extend([f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE), 9999.0, 32767.0]);
    values.iter().flat_map(|&value| [value, -value]).chain([f64::NAN]).collect()
}

/// Creates an image of this type whose first five pixels are nearest to `value`; all others are 3.
fn image(dtype: Dtype, value: f64) -> Samples {
    let at = |(_, _, x): (usize, usize, usize)| if x < 5 { value } else { 3.0 };
    macro_rules! made {
        ($($variant:ident: $type:ty),*) => {
            match dtype {
                $(Dtype::$variant => Samples::$variant(Array3::from_shape_fn((1, 1, 16), |place| at(place) as $type)),)*
                other => panic!("unexpected sample type {other}"),
            }
        };
    }
    made!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64, F32: f32, F64: f64)
}

/// Returns whether a sample can have this value, as `f64` represents it.
fn can_be(dtype: Dtype, value: f64) -> bool {
    let integer = |least: f64, most: f64| (least..=most).contains(&value) && value.fract() == 0.0;
    match dtype {
        Dtype::F64 => true,
        Dtype::F32 => !value.is_finite() || (value as f32).is_finite(),
        Dtype::U8 => integer(0.0, 255.0),
        Dtype::I8 => integer(-128.0, 127.0),
        Dtype::U16 => integer(0.0, 65535.0),
        Dtype::I16 => integer(-32768.0, 32767.0),
        Dtype::U32 => integer(0.0, f64::from(u32::MAX)),
        Dtype::I32 => integer(f64::from(i32::MIN), f64::from(i32::MAX)),
        // The largest 64-bit values are the nearest ones to these powers of two.
        Dtype::U64 => integer(0.0, u64::MAX as f64),
        _ => integer(i64::MIN as f64, i64::MAX as f64),
    }
}

#[test]
fn what_can_be_written_as_nodata_is_read_and_masked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, mut expected) = (Vec::new(), Vec::new());
    for dtype in DTYPES {
        for (index, value) in values().into_iter().enumerate() {
            let path = folder.path().join(format!("{dtype}_{index}.tif"));
            let spec = RasterSpec::new(1, 1, 16, dtype).nodata(value);
            if !can_be(dtype, value) {
                let error = RasterWriter::create(&path, spec).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage, "{value} in {dtype}");
                continue;
            }
            let samples = image(dtype, value);
            write(&path, spec, &samples, 1);
            let found = RasterFile::open(&path).unwrap().info().nodata().unwrap();
            let stored = if dtype == Dtype::F32 { f64::from(value as f32) } else { value };
            assert!(found == stored || found.is_nan() && stored.is_nan(), "{dtype}: {found} for {value}");
            expected.push(if stored == 3.0 { 16 } else { 5 });
            files.push(path);
        }
    }
    assert!(files.len() > 100);
    for ((found, masked), file) in rasterio(&files).unwrap_or_default().iter().zip(expected).zip(files) {
        assert_eq!(found["masked"], json!([masked]), "{file:?}, nodata {}", found["nodata"]);
    }
}

#[test]
fn scales_and_offsets_are_what_gdal_reads() {
    let folder = tempfile::tempdir().unwrap();
    let scales = [(0.0001, -0.1), (1.0, 0.0), (-2.5e-7, 1e300), (1.0, 273.15), (0.1 + 0.2, 0.0)];
    let scales = scales.map(|(scale, offset)| BandScale::new(scale, offset));
    let path = folder.path().join("scales.tif");
    let spec = RasterSpec::new(5, 4, 4, Dtype::I16).band_scales(scales).band_names(["a", "", "<SCALE>"]);
    write(&path, spec, &samples(Dtype::I16, (5, 4, 4), 1), 4);
    let file = RasterFile::open(&path).unwrap();
    assert_eq!(file.info().band_scales(), scales);
    assert_eq!(RasterSpec::like(file.info()), RasterSpec::like(file.info()).band_scales(scales));
    let copy = folder.path().join("copy.tif");
    let raster = geolearn::Raster::open(&path).unwrap();
    raster.save(&copy).unwrap();
    assert_eq!(geolearn::Raster::open(&copy).unwrap(), raster);
    for found in rasterio(&[path, copy]).unwrap_or_default() {
        assert_eq!(found["scales"], json!(scales.map(|band| band.scale)));
        assert_eq!(found["offsets"], json!(scales.map(|band| band.offset)));
        assert_eq!(found["descriptions"], json!(["a", null, "<SCALE>", null, null]));
    }
}
