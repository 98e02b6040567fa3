//! Compares TIFFs of every form that a writer may choose with what rasterio reads; `tests/fixtures/tiff_forms/make.py`
//! creates them.

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::ErrorKind;
use geolearn::raster::{RasterFile, Samples};
use serde_json::{Map, Value};

use super::hash;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiff_forms")
}

fn truth() -> Map<String, Value> {
    serde_json::from_slice(&fs::read(folder().join("truth.json")).unwrap()).unwrap()
}

fn read(name: &str) -> geolearn::Result<Samples> {
    RasterFile::open(folder().join(name)).and_then(|file| file.read())
}

#[test]
fn samples_of_every_form_are_rasterios() {
    let mut faults = Vec::new();
    for (name, facts) in truth() {
        match (read(&name), facts["kind"].as_str()) {
            (Ok(samples), None) if hash(&samples) == facts["sha256"] && samples.dtype().name() == facts["dtype"] => {}
            (Err(error), Some(kind)) if format!("{:?}", error.kind()) == kind => {}
            (Ok(_), _) => faults.push(format!("{name}: samples differ")),
            (Err(error), _) => faults.push(error.to_string()),
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), truth().len(), faults.join("\n"));
}

/// Every compression and every layout is covered.
#[test]
fn any_row_of_every_form_is_that_of_the_whole() {
    for (name, _) in truth().into_iter().filter(|(_, facts)| facts["kind"].is_null()) {
        let whole = read(&name).unwrap();
        let (bands, height, width) = whole.shape();
        for part in [(0, 0, 1, width), (7, 3, 4, 14), (height - 1, width - 1, 1, 1)] {
            let (row, column, rows, columns) = part;
            // Reopened, so that no block is cached.
            let file = RasterFile::open(folder().join(&name)).unwrap();
            let part = file.read_window(row, column, rows, columns).unwrap();
            for band in 0..bands {
                let expected = super::crop(&whole, band, (row, column, rows, columns));
                let found = part.band(band).unwrap();
                let is_same = found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(is_same, "{name}: {row}, {column}");
            }
        }
    }
}

/// Half a file has at most half the samples; the missing ones must not be invented.
#[test]
fn no_form_is_read_where_its_samples_are_cut_off() {
    let cut = tempfile::NamedTempFile::new().unwrap();
    for (name, _) in truth().into_iter().filter(|(_, facts)| facts["kind"].is_null()) {
        let bytes = fs::read(folder().join(&name)).unwrap();
        fs::write(cut.path(), &bytes[..bytes.len() / 2]).unwrap();
        let Err(error) = RasterFile::open(cut.path()).and_then(|file| file.read()) else { panic!("{name}") };
        assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Unsupported), "{name}: {error}");
    }
}
