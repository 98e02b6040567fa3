//! TorchScript networks in libtorch, without any Python.

use geolearn::raster::Samples;
use geolearn::tch::{CModule, Kind, Tensor};
use geolearn::{DatasetType, Domain, PrepareData};
use ndarray::Array3;

use super::{SORTS, assert_alike, files, scene, scenes, tensor, tiny};

/// Needs no Python. tch knows no uint16, hence both domains are of other types here; each image of a batch goes by itself.
#[test]
fn torchscript_gives_what_predict_gives() {
    let mut compared = 0;
    for sorts in SORTS.into_iter().filter(|sorts| sorts.iter().all(|(samples, _)| *samples != "uint16")) {
        let folder = tempfile::tempdir().unwrap();
        let model = tiny(PrepareData::new(scenes(folder.path(), sorts), DatasetType::CycleGan).batch_size(2));
        for (to, (samples, nodata)) in [(Domain::B, sorts[0]), (Domain::A, sorts[1])] {
            let path = folder.path().join("network.pt");
            model.export_torchscript_with(&path, to, files()).unwrap();
            let whole = scene(samples, None, 5).with_nodata(nodata);
            let images = [scene(samples, nodata, 7), whole];
            let batch = Tensor::cat(&images.each_ref().map(|image| tensor(image.samples()).unwrap()), 0);
            let made = CModule::load(&path).unwrap().forward_ts(&[batch]).unwrap();
            for (i, image) in images.iter().enumerate() {
                let expected = model.predict_image(image, to).unwrap();
                let expected_tensor = tensor(expected.samples()).unwrap();
                assert_eq!(made.kind(), expected_tensor.kind());
                let values: Vec<f64> = made.get(i as i64).to_kind(Kind::Double).flatten(0, -1).try_into().unwrap();
                let values = Array3::from_shape_vec(expected.samples().shape(), values).unwrap();
                let found: Samples = match expected.samples() {
                    Samples::U8(_) => values.mapv(|value| value as u8).into(),
                    Samples::I16(_) => values.mapv(|value| value as i16).into(),
                    Samples::I32(_) => values.mapv(|value| value as i32).into(),
                    Samples::F32(_) => values.mapv(|value| value as f32).into(),
                    _ => values.into(),
                };
                assert_alike(&found, expected.samples(), &format!("{samples}, image {i}"));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 16);
}
