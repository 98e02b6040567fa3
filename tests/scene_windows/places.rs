//! Where windows lie, for the caller.

use geo::{Area, Winding};
use geolearn::Domain;
use geolearn::dataset::{Augment, Split};
use geolearn::raster::Place;

use super::{SCENE, bytes, options, save, scene};

#[test]
fn windows_are_written_in_the_coordinates_of_their_scene() {
    let folder = tempfile::tempdir().unwrap();
    let data = options(folder.path(), SCENE, SCENE).prepare().unwrap();
    let path = folder.path().join("windows.geojson");
    data.windows_geojson(Domain::B, 1..3, &path).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(written["type"], "FeatureCollection");
    assert_eq!(written["crs"]["properties"]["name"], "urn:ogc:def:crs:EPSG::4326");
    let features = written["features"].as_array().unwrap();
    let valid = data.windows(Domain::B, Split::Valid, 0);
    let training = [1, 2].map(|epoch| data.windows(Domain::B, Split::Train, epoch)).concat();
    let told = [vec!["validation"; valid.len()], vec!["training"; training.len()]].concat();
    let epochs =
        [vec![None; valid.len()], vec![Some(1); training.len() / 2], vec![Some(2); training.len() / 2]].concat();
    assert_eq!(features.len(), told.len());
    for (index, (_, window)) in valid.into_iter().chain(training).enumerate() {
        let (properties, ring) = (&features[index]["properties"], &features[index]["geometry"]["coordinates"][0]);
        assert_eq!((properties["split"].as_str(), properties["epoch"].as_u64()), (Some(told[index]), epochs[index]));
        assert_eq!(properties["scene"], SCENE);
        assert_eq!(properties["column"], window.column);
        // From 20 degrees east and 60 north, 0.2 degrees a pixel.
        let at = |column: usize, row: usize| [20.0 + 0.2 * column as f64, 60.0 - 0.2 * row as f64];
        let expected = [
            at(window.column, window.row),
            at(window.column, window.bottom()),
            at(window.right(), window.bottom()),
            at(window.right(), window.row),
            at(window.column, window.row),
        ];
        for (place, point) in expected.iter().enumerate() {
            let apart =
                (0..2).map(|axis| (ring[place][axis].as_f64().unwrap() - point[axis]).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-9, "{apart}");
        }
    }
}

/// Another reader of GeoJSON takes every window for a polygon as RFC 7946, section 3.1.6, has it: one closed ring, counterclockwise,
/// of the window's area; of scenes that are upright, turned and mirrored.
#[test]
fn written_windows_are_polygons_as_the_standard_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("windows.geojson");
    for (name, transform) in [
        ("upright.tif", [10.0, 0.0, 4e5, 0.0, -10.0, 5e6]),
        ("turned.tif", [8.0, 6.0, 4e5, 6.0, -8.0, 5e6]),
        ("south_up.tif", [10.0, 0.0, 4e5, 0.0, 10.0, 5e6]),
    ] {
        let place = Place::new(transform).with_epsg(32633).unwrap();
        let scene = save(folder.path(), name, bytes(&scene()), &place);
        let data = options(folder.path(), &scene, &scene).prepare().unwrap();
        data.windows_geojson(Domain::A, 0..1, &file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let read: geojson::FeatureCollection = text.parse::<geojson::GeoJson>().unwrap().try_into().unwrap();
        assert_eq!(read.features.len(), data.valid_len(Domain::A) + data.len(Domain::A));
        for feature in read.features {
            assert!(feature.properties.is_some_and(|properties| properties.len() == 7));
            let geojson::GeometryValue::Polygon { coordinates } = feature.geometry.unwrap().value else {
                panic!("a polygon")
            };
            assert_eq!(coordinates.len(), 1, "{name}");
            let points = coordinates[0].iter().map(|position| {
                let [x, y] = position.as_slice() else { panic!("two coordinates") };
                geo::Coord { x: *x, y: *y }
            });
            let ring = geo::LineString::new(points.collect());
            assert!(ring.is_closed() && ring.0.len() == 5, "{name}");
            assert!(ring.is_ccw(), "{name}");
            // 32 x 32 pixels of 100 square meters; products of coordinates of seven digits in double precision.
            let area = geo::Polygon::new(ring, Vec::new()).unsigned_area();
            assert!((area - 102_400.0).abs() < 0.1, "{name}: {area}");
        }
    }
}

#[test]
fn places_that_cannot_be_written_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = save(folder.path(), "nowhere.tif", bytes(&scene()), &Place::default());
    let utm = Place::new([10.0, 0.0, 4e5, 0.0, -10.0, 5e6]).with_epsg(32633).unwrap();
    let elsewhere = save(folder.path(), "elsewhere.tif", bytes(&scene()), &utm);
    let data = options(folder.path(), SCENE, &nowhere).scenes(Domain::A, [SCENE.into(), elsewhere]).prepare().unwrap();
    let path = folder.path().join("windows.geojson");
    let error = |domain| data.windows_geojson(domain, 0..1, &path).unwrap_err().to_string();
    assert!(error(Domain::B).contains("nowhere.tif"));
    assert!(error(Domain::A).contains("EPSG:32633") && error(Domain::A).contains("EPSG:4326"));
    assert!(!path.exists());
    let chips = geolearn::prepare_data("assets/bluemarble", geolearn::DatasetType::CycleGan).unwrap();
    assert!(chips.windows_geojson(Domain::A, 0..1, &path).unwrap_err().to_string().contains("PrepareData::scenes"));
    assert!(chips.windows(Domain::A, Split::Train, 0).is_empty());
}

#[test]
fn batches_are_shown_and_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = options(folder.path(), SCENE, SCENE).augment(Augment::none()).prepare().unwrap();
    let picture = data.show_batch(2).unwrap();
    assert!(picture.as_rgb_image().width() > 64);
    let text = data.to_string();
    assert!(text.contains("A: 144 windows an epoch and 16 validation windows of 1 scene, 32 x 32 pixels"), "{text}");
    assert_eq!(data.scene_files(Domain::A).collect::<Vec<_>>(), [std::path::Path::new(SCENE)]);
    assert!(data.files(Domain::A, Split::Train).is_empty());
}
