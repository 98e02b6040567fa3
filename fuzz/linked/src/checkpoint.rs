//! Fuzzes checkpoint headers: a model that opens must also predict.
#![no_main]
#![allow(clippy::unwrap_used, reason = "what cannot be set up ends the run")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use geolearn::dataset::Augment;
use geolearn::train::Checkpoint;
use geolearn::{CycleGan, DataBunch, DatasetType, Device, Domain, FitOptions, PrepareData};
use serde_json::Value;
use tempfile::TempDir;

/// The header key under which a checkpoint stores everything that is not a tensor.
const KEY: &str = "geolearn.checkpoint";

/// Names a file for the header of a valid checkpoint, as a seed for a corpus.
const SEED: &str = "GEOLEARN_FUZZ_SEED";

/// A valid checkpoint of a tiny model, and its training data.
struct Sound {
    folder: TempDir,
    data: DataBunch,
    header: Value,
    tensors: Vec<u8>,
}

fn sound() -> &'static Sound {
    static MADE: OnceLock<Sound> = OnceLock::new();
    MADE.get_or_init(|| {
        let chips = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/bluemarble");
        let data = PrepareData::new(chips, DatasetType::CycleGan).resize_to(24).augment(Augment::none()).workers(0);
        let data = data.batch_size(64).progress(false).prepare().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let builder = CycleGan::builder(&data).gen_blocks(1).gen_features(1).disc_features(1).pool_size(1);
        let options = FitOptions::new(1).progress(false).checkpoint(Checkpoint::Last).checkpoint_dir(folder.path());
        builder.device(Device::Cpu).build().unwrap().fit(options).unwrap();
        let bytes = std::fs::read(folder.path().join("last.safetensors")).unwrap();
        let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        if let Some(path) = std::env::var_os(SEED) {
            std::fs::write(path, header["__metadata__"][KEY].as_str().unwrap()).unwrap();
        }
        let sound = Sound { folder, data, header, tensors: bytes[8 + length..].to_vec() };
        // Otherwise nothing after the first check would be reached.
        let own = sound.with(sound.header["__metadata__"][KEY].as_str().unwrap());
        CycleGan::from_checkpoint_on(own, &sound.data, Device::Cpu).unwrap();
        sound
    })
}

impl Sound {
    /// Returns the checkpoint with its header's own section replaced.
    fn with(&self, text: &str) -> PathBuf {
        let mut header = self.header.clone();
        header["__metadata__"][KEY] = text.into();
        let header = serde_json::to_vec(&header).unwrap();
        let path = self.folder.path().join("changed.safetensors");
        let length = (header.len() as u64).to_le_bytes();
        std::fs::write(&path, [&length[..], &header, &self.tensors].concat()).unwrap();
        path
    }
}

fn open_and_predict(text: &str) {
    let sound = sound();
    if let Ok(model) = CycleGan::from_checkpoint_on(sound.with(text), &sound.data, Device::Cpu) {
        let image = ndarray::Array3::<f32>::zeros((3, 8, 12));
        for domain in Domain::BOTH {
            let _ = model.predict_array(&image, domain);
        }
    }
}

// Trains the model first, so that the time does not count toward an input.
libfuzzer_sys::fuzz_target!(
    init: {
        sound();
    },
    |text: &str| open_and_predict(text)
);
