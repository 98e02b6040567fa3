//! Tests damaged files and invalid names: errors with GDAL's message and the path, never a panic.

use std::fs;

use geolearn::ErrorKind;
use geolearn::raster::RasterFile;

use super::*;

fn written(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

fn vrt(width: usize, height: usize, source: &str) -> String {
    format!(
        "<VRTDataset rasterXSize=\"{width}\" rasterYSize=\"{height}\"><VRTRasterBand dataType=\"Byte\" band=\"1\">{source}\
         </VRTRasterBand></VRTDataset>"
    )
}

#[test]
fn a_mosaic_whose_part_is_missing_names_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let source = "<SimpleSource><SourceFilename relativeToVRT=\"1\">gone.tif</SourceFilename><SourceBand>1</SourceBand>\
                  <SrcRect xOff=\"0\" yOff=\"0\" xSize=\"5\" ySize=\"5\"/><DstRect xOff=\"0\" yOff=\"0\" xSize=\"5\" ySize=\"5\"/>\
                  </SimpleSource>";
    let path = written(folder.path(), "mosaic.vrt", vrt(5, 5, source));
    let error = RasterFile::open(&path).and_then(|file| file.read()).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(path.as_path())));
    assert!(error.to_string().contains("gone.tif"), "{error}");
}

/// GDAL opens it, but nothing is allocated for it.
#[test]
fn an_image_of_any_size_is_read_by_parts_alone() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "huge.vrt", vrt(2_000_000_000, 2_000_000_000, ""));
    let file = RasterFile::open(&path).unwrap();
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::Limits);
    let part = file.read_window(1_999_999_990, 1_999_999_990, 10, 10).unwrap();
    assert_eq!(part, Samples::U8(Array3::zeros((1, 10, 10))));
}

#[test]
fn damaged_files_are_errors_of_the_file() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let jp2 = folder.path().join("scene.jp2");
    translate(&scene_file(folder.path()), &jp2, "JP2OpenJPEG", LOSSLESS_TILES);
    fs::remove_file(folder.path().join("scene.jp2.aux.xml")).unwrap();
    let whole = fs::read(&jp2).unwrap();
    for length in [13, 60, 200, whole.len() / 3, whole.len() - 5000] {
        let path = written(folder.path(), "cut.jp2", &whole[..length]);
        let read = RasterFile::open(&path).and_then(|file| file.read());
        let error = read.err().unwrap_or_else(|| panic!("{length} of {} bytes were read", whole.len()));
        assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(path.as_path())), "{length}: {error}");
    }
    for (name, content) in [
        ("not.vrt", "<VRTDataset rasterXSize=\"a\">"),
        ("bands.vrt", "<VRTDataset rasterXSize=\"5\" rasterYSize=\"5\"></VRTDataset>"),
        ("meta.mrf", "<MRF_META><Raster><Size x=\"5\"/></Raster>"),
        ("text.vrt", "no image at all"),
    ] {
        let path = written(folder.path(), name, content);
        let error = RasterFile::open(&path).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(path.as_path())), "{error}");
    }
    let empty = RasterFile::open(written(folder.path(), "empty.jp2", "")).unwrap_err();
    assert_eq!((empty.kind(), empty.summary()), (ErrorKind::Format, "the file is empty"));
}

/// Flipped bytes may give a different image, but do not crash.
#[test]
fn flipped_bytes_never_panic() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let jp2 = folder.path().join("scene.jp2");
    translate(&scene_file(folder.path()), &jp2, "JP2OpenJPEG", LOSSLESS_TILES);
    let whole = fs::read(&jp2).unwrap();
    let mut refused = 0;
    for place in (0..400).step_by(5) {
        let mut damaged = whole.clone();
        damaged[place] = !damaged[place];
        let path = written(folder.path(), "damaged.jp2", damaged);
        let limits = geolearn::raster::Limits::default().max_sample_bytes(64 << 20).max_pixels(1 << 22);
        refused += usize::from(RasterFile::open_within(&path, &limits).and_then(|file| file.read()).is_err());
    }
    assert!(refused > 0, "{refused}");
}

/// A client that sends bytes to a service must not be able to make it open files.
#[test]
fn bytes_in_memory_open_no_files() {
    let _alone = alone();
    let secret = file("assets/scenes/bluemarble_asia.tif");
    let source = format!("<SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource>", secret.display());
    let error = Raster::from_bytes(vrt(5, 5, &source)).unwrap_err();
    assert_eq!((error.kind(), error.finding()), (ErrorKind::Unsupported, Some("VRT")));
    assert!(error.path().is_none(), "{error}");
}

#[test]
fn what_is_not_there_is_said_with_its_name() {
    let _alone = alone();
    for (name, kind) in [
        ("no/such/file.jp2", ErrorKind::Io),
        ("/vsizip/no/such.zip/a.tif", ErrorKind::Io),
        ("NETCDF:no_such.nc:Band1", ErrorKind::Io),
        ("no_such_format:a.x", ErrorKind::Io),
    ] {
        let error = RasterFile::open(name).unwrap_err();
        assert_eq!((error.kind(), error.path()), (kind, Some(Path::new(name))), "{error}");
    }
    let error = RasterFile::open(file("assets/bluemarble/README.md")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
}
