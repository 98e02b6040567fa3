//! Tests that a failed write leaves existing files intact.

use super::*;

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
        image().nodata(-9999.0),
        image().nodata(0.5),
        image().nodata(f64::NAN),
        RasterSpec::new(2, 20, 10, Dtype::F32).nodata(1e39),
        image().band_scales([BandScale::default(); 3]),
        image().band_scales([BandScale::new(0.0, 1.0)]),
        image().band_scales([BandScale::new(1.0, f64::NAN)]),
    ] {
        let error = RasterWriter::create(&path, spec).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("image.tif"), "{error}");
    }
    assert!(names_in(folder.path()).is_empty());
    let error = RasterWriter::create(folder.path().join("no/image.tif"), image()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}
