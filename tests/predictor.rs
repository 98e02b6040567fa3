//! Tests a generator that threads share.

#![allow(clippy::unwrap_used, reason = "helpers of a test")]

#[path = "common/on_cpu.rs"]
mod on_cpu;

use std::sync::Arc;
use std::thread;

use geolearn::{CycleGan, Device, Domain, ErrorKind, Predictor, Raster, RasterOptions};

const MODEL: &str = "tests/fixtures/models/sat2relief";

fn chips(count: usize) -> Vec<Raster> {
    let mut files: Vec<_> =
        std::fs::read_dir("assets/bluemarble/A/images").unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files[..count].iter().map(|file| Raster::open(file).unwrap()).collect()
}

fn predictor(to: Domain) -> Predictor {
    CycleGan::open_predictor(MODEL, to, Device::Cpu).unwrap()
}

/// Identical bit for bit: the same network on the same images.
#[test]
fn it_translates_as_the_model_does() {
    let model = on_cpu::from_model(MODEL, None).unwrap();
    let image = &chips(1)[0];
    for to in Domain::BOTH {
        let taken = model.predictor(to).unwrap();
        for predictor in [predictor(to), taken] {
            assert_eq!(predictor.domain(), to);
            assert_eq!(predictor.predict_image(image).unwrap(), model.predict_image(image, to).unwrap());
            let array = image.samples().to_f32();
            assert_eq!(predictor.predict_array(&array).unwrap(), model.predict_array(&array, to).unwrap());
            let file = "assets/bluemarble/A/images/y0300_x0900.png";
            assert_eq!(predictor.predict(file).unwrap(), model.predict(file, to).unwrap());
        }
    }
}

#[test]
fn threads_share_one() {
    let (predictor, chips) = (Arc::new(predictor(Domain::B)), Arc::new(chips(6)));
    let expected: Vec<_> = chips.iter().map(|chip| predictor.predict_image(chip).unwrap()).collect();
    let work = |_| {
        let (predictor, chips) = (Arc::clone(&predictor), Arc::clone(&chips));
        thread::spawn(move || chips.iter().map(|chip| predictor.predict_image(chip).unwrap()).collect::<Vec<_>>())
    };
    for worker in (0..4).map(work).collect::<Vec<_>>() {
        assert_eq!(worker.join().unwrap(), expected);
    }
}

/// Sums in a different order may round to a different integer.
#[test]
fn images_together_are_translated_as_alone() {
    let predictor = predictor(Domain::B);
    let mut images = chips(7);
    images.insert(3, images[0].resize(61, 30).unwrap());
    images.push(images[1].clone().with_nodata(f64::from(images[1].samples().to_f32()[[0, 5, 5]])));
    let together = predictor.predict_images(&images).unwrap();
    assert_eq!(together.len(), images.len());
    for (image, made) in images.iter().zip(&together) {
        let alone = predictor.predict_image(image).unwrap();
        assert_eq!(
            (made.nodata(), made.place(), made.band_names()),
            (alone.nodata(), alone.place(), alone.band_names())
        );
        let apart = made.samples().to_f32() - alone.samples().to_f32();
        assert!(apart.iter().all(|value| value.abs() <= 1.0));
    }
    assert!(predictor.predict_images(&[]).unwrap().is_empty());
    let gray = Raster::new(ndarray::Array3::<u8>::zeros((1, 64, 64))).unwrap();
    let error = predictor.predict_images(&[images.remove(0), gray]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[test]
fn scenes_are_those_of_the_model_and_of_its_domain_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (model, predictor) = (on_cpu::from_model(MODEL, None).unwrap(), predictor(Domain::B));
    let scene = "assets/scenes/bluemarble_asia.tif";
    let options = |to| RasterOptions::new(to).window(10, 20, 90, 100).progress(false);
    let [ours, its] = ["model.tif", "predictor.tif"].map(|name| folder.path().join(name));
    model.predict_raster(scene, &ours, options(Domain::B)).unwrap();
    predictor.predict_raster(scene, &its, options(Domain::B)).unwrap();
    assert_eq!(Raster::open(&ours).unwrap(), Raster::open(&its).unwrap());
    let error = predictor.predict_raster(scene, &its, options(Domain::A)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("RasterOptions::new(Domain::B)"), "{error}");
}

#[test]
fn files_that_are_not_models_are_named() {
    let error = CycleGan::open_predictor("no/such/model", Domain::A, Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("no/such/model"), "{error}");
}
