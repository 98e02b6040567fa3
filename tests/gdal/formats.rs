//! Tests JPEG 2000, MRF, VRT, subdatasets and virtual file systems.

use std::ffi::OsStr;
use std::io::Write;

use geolearn::ErrorKind;
use geolearn::raster::{Blocks, Compression, Dtype, Limits, RasterFile, RasterSpec, RasterWriter};
use serde_json::{Value, json};

use super::*;

/// Returns what rasterio reads from a file; `None` without a test Python.
fn rasterio(path: &Path) -> Option<Value> {
    const SCRIPT: &str = "
import hashlib, json, sys
import rasterio
with rasterio.open(sys.argv[1]) as file:
    samples = file.read()
    print(json.dumps({
        'shape': samples.shape, 'dtype': str(samples.dtype), 'nodata': file.nodata, 'epsg': file.crs and file.crs.to_epsg(),
        'transform': list(file.transform)[:6], 'names': file.descriptions, 'scales': file.scales, 'offsets': file.offsets,
        'sum': int(samples.astype('int64').sum()), 'sha256': hashlib.sha256(samples.tobytes()).hexdigest(),
    }))
";
    let arguments: [&dyn AsRef<OsStr>; 3] = [&"-c", &SCRIPT, &path];
    Some(serde_json::from_str(&common::python::run(&arguments)?).unwrap())
}

/// Returns the same as this crate reads it.
fn ours(file: &RasterFile) -> Value {
    use sha2::Digest;
    let (info, samples) = (file.info(), file.read().unwrap());
    let Samples::U16(values) = &samples else { panic!("{:?}", samples.dtype()) };
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let hash: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let (scales, offsets): (Vec<f64>, Vec<f64>) =
        info.band_scales().iter().map(|scale| (scale.scale, scale.offset)).unzip();
    let epsg = info.place().crs().map(|crs| crs.to_string().trim_start_matches("EPSG:").parse::<u16>().unwrap());
    json!({
        "shape": [info.bands(), info.height(), info.width()], "dtype": info.dtype().name(), "nodata": info.nodata(),
        "epsg": epsg, "transform": info.place().transform(), "names": info.band_names(), "scales": scales,
        "offsets": offsets, "sum": values.iter().map(|value| u64::from(*value)).sum::<u64>(), "sha256": hash,
    })
}

/// Compares a file with the scene and with rasterio: the whole image, and parts that start and end within tiles.
fn check(path: &Path, format: &str) {
    let (file, scene) = (RasterFile::open(path).unwrap(), scene());
    let info = file.info();
    assert_eq!(info.format(), format);
    assert_eq!((info.bands(), info.height(), info.width(), info.dtype()), (3, 170, 230, Dtype::U16), "{path:?}");
    assert_eq!(info.place().transform(), scene.place().transform(), "{path:?}");
    assert_eq!(info.place().crs(), scene.place().crs(), "{path:?}");
    assert_eq!((info.nodata(), info.band_scales()), (Some(0.0), scene.band_scales()), "{path:?}");
    assert_eq!(info.band_names(), ["blue", "green", "red"].map(|name| Some(name.to_owned())), "{path:?}");
    assert_eq!(&file.read().unwrap(), scene.samples(), "{path:?}");
    for (row, column, height, width) in [(0, 0, 1, 1), (63, 60, 66, 9), (100, 3, 70, 227), (169, 229, 1, 1)] {
        let read = file.read_window(row, column, height, width).unwrap().to_f32();
        assert_eq!(read, part(scene.samples(), row, column, height, width), "{path:?} from {row}, {column}");
    }
    assert_eq!(file.read_window(100, 100, 71, 1).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(&Raster::open(path).unwrap(), &scene, "{path:?} as a chip");
    if let Some(theirs) = rasterio(path) {
        assert_eq!(ours(&file), theirs, "{path:?}");
    }
}

#[test]
fn formats_equal_the_tiff_that_they_were_made_of() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let tiff = scene_file(folder.path());
    for (name, driver, options) in [
        ("tiled.jp2", "JP2OpenJPEG", LOSSLESS_TILES),
        ("whole.jp2", "JP2OpenJPEG", &["REVERSIBLE=YES", "QUALITY=100"]),
        ("deflate.mrf", "MRF", &["COMPRESS=DEFLATE", "BLOCKSIZE=64"]),
        ("lerc.mrf", "MRF", &["COMPRESS=LERC", "BLOCKSIZE=128", "INTERLEAVE=PIXEL"]),
        ("scene.vrt", "VRT", &[]),
    ] {
        let path = folder.path().join(name);
        translate(&tiff, &path, driver, options);
        check(&path, driver);
    }
}

