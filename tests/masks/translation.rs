//! Tests that translations have the gaps of their input.

use std::path::Path;

use geolearn::raster::RasterFile;
use geolearn::{CycleGan, Domain, Raster, RasterOptions};
use ndarray::{Array2, Array3, concatenate, s};

use super::common::on_cpu;

const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

fn model() -> CycleGan {
    on_cpu::from_model("tests/fixtures/models/sat2relief", None).unwrap()
}

/// Half of the scene, with an island in the other half.
fn valid(height: usize, width: usize) -> Array2<bool> {
    Array2::from_shape_fn((height, width), |(y, x)| {
        x > width / 2 + y / 4 || (20..40).contains(&y) && (30..50).contains(&x)
    })
}

fn scene() -> Array3<u8> {
    let whole = Array3::<u8>::try_from(Raster::open(SCENE).unwrap()).unwrap();
    whole.slice(s![.., ..96, ..128]).to_owned()
}

/// Creates the same scene with its mask as stored in files: internal, and as an alpha band.
fn masked_scenes(folder: &Path) -> Vec<std::path::PathBuf> {
    let (values, valid) = (scene(), valid(96, 128));
    let opacity = valid.mapv(|valid| if valid { 255u8 } else { 0 }).insert_axis(ndarray::Axis(0));
    let [within, alpha] = ["within.tif", "alpha.png"].map(|name| folder.join(name));
    Raster::new(values.clone()).unwrap().with_validity(&valid).unwrap().save(&within).unwrap();
    let rgba = concatenate![ndarray::Axis(0), values, opacity];
    let pixels = rgba.permuted_axes([1, 2, 0]).iter().copied().collect();
    geolearn::image::RgbaImage::from_raw(128, 96, pixels).unwrap().save(&alpha).unwrap();
    vec![within, alpha]
}

#[test]
fn a_masked_image_has_gaps_in_its_translation() {
    let folder = tempfile::tempdir().unwrap();
    let (model, valid) = (model(), valid(96, 128));
    let expected =
        model.predict_image(&Raster::new(scene()).unwrap().with_validity(&valid).unwrap(), Domain::B).unwrap();
    assert_eq!((expected.validity(), expected.nodata()), (valid.clone(), Some(0.0)));
    let open = model.predict_image(&Raster::new(scene()).unwrap(), Domain::B).unwrap();
    assert_ne!(expected.samples().to_f32()[(0, 90, 120)], open.samples().to_f32()[(0, 90, 120)], "the norms differ");
    for path in masked_scenes(folder.path()) {
        let made = model.predict_a2b(&path).unwrap();
        assert_eq!((made.samples(), made.nodata()), (expected.samples(), Some(0.0)), "{path:?}");
    }
}

#[test]
fn a_masked_scene_has_gaps_in_its_translation() {
    let folder = tempfile::tempdir().unwrap();
    let (model, valid) = (model(), valid(96, 128));
    let options = || RasterOptions::new(Domain::B).progress(false).tile_size(64);
    let mut made = Vec::new();
    for path in masked_scenes(folder.path()) {
        let output = folder.path().join("out.tif");
        model.predict_raster(&path, &output, options()).unwrap();
        let file = RasterFile::open(&output).unwrap();
        assert_eq!((file.info().nodata(), file.read_validity().unwrap()), (Some(0.0), valid.clone()), "{path:?}");
        made.push(file.read().unwrap());
    }
    assert_eq!(made[0], made[1]);
    // Masked values have no influence, not even on statistics.
    let mut other = scene();
    other.indexed_iter_mut().filter(|((_, y, x), _)| !valid[(*y, *x)]).for_each(|(_, value)| *value = 255);
    let path = folder.path().join("other.tif");
    Raster::new(other).unwrap().with_validity(&valid).unwrap().save(&path).unwrap();
    model.predict_raster(&path, folder.path().join("other_out.tif"), options()).unwrap();
    assert_eq!(RasterFile::open(folder.path().join("other_out.tif")).unwrap().read().unwrap(), made[0]);
}
