//! Models for the QGIS plugin Deepness.

use geolearn::models::{Deepness, ExportOptions};
use geolearn::{Domain, ErrorKind, Raster};

use super::common::{on_cpu, python};
use super::{assert_alike, asset, multispectral, tiny};

/// What Deepness documents of its models, step by step: the keys are JSON, the output is a square of four dimensions, and
/// what it does to an image of bytes gives what `predict` gives.
const DEEPNESS: &str = r#"
import json, sys
import numpy as np, onnxruntime, rasterio

graph, image, made, sources = sys.argv[1:]
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
(i,), (o,) = session.get_inputs(), session.get_outputs()
assert len(o.shape) == 4 and o.shape[2] == o.shape[3] == i.shape[2] == i.shape[3] == 64, (i.shape, o.shape)
properties = session.get_modelmeta().custom_metadata_map
told = {key: json.loads(properties[key]) for key in properties}
assert told["model_type"] == "Superresolution" and told["resolution"] == 1000.5
assert told["tile_size"] == told["tiles_size"] == 64 and told["tiles_overlap"] == 0
chip = rasterio.open(image).read()
tiles = np.transpose(chip[None], (0, 2, 3, 1))
if sources:
    sys.path.insert(0, sources)
    from deepness.processing.models.superresolution import Superresolution

    model = Superresolution(graph)
    model.check_loaded_model_outputs()
    assert model.get_metadata_model_type() == "Superresolution"
    assert list(model.get_input_size_in_pixels()) == [64, 64] and model.get_model_batch_size() is None
    assert (model.get_metadata_tile_size(), model.get_metadata_tiles_overlap()) == (64, 0)
    assert model.get_metadata_resolution() == 1000.5
    assert model.get_number_of_output_channels() == [3] and model.get_output_shape()[-1] == 64
    y = model.process(tiles)
else:
    mean, std = (np.array(told["standardization_" + key], dtype=np.float32) for key in ("mean", "std"))
    x = np.transpose((np.float32(tiles * 1.0 / 255.0) - mean) / std, (0, 3, 1, 2))
    y, = session.run(None, {i.name: x})
assert y.dtype == np.float32
with rasterio.open(made, "w", driver="GTiff", count=3, height=64, width=64, dtype="uint8") as file:
    assert np.array_equal(y[0], y[0].astype(np.uint8))
    file.write(y[0].astype(np.uint8))
"#;

#[test]
fn deepness_reads_models_of_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    let graph = folder.path().join("network.onnx");
    let deepness = Deepness::new(64).resolution(1000.5);
    model.export_onnx_with(&graph, Domain::B, ExportOptions::new().deepness(deepness)).unwrap();
    let image = asset("bluemarble/A/images/y0300_x0900.png");
    let expected = model.predict(&image, Domain::B).unwrap();
    let own_class = std::env::var("GEOLEARN_DEEPNESS").ok();
    for sources in [Some(String::new()), own_class].into_iter().flatten() {
        let made = folder.path().join("made.tif");
        if python::run(&[&"-c", &DEEPNESS, &graph, &image, &made, &sources]).is_some() {
            assert_alike(Raster::open(&made).unwrap().samples(), expected.samples(), "Deepness");
        }
    }
}

#[test]
fn models_that_deepness_cannot_run_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.onnx");
    let model = tiny(multispectral());
    let options = |deepness| ExportOptions::new().deepness(deepness);
    let error = model.export_onnx_with(&path, Domain::B, options(Deepness::new(64))).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Unsupported, Some(path.as_path())));
    assert!(error.to_string().contains("uint16 in domain A"), "{error}");
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    for (options, word) in [
        (options(Deepness::new(0)), "deepness.tile"),
        (options(Deepness::new(64).resolution(f64::NAN)), "deepness.resolution"),
        (options(Deepness::new(64)).square(32), "the tile of `deepness`, 64"),
        (ExportOptions::new().square(0), "option `square`"),
    ] {
        let error = model.export_onnx_with(&path, Domain::B, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = model.export_torchscript_with(&path, Domain::B, options(Deepness::new(64))).unwrap_err();
    assert!(error.to_string().contains("Deepness reads only ONNX"), "{error}");
    assert!(!path.exists());
}
