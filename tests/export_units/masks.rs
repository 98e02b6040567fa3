//! Networks with an input for masks.

use std::ffi::OsStr;
use std::path::Path;

use geolearn::models::{Deepness, ExportOptions};
use geolearn::tch::{CModule, Kind, Tensor};
use geolearn::{DatasetType, Domain, ErrorKind, PrepareData, Raster};

use super::common::{on_cpu, python, small_data, small_model};
use super::{SORTS, assert_alike, asset, export, files, scene, scenes, tensor, tiny};

/// A program without code of ours that reads images with GDAL's mask of them and writes what the network makes.
const RUN_WITH_MASK: &str = r#"
import sys
import onnx, onnxruntime, rasterio

folder, *images = sys.argv[1:]
onnx.checker.check_model(f"{folder}/network.onnx", full_check=True)
session = onnxruntime.InferenceSession(f"{folder}/network.onnx", providers=["CPUExecutionProvider"])
i, m = session.get_inputs()
assert (i.name, m.name, m.type, m.shape[1]) == ("input", "mask", "tensor(uint8)", 1)
for number, image in enumerate(images):
    with rasterio.open(image) as file:
        samples, mask = file.read(list(range(1, i.shape[1] + 1)))[None], file.dataset_mask()[None, None]
    assert 0 < (mask == 0).mean() < 1, image
    made, = session.run(None, {"input": samples, "mask": mask})
    _, bands, height, width = made.shape
    profile = dict(driver="GTiff", count=bands, height=height, width=width, dtype=made.dtype)
    with rasterio.open(f"{folder}/{number}.tif", "w", **profile) as file:
        file.write(made[0])
"#;

/// Alpha, masks within and beside files, and a transparent color, as GDAL reads them.
#[test]
fn pixels_that_a_mask_hides_are_those_of_predict() {
    let names = ["alpha.png", "alpha_rgba.tif", "beside.png", "beside.tif", "internal_tiled.tif", "color_rgb.png"];
    let images = names.map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/masks").join(name));
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    export(&model, Domain::B, &files().mask(true), folder.path());
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"-c", &RUN_WITH_MASK];
    let path = folder.path();
    arguments.push(&path);
    arguments.extend(images.iter().map(|image| image as &dyn AsRef<OsStr>));
    if python::run(&arguments).is_none() {
        return;
    }
    for (number, image) in images.iter().enumerate() {
        let expected = model.predict(image, Domain::B).unwrap();
        let found = Raster::open(folder.path().join(format!("{number}.tif"))).unwrap();
        assert_alike(found.samples(), expected.samples(), &image.display().to_string());
        let empty = |raster: &Raster| raster.samples().to_f32().mapv(|value| value == 0.0);
        assert_eq!(empty(&found), empty(&expected), "{}", image.display());
    }
}

/// Needs no Python. A mask counts beside what values tell.
#[test]
fn torchscript_takes_a_mask_as_predict_does() {
    let hidden = |y: usize, x: usize| (y / 5 + x / 7).is_multiple_of(3);
    let valid = ndarray::Array2::from_shape_fn((25, 30), |(y, x)| !hidden(y, x));
    let bytes: Vec<u8> = valid.iter().map(|&valid| if valid { 255 } else { 0 }).collect();
    let mask = Tensor::from_slice(&bytes).view([1, 1, 25, 30]);
    let mut compared = 0;
    for sorts in SORTS.into_iter().filter(|sorts| sorts.iter().all(|(samples, _)| *samples != "uint16")) {
        let folder = tempfile::tempdir().unwrap();
        let model = tiny(PrepareData::new(scenes(folder.path(), sorts), DatasetType::CycleGan).batch_size(2));
        for (to, (samples, _)) in [(Domain::B, sorts[0]), (Domain::A, sorts[1])] {
            let path = folder.path().join("network.pt");
            model.export_torchscript_with(&path, to, files().mask(true)).unwrap();
            let image = scene(samples, None, 7);
            let network = CModule::load(&path).unwrap();
            let made = network.forward_ts(&[tensor(image.samples()).unwrap(), mask.shallow_clone()]).unwrap();
            let expected = model.predict_image(&image.clone().with_validity(&valid).unwrap(), to).unwrap();
            let expected = tensor(expected.samples()).unwrap();
            assert_eq!((made.kind(), made.size()), (expected.kind(), expected.size()));
            let [found, expected] =
                [made, expected].map(|made| Vec::<f64>::try_from(made.to_kind(Kind::Double).flatten(0, -1)).unwrap());
            // Integers may be a count apart on the edge between two; floats by rounding.
            let span =
                expected.iter().filter(|value| value.is_finite()).fold(1.0f64, |most, value| most.max(value.abs()));
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let is_same = found == expected || found.is_nan() && expected.is_nan();
                assert!(
                    is_same || (found - expected).abs() <= span * 1e-4 + 1.0,
                    "{samples}: {found} for {expected} at {at}"
                );
                let pixel = at % (25 * 30);
                if hidden(pixel / 30, pixel % 30) {
                    assert!(is_same, "{samples}: {found} for {expected} at {at}, which is hidden");
                }
            }
            assert!(network.forward_ts(&[tensor(image.samples()).unwrap(), mask.narrow(2, 0, 20)]).is_err());
            compared += 1;
        }
    }
    assert_eq!(compared, 8);
}

#[test]
fn a_mask_without_samples_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(&small_data(folder.path()));
    for options in [ExportOptions::new().mask(true), ExportOptions::new().deepness(Deepness::new(32)).mask(true)] {
        let error = model.export_onnx_with(folder.path().join("x.onnx"), Domain::B, options).unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("ExportUnits::Files"), "{error}");
    }
}
