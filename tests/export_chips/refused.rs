//! What cannot be exported is said, with what to do.

use super::*;
use geolearn::{Error, ErrorKind, Raster};

fn refused(options: ExportTrainingData, kind: ErrorKind, words: &[&str]) -> Error {
    let error = options.export().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
    error
}

#[test]
fn unlike_pairs_are_told_what_to_call() {
    let folder = tempfile::tempdir().unwrap();
    let (other, output) = (folder.path().join("b.tif"), folder.path().join("chips"));
    let scene = Raster::open(asset("shadedrelief_asia.tif")).unwrap();
    scene.clone().with_place(scene.place().shifted(0, 1)).save(&other).unwrap();
    let pair = || ExportTrainingData::new(asset("bluemarble_asia.tif"), &other, &output).progress(false).tile_size(64);
    let call = "gdalwarp -t_srs EPSG:4326 -te 20 -4 122.4 60 -ts 512 320";
    refused(pair().metadata_format(MetadataFormat::ExportTiles), ErrorKind::Layout, &[call, "b.tif"]);
    assert!(!output.exists());
    // Unpaired domains need not share ground.
    pair().export().unwrap();
}

#[test]
fn folders_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("chips");
    fs::create_dir_all(output.join("A/images")).unwrap();
    fs::copy(asset("bluemarble_asia.tif"), output.join("A/images/mine.tif")).unwrap();
    refused(export(&output), ErrorKind::Usage, &["A/images", "1 image", "output_location"]);
    fs::remove_file(output.join("A/images/mine.tif")).unwrap();
    export(&output).export().unwrap();
    refused(export(&output).seed(7), ErrorKind::Usage, &["training_data.json", "other scenes or options"]);
    fs::write(output.join("training_data.json"), "{").unwrap();
    let error = prepare_data(&output, DatasetType::CycleGan).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
}

#[test]
fn nothing_to_cut_is_an_error_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("chips");
    refused(
        export(&output).tile_size(400),
        ErrorKind::Usage,
        &["domain A", "1 scene smaller than a chip", "tile_size"],
    );
    let few = refused(export(&output).min_std(1e6), ErrorKind::Usage, &["40 flat", "min_std"]);
    assert!(few.to_string().contains("bluemarble_asia.tif"));
    assert_eq!(export(&output).export().unwrap().chips(Domain::A), 40);
}

#[test]
fn scenes_that_cannot_be_one_domain_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (scenes, output) = (folder.path().join("scenes"), folder.path().join("chips"));
    fs::create_dir(&scenes).unwrap();
    let of = |scenes: &Path| {
        ExportTrainingData::new(scenes, asset("shadedrelief_asia.tif"), &output).progress(false).tile_size(16)
    };
    refused(of(&scenes), ErrorKind::Layout, &["scenes", "domain A"]);
    refused(of(&folder.path().join("no.tif")), ErrorKind::Io, &["no.tif"]);
    fs::copy(asset("bluemarble_asia.tif"), scenes.join("1.tif")).unwrap();
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiff/b13_uint16_zstd_pred2_pixel_tiled.tif");
    fs::copy(&fixture, scenes.join("2.tif")).unwrap();
    refused(of(&scenes), ErrorKind::Usage, &["2.tif", "3 bands of uint8", "13 bands of uint16"]);
    refused(of(&fixture).chip_format(ChipFormat::Png), ErrorKind::Unsupported, &["b13_uint16", "1 or 3 bands", "13"]);
    let paired = of(&scenes).metadata_format(MetadataFormat::ExportTiles);
    fs::copy(asset("bluemarble_asia.tif"), scenes.join("2.tif")).unwrap();
    refused(paired, ErrorKind::Usage, &["no partner", "1.tif"]);
}

/// The journal of another process, or nonsense in its place.
#[test]
fn a_damaged_journal_is_no_export() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("chips");
    fs::create_dir(&output).unwrap();
    for text in ["null\n", "{\n", "{\"a\": 1}\n{}\n"] {
        fs::write(output.join("training_data.unfinished.jsonl"), text).unwrap();
        refused(export(&output), ErrorKind::Usage, &["unfinished", "Choose another folder"]);
    }
    fs::write(output.join("training_data.unfinished.jsonl"), "{\"geol").unwrap();
    export(&output).export().unwrap();
}

#[test]
#[cfg(unix)]
fn names_that_are_no_text_are_taken() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join(OsStr::from_bytes(b"sc\xffne.tif"));
    fs::copy(asset("bluemarble_asia.tif"), &scene).unwrap();
    let output = folder.path().join("chips");
    let options = ExportTrainingData::new(&scene, asset("shadedrelief_asia.tif"), &output).tile_size(64);
    assert_eq!(options.progress(false).export().unwrap().chips(Domain::A), 40);
}

#[test]
fn polygons_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (polygons, output) = (folder.path().join("mask.geojson"), folder.path().join("chips"));
    for (text, kind, word) in [
        ("{", ErrorKind::Format, "polygons"),
        (r#"{"type": "Polygon", "coordinates": [[[1]]]}"#, ErrorKind::Format, "two finite numbers"),
        (r#"{"type": "Point", "coordinates": [1, 2]}"#, ErrorKind::Usage, "Point"),
        (
            r#"{"type": "Polygon", "coordinates": [], "crs": {"properties": {"name": "EPSG:32633"}}}"#,
            ErrorKind::Usage,
            "ogr2ogr -f GeoJSON -t_srs EPSG:4326",
        ),
    ] {
        fs::write(&polygons, text).unwrap();
        refused(export(&output).input_mask_polygons(Domain::B, &polygons), kind, &["mask.geojson", word]);
    }
}