#[test]
fn paths_within_archives_are_taken() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let tiff = scene_file(folder.path());
    let jp2 = folder.path().join("scene.jp2");
    translate(&tiff, &jp2, "JP2OpenJPEG", LOSSLESS_TILES);
    let archive = folder.path().join("scenes.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&archive).unwrap());
    for name in ["scene.tif", "scene.jp2", "scene.jp2.aux.xml"] {
        zip.start_file(format!("within/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
    }
    zip.finish().unwrap();
    let within = |name: &str| PathBuf::from(format!("/vsizip/{}/within/{name}", archive.display()));
    check(&within("scene.tif"), "GTiff");
    check(&within("scene.jp2"), "JP2OpenJPEG");
    let error = RasterFile::open(within("missing.tif")).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(within("missing.tif").as_path())));
}

/// A scene behind a URL, of which a part needs only some tiles.
#[test]
fn a_scene_on_a_server_is_read_by_parts() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let samples = Array3::from_shape_fn((1, 1500, 1500), |(_, y, x)| (y * 7919 + x * x * 31) as u16);
    let spec = RasterSpec::new(1, 1500, 1500, Dtype::U16).blocks(Blocks::Tiles { width: 256, height: 256 });
    let path = folder.path().join("scene.tif");
    let mut writer = RasterWriter::create(&path, spec.compression(Compression::None)).unwrap();
    let samples = Samples::U16(samples);
    writer.write_rows(&samples).unwrap();
    writer.finish().unwrap();
    let (address, sent) = server::serve(folder.path().to_path_buf());
    let file = RasterFile::open(format!("/vsicurl/{address}/scene.tif")).unwrap();
    assert_eq!((file.info().format(), file.info().width()), ("GTiff", 1500));
    assert_eq!(file.read_window(700, 900, 40, 50).unwrap().to_f32(), part(&samples, 700, 900, 40, 50));
    let (sent, whole) = (sent.bytes.load(std::sync::atomic::Ordering::Relaxed), path.metadata().unwrap().len());
    assert!(sent > 0 && (sent as u64) < whole / 4, "{sent} of {whole} bytes for a part");
    assert_eq!(file.read().unwrap(), samples);
    let missing = format!("/vsicurl/{address}/missing.tif");
    let error = RasterFile::open(&missing).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(Path::new(&missing))), "{error}");
}

#[test]
fn one_image_of_several_is_opened_by_its_name() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (tiff, netcdf) = (scene_file(folder.path()), folder.path().join("scene.nc"));
    translate(&tiff, &netcdf, "netCDF", &["FORMAT=NC4"]);
    let error = RasterFile::open(&netcdf).unwrap_err();
    assert_eq!((error.kind(), error.finding()), (ErrorKind::Unsupported, Some("3")));
    let name = format!("NETCDF:\"{}\":Band2", netcdf.display());
    assert!(error.advice().unwrap().contains(&name), "{error}");
    let (file, scene) = (RasterFile::open(&name).unwrap(), scene());
    assert_eq!(
        file.read().unwrap().to_f32().index_axis(ndarray::Axis(0), 0),
        scene.samples().to_f32().index_axis(ndarray::Axis(0), 1)
    );
    assert_eq!(file.info().place().transform(), scene.place().transform());
    assert_eq!(file.info().place().crs(), scene.place().crs());
    // A page of a TIFF, by its GDAL name.
    let page = RasterFile::open(format!("GTIFF_DIR:1:{}", tiff.display())).unwrap();
    assert_eq!(&page.read().unwrap(), scene.samples());
}

/// Each thread borrows a dataset and returns it.
#[test]
fn many_threads_read_one_file() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let jp2 = folder.path().join("scene.jp2");
    translate(&scene_file(folder.path()), &jp2, "JP2OpenJPEG", LOSSLESS_TILES);
    let (file, scene) = (RasterFile::open(&jp2).unwrap(), scene());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (file, scene) = (&file, &scene);
            scope.spawn(move || {
                for step in 0..20 {
                    let (row, column) = ((thread * 17 + step * 5) % 120, (thread * 29 + step * 7) % 180);
                    let read = file.read_window(row, column, 50, 50).unwrap();
                    assert_eq!(read.to_f32(), part(scene.samples(), row, column, 50, 50));
                }
            });
        }
    });
}

#[test]
fn limits_are_kept() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let jp2 = folder.path().join("scene.jp2");
    translate(&scene_file(folder.path()), &jp2, "JP2OpenJPEG", LOSSLESS_TILES);
    let file = RasterFile::open_within(&jp2, &Limits::default().max_pixels(2000)).unwrap();
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Limits);
    assert!(file.read_window(0, 0, 40, 50).is_ok());
    // A tile of 64 x 64 pixels in three bands has 24,576 bytes.
    let file = RasterFile::open_within(&jp2, &Limits::default().max_sample_bytes(24_575)).unwrap();
    let error = file.read_window(0, 0, 1, 1).unwrap_err();
    assert_eq!((error.kind(), error.summary()), (ErrorKind::Limits, "the blocks of this image are too large"));
}
