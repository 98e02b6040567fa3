//! Tests Cloud Optimized GeoTIFFs: valid according to rio-cogeo, with correct means in the overviews.

use geolearn::raster::OverviewResampling::{self, Average, Nearest};
use ndarray::{Array2, ArrayView2};

use super::*;

/// Creates a gap, a slope and a step that cross tiles of 64 pixels.
fn image(bands: usize, height: usize, width: usize) -> Array3<u16> {
    Array3::from_shape_fn((bands, height, width), |(b, y, x)| match (y, x) {
        (10..75, 30..131) => 7,
        _ => (1 + b * 500 + y * 3 + (x * x) / 40) as u16,
    })
}

fn lit(height: usize, width: usize) -> Array2<bool> {
    Array2::from_shape_fn((height, width), |(y, x)| 2 * y + x > 90 && (y, x) != (height - 1, width - 1))
}

fn tiles(side: usize) -> Blocks {
    Blocks::Tiles { width: side, height: side }
}

fn write_masked(path: &Path, spec: RasterSpec, image: &Array3<u16>, valid: Option<&Array2<bool>>) {
    let mut writer = RasterWriter::create(path, spec).unwrap();
    let height = image.dim().1;
    for from in (0..height).step_by(37) {
        let to = (from + 37).min(height);
        let rows = Samples::U16(image.slice(s![.., from..to, ..]).to_owned());
        match valid {
            Some(valid) => writer.write_masked_rows(&rows, valid.slice(s![from..to, ..])).unwrap(),
            None => writer.write_rows(&rows).unwrap(),
        }
    }
    writer.finish().unwrap();
}

/// Computes the next overview independently of the crate, in floating point, with a mask instead of nodata.
fn halved(image: &Array3<u16>, valid: ArrayView2<'_, bool>, nodata: Option<u16>) -> (Array3<u16>, Array2<bool>) {
    let (bands, height, width) = image.dim();
    let (down, across) = (height.div_ceil(2), width.div_ceil(2));
    let (mut small, mut small_valid) = (Array3::zeros((bands, down, across)), Array2::from_elem((down, across), false));
    for ((b, y, x), to) in small.indexed_iter_mut() {
        let (rows, columns) = (2 * y..(2 * y + 2).min(height), 2 * x..(2 * x + 2).min(width));
        let (values, holds) = (image.slice(s![b, rows.clone(), columns.clone()]), valid.slice(s![rows, columns]));
        small_valid[(y, x)] = holds.iter().any(|&holds| holds);
        let counting = values.iter().zip(holds).filter(|(value, holds)| **holds && Some(**value) != nodata);
        let counting: Vec<f64> = counting.map(|(&value, _)| f64::from(value)).collect();
        let mean = (counting.iter().sum::<f64>() / counting.len() as f64).round();
        *to = match counting.is_empty() {
            true => image[(b, 2 * y, 2 * x)],
            // The value moves toward 0.
            false if Some(mean as u16) == nodata => mean as u16 - 1,
            false => mean as u16,
        };
    }
    (small, small_valid)
}

fn every_other(values: &Array3<u16>) -> Array3<u16> {
    values.slice(s![.., ..;2, ..;2]).to_owned()
}

/// Returns the image and its overviews down to one tile of `side`, with masks.
fn pyramid(
    image: &Array3<u16>,
    valid: &Array2<bool>,
    nodata: Option<u16>,
    side: usize,
    resampling: OverviewResampling,
) -> Vec<(Array3<u16>, Array2<bool>)> {
    let mut levels = vec![(image.clone(), valid.clone())];
    loop {
        let (image, valid) = &levels[levels.len() - 1];
        if image.dim().1.max(image.dim().2) <= side {
            return levels;
        }
        levels.push(match resampling {
            Nearest => (every_other(image), valid.slice(s![..;2, ..;2]).to_owned()),
            _ => halved(image, valid.view(), nodata),
        });
    }
}

