//! The part of a model definition that is specific to CycleGAN.

use serde_json::Value;

use crate::error::Result;
use crate::package::emd::{Emd, ModelKind};

/// The kind of model, as arcgis.learn names it.
pub(in crate::models) static KIND: ModelKind = ModelKind {
    name: "CycleGAN",
    configuration: "_cyclegan",
    parameters: &[(BLOCKS, None), (LSGAN, None), ("backbone", Some("resnet34")), ("backend", Some("pytorch"))],
    takes_any_tile: true,
    opened_by: "CycleGan",
};

const BLOCKS: &str = "gen_blocks";
const LSGAN: &str = "lsgan";
const MAX_BLOCKS: u64 = 1_000;

/// The keys of `ModelParameters` that differ between CycleGANs; the rest are constants of arcgis.learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ModelParameters {
    pub gen_blocks: usize,
    /// Whether the adversarial loss is least squares.
    pub lsgan: bool,
}

/// The parameters that arcgis.learn uses for a model without options.
impl Default for ModelParameters {
    fn default() -> Self {
        Self { gen_blocks: 9, lsgan: true }
    }
}

impl ModelParameters {
    /// Reads the parameters of a definition; an older one has none.
    pub fn of(definition: &Emd) -> Result<Self> {
        let keys = definition.parameters();
        let Self { gen_blocks, lsgan } = Self::default();
        Ok(Self {
            gen_blocks: match keys.optional(BLOCKS) {
                Some(_) => keys.integer(BLOCKS, 0, MAX_BLOCKS)?,
                None => gen_blocks,
            },
            lsgan: keys.get_optional(LSGAN, "true or false", Value::as_bool)?.unwrap_or(lsgan),
        })
    }

    /// Writes the parameters to a definition.
    pub fn write(self, definition: &mut Emd) {
        definition.parameters.insert(BLOCKS.to_owned(), self.gen_blocks.into());
        definition.parameters.insert(LSGAN.to_owned(), self.lsgan.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::package::emd::{DomainBands, Opening};

    /// Creates a definition with these `ModelParameters`, if any.
    fn definition(parameters: Option<Value>) -> Emd {
        let text = Emd::new(&KIND, "m.pth", [DomainBands::default(), DomainBands::default()], false).to_json().unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value.as_object_mut().unwrap().retain(|key, _| !key.starts_with("n_") && !key.starts_with("Normalization"));
        value["ModelParameters"] = parameters.unwrap_or_default();
        Emd::parse(value.to_string().as_bytes(), Opening::own(&KIND)).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut emd = definition(Some(json!({"gen_blocks": 2, "dropout": 0.5, "lsgan": true})));
        assert_eq!(ModelParameters::of(&emd).unwrap(), ModelParameters { gen_blocks: 2, lsgan: true });
        ModelParameters { gen_blocks: 6, lsgan: false }.write(&mut emd);
        assert_eq!(ModelParameters::of(&emd).unwrap(), ModelParameters { gen_blocks: 6, lsgan: false });
        let text = Value::from(emd.parameters.clone()).to_string();
        assert_eq!(text, r#"{"gen_blocks":6,"dropout":0.5,"lsgan":false}"#);
    }

    #[test]
    fn older_files_have_no_parameters() {
        for parameters in [None, Some(json!({}))] {
            assert_eq!(
                ModelParameters::of(&definition(parameters)).unwrap(),
                ModelParameters { gen_blocks: 9, lsgan: true }
            );
        }
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (parameters, words) in [
            (json!({"gen_blocks": 1_000_000_000}), "`ModelParameters.gen_blocks` has a wrong value"),
            (
                json!({"lsgan": "yes"}),
                "`ModelParameters.lsgan` has a wrong value: expected true or false, found \"yes\"",
            ),
        ] {
            let error = ModelParameters::of(&definition(Some(parameters))).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
