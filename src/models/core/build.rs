//! Builds a model from the options of a builder.

use std::path::PathBuf;

use super::learner::Learner;
use super::load_options::LoadOptions;
use super::model::Model;
use crate::dataset::DataBunch;
use crate::device::Device;
use crate::error::Result;

impl<M: Model> Learner<M> {
    /// Builds a model with new weights, or with those of a saved model.
    pub(in crate::models) fn built(
        data: DataBunch,
        config: M::Config,
        device: Device,
        pretrained: Option<(PathBuf, LoadOptions)>,
    ) -> Result<Self> {
        M::check(&config)?;
        let mut model = Self::for_data(data, config, device.resolve()?)?;
        if let Some((path, options)) = pretrained {
            model.begin_with(&path, &options)?;
        }
        model.with_batch_size_settled()
    }
}