fn mask_hash(image: &Array3<u16>, valid: &Array2<bool>, nodata: Option<u16>) -> String {
    // For a file with nodata, rasterio's mask covers all bands together; a mask in the file takes precedence.
    let bytes = valid.indexed_iter().map(|((y, x), &holds)| {
        let has_value = (0..image.dim().0).any(|b| Some(image[(b, y, x)]) != nodata);
        if holds && has_value { 255u8 } else { 0 }
    });
    Sha256::digest(bytes.collect::<Vec<u8>>()).iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Case {
    name: &'static str,
    size: (usize, usize, usize),
    side: usize,
    nodata: Option<u16>,
    has_mask: bool,
    resampling: OverviewResampling,
    alter: fn(RasterSpec) -> RasterSpec,
}

fn cases() -> Vec<Case> {
    let case =
        |name, size, side, alter| Case { name, size, side, nodata: None, has_mask: false, resampling: Average, alter };
    let same: fn(RasterSpec) -> RasterSpec = |spec| spec;
    vec![
        case("plain", (3, 201, 333), 64, same),
        Case { nodata: Some(7), ..case("nodata", (2, 201, 333), 64, same) },
        Case { has_mask: true, ..case("mask", (3, 201, 333), 64, |spec| spec.compression(Compression::Lzw)) },
        Case { resampling: Nearest, has_mask: true, ..case("nearest", (1, 129, 65), 64, same) },
        Case { has_mask: true, ..case("planes", (2, 150, 333), 64, |spec| spec.interleave(Interleave::Band)) },
        case("big", (1, 100, 333), 64, |spec| spec.big_tiff(BigTiff::Always)),
        Case { has_mask: true, ..case("big_mask", (1, 100, 333), 64, |spec| spec.big_tiff(BigTiff::Always)) },
        case("raw", (2, 70, 64), 64, |spec| spec.compression(Compression::None)),
        case("zstd", (1, 70, 64), 64, |spec| spec.compression(Compression::Zstd)),
        case("one_tile", (1, 50, 64), 64, same),
    ]
}

/// Writes a case, and returns its expected pyramid.
fn made(case: &Case, path: &Path) -> Vec<(Array3<u16>, Array2<bool>)> {
    let (bands, height, width) = case.size;
    let image = image(bands, height, width);
    let valid = if case.has_mask { lit(height, width) } else { Array2::from_elem((height, width), true) };
    let spec = RasterSpec::new(bands, height, width, Dtype::U16).blocks(tiles(case.side));
    let place = Place::new([10.0, 0.0, 399_960.0, 0.0, -10.0, 5_300_040.0]).with_epsg(32633).unwrap();
    let spec = (case.alter)(spec.place(place).cloud_optimized(case.resampling));
    let spec = case.nodata.map_or(spec.clone(), |value| spec.nodata(value.into()));
    write_masked(path, spec, &image, case.has_mask.then_some(&valid));
    assert_eq!(RasterFile::open(path).unwrap().read().unwrap(), Samples::U16(image.clone()), "{}", case.name);
    pyramid(&image, &valid, case.nodata, case.side, case.resampling)
}

#[test]
fn validators_have_nothing_to_say_and_gdal_reads_the_means() {
    let folder = tempfile::tempdir().unwrap();
    let path = |case: &Case| folder.path().join(format!("{}.tif", case.name));
    let expected: Vec<_> = cases().iter().map(|case| made(case, &path(case))).collect();
    let script = fixture("geotiff/cloud.py");
    let files: Vec<PathBuf> = cases().iter().map(path).collect();
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&script];
    arguments.extend(files.iter().map(|file| file as &dyn AsRef<OsStr>));
    let Some(found) = common::python::run(&arguments) else { return };
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    assert_eq!(found.len(), expected.len());
    for ((case, found), levels) in cases().iter().zip(&found).zip(&expected) {
        let name = case.name;
        assert_eq!((&found["errors"], &found["warnings"]), (&json!([]), &json!([])), "{name}");
        assert_eq!(found["blocks"], json!([case.side, case.side]), "{name}");
        // Blocks of single bands have no order that GDAL could rely on.
        let layout = if name == "planes" { Value::Null } else { json!("COG") };
        assert_eq!((&found["layout"], &found["has_mask"]), (&layout, &json!(case.has_mask)), "{name}");
        let hashes: Vec<String> = levels.iter().map(|(image, _)| hash(&Samples::U16(image.clone()))).collect();
        assert_eq!(found["levels"], json!(hashes), "{name}");
        let masks = levels.iter().map(|(image, valid)| mask_hash(image, valid, case.nodata));
        assert_eq!(found["masks"], json!(masks.collect::<Vec<_>>()), "{name}");
    }
}

