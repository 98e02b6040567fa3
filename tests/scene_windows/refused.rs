//! Scenes and options that cannot be used.

use geolearn::dataset::{BadChips, MixedSizes, Split};
use geolearn::raster::Place;
use geolearn::{DatasetType, Domain, Error, ErrorKind, PrepareData};
use ndarray::Array3;

use super::{SCENE, bytes, options, save, scene};

fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
}

#[test]
fn options_that_do_not_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let with =
        |change: fn(PrepareData) -> PrepareData| change(options(folder.path(), SCENE, SCENE)).prepare().unwrap_err();
    says(&with(|options| options.chip_size(0)), ErrorKind::Usage, &["chip_size", "1 to 16384"]);
    says(&with(|options| options.windows_per_epoch(0)), ErrorKind::Usage, &["windows_per_epoch"]);
    says(&with(|options| options.resolution(-1.0)), ErrorKind::Usage, &["resolution"]);
    says(&with(|options| options.resolution(f64::NAN)), ErrorKind::Usage, &["resolution"]);
    says(&with(|options| options.min_valid_share(1.5)), ErrorKind::Usage, &["min_valid_share"]);
    says(&with(|options| options.resize_to(32)), ErrorKind::Usage, &["chip_size"]);
    says(&with(|options| options.mixed_sizes(MixedSizes::Crop)), ErrorKind::Usage, &["chip_size"]);
    says(&with(|options| options.crop_size(33)), ErrorKind::Usage, &["at most 32"]);
    says(&with(|options| options.scenes(Domain::B, [""; 0])), ErrorKind::Usage, &["domain B", "both domains"]);
    says(&with(|options| options.scenes(Domain::B, [SCENE, SCENE])), ErrorKind::Usage, &["twice", "asia"]);
    let chips = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).chip_size(64);
    says(&chips.prepare().unwrap_err(), ErrorKind::Usage, &["chip_size is of scenes", "crop_size"]);
}

#[test]
fn scenes_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let with = |b: &str| options(folder.path(), SCENE, b).prepare().unwrap_err();
    says(&with("no/such/scene.tif"), ErrorKind::Io, &["no/such/scene.tif"]);
    says(&with("assets/scenes/README.md"), ErrorKind::Format, &["README.md"]);
    says(&with("src/loss"), ErrorKind::Layout, &["src/loss", "domain B"]);
    let error = options(folder.path(), SCENE, SCENE).chip_size(400).prepare().unwrap_err();
    says(&error, ErrorKind::Usage, &["400 x 400", "512 x 320", "chip_size"]);
    let empty = folder.path().join("empty.tif");
    let zeros = geolearn::Raster::new(Array3::<u8>::zeros((3, 320, 512))).unwrap().with_nodata(0.0);
    zeros.save(&empty).unwrap();
    let error = options(folder.path(), &empty, SCENE).prepare().unwrap_err();
    says(&error, ErrorKind::Layout, &["no scene has data", "domain A"]);
    let place = scene().place().clone();
    let gray = save(folder.path(), "grey.tif", bytes(&scene()).slice(ndarray::s![..1, .., ..]).to_owned(), &place);
    let both = || options(folder.path(), SCENE, SCENE).scenes(Domain::A, [SCENE.into(), gray.clone()]);
    says(&both().prepare().unwrap_err(), ErrorKind::Layout, &["3 bands", "1 band of", "BadChips::Skip"]);
    let data = both().bad_chips(BadChips::Skip).prepare().unwrap();
    assert_eq!((data.scene_files(Domain::A).count(), data.skipped().len()), (1, 1));
}

#[test]
fn a_resolution_needs_a_georeference_in_one_unit() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = save(folder.path(), "nowhere.tif", bytes(&scene()), &Place::default());
    let error = options(folder.path(), SCENE, &nowhere).resolution(0.4).prepare().unwrap_err();
    says(&error, ErrorKind::Usage, &["nowhere.tif", "gdal_translate"]);
    let error = options(folder.path(), SCENE, SCENE).resolution(1e6).prepare().unwrap_err();
    says(&error, ErrorKind::Usage, &["asia", "degrees"]);
}

#[test]
fn pairs_lie_on_one_grid() {
    let folder = tempfile::tempdir().unwrap();
    let utm = Place::new([10.0, 0.0, 4e5, 0.0, -10.0, 5e6]).with_epsg(32633).unwrap();
    let elsewhere = save(folder.path(), "elsewhere.tif", bytes(&scene()), &utm);
    let paired = |b: &[&std::path::Path]| {
        let options = PrepareData::new(folder.path(), DatasetType::Pix2Pix).chip_size(32);
        options.scenes(Domain::A, [SCENE]).scenes(Domain::B, b.iter().copied()).prepare()
    };
    let error = paired(&[&elsewhere]).unwrap_err();
    says(
        &error,
        ErrorKind::Layout,
        &["elsewhere.tif", "EPSG:32633", "gdalwarp -t_srs EPSG:4326 -te 20", "-ts 512 320"],
    );
    let error = paired(&[SCENE.as_ref(), &elsewhere]).unwrap_err();
    says(&error, ErrorKind::Layout, &["for each of A: 1", "2"]);
    // The same two train a model that needs no pairs.
    let data = options(folder.path(), SCENE, &elsewhere).prepare().unwrap();
    assert!(data.len(Domain::B) > 0);
}

/// A scene that is replaced by another while a fit reads it.
#[test]
fn a_scene_that_changes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let place = scene().place().clone();
    let path = save(folder.path(), "scene.tif", bytes(&scene()), &place);
    let data = options(folder.path(), &path, SCENE).prepare().unwrap();
    save(folder.path(), "scene.tif", bytes(&scene()).slice(ndarray::s![.., ..300, ..]).to_owned(), &place);
    let error = data.image(Domain::A, Split::Valid, 0).unwrap_err();
    says(&error, ErrorKind::Format, &["scene.tif"]);
    let error = data.epoch(0).unwrap().find_map(Result::err).unwrap();
    says(&error, ErrorKind::Format, &["scene.tif"]);
}
