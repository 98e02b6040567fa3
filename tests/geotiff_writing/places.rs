//! Tests georeferences.

use super::*;

/// EPSG code, and whether it is a geographic system.
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

/// Files with an unusual georeference, nodata value or band names.
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

/// Returns all metadata except the blocks, which differ in a copy.
fn facts(info: &geolearn::raster::RasterInfo) -> String {
    let place = (info.place(), info.nodata(), info.band_names(), info.band_scales(), info.stated_statistics());
    let shape = (info.format(), info.bands(), info.height(), info.width(), info.dtype());
    format!("{:?}", (shape, place, info.palette(), info.alpha_band()))
}

#[test]
fn a_copy_is_to_gdal_what_the_file_was() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |(index, name): (usize, &&str)| {
        let path = folder.path().join(format!("{index}.tif"));
        let file = RasterFile::open(fixture(name)).unwrap();
        let samples = file.read().unwrap();
        write(&path, RasterSpec::like(file.info()), &samples, 100);
        let found = RasterFile::open(&path).unwrap();
        let [found_facts, facts] = [&found, &file].map(|file| facts(file.info()));
        assert_eq!(found_facts, facts, "{name}");
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
