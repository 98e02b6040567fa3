//! The part of a model definition that is specific to Pix2Pix, and the options that follow from arcgis.learn's weights.

use tch::Tensor;

use super::config::Pix2PixConfig;
use super::networks::{DISCRIMINATOR, GENERATOR};
use crate::error::{Error, ErrorKind, Result};
use crate::models::core::rows;
use crate::package::emd::ModelKind;

/// The kind of model, as arcgis.learn names it.
pub(in crate::models) static KIND: ModelKind = ModelKind {
    name: "Pix2Pix",
    configuration: "_pix2pix",
    parameters: &[("backbone", Some("resnet34")), ("backend", Some("pytorch"))],
    takes_any_tile: false,
    opened_by: "Pix2Pix",
};

/// Derives the options of a model that arcgis.learn saved from its weights: the definition does not contain them.
pub(super) fn config_of(weights: &[(String, Tensor)]) -> Result<Pix2PixConfig> {
    let rows = |name: &str| {
        rows(weights, name).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("tensor {name} is missing from the weights"))
                .expected("the U-Net that arcgis.learn builds without a `backbone`")
                .help("Models with a backbone or with perceptual_loss cannot be opened here: train one without, or export it there.")
        })
    };
    let level = |level: usize| format!("{GENERATOR}.down{level}.model.0.weight");
    let gen_features = rows(&level(1))?;
    let gen_levels = (1..).take_while(|&i| weights.iter().any(|(name, _)| *name == level(i))).count();
    let disc_features = rows(&format!("{DISCRIMINATOR}.model.0.weight"))?;
    Ok(Pix2PixConfig { gen_levels, gen_features, disc_features, ..Pix2PixConfig::default() })
}
