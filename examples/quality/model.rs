//! The models that recipes train.

use std::path::Path;

use geolearn::device::ChosenDevice;
use geolearn::evaluation::{Metrics, MetricsOptions};
use geolearn::models::LoadOptions;
use geolearn::train::History;
use geolearn::{CycleGan, DataBunch, DatasetType, Domain, FitOptions, Pix2Pix, Raster, Result};

/// The kind of model that a recipe trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    CycleGan,
    Pix2Pix,
}

/// A model of either kind.
#[allow(clippy::large_enum_variant, reason = "there is one of them at a time")]
pub enum Model {
    CycleGan(CycleGan),
    Pix2Pix(Pix2Pix),
}

/// Calls a method that both kinds of models have.
macro_rules! of_either {
    ($either:expr, $model:ident => $what:expr) => {
        match $either {
            Model::CycleGan($model) => $what,
            Model::Pix2Pix($model) => $what,
        }
    };
}

impl Kind {
    /// Returns how to read the chips: a CycleGAN draws each domain independently, even from pairs.
    pub fn dataset_type(self) -> DatasetType {
        match self {
            Self::CycleGan => DatasetType::CycleGan,
            Self::Pix2Pix => DatasetType::Pix2Pix,
        }
    }

    pub fn open(self, path: &Path, data: &DataBunch) -> Result<Model> {
        let options = LoadOptions::new().data(data);
        Ok(match self {
            Self::CycleGan => Model::CycleGan(CycleGan::from_model_with(path, options)?),
            Self::Pix2Pix => Model::Pix2Pix(Pix2Pix::from_model_with(path, options)?),
        })
    }
}

impl Model {
    pub fn fit(&mut self, options: FitOptions) -> Result<()> {
        of_either!(self, model => model.fit(options).map(drop))
    }

    pub fn history(&self) -> &History {
        of_either!(self, model => model.history())
    }

    pub fn device(&self) -> &ChosenDevice {
        of_either!(self, model => model.device())
    }

    pub fn save_safetensors(&self, path: &Path) -> Result<()> {
        of_either!(self, model => model.save_safetensors(path))
    }

    pub fn compute_metrics(&mut self, options: MetricsOptions) -> Result<Metrics> {
        of_either!(self, model => model.compute_metrics_with(options))
    }

    /// Translates an image into domain `to`; returns `None` if the model has no generator for that direction.
    pub fn predict(&self, path: &Path, to: Domain) -> Result<Option<Raster>> {
        match (self, to) {
            (Self::Pix2Pix(_), Domain::A) => Ok(None),
            _ => of_either!(self, model => model.predict(path, to)).map(Some),
        }
    }
}