/// Checks one file without Python: the second directory is the first overview.
#[test]
fn directories_and_blocks_stand_in_the_order_of_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let case = &cases()[0];
    let levels = made(case, &path);
    let file = tiff_reader::TiffFile::open(&path).unwrap();
    assert_eq!((file.ifd_count(), levels.len()), (4, 4));
    let mut last = u64::MAX;
    for (index, (image, _)) in levels.iter().enumerate() {
        let expected = Samples::U16(image.clone()).interleaved_bytes();
        let native: Vec<u8> = file.read_image_bytes(index).unwrap();
        let little: Vec<u8> =
            native.as_chunks::<2>().0.iter().flat_map(|&bytes| u16::from_ne_bytes(bytes).to_le_bytes()).collect();
        assert_eq!(little, expected, "level {index}");
        let offsets = file.ifd(index).unwrap().tag(324).unwrap().value.as_u64_vec().unwrap();
        assert!(offsets.is_sorted() && offsets[0] < last, "smaller levels come first");
        last = offsets[0];
    }
}

#[test]
fn large_images_have_tiles_of_512_and_overviews() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let spec = RasterSpec::new(1, 513, 40, Dtype::U16).cloud_optimized(Average);
    write_masked(&path, spec, &image(1, 513, 40), None);
    let file = tiff_reader::TiffFile::open(&path).unwrap();
    assert_eq!(file.ifd_count(), 2);
    for index in 0..2 {
        let side = |code| file.ifd(index).unwrap().tag(code).unwrap().value.as_u64_vec().unwrap();
        assert_eq!((side(322), side(323)), (vec![512], vec![512]));
    }
}

/// A mask that hides nothing counts as no mask.
#[test]
fn rows_without_a_mask_and_full_masks_make_no_mask() {
    let folder = tempfile::tempdir().unwrap();
    let (masked, plain) = (folder.path().join("masked.tif"), folder.path().join("plain.tif"));
    let spec = || RasterSpec::new(1, 90, 70, Dtype::U16).blocks(tiles(64)).cloud_optimized(Average);
    write_masked(&masked, spec(), &image(1, 90, 70), Some(&Array2::from_elem((90, 70), true)));
    write_masked(&plain, spec(), &image(1, 90, 70), None);
    assert_eq!(fs::read(&masked).unwrap(), fs::read(&plain).unwrap());
}

#[test]
fn what_cannot_be_cloud_optimized_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let spec = || RasterSpec::new(1, 90, 70, Dtype::U16);
    let strips = spec().blocks(Blocks::Strips { rows: 8 }).cloud_optimized(Average);
    assert_eq!(RasterWriter::create(&path, strips).unwrap_err().kind(), ErrorKind::Usage);
    let rows = Samples::U16(image(1, 90, 70));
    let mut writer = RasterWriter::create(&path, spec()).unwrap();
    let error = writer.write_masked_rows(&rows, lit(90, 70).view()).unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("cloud_optimized"), "{error}");
    drop(writer);
    let mut writer = RasterWriter::create(&path, spec().cloud_optimized(Average)).unwrap();
    let error = writer.write_masked_rows(&rows, lit(90, 69).view()).unwrap_err();
    assert!(error.to_string().contains("69 columns"), "{error}");
    writer.write_rows(&Samples::U16(image(1, 89, 70))).unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(names_in(folder.path()), Vec::<String>::new());
}
