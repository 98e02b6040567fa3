//! The models that are timed, and their training data.

use std::path::Path;

use clap::ValueEnum;
use geolearn::dataset::{Augment, Batch};
use geolearn::device::ChosenDevice;
use geolearn::train::Translator;
use geolearn::{CycleGan, DataBunch, DatasetType, Device, Pix2Pix, PrepareData, Result};
use tch::Tensor;

use crate::work::asset;

/// Number of batches to cycle through.
const BATCHES: usize = 4;
const SEED: u64 = 42;

/// A kind of model.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Kind {
    /// Learns from unpaired chips
    #[default]
    Cyclegan,
    /// Learns from pairs
    Pix2pix,
}

impl Kind {
    pub fn data(self, side: usize) -> Result<DataBunch> {
        let prepare = match self {
            Self::Cyclegan => PrepareData::new(asset("bluemarble"), DatasetType::CycleGan),
            // There are few pairs, so all of them are used for training.
            Self::Pix2pix => PrepareData::new(asset("bluemarble_test"), DatasetType::Pix2Pix).val_split_pct(0.0),
        };
        prepare.resize_to(side).augment(Augment::none()).seed(SEED).prepare()
    }

    /// Reads batches of `size` chips per domain; if there are too few chips, continues with the next epoch.
    pub fn batches(self, data: &DataBunch, size: usize) -> Result<Vec<Batch>> {
        let mut chips = [Vec::new(), Vec::new()];
        for epoch in 0.. {
            for batch in data.epoch(epoch)?.take(BATCHES * size - chips[0].len()) {
                let Batch { a, b, .. } = batch?;
                chips[0].push(a);
                chips[1].push(b);
            }
            if chips[0].len() == BATCHES * size {
                break;
            }
        }
        let [a, b] = chips;
        let joined = |chips: &[Tensor]| Tensor::f_cat(chips, 0);
        a.chunks(size).zip(b.chunks(size)).map(|(a, b)| Ok(Batch::new(joined(a)?, joined(b)?))).collect()
    }

    /// Builds the published networks without the random parts of a step, which PyTorch would not reproduce: image pools
    /// and dropout. A U-Net halves its images as often as possible, up to arcgis.learn's eight times.
    pub fn model(self, data: &DataBunch, side: usize) -> Result<Model> {
        Ok(match self {
            Self::Cyclegan => {
                Model::CycleGan(CycleGan::builder(data).seed(SEED).pool_size(0).device(Device::Auto).build()?)
            }
            Self::Pix2pix => {
                let levels = side.trailing_zeros().clamp(2, 8) as usize;
                let builder = Pix2Pix::builder(data).seed(SEED).gen_levels(levels).dropout(false);
                Model::Pix2Pix(builder.device(Device::Auto).build()?)
            }
        })
    }
}

/// A model of either kind.
#[allow(clippy::large_enum_variant, reason = "there is one of them at a time")]
pub enum Model {
    CycleGan(CycleGan),
    Pix2Pix(Pix2Pix),
}

impl Model {
    pub fn device(&self) -> &ChosenDevice {
        match self {
            Self::CycleGan(model) => model.device(),
            Self::Pix2Pix(model) => model.device(),
        }
    }

    pub fn translator(&mut self) -> &mut dyn Translator {
        match self {
            Self::CycleGan(model) => model,
            Self::Pix2Pix(model) => model,
        }
    }

    pub fn save(&self, folder: &Path) -> Result<()> {
        match self {
            Self::CycleGan(model) => model.save(folder).map(drop),
            Self::Pix2Pix(model) => model.save(folder).map(drop),
        }
    }

    pub fn load_weights(&mut self, path: &Path) -> Result<()> {
        match self {
            Self::CycleGan(model) => model.load_weights(path),
            Self::Pix2Pix(model) => model.load_weights(path),
        }
    }

    pub fn uses_cuda_graphs(&self) -> bool {
        match self {
            Self::CycleGan(model) => model.uses_cuda_graphs(),
            Self::Pix2Pix(model) => model.uses_cuda_graphs(),
        }
    }

    pub fn cuda_graphs_failure(&self) -> Option<&str> {
        match self {
            Self::CycleGan(model) => model.cuda_graphs_failure(),
            Self::Pix2Pix(model) => model.cuda_graphs_failure(),
        }
    }
}
