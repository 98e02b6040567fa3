//! Code shared by the integration tests.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]
#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "../../src/testing/port.rs"]
pub mod port;
#[path = "../../src/testing/python.rs"]
pub mod python;

pub mod on_cpu;

use std::path::{Path, PathBuf};

use geolearn::{CycleGan, DataBunch, DatasetType, Domain, PrepareData};

/// Copies some chips of each domain of the bundled set to `folder`.
pub fn few_chips(folder: &Path, a: usize, b: usize) -> PathBuf {
    let root = folder.join("chips");
    for (domain, count) in [("A", a), ("B", b)] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bluemarble").join(domain).join("images");
        let into = root.join(domain).join("images");
        std::fs::create_dir_all(&into).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().step_by(7).take(count) {
            std::fs::copy(file, into.join(file.file_name().unwrap())).unwrap();
        }
    }
    root
}

/// Prepares a few 32-pixel chips, which keeps a training step within milliseconds.
pub fn small_data(folder: &Path) -> DataBunch {
    let chips = few_chips(folder, 6, 5);
    PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).batch_size(2).prepare().unwrap()
}

/// Builds the smallest model that has every kind of layer.
pub fn small_model(data: &DataBunch) -> CycleGan {
    on_cpu::builder(data).gen_blocks(1).gen_features(4).disc_features(4).pool_size(3).build().unwrap()
}

/// Translates a fixed gradient image of domain A.
pub fn answer(model: &CycleGan) -> ndarray::Array3<f32> {
    let image = ndarray::Array3::from_shape_fn((3, 33, 47), |(c, y, x)| ((c + 1) * (2 * y + x)) as f32);
    model.predict_array(&image, Domain::B).unwrap()
}
