//! Networks in torch.jit and onnxruntime, on files, against `predict`.

use std::ffi::OsStr;
use std::path::PathBuf;

use geolearn::dataset::Channels;
use geolearn::{CycleGan, DatasetType, Domain, PrepareData, Raster};

use super::common::{on_cpu, python};
use super::{SORTS, assert_alike, asset, export, files, first_chip, multispectral, scenes, tiny};

/// A program without code of ours: it reads files, runs networks and writes what comes out. Each folder holds a network in
/// both formats, and is followed by the image for it.
const RUN: &str = r#"
import sys
import numpy as np, onnx, onnxruntime, rasterio, torch

arguments = iter(sys.argv[1:])
for folder, image in zip(arguments, arguments):
    samples = rasterio.open(image).read()[None]
    onnx.checker.check_model(f"{folder}/network.onnx", full_check=True)
    session = onnxruntime.InferenceSession(f"{folder}/network.onnx", providers=["CPUExecutionProvider"])
    (i,), (o,) = session.get_inputs(), session.get_outputs()
    assert (i.name, o.name, i.shape[1]) == ("input", "output", samples.shape[1]), (i.shape, samples.shape)
    y, = session.run(None, {"input": samples})
    assert o.shape[1] == y.shape[1]
    with torch.no_grad():
        module = torch.jit.load(f"{folder}/network.pt")
        z = module(torch.from_numpy(samples)).numpy()
        # Another type of weights is another arithmetic of the network, and nothing else.
        w = module.to(torch.float64)(torch.from_numpy(samples)).numpy()
    assert (w.dtype, w.shape) == (z.dtype, z.shape)
    apart, span = np.nanmax(np.abs(w.astype(float) - z)), np.nanmax(z.astype(float)) - np.nanmin(z)
    assert apart <= (1 if z.itemsize <= 2 else 1e-4 * span), (apart, span)
    for name, made in [("onnx", y), ("torch", z)]:
        _, bands, height, width = made.shape
        profile = dict(driver="GTiff", count=bands, height=height, width=width, dtype=made.dtype)
        with rasterio.open(f"{folder}/{name}.tif", "w", **profile) as file:
            file.write(made[0])
"#;

/// Both runtimes on files, against `predict`.
fn check_in_python(cases: &[(&CycleGan, Domain, PathBuf)]) {
    let root = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = (0..cases.len()).map(|i| root.path().join(i.to_string())).collect();
    for (folder, (model, to, _)) in folders.iter().zip(cases) {
        export(model, *to, &files(), folder);
    }
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"-c", &RUN];
    for (folder, (_, _, image)) in folders.iter().zip(cases) {
        arguments.extend([folder as &dyn AsRef<OsStr>, image]);
    }
    if python::run(&arguments).is_none() {
        return;
    }
    for (folder, (model, to, image)) in folders.iter().zip(cases) {
        let expected = model.predict(image, *to).unwrap();
        for name in ["onnx", "torch"] {
            let found = Raster::open(folder.join(format!("{name}.tif"))).unwrap();
            assert_alike(found.samples(), expected.samples(), &format!("{name}, {} to {to}", image.display()));
        }
    }
}

#[test]
fn bytes_in_are_bytes_out() {
    let model = on_cpu::from_model(asset("models/sat2relief"), None).unwrap();
    let [a, b] = Domain::BOTH.map(|domain| first_chip(&asset("bluemarble"), domain));
    check_in_python(&[(&model, Domain::B, a), (&model, Domain::A, b)]);
}

/// 13 bands of uint16 with nodata, of which percentiles are cut; the fewer bands of the other domain are repeated.
#[test]
fn spectra_in_are_bytes_out_and_back() {
    let [shared, own] = [Channels::Shared, Channels::Own].map(|channels| tiny(multispectral().channels(channels)));
    // The file is given as it is, with all of its bands.
    let few = tiny(multispectral().bands(Domain::A, [8, 4, 3]));
    let [a, b] = Domain::BOTH.map(|domain| first_chip(&asset("multispectral"), domain));
    let both = |model| [(model, Domain::B, a.clone()), (model, Domain::A, b.clone())];
    check_in_python(&[&shared, &own, &few].map(both).concat());
}

#[test]
fn samples_without_data_are_those_of_predict() {
    let folder = tempfile::tempdir().unwrap();
    let sets = SORTS.iter().enumerate().map(|(i, sorts)| scenes(&folder.path().join(i.to_string()), *sorts));
    let models: Vec<(CycleGan, PathBuf)> =
        sets.map(|root| (tiny(PrepareData::new(&root, DatasetType::CycleGan).batch_size(2)), root)).collect();
    let both = |(model, root)| [Domain::B, Domain::A].map(|to: Domain| (model, to, first_chip(root, to.other())));
    let cases: Vec<_> = models.iter().flat_map(|(model, root)| both((model, root))).collect();
    check_in_python(&cases);
}
